/* A registry that answers byte by byte what a test wants, right or wrong: one thread, one request a connection. */
#ifndef TARE_TESTS_REGISTRY_LIAR_H
#define TARE_TESTS_REGISTRY_LIAR_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct liar {
        int fd;
        uint16_t port;
        char domain[32];               /* "127.0.0.1:port" */
        pthread_t thread;
        /* head: the request with its headers. count: requests before this one, but for the probe of /v2/. */
        void (*answer)(struct liar *l, int conn, const char *head, unsigned count);
        void *data;
        unsigned count;
        unsigned long received;        /* bytes of the last body */
        char heads[64][2048];          /* of the requests so far */
};
void liar_start(struct liar *l, void (*answer)(struct liar *l, int conn, const char *head, unsigned count), void *data);
void liar_stop(struct liar *l);
/* Answers "HTTP/1.1 <status>" with further header lines (each ending in CRLF) and a body of that length. */
void liar_say(int conn, const char *status, const char *headers, const void *body, size_t len);
/* Sends what is given, all of it or as much as the peer takes. */
void liar_raw(int conn, const void *data, size_t len);

#endif
