/* The command line: a command is a record beside its function; an option is a row of a table.
 *
 * commands.def lists every command once, with the program that runs it. Each program compiles the list with its own
 * PROGRAM and links only its own records; `tare` execs the libexec program for the others. The documentation generator links
 * all records, so that dispatch, help, completion and man page come from one place.
 *
 *     static const struct option_row options[] = { { 'f', "force", OPT_BOOL, offsetof(struct rm_options, force), NULL, "..." }, {} };
 *     const struct command command_rm = { .options = options, .options_size = sizeof(struct rm_options), .min_args = 1,
 *                                         .max_args = -1, .args = "CONTAINER [CONTAINER...]", .run = rm_run };
 */
#ifndef TARE_CLI_COMMAND_H
#define TARE_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "engine/engine.h"

enum option_kind {
        OPT_BOOL,      /* bool; "--x=false" allowed */
        OPT_STRING,    /* char *: the last one wins */
        OPT_STRV,      /* char **: every one is appended */
        OPT_I64,       /* int64_t */
        OPT_U16,       /* uint16_t */
        OPT_SIZE,      /* int64_t bytes: "64m"; "-1" allowed */
        OPT_DURATION,  /* int64_t ns: "1m30s" */
        OPT_DOUBLE,    /* double */
        OPT_PARSE,     /* .parse(options, text, err) */
};

struct option_row {
        char letter;                   /* 0: none */
        const char *name;              /* without dashes; NULL ends the table */
        enum option_kind kind;
        size_t offset;                 /* in the command's options struct */
        const char *metavar;           /* "string", "list", "bytes"; NULL for OPT_BOOL */
        const char *help;
        int (*parse)(void *options, const char *text, struct err *err);
        const char *implied;           /* value when given without one (--opt): makes the value optional */
        bool hidden;                   /* not in help, man page, completion */
};

struct cli {
        const char *program;           /* "tare" */
        const struct command_entry *entry;
        struct engine *engine;         /* opened by cli_engine() */
        struct engine_options engine_options;
};

struct command {
        const struct option_row *options;      /* or NULL */
        size_t options_size;           /* bytes of the options struct, zeroed before `init` */
        void (*init)(void *options);   /* or NULL */
        void (*done)(void *options);   /* or NULL: strings and strvs named by rows are freed by the table */
        int min_args, max_args;        /* max -1: any number */
        const char *args;              /* usage text after [OPTIONS] */
        bool stop_at_args;             /* the first positional ends the options (run, exec) */
        const char *description;       /* a paragraph or more for the man page */
        const char *examples;          /* lines "command -- what it does", or NULL */
        /* Returns the process's exit code; on -1 `err` is printed as one line and mapped to a code. */
        int (*run)(struct cli *cli, void *options, char **args, struct err *err);
        int error_code;                /* exit code for errors of ours; 0: 1. run, create, exec: 125 */
};

struct command_entry {
        const char *name;              /* "run" or "volume create" */
        const char *aliases;           /* "container run|c run" or "" */
        const char *group;             /* heading in help */
        const char *program;           /* "tare", "tare-transfer" */
        const char *summary;           /* one line */
        const struct command *command; /* NULL: another program's */
};
extern const struct command_entry commands[];          /* ended by a NULL name */

/* Finds the longest match of argv words; *ret_words is how many were used. */
const struct command_entry *command_find(int argc, char **argv, int *ret_words);
/* Parses options and positionals (*ret_args: heap array of pointers into argv). *ret_help is set on --help, and -h where no option has that letter. */
int options_parse(const struct command *c, int argc, char **argv, void *options, char ***ret_args, bool *ret_help, struct err *err);
void options_free(const struct option_row *rows, void *options);
void command_print_help(const struct command_entry *e);
void commands_print_help(void);

/* Opens the engine on first use. */
int cli_engine(struct cli *cli, struct engine **ret, struct err *err);
/* main() of every program. */
int cli_main(int argc, char **argv, const char *program);
/* Runs fn for each argument, prints "tare: ..." for each that fails and goes on (docker's way); exit code 0 or 1. */
int cli_each(struct cli *cli, char **args, int (*fn)(struct engine *e, const char *arg, void *data, struct err *err), void *data, struct err *err);
/* The same in one process an argument, many at once, for what mostly waits. What fn prints (64 kB at most) comes in the order of the arguments. */
int cli_each_at_once(struct cli *cli, char **args, int (*fn)(struct engine *e, const char *arg, void *data, struct err *err), void *data,
                     struct err *err);
/* The same, not more than so many at a time. */
int cli_each_few(struct cli *cli, unsigned few, char **args, int (*fn)(struct engine *e, const char *arg, void *data, struct err *err), void *data,
                 struct err *err);

#endif
