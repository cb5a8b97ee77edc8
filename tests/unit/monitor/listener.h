/* A log server for tests: what comes over a local socket or TCP, message by message. listener_start(), use, listener_done(). */
#ifndef TARE_TESTS_UNIT_MONITOR_LISTENER_H
#define TARE_TESTS_UNIT_MONITOR_LISTENER_H

#include <pthread.h>
#include <stdbool.h>
#include "base/buf.h"

enum listener_kind { LISTEN_DATAGRAM, LISTEN_STREAM, LISTEN_UDP, LISTEN_TCP };
struct listener {
        int fd;
        enum listener_kind kind;
        bool deaf; /* accepts and reads nothing */
        char address[128]; /* as the monitor takes it */
        pthread_t thread;
        pthread_mutex_t lock;
        char **messages; /* strings with their lengths */
        size_t *lengths, count;
        bool closing;
};
void listener_start(struct listener *l, enum listener_kind kind, const char *folder, bool deaf);
/* Waits (20 s) until that many have come. */
void listener_wait(struct listener *l, size_t count);
void listener_done(struct listener *l);

#endif
