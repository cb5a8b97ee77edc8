/* WWW-Authenticate (RFC 7235 4.1): one challenge out of the header lines of an answer. */
#ifndef TARE_REGISTRY_CHALLENGE_INTERNAL_H
#define TARE_REGISTRY_CHALLENGE_INTERNAL_H

#include <stdbool.h>

struct challenge {
        char *realm, *service, *scope; /* or NULL */
};
void challenge_done(struct challenge *c);
#define _cleanup_challenge_ __attribute__((cleanup(challenge_done)))
/* True when one of the lines offers `scheme` ("Bearer"); its parameters are filled in. */
bool challenge_find(char *const *lines, const char *scheme, struct challenge *ret);

#endif
