#include "build/parser-internal.h"

#include "base/buf.h"
#include "base/str.h"

/* Patterns and values longer than this would let a Dockerfile buy minutes of CPU with one line. */
#define SUBSTITUTE_VALUE_MAX 8192
#define SUBSTITUTE_PATTERN_MAX 512

/* A shell pattern: '*' any run, '?' any byte, an escaped byte itself. */
enum glob_kind { GLOB_BYTE, GLOB_ONE, GLOB_MANY };
struct glob {
        size_t count;
        struct {
                enum glob_kind kind;
                char c;
        } token[SUBSTITUTE_PATTERN_MAX];
};

static int glob_parse(const char *pattern, struct glob *g, struct err *err)
{
        g->count = 0;
        for (const char *p = pattern; *p; p++) {
                if (g->count == SUBSTITUTE_PATTERN_MAX)
                        return err_set(err, ERR_TOO_LARGE, "the pattern of a substitution is longer than %d bytes",
                                       SUBSTITUTE_PATTERN_MAX);
                enum glob_kind kind = *p == '*' ? GLOB_MANY : *p == '?' ? GLOB_ONE : GLOB_BYTE;
                if (*p == '\\') {
                        if (!p[1])
                                return err_set(err, ERR_INVALID,
                                               "invalid escape at the end of a substitution's pattern");
                        p++;
                }
                g->token[g->count].kind = kind;
                g->token[g->count++].c = *p;
        }
        return 0;
}

static void glob_reverse(struct glob *g)
{
        for (size_t i = 0, j = g->count; i + 1 < j; i++) {
                j--;
                __typeof__(g->token[0]) t = g->token[i];
                g->token[i] = g->token[j];
                g->token[j] = t;
        }
}

static void text_reverse(char *s)
{
        for (size_t i = 0, j = strlen(s); i + 1 < j; i++) {
                j--;
                char t = s[i];
                s[i] = s[j];
                s[j] = t;
        }
}

/* '*' may also match nothing: whoever stands before it stands after it too. */
static void states_close(const struct glob *g, bool *state)
{
        for (size_t i = 0; i < g->count; i++)
                if (state[i] && g->token[i].kind == GLOB_MANY)
                        state[i + 1] = true;
}

static bool states_step(const struct glob *g, bool *state, char c)
{
        bool alive = false;
        /* From the end, so that a state is read before its predecessor writes it. */
        for (size_t i = g->count + 1; i-- > 0;) {
                bool stay = i < g->count && state[i] && g->token[i].kind == GLOB_MANY;
                bool come = i > 0 && state[i - 1] &&
                            (g->token[i - 1].kind == GLOB_ONE ||
                             (g->token[i - 1].kind == GLOB_BYTE && g->token[i - 1].c == c));
                state[i] = stay || come;
                alive |= state[i];
        }
        states_close(g, state);
        return alive;
}

/* Length of the shortest or longest prefix that the pattern matches; -1: none. */
static ssize_t glob_prefix(const struct glob *g, const char *s, bool longest)
{
        bool state[SUBSTITUTE_PATTERN_MAX + 1] = { true };
        ssize_t best = -1;
        states_close(g, state);
        for (size_t i = 0;; i++) {
                if (state[g->count]) {
                        best = (ssize_t)i;
                        if (!longest)
                                return best;
                }
                if (!s[i] || !states_step(g, state, s[i]))
                        return best;
        }
}

static int value_check(const char *value, struct err *err)
{
        if (strlen(value) <= SUBSTITUTE_VALUE_MAX)
                return 0;
        return err_set(err, ERR_TOO_LARGE, "the value in a pattern substitution is longer than %d bytes",
                       SUBSTITUTE_VALUE_MAX);
}

char *substitute_trim(const char *value, const char *pattern, bool suffix, bool longest, struct err *err)
{
        struct glob g;
        if (value_check(value, err) < 0 || glob_parse(pattern, &g, err) < 0)
                return NULL;
        char *text = xstrdup(value);
        if (suffix) {
                glob_reverse(&g);
                text_reverse(text);
        }
        ssize_t cut = glob_prefix(&g, text, longest);
        if (cut > 0)
                memmove(text, text + cut, strlen(text + cut) + 1);
        if (suffix)
                text_reverse(text);
        return text;
}

char *substitute_replace(const char *value, const char *pattern, const char *with, bool all, struct err *err)
{
        struct glob g;
        if (value_check(value, err) < 0 || glob_parse(pattern, &g, err) < 0)
                return NULL;
        _cleanup_buf_ struct buf b = BUF_INIT(DOCKERFILE_MAX);
        bool more = true;
        while (*value) {
                ssize_t n = more ? glob_prefix(&g, value, true) : 0;
                if (n <= 0) {
                        if (buf_addc(&b, *value++, err) < 0)
                                return NULL;
                        continue;
                }
                if (buf_adds(&b, with, err) < 0)
                        return NULL;
                value += n;
                more = all;
        }
        return buf_take(&b);
}
