/* mode=non-blocking: the monitor puts pieces of output into a ring of memory and never waits; a thread takes them out and writes them. What
 * finds no room is lost, and counted. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/mem.h"
#include "base/timefmt.h"
#include "monitor/log-internal.h"

#define RING_MIN ((uint64_t)128 << 10) /* a chunk and its head fit */
#define QUIET 1 /* s, after which memory is given back */

struct entry {
        uint32_t len; /* of the bytes that follow */
        bool is_stderr, wrap; /* wrap: nothing more before the end of the ring */
        int64_t time;
};

struct log_ring {
        struct log *log;
        uint8_t *bytes;
        size_t size, head, used; /* the oldest entry; bytes from there on */
        bool closing, reopen;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t added;
};

_Static_assert(sizeof(struct entry) == 16, "sizes are multiples of it, so one fits wherever the ring is not at its end");

static size_t entry_size(size_t len)
{
        return (sizeof(struct entry) + len + 15) & ~(size_t)15;
}

static void entry_write(struct log *l, const struct entry *e, const uint8_t *data)
{
        struct log_chunk c = { .data = data, .len = e->len, .is_stderr = e->is_stderr, .last = true, .time = e->time };
        for (size_t taken = 0; c.len; c.data += taken, c.len -= taken)
                taken = l->driver->lines(l, &c);
        l->driver->flush(l);
}

/* Locked; false: at the end. */
static bool entry_wait(struct log_ring *r)
{
        while (r->used == 0 && !r->closing && !r->reopen) {
                struct timespec until;
                clock_gettime(CLOCK_REALTIME, &until);
                until.tv_sec += QUIET;
                if (pthread_cond_timedwait(&r->added, &r->lock, &until) == 0 || r->used)
                        continue;
                logfile_rest(&r->log->file);
                madvise(r->bytes, r->size, MADV_DONTNEED);
                pthread_cond_wait(&r->added, &r->lock);
        }
        if (r->reopen)
                logfile_close(&r->log->file);
        r->reopen = false;
        return r->used || !r->closing;
}

/* The bytes stay where they are until they are written: the lock is not held for that. */
static void *ring_run(void *data)
{
        struct log_ring *r = data;
        pthread_mutex_lock(&r->lock);
        while (entry_wait(r)) {
                if (r->used == 0)
                        continue;
                struct entry e;
                memcpy(&e, r->bytes + r->head, sizeof(e));
                size_t size = e.wrap ? r->size - r->head : entry_size(e.len);
                const uint8_t *text = r->bytes + r->head + sizeof(e);
                if (!e.wrap) {
                        pthread_mutex_unlock(&r->lock);
                        entry_write(r->log, &e, text);
                        pthread_mutex_lock(&r->lock);
                }
                r->head = (r->head + size) % r->size;
                r->used -= size;
        }
        pthread_mutex_unlock(&r->lock);
        return NULL;
}

/* Signals are the main thread's. */
static int thread_start(struct log_ring *r)
{
        pthread_attr_t attributes;
        sigset_t all, before;
        sigfillset(&all);
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 256 << 10); /* what it does not touch costs nothing */
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int failed = pthread_create(&r->thread, &attributes, ring_run, r);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
        return failed ? -1 : 0;
}

struct log_ring *log_ring_new(struct log *l, uint64_t size)
{
        static struct log_ring ring;
        struct log_ring *r = &ring;
        *r = (struct log_ring){ .log = l, .size = (size < RING_MIN ? RING_MIN : size) & ~(size_t)4095 };
        void *bytes = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (bytes == MAP_FAILED)
                return NULL;
        r->bytes = bytes;
        pthread_mutex_init(&r->lock, NULL);
        pthread_cond_init(&r->added, NULL);
        if (thread_start(r) == 0)
                return r;
        munmap(bytes, r->size);
        return NULL;
}

/* Bytes of the chunk that are whole records, and what is too long for one. */
static size_t taken_of(const struct log_chunk *c)
{
        const uint8_t *newline = c->last || !c->len ? NULL : memrchr(c->data, '\n', c->len);
        size_t taken = c->last ? c->len : newline ? (size_t)(newline - c->data) + 1 : 0;
        while (c->len - taken >= RECORD_LINE_MAX)
                taken += record_split(c->data + taken);
        return taken;
}

/* Locked. Where an entry of that size may be written, NULL: no room. */
static uint8_t *entry_place(struct log_ring *r, size_t size)
{
        size_t tail = (r->head + r->used) % r->size, behind = r->size - tail;
        if (r->used == 0)
                r->head = tail = 0, behind = r->size;
        if (size <= behind)
                return r->used + size <= r->size ? r->bytes + tail : NULL;
        if (r->used + behind + size > r->size)
                return NULL;
        memcpy(r->bytes + tail, &(struct entry){ .wrap = true }, sizeof(struct entry));
        r->used += behind;
        return r->bytes;
}

size_t log_ring_add(struct log_ring *r, const struct log_chunk *c)
{
        size_t taken = taken_of(c), size = entry_size(taken);
        struct entry e = { .len = (uint32_t)taken, .is_stderr = c->is_stderr, .time = c->time };
        if (taken == 0)
                return 0;
        pthread_mutex_lock(&r->lock);
        uint8_t *to = entry_place(r, size);
        if (to) {
                memcpy(to, &e, sizeof(e));
                memcpy(to + sizeof(e), c->data, taken);
                r->used += size;
                pthread_cond_signal(&r->added);
        }
        pthread_mutex_unlock(&r->lock);
        if (!to)
                r->log->lost += log_lines_count(c->data, taken);
        return taken;
}

void log_ring_close(struct log_ring *r)
{
        pthread_mutex_lock(&r->lock);
        r->closing = true;
        pthread_cond_signal(&r->added);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
        munmap(r->bytes, r->size);
}

void log_ring_reopen(struct log_ring *r)
{
        pthread_mutex_lock(&r->lock);
        r->reopen = true;
        pthread_cond_signal(&r->added);
        pthread_mutex_unlock(&r->lock);
}
