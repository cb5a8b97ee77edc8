/* tare-docs DIR: writes the man pages, tare.1 and one tare-COMMAND.1 a command, in man(7), from the table that serves dispatch and
 * help. Runs when tare is built and is not installed; it links the records of all programs. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "cli/command-internal.h"

struct page {
        struct buf text;
        struct err err;
};

static void raw(struct page *p, const char *s)
{
        if (buf_adds(&p->text, s, &p->err) < 0)
                abort();
}

/* Text of a line: backslashes and hyphens are what they are, and a dot or quote at its beginning is no request. */
static void put(struct page *p, const char *s)
{
        bool first = p->text.len == 0 || p->text.data[p->text.len - 1] == '\n';
        for (; *s; s++) {
                if (first && (*s == '.' || *s == '\''))
                        raw(p, "\\&");
                first = *s == '\n';
                if (*s == '\\')
                        raw(p, "\\e");
                else if (*s == '-')
                        raw(p, "\\-");
                else if (buf_addc(&p->text, *s, &p->err) < 0)
                        abort();
        }
}

static void section(struct page *p, const char *title)
{
        raw(p, ".SH ");
        raw(p, title);
        raw(p, "\n");
}

static void bold(struct page *p, const char *s)
{
        raw(p, "\\fB");
        put(p, s);
        raw(p, "\\fR");
}

static void title(struct page *p, const char *name, const char *summary)
{
        raw(p, ".TH ");
        for (const char *s = name; *s; s++) {
                char upper[2] = { (char)toupper((unsigned char)*s), '\0' };
                put(p, upper);
        }
        raw(p, " 1 \"\" \"tare " TARE_VERSION "\" \"User Commands\"\n");
        section(p, "NAME");
        put(p, name);
        raw(p, " \\- ");
        put(p, summary);
        raw(p, "\n");
}

static void option_row(struct page *p, const struct option_row *row)
{
        static const char *const metavars[] = {
                [OPT_STRING] = "string", [OPT_STRV] = "list",         [OPT_I64] = "int",       [OPT_U16] = "port",
                [OPT_SIZE] = "bytes",    [OPT_DURATION] = "duration", [OPT_DOUBLE] = "number", [OPT_PARSE] = "value",
        };
        char letter[] = { '-', row->letter, '\0' };
        _cleanup_free_ char *name = xasprintf("--%s", row->name);
        raw(p, ".TP\n");
        if (row->letter) {
                bold(p, letter);
                raw(p, ", ");
        }
        bold(p, name);
        if (row->kind != OPT_BOOL) {
                raw(p, row->implied ? "[=\\fI" : " \\fI");
                put(p, row->metavar ? row->metavar : metavars[row->kind]);
                raw(p, row->implied ? "\\fR]" : "\\fR");
        }
        raw(p, "\n");
        _cleanup_strv_ char **lines = strv_split(row->help ? row->help : "", "\n", false);
        STRV_FOREACH (line, lines) {
                raw(p, line == lines ? "" : ".br\n");
                put(p, *line);
                raw(p, "\n");
        }
}

static void options(struct page *p, const char *heading, const struct option_row *rows)
{
        bool any = false;
        for (const struct option_row *row = rows; row && row->name; row++) {
                if (row->hidden)
                        continue;
                if (!any)
                        section(p, heading);
                any = true;
                option_row(p, row);
        }
}

/* Lines "command -- what it does". */
static void examples(struct page *p, const char *text)
{
        _cleanup_strv_ char **lines = strv_split(text ? text : "", "\n", false);
        if (lines)
                section(p, "EXAMPLES");
        STRV_FOREACH (line, lines) {
                char *mark = strstr(*line, " -- ");
                if (mark)
                        *mark = '\0';
                raw(p, ".TP\n");
                bold(p, *line);
                raw(p, "\n");
                put(p, mark ? mark + 4 : "");
                raw(p, "\n");
        }
}

static void aliases(struct page *p, const struct command_entry *e)
{
        _cleanup_strv_ char **names = strv_split(e->aliases, "|", false);
        STRV_FOREACH (name, names) {
                raw(p, ".br\n");
                _cleanup_free_ char *whole = xasprintf("tare %s", *name);
                bold(p, whole);
                raw(p, " ...\n");
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

static void exit_status(struct page *p, const struct command *c)
{
        section(p, "EXIT STATUS");
        if (c->error_code)
                put(p, "That of the container's command; 125 when tare itself fails, 126 when the command cannot be "
                       "executed, 127 when it is not "
                       "there.\n");
        else
                put(p, "0, or 1 when something failed: one line on standard error says what. 125 for an option that is "
                       "not known.\n");
}

static void command_page(struct page *p, const struct command_entry *e)
{
        const struct command *c = e->command;
        _cleanup_free_ char *name = page_name(e), *call = xasprintf("tare %s", e->name);
        title(p, name, e->summary);
        section(p, "SYNOPSIS");
        bold(p, call);
        raw(p, c->options ? " [\\fIOPTIONS\\fR]" : "");
        raw(p, " ");
        put(p, c->args ? c->args : "");
        raw(p, "\n");
        aliases(p, e);
        section(p, "DESCRIPTION");
        put(p, c->description ? c->description : e->summary);
        raw(p, c->description ? "\n" : ".\n");
        options(p, "OPTIONS", c->options);
        exit_status(p, c);
        examples(p, c->examples);
        section(p, "SEE ALSO");
        raw(p, ".BR tare (1)\n");
}

static void command_list(struct page *p)
{
        const char *group = "";
        section(p, "COMMANDS");
        for (const struct command_entry *e = commands; e->name; e++) {
                if (!*e->group)
                        continue;
                if (!str_eq(group, e->group)) {
                        group = e->group;
                        raw(p, ".SS ");
                        raw(p, group);
                        raw(p, "\n");
                }
                _cleanup_free_ char *name = page_name(e);
                raw(p, ".TP\n.BR ");
                put(p, name);
                raw(p, " (1)\n");
                put(p, e->summary);
                raw(p, "\n");
        }
}

static void variables(struct page *p)
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
        section(p, "ENVIRONMENT");
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                raw(p, ".TP\n");
                bold(p, rows[i].name);
                raw(p, "\n");
                put(p, rows[i].meaning);
                raw(p, "\n");
        }
}

static void main_page(struct page *p)
{
        title(p, "tare", "a container engine that weighs next to nothing");
        section(p, "SYNOPSIS");
        raw(p, "\\fBtare\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n");
        section(p, "DESCRIPTION");
        put(p, "tare builds, ships and runs containers. Its commands, options and output are docker's, so that what is "
               "written for the one does "
               "for the other. There is no daemon: a command does its work in its own process and leaves one small "
               "monitor per container.\n");
        options(p, "GLOBAL OPTIONS", global_rows);
        command_list(p);
        variables(p);
}

static int page_write(struct page *p, int dir, const char *name)
{
        _cleanup_free_ char *file = xasprintf("%s.1", name);
        int r = file_write_at(dir, file, p->text.data, p->text.len, 0644, false, &p->err);
        if (r < 0)
                fprintf(stderr, "tare-docs: %s: %s\n", file, p->err.msg);
        buf_done(&p->text);
        return r;
}

int main(int argc, char **argv)
{
        struct page p = { 0 };
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
