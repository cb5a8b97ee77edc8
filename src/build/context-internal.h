/* What the user gives: the context directory with its .dockerignore, and the Dockerfile's text. */
#ifndef TARE_BUILD_CONTEXT_INTERNAL_H
#define TARE_BUILD_CONTEXT_INTERNAL_H

#include "base/buf.h"
#include "base/err.h"
#include "build/build.h"
#include "build/ignore.h"

struct context {
        int root_fd; /* -1: none */
        struct ignore *ignore; /* NULL: nothing is ignored */
        char *name; /* of the Dockerfile in errors */
        struct buf text;
};
int context_open(const struct build_options *o, struct context *ret, struct err *err);
void context_done(struct context *c);

#endif
