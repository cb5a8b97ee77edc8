/* Dockerfile text -> instructions. Escape directive, line continuation, comments, heredocs, JSON (exec) forms, flags (--from=...),
 * variable expansion ($X ${X} ${X:-d} ${X:+a}) as the Dockerfile reference says where each instruction allows it. */
#ifndef TARE_BUILD_DOCKERFILE_H
#define TARE_BUILD_DOCKERFILE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/mem.h"

enum instruction_kind { INSTR_FROM, INSTR_ARG, INSTR_ENV, INSTR_RUN, INSTR_COPY, INSTR_ADD, INSTR_WORKDIR, INSTR_USER, INSTR_CMD,
                        INSTR_ENTRYPOINT, INSTR_EXPOSE, INSTR_LABEL, INSTR_VOLUME, INSTR_SHELL, INSTR_STOPSIGNAL, INSTR_HEALTHCHECK,
                        INSTR_ONBUILD, INSTR_MAINTAINER, INSTR_KINDS };

struct heredoc { char *name; char *text; bool expand; };
struct instruction {
        enum instruction_kind kind;
        unsigned line;                 /* of its first line, from 1 */
        char *original;                /* the logical line as written, continuations joined */
        char **flags;                  /* "--from=x", in order */
        char **args;                   /* words (unexpanded), or the JSON array's strings, or one string for shell forms */
        bool json;                     /* exec form */
        struct heredoc *heredocs;
        size_t heredoc_count;
};
struct dockerfile {
        struct instruction *list;
        size_t count;
        char escape;                   /* '\\' or '`' */
        char *syntax;                  /* the syntax directive, or NULL; noted, not obeyed */
};
void dockerfile_done(struct dockerfile *d);
#define _cleanup_dockerfile_ _cleanup_(dockerfile_done)
/* name: shown in errors. Unknown instruction, missing argument, bad flag: ERR_INVALID "NAME:LINE: ...". At most 1 MiB of text. */
int dockerfile_parse(const char *text, size_t len, const char *name, struct dockerfile *ret, struct err *err);
/* Expands variables in one word; env: strv NAME=VALUE. keep_quotes false removes shell quotes. */
int dockerfile_expand(const char *word, char escape, char *const *env, char **ret, struct err *err);
/* As above, for instructions whose expansion is split into words again (EXPOSE, ...). */
int dockerfile_expand_words(const char *text, char escape, char *const *env, char ***ret, struct err *err);

#endif
