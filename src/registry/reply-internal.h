/* What a registry answered: status, the headers that mean something here, a bounded body; and its translation to errors. */
#ifndef TARE_REGISTRY_REPLY_INTERNAL_H
#define TARE_REGISTRY_REPLY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

struct http_reply {
        long status;
        char *url;                     /* that answered, after redirects */
        char *content_type, *digest, *location, *link, *range, *content_range, *chunk_min, *retry_after, *filters;
        char **challenges;
        int64_t length;                /* Content-Length, -1 when unknown */
        struct buf body;               /* a document, or the (cut) text of an error */
        bool foreign;                  /* another host than the registry answered */
        bool cut;                      /* the exchange broke; trying again may help */
};
#define HTTP_REPLY_INIT { .length = -1 }
#define HTTP_ERROR_BODY_MAX ((size_t)64 << 10)
void http_reply_done(struct http_reply *reply);
/* As above, and ready for the next exchange. */
void http_reply_reset(struct http_reply *reply);
#define _cleanup_http_reply_ __attribute__((cleanup(http_reply_done)))
/* Takes one header line. */
void http_reply_header(struct http_reply *reply, const char *line, size_t len);
/* Sets *err from status and body: "manifest unknown: manifest unknown"; returns -1. */
int http_reply_error(const struct http_reply *reply, struct err *err);
/* Content type without parameters; heap, or NULL. */
char *http_reply_type(const struct http_reply *reply);

#endif
