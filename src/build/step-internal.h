/* The build as it runs, and one step of it. Order within step_run(): change (handlers), prepare, look into the
 * cache, digest, look again, execute in a root upon the layers so far, make the layer, commit, store in the cache. */
#ifndef TARE_BUILD_STEP_INTERNAL_H
#define TARE_BUILD_STEP_INTERNAL_H

#include "build/build.h"
#include "build/context-internal.h"
#include "build/dockerfile.h"
#include "build/plan-internal.h"
#include "build/state-internal.h"
#include "build/workspace-internal.h"

/* A tree that files are copied from, beside the context: a stage or an image, opened once a build. */
struct source_root {
        char *chain;
        char *root_id;
        int fd;
};

struct build {
        struct db *db;
        struct storage *st;
        const struct build_options *o;
        struct context ctx;
        struct dockerfile file;
        struct plan plan;
        struct platform host, target;
        struct stage_state *states; /* one per stage of the plan */
        struct workspace work;
        struct source_root *roots;
        size_t root_count;
        char **used_args;
        char **keys; /* cache rows this build used or made */
        unsigned number; /* of the step, as shown */
        char escape; /* of the text being run (the Dockerfile's, or a trigger's) */
};

struct step {
        struct build *b;
        struct stage_state *s;
        size_t stage; /* index of the stage, before which sources are looked for */
        const struct instruction *in;
        char **env; /* what words are expanded with */
        char **canonical; /* what the instruction asks for, expanded: part of the key */
        char *source; /* names its content without looking at it (a chain id), or NULL */
        char *content; /* digest of its content, or NULL */
        char *created_by;
        char *root_id; /* set while executing */
        bool unsure; /* content changed while it was used: not to be remembered */
        void *own; /* the executor's */
};

/* For instructions that change files. All but execute may be NULL. */
struct executor {
        int (*prepare)(struct step *s,
                       struct err *err); /* sets own, canonical, source; created_by if content does not matter to it */
        int (*digest)(struct step *s, struct err *err); /* sets content and created_by */
        int (*execute)(struct step *s, struct err *err); /* in root_id */
        void (*done)(struct step *s);
};
extern const struct executor executor_run, executor_copy, executor_workdir;

/* Runs one instruction of a stage. */
int step_run(struct build *b, size_t stage, const struct instruction *in, struct err *err);
/* Runs a stage from its FROM on, if it has not been. */
int stage_run(struct build *b, size_t stage, struct err *err);
/* -1 when the caller wants the build to stop. */
int build_check_cancelled(const struct build *b, struct err *err);
void build_say(const struct build *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Now, or SOURCE_DATE_EPOCH, in ns. */
int64_t build_time(const struct build *b);

/* --- sources.c --- */
/* Where COPY --from and RUN --mount from= take files from. name NULL: the context. Names a stage, a stage's number
 * or an image. */
struct source {
        const char *name;
        char *chain; /* top chain id, heap; NULL: context, or scratch */
        char **layers;
        struct stage_state image;
        int fd;
};
void source_done(struct source *src);
int source_find(struct build *b, size_t stage, const char *name, struct source *ret, struct err *err);
/* Opens its tree; the descriptor stays the build's. */
int source_open(struct build *b, struct source *src, struct err *err);
void sources_close(struct build *b);
/* Finds an image, pulling it when it is not here (or when asked to). */
int build_find_image(struct build *b, const char *name, const struct platform *platform, bool pull, struct image *ret,
                     struct err *err);

#endif
