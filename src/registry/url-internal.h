/* URLs that peers name: resolved and compared with libcurl's own parser, so that both always mean the same host. */
#ifndef TARE_REGISTRY_URL_INTERNAL_H
#define TARE_REGISTRY_URL_INTERNAL_H

#include <stdbool.h>
#include "base/err.h"

/* `location` as seen from `base`; http and https only, no user in it, and http only where allow_http. Heap. */
int url_resolve(const char *base, const char *location, bool allow_http, char **ret, struct err *err);
/* Same scheme, host and port. */
bool url_same_origin(const char *a, const char *b);
/* Without query and fragment (they may be signatures), for messages. Heap. */
char *url_shown(const char *url);
/* Adds "?" or "&" and "key=value" with the value escaped. Heap. */
char *url_with(const char *url, const char *key, const char *value);

#endif
