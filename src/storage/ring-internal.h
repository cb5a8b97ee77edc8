/* A bounded buffer of slots between two threads: one fills, one empties. Slots are filled in place, so nothing is copied. */
#ifndef TARE_STORAGE_RING_INTERNAL_H
#define TARE_STORAGE_RING_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct ring {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        unsigned char *memory;
        size_t *lens;
        size_t slots, slot_size;
        size_t filled, taken; /* counts since the beginning */
        bool ended; /* by the producer: nothing more comes */
        bool cut; /* ... because of a failure: this is no end of data */
        bool stopped; /* by the consumer: nothing more is wanted */
        bool holding; /* the consumer looks at slot `taken` */
};

void ring_init(struct ring *r, size_t slots, size_t slot_size);
void ring_done(struct ring *r);
/* Producer: a free slot of slot_size bytes, the same one until ring_put(); NULL when the consumer has stopped. */
unsigned char *ring_space(struct ring *r);
void ring_put(struct ring *r, size_t len);
void ring_end(struct ring *r, bool cut);
/* Consumer: the next slot, valid until the next call; NULL at the end (*ret_cut says of which kind). */
const unsigned char *ring_take(struct ring *r, size_t *ret_len, bool *ret_cut);
void ring_stop(struct ring *r);

#endif
