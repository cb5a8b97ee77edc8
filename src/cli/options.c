#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/command-internal.h"

/* A walk over argv. */
struct parse {
        const struct option_row *rows;
        int argc;
        char **argv;
        int next; /* word after the current one */
        void *options;
        bool *help;
};

static void *field(const struct option_row *row, void *options)
{
        return (char *)options + row->offset;
}

static int set_size(const char *text, int64_t *ret, struct err *err)
{
        uint64_t bytes;
        if (str_eq(text, "-1")) {
                *ret = -1;
                return 0;
        }
        if (parse_size(text, &bytes, err) < 0)
                return -1;
        if (bytes > INT64_MAX)
                return err_set(err, ERR_INVALID, "%s is too large", text);
        *ret = (int64_t)bytes;
        return 0;
}

static int set_u16(const char *text, uint16_t *ret, struct err *err)
{
        uint64_t value;
        if (parse_u64(text, &value, err) < 0)
                return -1;
        if (value > UINT16_MAX)
                return err_set(err, ERR_INVALID, "%s is more than %d", text, UINT16_MAX);
        *ret = (uint16_t)value;
        return 0;
}

static int set_value(const struct option_row *row, void *options, const char *text, struct err *err)
{
        switch (row->kind) {
        case OPT_BOOL:
                return parse_bool(text, field(row, options), err);
        case OPT_STRING:
                str_replace(field(row, options), text);
                return 0;
        case OPT_STRV:
                strv_push(field(row, options), text);
                return 0;
        case OPT_I64:
                return parse_i64(text, field(row, options), err);
        case OPT_U16:
                return set_u16(text, field(row, options), err);
        case OPT_SIZE:
                return set_size(text, field(row, options), err);
        case OPT_DURATION:
                return parse_duration(text, field(row, options), err);
        case OPT_DOUBLE:
                return parse_double(text, field(row, options), err);
        case OPT_PARSE:
                return row->parse(options, text, err);
        }
        return err_set(err, ERR_INVALID, "option %s has no kind", row->name);
}

static int option_set(const struct parse *p, const struct option_row *row, const char *text, struct err *err)
{
        if (set_value(row, p->options, text, err) == 0)
                return 0;
        if (row->letter)
                return err_add(err, "invalid argument \"%s\" for \"-%c, --%s\" flag", text, row->letter, row->name);
        return err_add(err, "invalid argument \"%s\" for \"--%s\" flag", text, row->name);
}

static const struct option_row *row_by_name(const struct option_row *rows, const char *name, size_t len)
{
        for (const struct option_row *row = rows; row && row->name; row++)
                if (strlen(row->name) == len && memcmp(row->name, name, len) == 0)
                        return row;
        return NULL;
}

static const struct option_row *row_by_letter(const struct option_row *rows, char letter)
{
        for (const struct option_row *row = rows; row && row->name; row++)
                if (row->letter == letter)
                        return row;
        return NULL;
}

static const char *row_implied(const struct option_row *row)
{
        return row->kind == OPT_BOOL ? "true" : row->implied;
}

static int parse_long(struct parse *p, const char *word, struct err *err)
{
        const char *name = word + 2;
        size_t len = strcspn(name, "=");
        const struct option_row *row = row_by_name(p->rows, name, len);
        if (!row && len == 4 && memcmp(name, "help", 4) == 0) {
                *p->help = true;
                return 0;
        }
        if (len == 0)
                return err_set(err, ERR_INVALID, "bad flag syntax: %s", word);
        if (!row)
                return err_set(err, ERR_INVALID, "unknown flag: --%.*s", (int)len, name);
        if (name[len] == '=')
                return option_set(p, row, name + len + 1, err);
        if (row_implied(row))
                return option_set(p, row, row_implied(row), err);
        if (p->next >= p->argc)
                return err_set(err, ERR_INVALID, "flag needs an argument: --%s", row->name);
        return option_set(p, row, p->argv[p->next++], err);
}

/* "-it", "-p80:80", "-n=5": letters until one takes a value. */
static int parse_letters(struct parse *p, const char *word, struct err *err)
{
        for (const char *s = word + 1; *s; s++) {
                const struct option_row *row = row_by_letter(p->rows, *s);
                if (!row && *s == 'h') {
                        *p->help = true;
                        return 0;
                }
                if (!row)
                        return err_set(err, ERR_INVALID, "unknown shorthand flag: '%c' in %s", *s, word);
                if (s[1] == '=')
                        return option_set(p, row, s + 2, err);
                if (!row_implied(row)) {
                        if (s[1])
                                return option_set(p, row, s + 1, err);
                        if (p->next >= p->argc)
                                return err_set(err, ERR_INVALID, "flag needs an argument: '%c' in %s", *s, word);
                        return option_set(p, row, p->argv[p->next++], err);
                }
                if (option_set(p, row, row_implied(row), err) < 0)
                        return -1;
        }
        return 0;
}

int options_parse_rows(const struct option_row *rows, bool stop_at_args, int argc, char **argv, void *options,
                       char ***ret_args, bool *ret_help, struct err *err)
{
        _cleanup_free_ char **args = xcalloc((size_t)argc + 1, sizeof(char *));
        struct parse p = { rows, argc, argv, 0, options, ret_help };
        size_t count = 0;
        bool only_args = false;
        while (p.next < argc) {
                char *word = argv[p.next++];
                if (!only_args && str_eq(word, "--")) {
                        only_args = true;
                        continue;
                }
                if (only_args || word[0] != '-' || !word[1]) {
                        args[count++] = word;
                        only_args = only_args || stop_at_args;
                        continue;
                }
                if ((word[1] == '-' ? parse_long(&p, word, err) : parse_letters(&p, word, err)) < 0)
                        return -1;
                if (*ret_help)
                        break;
        }
        *ret_args = TAKE_PTR(args);
        return 0;
}

int options_parse(const struct command *c, int argc, char **argv, void *options, char ***ret_args, bool *ret_help,
                  struct err *err)
{
        return options_parse_rows(c->options, c->stop_at_args, argc, argv, options, ret_args, ret_help, err);
}

void options_free(const struct option_row *rows, void *options)
{
        for (const struct option_row *row = rows; row && row->name; row++) {
                if (row->kind == OPT_STRING)
                        mem_freep(field(row, options));
                else if (row->kind == OPT_STRV)
                        strv_freep(field(row, options));
                else
                        continue;
                *(void **)field(row, options) = NULL; /* two rows may name one member */
        }
}

int args_check(const struct command_entry *e, char *const *args, struct err *err)
{
        int count = (int)strv_len(args), min = e->command->min_args, max = e->command->max_args;
        if (count >= min && (max < 0 || count <= max))
                return 0;
        if (max == 0)
                return err_set(err, ERR_INVALID, "\"tare %s\" accepts no arguments", e->name);
        const char *bound = min == max ? "exactly" : count < min ? "at least" : "at most";
        int wanted = count < min ? min : max;
        return err_set(err, ERR_INVALID, "\"tare %s\" requires %s %d argument%s", e->name, bound, wanted,
                       wanted == 1 ? "" : "s");
}
