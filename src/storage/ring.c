#include "storage/ring-internal.h"
#include <stdlib.h>
#include "base/mem.h"

void ring_init(struct ring *r, size_t slots, size_t slot_size)
{
        *r = (struct ring){ .slots = slots, .slot_size = slot_size };
        pthread_mutex_init(&r->lock, NULL);
        pthread_cond_init(&r->changed, NULL);
        r->memory = xmalloc(slots * slot_size);
        r->lens = xcalloc(slots, sizeof(*r->lens));
}

void ring_done(struct ring *r)
{
        if (!r->memory)
                return;
        pthread_cond_destroy(&r->changed);
        pthread_mutex_destroy(&r->lock);
        free(r->memory);
        free(r->lens);
        r->memory = NULL;
}

unsigned char *ring_space(struct ring *r)
{
        pthread_mutex_lock(&r->lock);
        while (!r->stopped && r->filled - r->taken == r->slots)
                pthread_cond_wait(&r->changed, &r->lock);
        unsigned char *space = r->stopped ? NULL : r->memory + (r->filled % r->slots) * r->slot_size;
        pthread_mutex_unlock(&r->lock);
        return space;
}

void ring_put(struct ring *r, size_t len)
{
        pthread_mutex_lock(&r->lock);
        r->lens[r->filled % r->slots] = len;
        r->filled++;
        pthread_cond_signal(&r->changed);
        pthread_mutex_unlock(&r->lock);
}

void ring_end(struct ring *r, bool cut)
{
        pthread_mutex_lock(&r->lock);
        if (!r->ended) {
                r->ended = true;
                r->cut = cut;
        }
        pthread_cond_signal(&r->changed);
        pthread_mutex_unlock(&r->lock);
}

const unsigned char *ring_take(struct ring *r, size_t *ret_len, bool *ret_cut)
{
        const unsigned char *bytes = NULL;
        pthread_mutex_lock(&r->lock);
        if (r->holding) {
                r->holding = false;
                r->taken++;
                pthread_cond_signal(&r->changed);
        }
        while (r->filled == r->taken && !r->ended)
                pthread_cond_wait(&r->changed, &r->lock);
        /* After a failure what still lies in the ring is of no use. */
        if (r->filled > r->taken && !r->cut) {
                bytes = r->memory + (r->taken % r->slots) * r->slot_size;
                *ret_len = r->lens[r->taken % r->slots];
                r->holding = true;
        } else
                *ret_cut = r->cut;
        pthread_mutex_unlock(&r->lock);
        return bytes;
}

void ring_stop(struct ring *r)
{
        pthread_mutex_lock(&r->lock);
        r->stopped = true;
        pthread_cond_signal(&r->changed);
        pthread_mutex_unlock(&r->lock);
}
