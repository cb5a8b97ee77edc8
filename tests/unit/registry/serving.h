/* A registry server in a thread of the test, and plain requests to it. */
#ifndef TARE_TESTS_REGISTRY_SERVING_H
#define TARE_TESTS_REGISTRY_SERVING_H

#include <pthread.h>
#include <stdint.h>
#include "base/buf.h"
#include "registry/server.h"

struct serving {
        struct registry_server_options options;        /* root and the like may be set before the start */
        char root[64];
        char domain[32];
        uint16_t port;
        int stop[2], ready[2];
        pthread_t thread;
        int rc;
        struct err err;
};
/* A new root; then start, stop and start again as often as wanted. */
void serving_init(struct serving *s);
void serving_start(struct serving *s);
void serving_stop(struct serving *s);
void serving_done(struct serving *s);

struct raw {
        long status;
        struct buf head, body;         /* head: the answer's header lines */
};
void raw_done(struct raw *a);
/* headers: lines separated by newlines, or NULL. */
void raw_request(const struct serving *s, const char *method, const char *path, const char *headers, const void *body, size_t len,
                 struct raw *ret);
/* Value of a header, heap, NULL when absent. */
char *raw_header(const struct raw *a, const char *name);

#endif
