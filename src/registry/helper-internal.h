/* docker-credential-NAME programs: `get`, `store`, `erase` with JSON over their pipes. */
#ifndef TARE_REGISTRY_HELPER_INTERNAL_H
#define TARE_REGISTRY_HELPER_INTERNAL_H

#include "base/err.h"
#include "registry/auth.h"

/* server: what the helper files it under. Nothing there is success with all NULL. */
int helper_get(const char *name, const char *server, struct credentials *ret, struct err *err);
int helper_store(const char *name, const char *server, const struct credentials *c, struct err *err);
/* ERR_NOT_FOUND. */
int helper_erase(const char *name, const char *server, struct err *err);

#endif
