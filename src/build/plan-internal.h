/* Stages of a Dockerfile, what each stands upon and copies from, and which of them the target needs. No I/O: whether
 * a name that is no stage is an image shows when it is built. Built strings are owned; instructions stay the
 * dockerfile's. */
#ifndef TARE_BUILD_PLAN_INTERNAL_H
#define TARE_BUILD_PLAN_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "build/dockerfile.h"

enum { STAGE_NONE = -1 };

struct plan_stage {
        const struct instruction *from;
        char *name; /* AS, lower case; NULL: none */
        char *base; /* "scratch", a stage's name or an image's, expanded */
        char *platform; /* --platform, expanded; NULL: the build's */
        int base_stage; /* STAGE_NONE: scratch or an image */
        bool scratch;
        const struct instruction *list;
        size_t count; /* instructions after FROM */
        bool needed;
};
struct plan {
        struct plan_stage *stages;
        size_t count, target;
        const struct instruction *global_list;
        size_t global_count; /* ARGs before the first FROM */
        char **global; /* their values and the platforms', "K=V" */
        unsigned steps; /* instructions that will be run, FROM and global ARG counted */
};
struct plan_request {
        const char *name; /* of the Dockerfile, for errors */
        char *const *build_args;
        char *const *platforms; /* arg_platforms() */
        const char *target; /* name or number; NULL: the last */
        char ***used_args;
};
int plan_make(const struct dockerfile *d, const struct plan_request *r, struct plan *ret, struct err *err);
void plan_done(struct plan *p);
/* The stage that `name` (or a number, when numbers) means when said in stage `before`; STAGE_NONE. */
int plan_find_stage(const struct plan *p, const char *name, size_t before, bool numbers);
/* Value of "from=" among the comma-separated options of a --mount flag; heap or NULL. */
char *mount_option(const char *options, const char *key);

#endif
