/* What an instruction does to a configuration: one function a file under handlers/, the table of them in
 * handlers/table.c.
 *
 * A change function expands its words, alters exec and leaves in `comment` what docker's history says of it. RUN,
 * COPY and ADD change files and are in step-internal.h's table of executors; WORKDIR is in both. */
#ifndef TARE_BUILD_HANDLERS_INTERNAL_H
#define TARE_BUILD_HANDLERS_INTERNAL_H

#include <stdbool.h>
#include "base/err.h"
#include "build/args-internal.h"
#include "build/dockerfile.h"
#include "oci/config.h"

struct change {
        struct image_exec *exec;
        char **author; /* of the configuration; NULL in commit --change */
        bool *cmd_set; /* this stage has had its CMD; NULL in commit --change */
        struct arg_scope *args; /* NULL in commit --change */
        char escape;
        char *const *env; /* what words are expanded with */
        char *comment; /* out: "ENV a=b"; heap */
        bool tight; /* out: docker writes this one behind "#(nop) " with one blank, not two */
};
typedef int (*change_fn)(struct change *c, const struct instruction *in, struct err *err);
/* NULL for those that only change files. */
change_fn change_handler(enum instruction_kind kind);

int change_arg(struct change *c, const struct instruction *in, struct err *err);
int change_cmd(struct change *c, const struct instruction *in, struct err *err);
int change_entrypoint(struct change *c, const struct instruction *in, struct err *err);
int change_env(struct change *c, const struct instruction *in, struct err *err);
int change_expose(struct change *c, const struct instruction *in, struct err *err);
int change_healthcheck(struct change *c, const struct instruction *in, struct err *err);
int change_label(struct change *c, const struct instruction *in, struct err *err);
int change_maintainer(struct change *c, const struct instruction *in, struct err *err);
int change_onbuild(struct change *c, const struct instruction *in, struct err *err);
int change_shell(struct change *c, const struct instruction *in, struct err *err);
int change_stopsignal(struct change *c, const struct instruction *in, struct err *err);
int change_user(struct change *c, const struct instruction *in, struct err *err);
int change_volume(struct change *c, const struct instruction *in, struct err *err);
int change_workdir(struct change *c, const struct instruction *in, struct err *err);

/* --- shared by them --- */
int change_expand(const struct change *c, const char *word, char **ret, struct err *err);
/* Names and values of ENV and LABEL, expanded, as "NAME=VALUE". */
int change_expand_pairs(const struct change *c, const struct instruction *in, char ***ret, struct err *err);
/* What SHELL set, else {"/bin/sh", "-c"}. */
char **exec_shell(const struct image_exec *exec);
/* The words of CMD, ENTRYPOINT, RUN: as they are, or given to the shell. */
char **exec_command(const struct image_exec *exec, const struct instruction *in);
/* Adds to a sorted set. */
void strv_add_sorted(char ***v, const char *s);

#endif
