/* What may stand in a request path: repository names and references (distribution-spec 1.1 "Pulling manifests").
 * Both sides check with these before a name touches a URL or a file, so that neither can be steered by one. */
#ifndef TARE_REGISTRY_NAMES_INTERNAL_H
#define TARE_REGISTRY_NAMES_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

#define REPOSITORY_NAME_MAX 255

/* component("/"component)*, a component being [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
bool repository_name_valid(const char *name);
/* A tag or a digest. */
bool manifest_reference_valid(const char *reference);
/* "host", "host:port", "[v6]:port": made only of what a host may hold. */
bool registry_domain_valid(const char *domain);
/* The three above as errors. reference NULL: not looked at. */
int registry_names_check(const char *path, const char *reference, struct err *err);
int registry_digest_check(const char *digest, struct err *err);

#endif
