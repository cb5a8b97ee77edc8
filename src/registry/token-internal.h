/* Authorization of requests: nothing, basic, or bearer tokens by the docker token protocol (distribution-spec
 * "auth/token", RFC 6750, RFC 7235 challenges). What is needed is learnt from the first 401. */
#ifndef TARE_REGISTRY_TOKEN_INTERNAL_H
#define TARE_REGISTRY_TOKEN_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "registry/auth.h"

struct registry;

enum auth_scheme { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

struct token {
        char *scope;                   /* as asked for by our callers, "" for none */
        char *wanted;                  /* what the registry's challenge asked for besides, or NULL */
        char *value;                   /* or NULL */
        int64_t expires;               /* time_monotonic() */
};

struct tokens {
        pthread_mutex_t lock;          /* also held while one is fetched: others want the same one */
        enum auth_scheme scheme;
        char *realm, *service;
        struct token *list;
        size_t count;
        struct credentials credentials;
        bool credentials_known;
};

void tokens_init(struct tokens *t);
void tokens_done(struct tokens *t);
/* The header line for a request of this scope ("repository:x:pull", NULL for none): *ret stays NULL where none is needed. Wipe it. */
int token_header(struct registry *r, const char *scope, char **ret, struct err *err);
/* Learns from the challenges of a 401 to a request that was sent with `used` (or NULL). 1: try again, 0: nothing more can be done. */
int token_learn(struct registry *r, char *const *challenges, const char *scope, const char *used, struct err *err);
/* Replaces a message out of the registry's words that repeats one of our secrets. */
void token_redact(struct registry *r, struct err *err);

#endif
