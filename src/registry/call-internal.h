/* One request to the registry server, from its first line to its last byte, and the answers to it. */
#ifndef TARE_REGISTRY_CALL_INTERNAL_H
#define TARE_REGISTRY_CALL_INTERNAL_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "registry/htpasswd-internal.h"
#include "registry/server.h"
#include "registry/store-internal.h"

struct upload;
struct uploads;
struct route;

struct service {
        const struct registry_server_options *options;
        struct store store;
        struct uploads *uploads;
        struct htpasswd *users;        /* NULL: open to all */
        atomic_uint running;           /* calls under way */
};

struct call {
        struct service *service;
        struct MHD_Connection *connection;
        char *url;                     /* as it came, for the log */
        char *method;
        const struct route *route;     /* NULL until routed */
        char *repository;              /* checked; NULL where the route has none */
        char *reference;               /* tag, digest or upload id; checked */
        bool routed;
        struct buf body;               /* of routes that collect it */
        struct upload *upload;         /* held by this call */
        struct MHD_Response *response; /* the answer, once there is one */
        unsigned status;
        uint64_t answer_bytes;
};

/* Answers; the first one counts. Names follow distribution-spec "Error Codes". */
void answer_error(struct call *c, unsigned status, const char *code, const char *message);
/* From a failed call of ours; what it is about is told only where the peer's own words are wrong. code: for 4xx. */
void answer_failure(struct call *c, const struct err *err, const char *code);
void answer_empty(struct call *c, unsigned status);
/* Takes the heap text. */
void answer_text(struct call *c, unsigned status, const char *type, char *text, size_t len);
/* Takes the descriptor. */
void answer_file(struct call *c, unsigned status, int fd, uint64_t offset, uint64_t len);
/* Only after one of the above. */
void answer_header(struct call *c, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Value of a query parameter or header, NULL when absent. */
const char *call_query(struct call *c, const char *key);
const char *call_header(struct call *c, const char *key);
/* "n" and "last" of lists. false: answered already. *ret_n is SIZE_MAX where not given. */
bool call_page(struct call *c, size_t *ret_n, const char **ret_last);
/* Answers with {"<member>": [names after `last`, at most n]}, prefix members as JSON text before it, and a Link to the rest. */
void answer_page(struct call *c, const char *prefix, const char *member, char *const *names, size_t n, const char *last, const char *path);

#endif
