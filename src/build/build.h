/* The Dockerfile builder: parser -> instructions -> plan (stages that the target needs, in order) -> cache -> execution.
 * Reference: Docker's "Dockerfile reference"; parser errors name file and line ("Dockerfile:12: ..."). */
#ifndef TARE_BUILD_BUILD_H
#define TARE_BUILD_BUILD_H

#include <stdbool.h>
#include <stdio.h>
#include "base/db.h"
#include "base/err.h"
#include "image/images.h"
#include "oci/runtime_spec.h"

extern const struct db_schema build_schema;            /* the step cache */

struct build_options {
        const char *context;           /* directory; NULL: none ("-" given a Dockerfile on stdin) */
        const char *dockerfile;        /* path; NULL: context/Dockerfile */
        const char *dockerfile_text;   /* or its text (stdin), wins */
        char *const *build_args;       /* "K=V" */
        char *const *labels;           /* "K=V" */
        char *const *tags;             /* names */
        const char *target;            /* stage name or number */
        const struct platform *platform;
        bool no_cache, pull, quiet;
        int64_t source_date_epoch;     /* s, -1: none */
        /* What the builder cannot do from its room; all required. */
        int (*pull_image)(void *data, const char *name, const struct platform *platform, struct err *err);
        /* Prepares the spec for a RUN step (network, limits, resolv.conf mounts) before runtime_create, is its on_namespaces, and cleans up. */
        int (*step_prepare)(void *data, const char *step_id, struct oci_spec *spec, struct err *err);
        int (*step_network)(void *data, pid_t pid, int netns_fd, struct err *err);
        void (*step_done)(void *data, const char *step_id);
        void *data;
        const char *seccomp_cache;
        void (*progress)(void *data, const char *line);        /* "Step 1/5 : FROM debian", " ---> Using cache", ... */
        int out_fd, err_fd;            /* output of RUN steps; -1: dropped */
        const int *cancel_fd;          /* readable (signalfd, a client that left): the build stops, ERR_CONFLICT; NULL: none */
};
struct build_result { char *image_id; };
int build_run(struct db *db, struct storage *st, const struct build_options *o, char **ret_image_id, struct err *err);

/* What killed builds left: roots, control groups, scratch folders. found gets the id of each such build; with repair all of it is removed, and
 * step_done is told of every step. Builds under way are left alone. */
struct build_sweep {
        bool repair;
        void (*found)(void *data, const char *build_id);       /* or NULL */
        void (*step_done)(void *data, const char *step_id);
        void *data;
};
int build_sweep(struct storage *st, const struct build_sweep *how, struct err *err);
/* Is the build of this step, whose id is its root's, still under way? */
bool build_alive(struct storage *st, const char *step_id);

/* One Dockerfile instruction applied to a configuration: for commit --change, import --change. Only those docker allows there. */
int build_apply_change(const char *line, struct image_exec *exec, struct err *err);
/* Forgets cached steps whose images are gone, or all; *ret_count rows. */
int build_prune(struct db *db, bool all, unsigned *ret_count, struct err *err);

#endif
