#include "build/ignore.h"

#include "base/path.h"
#include "base/str.h"
#include "build/pattern-internal.h"

#define IGNORE_RULES_MAX 10000

struct rule {
        struct pattern *pattern;
        bool exception;
};
struct ignore {
        struct rule *rules;
        size_t count;
        bool has_exceptions;
};

void ignore_free(struct ignore *i)
{
        for (size_t n = 0; n < i->count; n++)
                pattern_free(i->rules[n].pattern);
        free(i->rules);
        free(i);
}

/* "/a/", "./a" and "a" are the same; "." is ignored, as docker does for old files' sake. */
static char *rule_clean(const char *text)
{
        _cleanup_free_ char *clean = path_clean(text);
        const char *p = clean;
        while (*p == '/')
                p++;
        return str_eq(p, ".") ? xstrdup("") : xstrdup(p);
}

static int add_rule(struct ignore *i, const char *line, struct err *err)
{
        bool exception = *line == '!';
        _cleanup_free_ char *text = xstrdup(line + exception);
        if (exception && !*str_trim(text))
                return err_set(err, ERR_INVALID, "illegal exclusion pattern: \"!\"");
        _cleanup_free_ char *clean = rule_clean(str_trim(text));
        if (!*clean)
                return 0;
        struct rule r = { .exception = exception };
        if (i->count == IGNORE_RULES_MAX)
                return err_set(err, ERR_TOO_LARGE, "more than %d patterns", IGNORE_RULES_MAX);
        if (pattern_compile(clean, &r.pattern, err) < 0)
                return -1;
        i->rules = xreallocarray(i->rules, i->count + 1, sizeof(*i->rules));
        i->rules[i->count++] = r;
        i->has_exceptions |= exception;
        return 0;
}

int ignore_parse(const char *text, struct ignore **ret, struct err *err)
{
        _cleanup_(ignore_freep) struct ignore *i = xcalloc(1, sizeof(*i));
        if (str_starts(text, "\xef\xbb\xbf"))
                text += 3;
        _cleanup_strv_ char **lines = strv_split(text, "\n", true);
        unsigned number = 0;
        STRV_FOREACH (l, lines) {
                number++;
                char *line = **l == '#' ? NULL : str_trim(*l);
                if (line && *line && add_rule(i, line, err) < 0)
                        return err_add(err, ".dockerignore:%u", number);
        }
        *ret = TAKE_PTR(i);
        return 0;
}

bool ignore_matches(const struct ignore *i, const char *path)
{
        bool ignored = false;
        for (size_t n = 0; n < i->count; n++) {
                const struct rule *r = &i->rules[n];
                if (r->exception != ignored)
                        continue; /* it could change nothing */
                struct pattern_result t = pattern_try(r->pattern, path);
                if (t.whole || t.parent)
                        ignored = !r->exception;
        }
        return ignored;
}

bool ignore_prunes(const struct ignore *i, const char *dir)
{
        if (!ignore_matches(i, dir))
                return false;
        for (size_t n = 0; i->has_exceptions && n < i->count; n++)
                if (i->rules[n].exception && pattern_try(i->rules[n].pattern, dir).below)
                        return false;
        return true;
}
