/* tare-docs DIR: writes the man pages, tare.1 and one tare-COMMAND.1 a command, in man(7), from the table that serves dispatch and
 * help. Runs when tare is built and is not installed; it links the records of all programs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/roff.h"
#include "base/str.h"
#include "cli/command-internal.h"

static void option_row(struct roff *p, const struct option_row *row)
{
        static const char *const metavars[] = {
                [OPT_STRING] = "string", [OPT_STRV] = "list",         [OPT_I64] = "int",       [OPT_U16] = "port",
                [OPT_SIZE] = "bytes",    [OPT_DURATION] = "duration", [OPT_DOUBLE] = "number", [OPT_PARSE] = "value",
        };
        char letter[] = { '-', row->letter, '\0' };
        _cleanup_free_ char *name = xasprintf("--%s", row->name);
        roff_raw(p, ".TP\n");
        if (row->letter) {
                roff_bold(p, letter);
                roff_raw(p, ", ");
        }
        roff_bold(p, name);
        if (row->kind != OPT_BOOL) {
                roff_raw(p, row->implied ? "[=\\fI" : " \\fI");
                roff_put(p, row->metavar ? row->metavar : metavars[row->kind]);
                roff_raw(p, row->implied ? "\\fR]" : "\\fR");
        }
        roff_raw(p, "\n");
        _cleanup_strv_ char **lines = strv_split(row->help ? row->help : "", "\n", false);
        STRV_FOREACH (line, lines) {
                roff_raw(p, line == lines ? "" : ".br\n");
                roff_put(p, *line);
                roff_raw(p, "\n");
        }
}

static void options(struct roff *p, const char *heading, const struct option_row *rows)
{
        bool any = false;
        for (const struct option_row *row = rows; row && row->name; row++) {
                if (row->hidden)
                        continue;
                if (!any)
                        roff_section(p, heading);
                any = true;
                option_row(p, row);
        }
}

/* Lines "command -- what it does". */
static void examples(struct roff *p, const char *text)
{
        _cleanup_strv_ char **lines = strv_split(text ? text : "", "\n", false);
        if (lines)
                roff_section(p, "EXAMPLES");
        STRV_FOREACH (line, lines) {
                char *mark = strstr(*line, " -- ");
                if (mark)
                        *mark = '\0';
                roff_raw(p, ".TP\n");
                roff_bold(p, *line);
                roff_raw(p, "\n");
                roff_put(p, mark ? mark + 4 : "");
                roff_raw(p, "\n");
        }
}

static void aliases(struct roff *p, const struct command_entry *e)
{
        _cleanup_strv_ char **names = strv_split(e->aliases, "|", false);
        STRV_FOREACH (name, names) {
                roff_raw(p, ".br\n");
                _cleanup_free_ char *whole = xasprintf("tare %s", *name);
                roff_bold(p, whole);
                roff_raw(p, " ...\n");
        }
}

static char *page_name(const struct command_entry *e)
{
        char *name = xasprintf("tare-%s", e->name);
        for (char *s = name; *s; s++)
                if (*s == ' ')
                        *s = '-';
        return name;
}

static void exit_status(struct roff *p, const struct command *c)
{
        roff_section(p, "EXIT STATUS");
        if (c->error_code)
                roff_put(p, "That of the container's command; 125 when tare itself fails, 126 when the command cannot be "
                       "executed, 127 when it is not "
                       "there.\n");
        else
                roff_put(p, "0, or 1 when something failed: one line on standard error says what. 125 for an option that is "
                       "not known.\n");
}

static void command_page(struct roff *p, const struct command_entry *e)
{
        const struct command *c = e->command;
        _cleanup_free_ char *name = page_name(e), *call = xasprintf("tare %s", e->name);
        roff_title(p, name, "1", e->summary, TARE_VERSION);
        roff_section(p, "SYNOPSIS");
        roff_bold(p, call);
        roff_raw(p, c->options ? " [\\fIOPTIONS\\fR]" : "");
        roff_raw(p, " ");
        roff_put(p, c->args ? c->args : "");
        roff_raw(p, "\n");
        aliases(p, e);
        roff_section(p, "DESCRIPTION");
        roff_put(p, c->description ? c->description : e->summary);
        roff_raw(p, c->description ? "\n" : ".\n");
        options(p, "OPTIONS", c->options);
        exit_status(p, c);
        examples(p, c->examples);
        roff_section(p, "SEE ALSO");
        roff_raw(p, ".BR tare (1)\n");
}

static void command_list(struct roff *p)
{
        const char *group = "";
        roff_section(p, "COMMANDS");
        for (const struct command_entry *e = commands; e->name; e++) {
                if (!*e->group)
                        continue;
                if (!str_eq(group, e->group)) {
                        group = e->group;
                        roff_raw(p, ".SS ");
                        roff_raw(p, group);
                        roff_raw(p, "\n");
                }
                _cleanup_free_ char *name = page_name(e);
                roff_raw(p, ".TP\n.BR ");
                roff_put(p, name);
                roff_raw(p, " (1)\n");
                roff_put(p, e->summary);
                roff_raw(p, "\n");
        }
}

static void variables(struct roff *p)
{
        static const struct {
                const char *name, *meaning;
        } rows[] = {
                { "TARE_ROOT", "Data root: images, containers, volumes, the database. /var/lib/tare, or "
                               "~/.local/share/tare without root." },
                { "TARE_RUN",
                  "Run-time root: what is gone after a boot. /run/tare, or $XDG_RUNTIME_DIR/tare without root." },
                { "TARE_BRIDGE", "Name of the default network's interface on the host, tare0 unless given." },
                { "DOCKER_CONFIG", "Folder of config.json, where credentials of registries are." },
        };
        roff_section(p, "ENVIRONMENT");
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                roff_item(p, rows[i].name, rows[i].meaning);
}

static void main_page(struct roff *p)
{
        roff_title(p, "tare", "1", "a container engine that weighs next to nothing", TARE_VERSION);
        roff_section(p, "SYNOPSIS");
        roff_raw(p, "\\fBtare\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n");
        roff_section(p, "DESCRIPTION");
        roff_put(p, "tare builds, ships and runs containers. Its commands, options and output are docker's, so that what is "
               "written for the one does "
               "for the other. There is no daemon: a command does its work in its own process and leaves one small "
               "monitor per container.\n");
        options(p, "GLOBAL OPTIONS", global_rows);
        command_list(p);
        variables(p);
}

static int page_write(struct roff *p, int dir, const char *name)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *file = xasprintf("%s.1", name);
        int r = roff_write(p, dir, file, &err);
        if (r < 0)
                fprintf(stderr, "tare-docs: %s: %s\n", file, err.msg);
        return r;
}

int main(int argc, char **argv)
{
        struct roff p = { 0 };
        if (argc != 2) {
                fprintf(stderr, "usage: tare-docs DIR\n");
                return 1;
        }
        _cleanup_close_ int dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0) {
                fprintf(stderr, "tare-docs: %s: %s\n", argv[1], strerror(errno));
                return 1;
        }
        main_page(&p);
        int failed = page_write(&p, dir, "tare") < 0;
        for (const struct command_entry *e = commands; e->name; e++) {
                if (!*e->group)
                        continue;
                if (!e->command) {
                        fprintf(stderr, "tare-docs: the command %s is in the table and in no program\n", e->name);
                        failed = 1;
                        continue;
                }
                _cleanup_free_ char *name = page_name(e);
                command_page(&p, e);
                failed |= page_write(&p, dir, name) < 0;
        }
        return failed;
}
