#include "build/parser-internal.h"

#include <ctype.h>
#include "base/buf.h"
#include "base/str.h"

#define EXPAND_MAX ((size_t)1 << 20)
#define EXPAND_DEPTH 50

struct lexer {
        const char *p;
        const struct expand_options *o;
        unsigned depth;
};

/* Where expanded text goes: one string, or words split at the blanks that no quote protects. */
struct sink {
        struct buf word;
        char ***words; /* NULL: one string */
        bool begun; /* quotes make a word of nothing */
};
static void sink_done(struct sink *s)
{
        buf_done(&s->word);
}
#define SINK_INIT(w)                                                                                                   \
        {                                                                                                              \
                .word = BUF_INIT(EXPAND_MAX), .words = (w)                                                             \
        }

static void sink_end_word(struct sink *s)
{
        if (s->begun || s->word.len) {
                strv_push(s->words, s->word.data ? s->word.data : "");
                buf_reset(&s->word);
        }
        s->begun = false;
}

static int sink_char(struct sink *s, char c, struct err *err)
{
        if (s->words && is_blank(c)) {
                sink_end_word(s);
                return 0;
        }
        return buf_addc(&s->word, c, err);
}

/* Protected from splitting. */
static int sink_raw(struct sink *s, char c, struct err *err)
{
        s->begun = true;
        return buf_addc(&s->word, c, err);
}

static int lex_until(struct lexer *l, char stop, bool keep_escapes, struct sink *out, struct err *err);

static bool name_char(char c)
{
        return isalnum((unsigned char)c) || c == '_';
}

/* A name, a positional number, or one of the shell's special parameters; empty when none stands here. */
static char *lex_name(struct lexer *l)
{
        const char *start = l->p;
        if (isdigit((unsigned char)*l->p)) {
                while (isdigit((unsigned char)*l->p))
                        l->p++;
        } else if (*l->p && strchr("@*#?-$!", *l->p)) {
                l->p++;
        } else {
                while (name_char(*l->p))
                        l->p++;
        }
        return xstrndup(start, (size_t)(l->p - start));
}

/* The text up to `stop` as one expanded string. */
static char *lex_operand(struct lexer *l, char stop, bool keep_escapes, struct err *err)
{
        _cleanup_(sink_done) struct sink s = SINK_INIT(NULL);
        if (++l->depth > EXPAND_DEPTH) {
                err_set(err, ERR_INVALID, "substitutions are nested too deeply");
                return NULL;
        }
        int r = lex_until(l, stop, keep_escapes, &s, err);
        l->depth--;
        return r < 0 ? NULL : buf_take(&s.word);
}

static char *apply_required(const char *name, const char *value, bool null_is_unset, const char *word, struct err *err)
{
        if (!value)
                err_set(err, ERR_INVALID, "%s: %s", name, *word ? word : "not allowed to be unset");
        else if (null_is_unset && !*value)
                err_set(err, ERR_INVALID, "%s: %s", name, *word ? word : "not allowed to be empty");
        else
                return xstrdup(value);
        return NULL;
}

static char *apply_trim(const char *value, char op, const char *word, struct err *err)
{
        bool longest = *word == op;
        return substitute_trim(value ? value : "", word + longest, op == '%', longest, err);
}

/* ${name-word} ${name:-word} ${name+word} ${name?word} ${name#word} ${name%word} */
static char *lex_modifier(struct lexer *l, const char *name, const char *value, struct err *err)
{
        bool null_is_unset = *l->p == ':';
        l->p += null_is_unset;
        char op = *l->p;
        bool pattern = op == '#' || op == '%';
        if (!op || !strchr("-+?#%", op) || (pattern && null_is_unset)) {
                err_set(err, ERR_INVALID, "unsupported modifier (%s%c) in substitution", null_is_unset ? ":" : "",
                        op ? op : ' ');
                return NULL;
        }
        l->p++;
        _cleanup_free_ char *word = lex_operand(l, '}', pattern, err);
        if (!word)
                return NULL;
        bool usable = value && !(null_is_unset && !*value);
        switch (op) {
        case '-':
                return xstrdup(usable ? value : word);
        case '+':
                return xstrdup(usable ? word : "");
        case '?':
                return apply_required(name, value, null_is_unset, word, err);
        default:
                return apply_trim(value, op, word, err);
        }
}

/* ${name/pattern/text} and ${name//pattern/text} */
static char *lex_replace(struct lexer *l, const char *value, struct err *err)
{
        l->p++;
        bool all = *l->p == '/';
        l->p += all;
        _cleanup_free_ char *pattern = lex_operand(l, '/', true, err);
        _cleanup_free_ char *with = pattern ? lex_operand(l, '}', false, err) : NULL;
        return with ? substitute_replace(value ? value : "", pattern, with, all, err) : NULL;
}

static char *lex_braces(struct lexer *l, struct err *err)
{
        l->p++;
        _cleanup_free_ char *name = lex_name(l);
        if (!*l->p) {
                err_set(err, ERR_INVALID, "syntax error: missing '}'");
                return NULL;
        }
        if (!*name) {
                err_set(err, ERR_INVALID, "syntax error: bad substitution");
                return NULL;
        }
        const char *value = strv_env_get(l->o->env, name);
        if (*l->p == '/')
                return lex_replace(l, value, err);
        if (*l->p != '}')
                return lex_modifier(l, name, value, err);
        l->p++;
        return value || !l->o->keep_unset ? xstrdup(value ? value : "") : xasprintf("${%s}", name);
}

static char *lex_dollar(struct lexer *l, struct err *err)
{
        l->p++;
        if (*l->p == '{')
                return lex_braces(l, err);
        _cleanup_free_ char *name = lex_name(l);
        if (!*name)
                return xstrdup("$");
        const char *value = strv_env_get(l->o->env, name);
        return value || !l->o->keep_unset ? xstrdup(value ? value : "") : xasprintf("$%s", name);
}

static int sink_dollar(struct lexer *l, struct sink *out, bool quoted, struct err *err)
{
        _cleanup_free_ char *value = lex_dollar(l, err);
        if (!value)
                return -1;
        for (const char *c = value; *c; c++)
                if ((quoted ? sink_raw(out, *c, err) : sink_char(out, *c, err)) < 0)
                        return -1;
        return 0;
}

static int lex_single(struct lexer *l, struct sink *out, struct err *err)
{
        bool keep = l->o->keep_quotes;
        out->begun = true;
        if (keep && sink_raw(out, '\'', err) < 0)
                return -1;
        for (l->p++; *l->p != '\''; l->p++) {
                if (!*l->p)
                        return err_set(err, ERR_INVALID,
                                       "unexpected end of statement while looking for matching single-quote");
                if (sink_raw(out, *l->p, err) < 0)
                        return -1;
        }
        l->p++;
        return keep ? sink_raw(out, '\'', err) : 0;
}

/* Inside double quotes an escape takes only a quote, a dollar or itself; before anything else it stands for itself. */
static int lex_double_escape(struct lexer *l, bool keep_escapes, struct sink *out, struct err *err)
{
        char escape = *l->p++, next = *l->p;
        if (!next)
                return 0;
        bool special = next == '"' || next == '$' || next == escape;
        if ((!special || keep_escapes) && sink_raw(out, escape, err) < 0)
                return -1;
        if (!special)
                return 0;
        l->p++;
        return sink_raw(out, next, err);
}

static int lex_double(struct lexer *l, bool keep_escapes, struct sink *out, struct err *err)
{
        bool keep = l->o->keep_quotes;
        out->begun = true;
        if (keep && sink_raw(out, '"', err) < 0)
                return -1;
        l->p++;
        while (*l->p != '"') {
                if (!*l->p)
                        return err_set(err, ERR_INVALID,
                                       "unexpected end of statement while looking for matching double-quote");
                int r = *l->p == '$'            ? sink_dollar(l, out, true, err)
                        : *l->p == l->o->escape ? lex_double_escape(l, keep_escapes, out, err)
                                                : sink_raw(out, *l->p++, err);
                if (r < 0)
                        return -1;
        }
        l->p++;
        return keep ? sink_raw(out, '"', err) : 0;
}

static int lex_escape(struct lexer *l, bool keep_escapes, struct sink *out, struct err *err)
{
        char escape = *l->p++;
        if (keep_escapes && sink_raw(out, escape, err) < 0)
                return -1;
        return *l->p ? sink_raw(out, *l->p++, err) : 0;
}

static int lex_until(struct lexer *l, char stop, bool keep_escapes, struct sink *out, struct err *err)
{
        keep_escapes |= l->o->keep_escapes;
        for (;;) {
                int r;
                if (!*l->p && stop)
                        return stop == '}'
                                       ? err_set(err, ERR_INVALID, "syntax error: missing '}'")
                                       : err_set(err, ERR_INVALID, "syntax error: missing '%c' in substitution", stop);
                if (!*l->p)
                        return 0;
                if (stop && *l->p == stop) {
                        l->p++;
                        return 0;
                }
                if (*l->p == '$')
                        r = sink_dollar(l, out, false, err);
                else if (*l->p == '\'')
                        r = lex_single(l, out, err);
                else if (*l->p == '"')
                        r = lex_double(l, keep_escapes, out, err);
                else if (*l->p == l->o->escape)
                        r = lex_escape(l, keep_escapes, out, err);
                else
                        r = sink_char(out, *l->p++, err);
                if (r < 0)
                        return -1;
        }
}

int expand_text(const char *text, const struct expand_options *o, char **ret, struct err *err)
{
        struct lexer l = { .p = text, .o = o };
        _cleanup_(sink_done) struct sink s = SINK_INIT(NULL);
        if (lex_until(&l, 0, false, &s, err) < 0)
                return -1;
        *ret = buf_take(&s.word);
        return 0;
}

int expand_words(const char *text, const struct expand_options *o, char ***ret, struct err *err)
{
        struct lexer l = { .p = text, .o = o };
        _cleanup_strv_ char **words = NULL;
        _cleanup_(sink_done) struct sink s = SINK_INIT(&words);
        if (lex_until(&l, 0, false, &s, err) < 0)
                return -1;
        sink_end_word(&s);
        *ret = TAKE_PTR(words);
        return 0;
}

int dockerfile_expand(const char *word, char escape, char *const *env, char **ret, struct err *err)
{
        const struct expand_options o = { .escape = escape, .env = env };
        return expand_text(word, &o, ret, err);
}

int dockerfile_expand_words(const char *text, char escape, char *const *env, char ***ret, struct err *err)
{
        const struct expand_options o = { .escape = escape, .env = env };
        return expand_words(text, &o, ret, err);
}
