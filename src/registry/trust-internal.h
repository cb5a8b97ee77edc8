/* Certificates of one registry host, as docker (certs.d) lays them out: *.crt are further authorities, NAME.cert with
 * NAME.key the client's own. */
#ifndef TARE_REGISTRY_TRUST_INTERNAL_H
#define TARE_REGISTRY_TRUST_INTERNAL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct trust {
        char *authorities;             /* PEM: the system's and those of certs.d; NULL: the system's alone */
        size_t authorities_len;
        char *certificate, *key;       /* paths, or NULL */
};

/* dir NULL: the directories of docker and podman for this domain. None there is success. */
int trust_load(struct trust *ret, const char *dir, const char *domain, struct err *err);
void trust_done(struct trust *t);
/* own_host: the request goes to the registry itself (client certificate, and `verify` may be false). */
void trust_apply(const struct trust *t, CURL *curl, bool own_host, bool verify);

#endif
