#include <string.h>

#include "base/str.h"
#include "cli/command-internal.h"

static const char *const kind_metavars[] = {
        [OPT_STRING] = "string", [OPT_STRV] = "list",         [OPT_I64] = "int",      [OPT_U16] = "uint16",
        [OPT_SIZE] = "bytes",    [OPT_DURATION] = "duration", [OPT_DOUBLE] = "float", [OPT_PARSE] = "string",
};

/* "  -f, --filter list": what stands left of the help text. Heap. */
static char *row_left(const struct option_row *row)
{
        const char *metavar = row->metavar ? row->metavar : row->kind == OPT_BOOL ? "" : kind_metavars[row->kind];
        const char *blank = *metavar ? " " : "";
        if (row->letter)
                return xasprintf("  -%c, --%s%s%s", row->letter, row->name, blank, metavar);
        return xasprintf("      --%s%s%s", row->name, blank, metavar);
}

/* Further lines of a help text stand under its first. */
static void row_print(const struct option_row *row, int width, FILE *to)
{
        _cleanup_free_ char *left = row_left(row);
        fprintf(to, "%-*s   ", width, left);
        for (const char *s = row->help ? row->help : ""; *s;) {
                size_t len = strcspn(s, "\n");
                fprintf(to, "%.*s\n", (int)len, s);
                s += len + (s[len] == '\n');
                if (*s)
                        fprintf(to, "%*s", width + 3, "");
        }
}

void option_rows_print(const struct option_row *rows, FILE *to)
{
        size_t width = 0;
        for (const struct option_row *row = rows; row && row->name; row++) {
                _cleanup_free_ char *left = row_left(row);
                if (!row->hidden && strlen(left) > width)
                        width = strlen(left);
        }
        for (const struct option_row *row = rows; row && row->name; row++)
                if (!row->hidden)
                        row_print(row, (int)width, to);
}

static bool rows_shown(const struct option_row *rows)
{
        for (const struct option_row *row = rows; row && row->name; row++)
                if (!row->hidden)
                        return true;
        return false;
}

void entry_print_usage(const struct command_entry *e, FILE *to)
{
        const struct command *c = e->command;
        fprintf(to, "Usage:  tare %s%s%s%s\n", e->name, rows_shown(c->options) ? " [OPTIONS]" : "", c->args ? " " : "",
                c->args ? c->args : "");
}

static void aliases_print(const struct command_entry *e, FILE *to)
{
        if (!*e->aliases)
                return;
        _cleanup_strv_ char **names = strv_split(e->aliases, "|", false);
        fprintf(to, "\nAliases:\n  ");
        STRV_FOREACH (name, names)
                fprintf(to, "tare %s, ", *name);
        fprintf(to, "tare %s\n", e->name);
}

static void examples_print(const char *text)
{
        _cleanup_strv_ char **lines = strv_split(text, "\n", false);
        printf("\nExamples:\n");
        STRV_FOREACH (line, lines)
                printf("  %s\n", *line);
}

void command_print_help(const struct command_entry *e)
{
        fputc('\n', stdout);
        entry_print_usage(e, stdout);
        printf("\n%s\n", e->summary);
        aliases_print(e, stdout);
        if (rows_shown(e->command->options)) {
                printf("\nOptions:\n");
                option_rows_print(e->command->options, stdout);
        }
        if (e->command->examples)
                examples_print(e->command->examples);
}

static void group_print(const char *group, FILE *to)
{
        fprintf(to, "\n%s:\n", group);
        for (const struct command_entry *e = commands; e->name; e++)
                if (str_eq(e->group, group))
                        fprintf(to, "  %-18s %s\n", e->name, e->summary);
}

void commands_print_help(void)
{
        printf("\nUsage:  tare [OPTIONS] COMMAND\n\nA container engine that weighs next to nothing\n");
        const char *group = "";
        for (const struct command_entry *e = commands; e->name; e++) {
                if (!*e->group || str_eq(e->group, group))
                        continue;
                group = e->group;
                group_print(group, stdout);
        }
        printf("\nGlobal Options:\n");
        option_rows_print(global_rows, stdout);
        printf("\nRun 'tare COMMAND --help' for more information on a command.\n");
}

void group_print_help(const char *group, FILE *to)
{
        fprintf(to, "\nUsage:  tare %s COMMAND\n\nCommands:\n", group);
        for (const struct command_entry *e = commands; e->name; e++) {
                _cleanup_free_ char *name = *e->group ? entry_name_in(e, group) : NULL;
                if (name)
                        fprintf(to, "  %-12s %s\n", name, e->summary);
        }
        fprintf(to, "\nRun 'tare %s COMMAND --help' for more information on a command.\n", group);
}
