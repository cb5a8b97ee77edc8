#include "build/parser-internal.h"

#include <strings.h>
#include "base/str.h"
#include "build/instructions-internal.h"

void instruction_done(struct instruction *in)
{
        free(in->original);
        strv_free(in->flags);
        strv_free(in->args);
        heredocs_free(in->heredocs, in->heredoc_count);
        *in = (struct instruction){ 0 };
}

/* --- flags --- */

static const char *flag_row(const struct instruction_def *def, const char *name, size_t len)
{
        for (const char *const *f = def->flags; f && *f; f++)
                if (strcspn(*f, "=?+") == len && strncmp(*f, name, len) == 0)
                        return *f;
        return NULL;
}

static bool flag_given_before(char *const *flags, char *const *here, size_t len)
{
        for (char *const *f = flags; f != here; f++)
                if (strncmp(*f, *here, len) == 0 && strchr("=", (*f)[len]))
                        return true;
        return false;
}

static int flags_check(const struct instruction_def *def, char *const *flags, struct err *err)
{
        STRV_FOREACH (f, flags) {
                size_t len = strcspn(*f + 2, "=");
                const char *row = flag_row(def, *f + 2, len);
                const char *value = (*f)[2 + len] ? *f + 3 + len : NULL;
                if (!row)
                        return err_set(err, ERR_INVALID, "unknown flag: %.*s", (int)len + 2, *f);
                if (!strchr(row, '+') && flag_given_before(flags, f, len + 2))
                        return err_set(err, ERR_INVALID, "duplicate flag specified: %.*s", (int)len + 2, *f);
                if (strchr(row, '?')) {
                        if (value && !str_eq(value, "true") && !str_eq(value, "false"))
                                return err_set(err, ERR_INVALID, "expecting boolean value for flag --%.*s, not: %s",
                                               (int)len, row, value);
                } else if (!value) {
                        return err_set(err, ERR_INVALID, "missing a value on flag: %.*s", (int)len + 2, *f);
                }
        }
        return 0;
}

const char *instruction_flag(const struct instruction *in, const char *name)
{
        size_t len = strlen(name);
        STRV_FOREACH (f, in->flags)
                if (strncmp(*f + 2, name, len) == 0 && strchr("=", (*f)[2 + len]))
                        return (*f)[2 + len] ? *f + 3 + len : "";
        return NULL;
}

bool instruction_flag_bool(const struct instruction *in, const char *name)
{
        const char *value = instruction_flag(in, name);
        return value && !str_eq(value, "false");
}

/* --- arguments, one reader a style --- */

struct reading {
        const struct instruction_def *def;
        const char *rest;
        char escape;
        struct instruction *in;
};
typedef int (*args_fn)(struct reading *r, struct err *err);

static int read_plain(struct reading *r, struct err *err)
{
        r->in->args = words_split_plain(r->rest);
        return 0;
}

static int read_quoted(struct reading *r, struct err *err)
{
        r->in->args = words_split_quoted(r->rest, r->escape);
        return 0;
}

/* The old form "NAME the rest is the value". */
static int read_single_pair(struct reading *r, struct err *err)
{
        size_t len = strcspn(r->rest, " \t\n\v\f\r");
        const char *value = r->rest + len;
        while (is_blank(*value))
                value++;
        if (!*value)
                return err_set(err, ERR_INVALID, "%s must have two arguments", r->def->name);
        strv_push_take(&r->in->args, xstrndup(r->rest, len));
        strv_push(&r->in->args, value);
        return 0;
}

static int read_pairs(struct reading *r, struct err *err)
{
        _cleanup_strv_ char **words = words_split_quoted(r->rest, r->escape);
        if (words && !strchr(*words, '='))
                return read_single_pair(r, err);
        STRV_FOREACH (w, words) {
                const char *equals = strchr(*w, '=');
                if (!equals)
                        return err_set(err, ERR_INVALID,
                                       "Syntax error - can't find = in \"%s\". Must be of the form: name=value", *w);
                if (equals == *w)
                        return err_set(err, ERR_INVALID, "%s names can not be blank", r->def->name);
                strv_push_take(&r->in->args, xstrndup(*w, (size_t)(equals - *w)));
                strv_push(&r->in->args, equals + 1);
        }
        return 0;
}

static int read_text(struct reading *r, struct err *err)
{
        if (*r->rest)
                strv_push(&r->in->args, r->rest);
        return 0;
}

static int read_json_or_text(struct reading *r, struct err *err)
{
        int found = words_from_json(r->rest, &r->in->args, err);
        r->in->json = found > 0;
        return found ? (found < 0 ? -1 : 0) : read_text(r, err);
}

static int read_json_or_words(struct reading *r, struct err *err)
{
        int found = words_from_json(r->rest, &r->in->args, err);
        r->in->json = found > 0;
        return found ? (found < 0 ? -1 : 0) : read_plain(r, err);
}

static int read_healthcheck(struct reading *r, struct err *err)
{
        size_t len = strcspn(r->rest, " \t\n\v\f\r");
        if (!len)
                return 0;
        _cleanup_free_ char *type = xstrndup(r->rest, len);
        _cleanup_strv_ char **words = NULL;
        const char *command = r->rest + len;
        while (is_blank(*command))
                command++;
        strv_push(&r->in->args, type);
        int found = words_from_json(command, &words, err);
        if (found < 0)
                return -1;
        r->in->json = found > 0;
        if (found)
                strv_extend(&r->in->args, words);
        else if (*command)
                strv_push(&r->in->args, command);
        return 0;
}

/* The trigger must be a good instruction by itself: its fault shows now and not in some later build. */
static int read_onbuild(struct reading *r, struct err *err)
{
        if (!*r->rest)
                return 0;
        _cleanup_free_ char *name = xstrndup(r->rest, strcspn(r->rest, " \t\n\v\f\r"));
        /* Before going into it: a long chain must not become deep recursion. */
        if (strcasecmp(name, "ONBUILD") == 0)
                return err_set(err, ERR_INVALID, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
        _cleanup_(instruction_done) struct instruction inner = { 0 };
        if (instruction_parse(r->rest, r->in->line, r->escape, &inner, err) < 0)
                return -1;
        const struct instruction_def *def = instruction_def(inner.kind);
        if (def->no_onbuild)
                return err_set(err, ERR_INVALID, "%s isn't allowed as an ONBUILD trigger", def->name);
        return read_text(r, err);
}

static const args_fn args_readers[] = {
        [ARGS_PLAIN_WORDS] = read_plain,
        [ARGS_QUOTED_WORDS] = read_quoted,
        [ARGS_PAIRS] = read_pairs,
        [ARGS_TEXT] = read_text,
        [ARGS_JSON_OR_TEXT] = read_json_or_text,
        [ARGS_JSON_OR_WORDS] = read_json_or_words,
        [ARGS_HEALTHCHECK] = read_healthcheck,
        [ARGS_ONBUILD] = read_onbuild,
};

static int args_check(const struct instruction_def *def, const struct instruction *in, struct err *err)
{
        size_t n = strv_len(in->args);
        /* "CMD []" says that there is no command; RUN and the others need one. */
        bool empty_json = in->json && (in->kind == INSTR_CMD || in->kind == INSTR_ENTRYPOINT);
        if ((n < def->min_args && !empty_json) || (def->max_args && n > def->max_args))
                return err_set(err, ERR_INVALID, "%s requires %s", def->name, def->wants);
        if (in->kind == INSTR_FROM && (n == 2 || (n == 3 && strcasecmp(in->args[1], "as") != 0)))
                return err_set(err, ERR_INVALID,
                               "FROM requires either one argument, or three: FROM <source> [AS <name>]");
        if (in->kind == INSTR_SHELL && !in->json)
                return err_set(err, ERR_INVALID, "SHELL requires the arguments to be in JSON form");
        return 0;
}

int instruction_parse(const char *text, unsigned line, char escape, struct instruction *ret, struct err *err)
{
        size_t len = strcspn(text, " \t\n\v\f\r");
        _cleanup_free_ char *name = xstrndup(text, len);
        const struct instruction_def *def = instruction_find(name);
        if (!def)
                return err_set(err, ERR_INVALID, "unknown instruction: %s", name);
        _cleanup_(instruction_done) struct instruction in = { .kind = instruction_kind_of(def),
                                                              .line = line,
                                                              .original = xstrdup(text) };
        struct reading r = { .def = def, .rest = words_take_flags(text + len, &in.flags), .escape = escape, .in = &in };
        if (flags_check(def, in.flags, err) < 0 || args_readers[def->style](&r, err) < 0 ||
            args_check(def, &in, err) < 0)
                return -1;
        *ret = in;
        in = (struct instruction){ 0 };
        return 0;
}
