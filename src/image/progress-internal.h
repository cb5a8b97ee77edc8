/* Progress told from several threads, one call at a time. */
#ifndef TARE_IMAGE_PROGRESS_INTERNAL_H
#define TARE_IMAGE_PROGRESS_INTERNAL_H

#include <pthread.h>
#include "image/transfer.h"

struct progress {
        const struct transfer_progress *to; /* NULL: nobody listens */
        pthread_mutex_t lock;
};
#define PROGRESS_INIT(listener)                                                                                        \
        {                                                                                                              \
                .to = (listener), .lock = PTHREAD_MUTEX_INITIALIZER                                                    \
        }
/* p may be NULL. */
void progress_layer(struct progress *p, const char *digest, enum transfer_state state, uint64_t done, uint64_t total);
void progress_line(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
