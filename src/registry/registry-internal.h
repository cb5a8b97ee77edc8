/* The inside of a `struct registry`: where it is, how it is trusted, idle curl handles. */
#ifndef TARE_REGISTRY_REGISTRY_INTERNAL_H
#define TARE_REGISTRY_REGISTRY_INTERNAL_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include "registry/auth.h"
#include "registry/client.h"
#include "registry/token-internal.h"
#include "registry/trust-internal.h"

#define IDLE_HANDLES 16

struct registry {
        char *domain;                  /* as users name it: "docker.io" */
        char *host;                    /* who is asked: "registry-1.docker.io" */
        char *auth_file;               /* or NULL */
        bool loopback, insecure;
        unsigned retries;
        struct trust trust;
        pthread_mutex_t lock;          /* of what follows */
        char *base;                    /* "https://host", found out once; then constant */
        bool reached;                  /* some answer came: from now on patience is worth it */
        CURL *idle[IDLE_HANDLES];      /* with their live connections, last used on top */
        size_t idle_count;
        CURLSH *share;                 /* names and TLS sessions, for all handles */
        pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
        struct tokens tokens;          /* has its own lock */
};

static inline void mutex_unlockp(pthread_mutex_t **m) { if (*m) pthread_mutex_unlock(*m); }
#define _cleanup_unlock_ __attribute__((cleanup(mutex_unlockp), unused))
static inline pthread_mutex_t *mutex_hold(pthread_mutex_t *m) { pthread_mutex_lock(m); return m; }

/* A handle, reset, made when none is idle; never NULL. */
CURL *registry_handle_take(struct registry *r);
void registry_handle_give(struct registry *r, CURL *curl);
/* Finds out the scheme of hosts that may speak either; sets r->base. Costs nothing for all others. */
int registry_locate(struct registry *r, struct err *err);

#endif
