/* Image references as users write them: [domain[:port]/]path[:tag][@digest].
 * Grammar: distribution-spec 1.1 "Pulling manifests" and github.com/distribution/reference (interface facts only).
 * "debian" is normalised to docker.io/library/debian; a first component without '.', ':' and other than "localhost" is
 * no domain. A tag of "latest" is implied where neither tag nor digest is given. */
#ifndef TARE_OCI_REFERENCE_H
#define TARE_OCI_REFERENCE_H

#include <stdbool.h>
#include "base/err.h"
#include "base/mem.h"

struct reference {
        char *domain;         /* "docker.io", "localhost:5000" */
        char *path;           /* "library/debian" */
        char *tag;            /* NULL when only a digest was given */
        char *digest;         /* "sha256:..", or NULL */
};

void reference_done(struct reference *r);
#define _cleanup_reference_ _cleanup_(reference_done)

/* *ret must be zeroed; ERR_INVALID "invalid reference format" as docker says, with the text. A bare 64-hex string is refused (it is an ID). */
int reference_parse(const char *text, struct reference *ret, struct err *err);
/* "docker.io/library/debian:12@sha256:.." on the heap: the canonical form, used as key in the database. */
char *reference_canonical(const struct reference *r);
/* As docker shows it: "debian:12", "localhost:5000/x:y" (domain docker.io and library/ dropped). Heap. */
char *reference_familiar(const struct reference *r);
/* Familiar name without tag and digest: the REPOSITORY column. Heap. */
char *reference_familiar_name(const struct reference *r);
bool reference_tag_valid(const char *tag);

#endif
