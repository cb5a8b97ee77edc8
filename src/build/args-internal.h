/* Build arguments: what ARG declares in a stage, what --build-arg gives, and what is predefined (proxies,
 * platforms). */
#ifndef TARE_BUILD_ARGS_INTERNAL_H
#define TARE_BUILD_ARGS_INTERNAL_H

#include <stdbool.h>
#include "base/mem.h"
#include "oci/platform.h"

struct arg_scope {
        char *const *given; /* --build-arg "K=V"; a bare "K" gives nothing */
        char *const *global; /* ARGs before the first FROM with their values, and the platforms' */
        char **declared; /* "K=V" of this stage, in order; those without a value are not here */
        char ***used; /* names of `given` that an ARG has asked for, over all stages */
};
void arg_scope_done(struct arg_scope *s);
/* value NULL: ARG without a default. */
void arg_declare(struct arg_scope *s, const char *name, const char *value);
/* What words are expanded with: the declared arguments, and env over them. Heap strv. */
char **arg_environment(const struct arg_scope *s, char *const *env);
/* "K=V" a RUN step sees beside env, sorted: declared ones not hidden by env. Also part of the cache key. */
char **arg_run_environment(const struct arg_scope *s, char *const *env);
/* The predefined proxy arguments given but not declared: seen by RUN, in no key and no history. */
char **arg_proxies(const struct arg_scope *s, char *const *env);
bool arg_is_predefined(const char *name, size_t len);
/* TARGETPLATFORM, TARGETOS, ... of a build. */
char **arg_platforms(const struct platform *target, const struct platform *build);

#endif
