/* One HTTP request and its answer over a pooled curl handle: no redirects, no repetition. */
#ifndef TARE_REGISTRY_TRANSFER_INTERNAL_H
#define TARE_REGISTRY_TRANSFER_INTERNAL_H

#include "registry/http-internal.h"

/* authorization: a header line or NULL. own_host: the URL is the registry's own. */
int http_transfer(struct registry *r, const struct http_request *q, const char *url, const char *authorization, bool own_host,
                  struct http_reply *ret, struct err *err);

#endif
