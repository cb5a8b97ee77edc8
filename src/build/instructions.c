#include "build/instructions-internal.h"

#include <strings.h>
#include "base/mem.h"

#define FLAGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const struct instruction_def table[INSTR_KINDS] = {
        [INSTR_FROM] = { "FROM", ARGS_PLAIN_WORDS, 1, 3, "either one or three arguments", FLAGS("platform="),
                         .no_onbuild = true },
        [INSTR_ARG] = { "ARG", ARGS_QUOTED_WORDS, 1, 0, "at least one argument" },
        [INSTR_ENV] = { "ENV", ARGS_PAIRS, 2, 0, "at least one argument", .change = true },
        [INSTR_RUN] = { "RUN", ARGS_JSON_OR_TEXT, 1, 0, "at least one argument",
                        FLAGS("mount=+", "network=", "security="), .heredoc = true },
        [INSTR_COPY] = { "COPY", ARGS_JSON_OR_WORDS, 2, 0, "at least two arguments, the last of them the destination",
                         FLAGS("from=", "chown=", "chmod=", "link?", "parents?", "exclude=+"), .heredoc = true },
        [INSTR_ADD] = { "ADD", ARGS_JSON_OR_WORDS, 2, 0, "at least two arguments, the last of them the destination",
                        FLAGS("chown=", "chmod=", "link?", "checksum=", "keep-git-dir?", "unpack?", "exclude=+"),
                        .heredoc = true },
        [INSTR_WORKDIR] = { "WORKDIR", ARGS_TEXT, 1, 1, "exactly one argument", .change = true },
        [INSTR_USER] = { "USER", ARGS_TEXT, 1, 1, "exactly one argument", .change = true },
        [INSTR_CMD] = { "CMD", ARGS_JSON_OR_TEXT, 1, 0, "at least one argument", .change = true },
        [INSTR_ENTRYPOINT] = { "ENTRYPOINT", ARGS_JSON_OR_TEXT, 1, 0, "at least one argument", .change = true },
        [INSTR_EXPOSE] = { "EXPOSE", ARGS_PLAIN_WORDS, 1, 0, "at least one argument", .change = true },
        [INSTR_LABEL] = { "LABEL", ARGS_PAIRS, 2, 0, "at least one argument", .change = true },
        [INSTR_VOLUME] = { "VOLUME", ARGS_JSON_OR_WORDS, 1, 0, "at least one argument", .change = true },
        [INSTR_SHELL] = { "SHELL", ARGS_JSON_OR_TEXT, 1, 0, "at least one argument" },
        [INSTR_STOPSIGNAL] = { "STOPSIGNAL", ARGS_TEXT, 1, 1, "exactly one argument", .change = true },
        [INSTR_HEALTHCHECK] = { "HEALTHCHECK", ARGS_HEALTHCHECK, 1, 0, "at least one argument",
                                FLAGS("interval=", "timeout=", "start-period=", "start-interval=", "retries="),
                                .change = true },
        [INSTR_ONBUILD] = { "ONBUILD", ARGS_ONBUILD, 1, 1, "at least one argument", .change = true },
        [INSTR_MAINTAINER] = { "MAINTAINER", ARGS_TEXT, 1, 1, "exactly one argument", .no_onbuild = true },
};

const struct instruction_def *instruction_find(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (strcasecmp(table[i].name, name) == 0)
                        return &table[i];
        return NULL;
}

const struct instruction_def *instruction_def(enum instruction_kind kind)
{
        return &table[kind];
}
enum instruction_kind instruction_kind_of(const struct instruction_def *def)
{
        return (enum instruction_kind)(def - table);
}
