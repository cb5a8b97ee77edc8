/* The table of instructions: how each one's words are read, which flags it knows, and where it may stand. Adding an
 * instruction is a row here, one in handlers/table.c, and a file under handlers/. */
#ifndef TARE_BUILD_INSTRUCTIONS_INTERNAL_H
#define TARE_BUILD_INSTRUCTIONS_INTERNAL_H

#include <stdbool.h>
#include "base/err.h"
#include "build/dockerfile.h"

/* What the args of a parsed instruction are. */
enum arg_style {
        ARGS_PLAIN_WORDS, /* FROM EXPOSE */
        ARGS_QUOTED_WORDS, /* ARG */
        ARGS_PAIRS, /* ENV LABEL: name, value, name, value, ... */
        ARGS_TEXT, /* one string */
        ARGS_JSON_OR_TEXT, /* RUN CMD ENTRYPOINT SHELL */
        ARGS_JSON_OR_WORDS, /* COPY ADD VOLUME */
        ARGS_HEALTHCHECK, /* "NONE" or "CMD", then as JSON_OR_TEXT */
        ARGS_ONBUILD /* the triggered instruction as one string, heredocs included */
};

struct instruction_def {
        const char *name;
        enum arg_style style;
        unsigned min_args, max_args; /* max 0: any */
        const char *wants; /* "exactly one argument" */
        const char *const *flags; /* "from=" takes a value, "mount=+" may repeat, "link?" is a boolean; NULL: none */
        bool no_onbuild; /* not allowed as a trigger */
        bool change; /* allowed in commit --change */
        bool heredoc;
};
/* NULL for a name that is no instruction; case is ignored. */
const struct instruction_def *instruction_find(const char *name);
const struct instruction_def *instruction_def(enum instruction_kind kind);
enum instruction_kind instruction_kind_of(const struct instruction_def *def);
/* Value of a flag ("from"), NULL when absent; "" or "true" of a boolean. */
const char *instruction_flag(const struct instruction *in, const char *name);
bool instruction_flag_bool(const struct instruction *in, const char *name);

#endif
