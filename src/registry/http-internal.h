/* One exchange with a registry: authorization, redirects, patience. */
#ifndef TARE_REGISTRY_HTTP_INTERNAL_H
#define TARE_REGISTRY_HTTP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "registry/registry-internal.h"
#include "registry/reply-internal.h"

/* Takes the body of a 2xx answer as it comes. begin() sees status and headers first, also of an empty body. */
struct http_sink {
        int (*begin)(void *data, const struct http_reply *reply, struct err *err);
        int (*write)(void *data, const void *bytes, size_t len, struct err *err);
        void *data;
};

/* A body out of a file: `size` bytes from `offset`; read again from there when a request is repeated. */
struct http_file {
        int fd;
        uint64_t offset, size;
        void (*progress)(void *data, uint64_t position);       /* or NULL; position in the file */
        void *data;
};

struct http_request {
        const char *method;
        const char *url;               /* "/v2/..." of the registry, or absolute */
        const char *scope;             /* of the token, or NULL */
        char *const *headers;          /* strv of further lines */
        const void *body;              /* of POST, PUT, PATCH: this, or */
        size_t body_len;
        const struct http_file *file;  /* this */
        size_t reply_max;              /* bytes of a 2xx body; 0: HTTP_ERROR_BODY_MAX */
        const struct http_sink *sink;  /* instead of the reply's body */
        bool once;                     /* not idempotent: a broken one is the caller's to judge */
};

/* 0: some answer, which may be an error status. -1: none; ret->cut tells whether the connection broke.
 * `ret` is initialised with HTTP_REPLY_INIT and is the caller's to free in both cases. */
int http_exchange(struct registry *r, const struct http_request *q, struct http_reply *ret, struct err *err);
/* One attempt along redirects with a given Authorization line (sent to the host of the first URL only). */
int http_follow(struct registry *r, const struct http_request *q, const char *url, const char *authorization, struct http_reply *ret,
                struct err *err);
/* After a failed attempt (rc, reply, err): waits and returns true when another one is due. *tries counts them. */
bool http_again(struct registry *r, const struct http_request *q, const struct http_reply *reply, int rc, unsigned *tries);
/* Back-off before the n-th repetition. */
void http_pause(unsigned tries);
/* http_exchange, with every status but 2xx made an error. */
int http_demand(struct registry *r, const struct http_request *q, struct http_reply *ret, struct err *err);

#endif
