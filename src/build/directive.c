#include "build/parser-internal.h"

#include <ctype.h>
#include "base/str.h"

struct directive {
        char *key, *value;
};
static void directive_done(struct directive *d)
{
        free(d->key);
        free(d->value);
}

/* "# key = value" with a key of letters and digits. */
static bool directive_parse(struct slice s, struct directive *ret)
{
        s = slice_trim_left(s);
        if (!s.len || *s.s != '#')
                return false;
        s = slice_trim_left((struct slice){ s.s + 1, s.len - 1 });
        size_t n = 0;
        while (n < s.len && isalnum((unsigned char)s.s[n]))
                n++;
        if (!n || !isalpha((unsigned char)*s.s))
                return false;
        struct slice rest = slice_trim_left((struct slice){ s.s + n, s.len - n });
        if (!rest.len || *rest.s != '=')
                return false;
        _cleanup_free_ char *value = xstrndup(rest.s + 1, rest.len - 1);
        if (!*str_trim(value))
                return false;
        ret->key = xstrndup(s.s, n);
        str_lower(ret->key);
        ret->value = xstrdup(str_trim(value));
        return true;
}

struct seen {
        bool escape, syntax, check;
};

static int seen_once(bool *seen, const char *key, struct err *err)
{
        if (*seen)
                return err_set(err, ERR_INVALID, "only one %s parser directive can be used", key);
        *seen = true;
        return 0;
}

/* 1: taken; 0: not a directive we know, so an ordinary comment. */
static int directive_apply(struct dockerfile *d, const struct directive *x, struct seen *seen, struct err *err)
{
        if (str_eq(x->key, "escape")) {
                if (seen_once(&seen->escape, x->key, err) < 0)
                        return -1;
                if (!str_eq(x->value, "\\") && !str_eq(x->value, "`"))
                        return err_set(err, ERR_INVALID, "invalid escape token '%s', does not match ` or \\", x->value);
                d->escape = *x->value;
                return 1;
        }
        if (str_eq(x->key, "syntax")) {
                if (seen_once(&seen->syntax, x->key, err) < 0)
                        return -1;
                str_replace(&d->syntax, x->value);
                return 1;
        }
        if (str_eq(x->key, "check"))
                return seen_once(&seen->check, x->key, err) < 0 ? -1 : 1;
        return 0;
}

int directives_read(struct line_reader *r, struct dockerfile *d, struct err *err)
{
        struct seen seen = { 0 };
        for (;;) {
                struct line_reader before = *r;
                struct slice s;
                _cleanup_(directive_done) struct directive x = { 0 };
                int took = line_next(r, &s) && directive_parse(s, &x) ? directive_apply(d, &x, &seen, err) : 0;
                if (took < 0)
                        return -1;
                if (took)
                        continue;
                *r = before;
                r->escape = d->escape;
                return 0;
        }
}
