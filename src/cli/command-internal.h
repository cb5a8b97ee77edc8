/* What command.c, options.c, help.c, complete.c and main.c share. */
#ifndef TARE_CLI_COMMAND_INTERNAL_H
#define TARE_CLI_COMMAND_INTERNAL_H

#include "cli/command.h"

#define CLI_USAGE_EXIT 125 /* docker's code for a flag it does not know */

/* Flags before the command. */
struct global_options {
        char *root, *run, *storage_driver, *config, *log_level;
        bool debug, version;
};
extern const struct option_row global_rows[];

/* One line on standard error. */
void cli_print_error(const struct err *err);

/* "ls" for "volume ls" in "volume" (also by an alias); NULL when the entry is not of that group. Heap. */
char *entry_name_in(const struct command_entry *e, const char *group);
/* Some command's first word of two: "volume", "container". */
bool command_is_group(const char *word);

/* As options_parse(), over any rows; *ret_args may hold any number. *ret_used: words up to and with the last that was taken as an
 * option (stop_at_args). */
int options_parse_rows(const struct option_row *rows, bool stop_at_args, int argc, char **argv, void *options,
                       char ***ret_args, bool *ret_help, struct err *err);
/* docker's words for a wrong number of positionals. */
int args_check(const struct command_entry *e, char *const *args, struct err *err);

void option_rows_print(const struct option_row *rows, FILE *to);
void entry_print_usage(const struct command_entry *e, FILE *to);
void group_print_help(const char *group, FILE *to);
/* Candidates for the last of `words`, one a line: what shells ask for. */
int complete_words(struct cli *cli, int argc, char **argv, struct err *err);

#endif
