#include "build/pattern-internal.h"

#include <stdint.h>
#include "base/str.h"
#include "build/ignore.h"

#define PATTERN_MAX 4096

enum token_kind {
        TOKEN_CHAR, /* one code point */
        TOKEN_ONE, /* ?: any but '/' */
        TOKEN_CLASS, /* [a-z], never '/' */
        TOKEN_STAR, /* any run without '/' */
        TOKEN_DIRS, /* "**" before something: nothing, or anything up to and with a '/' */
        TOKEN_INSIDE, /* the second half of DIRS, while inside of what it eats */
        TOKEN_ALL /* "**" at the end: everything */
};
struct range {
        uint32_t from, to;
};
struct token {
        enum token_kind kind;
        uint32_t c;
        bool negated;
        uint32_t range_first, range_count;
};

struct pattern {
        struct token *tokens;
        size_t count;
        struct range *ranges;
        size_t range_count;
        char *literal; /* without wildcards: compared as text */
};

void pattern_free(struct pattern *p)
{
        free(p->tokens);
        free(p->ranges);
        free(p->literal);
        free(p);
}

/* Next code point; a byte that is no UTF-8 stands for itself, beyond Unicode. */
static uint32_t next_rune(const char **s)
{
        const unsigned char *p = (const unsigned char *)*s;
        unsigned more = *p >= 0xf0 && *p < 0xf8 ? 3 : *p >= 0xe0 && *p < 0xf0 ? 2 : *p >= 0xc2 && *p < 0xe0 ? 1 : 0;
        uint32_t c = more ? *p & (0x3fu >> more) : *p;
        for (unsigned i = 1; i <= more; i++) {
                if ((p[i] & 0xc0) != 0x80) {
                        *s += 1;
                        return 0x200000u + *p;
                }
                c = c << 6 | (p[i] & 0x3f);
        }
        *s += more + 1;
        return *p < 0x80 || more ? c : 0x200000u + *p;
}

static void add_token(struct pattern *p, struct token t)
{
        p->tokens[p->count++] = t;
}

static int class_rune(const char **s, uint32_t *ret)
{
        if (**s == '\\')
                ++*s;
        if (!**s)
                return -1;
        *ret = next_rune(s);
        return 0;
}

/* [abc], [a-z], [^a]; '-' and ']' stand for themselves only when escaped, as in Go. */
static int parse_class(struct pattern *p, const char **s)
{
        struct token t = { .kind = TOKEN_CLASS, .range_first = (uint32_t)p->range_count };
        const char *c = *s + 1;
        t.negated = *c == '^';
        c += t.negated;
        for (bool first = true; first || *c != ']'; first = false) {
                struct range r;
                if (*c == '-' || *c == ']' || class_rune(&c, &r.from) < 0)
                        return -1;
                r.to = r.from;
                if (*c == '-') {
                        c++;
                        if (*c == ']' || *c == '-' || class_rune(&c, &r.to) < 0)
                                return -1;
                }
                p->ranges = xreallocarray(p->ranges, p->range_count + 1, sizeof(*p->ranges));
                p->ranges[p->range_count++] = r;
                t.range_count++;
        }
        *s = c + 1;
        add_token(p, t);
        return 0;
}

static void parse_stars(struct pattern *p, const char **s)
{
        if ((*s)[1] != '*') {
                ++*s;
                add_token(p, (struct token){ .kind = TOKEN_STAR });
                return;
        }
        *s += 2;
        if (**s == '/')
                ++*s;
        if (!**s) {
                add_token(p, (struct token){ .kind = TOKEN_ALL });
                return;
        }
        add_token(p, (struct token){ .kind = TOKEN_DIRS });
        add_token(p, (struct token){ .kind = TOKEN_INSIDE });
}

static int parse_tokens(struct pattern *p, const char *s)
{
        while (*s) {
                if (*s == '*') {
                        parse_stars(p, &s);
                } else if (*s == '[') {
                        if (parse_class(p, &s) < 0)
                                return -1;
                } else if (*s == '?') {
                        s++;
                        add_token(p, (struct token){ .kind = TOKEN_ONE });
                } else {
                        if (*s == '\\' && !*++s)
                                return -1;
                        add_token(p, (struct token){ .kind = TOKEN_CHAR, .c = next_rune(&s) });
                }
        }
        return 0;
}

bool pattern_is_wild(const char *text)
{
        return strpbrk(text, "*?[\\") != NULL;
}

int pattern_compile(const char *text, struct pattern **ret, struct err *err)
{
        size_t len = strlen(text);
        if (len > PATTERN_MAX)
                return err_set(err, ERR_TOO_LARGE, "a pattern is longer than %d bytes", PATTERN_MAX);
        _cleanup_(pattern_freep) struct pattern *p = xcalloc(1, sizeof(*p));
        p->tokens = xcalloc(len + 1, sizeof(*p->tokens));
        if (parse_tokens(p, text) < 0)
                return err_set(err, ERR_INVALID, "syntax error in pattern '%s'", text);
        if (!pattern_is_wild(text))
                p->literal = xstrdup(text);
        *ret = TAKE_PTR(p);
        return 0;
}

static bool class_has(const struct pattern *p, const struct token *t, uint32_t c)
{
        bool in = false;
        for (uint32_t i = 0; i < t->range_count && !in; i++) {
                const struct range *r = &p->ranges[t->range_first + i];
                in = c >= r->from && c <= r->to;
        }
        return in != t->negated;
}

/* Tokens that may match nothing let their state flow on. */
static void close_states(const struct pattern *p, bool *state)
{
        for (size_t i = 0; i < p->count; i++) {
                if (!state[i])
                        continue;
                if (p->tokens[i].kind == TOKEN_STAR || p->tokens[i].kind == TOKEN_ALL)
                        state[i + 1] = true;
                if (p->tokens[i].kind == TOKEN_DIRS)
                        state[i + 1] = state[i + 2] = true;
        }
}

/* One code point: which states follow from state i. */
static void step_state(const struct pattern *p, size_t i, uint32_t c, bool *next)
{
        const struct token *t = &p->tokens[i];
        switch (t->kind) {
        case TOKEN_CHAR:
                next[i + 1] |= c == t->c;
                break;
        case TOKEN_ONE:
                next[i + 1] |= c != '/';
                break;
        case TOKEN_CLASS:
                next[i + 1] |= c != '/' && class_has(p, t, c);
                break;
        case TOKEN_STAR:
                next[i] |= c != '/';
                break;
        case TOKEN_INSIDE:
                next[i] = true;
                next[i + 1] |= c == '/';
                break;
        case TOKEN_ALL:
                next[i] = true;
                break;
        case TOKEN_DIRS:
                break;
        }
}

static bool step_all(const struct pattern *p, bool **state, bool **next, uint32_t c)
{
        bool alive = false;
        memset(*next, 0, p->count + 1);
        for (size_t i = 0; i < p->count; i++)
                if ((*state)[i])
                        step_state(p, i, c, *next);
        close_states(p, *next);
        for (size_t i = 0; i <= p->count && !alive; i++)
                alive = (*next)[i];
        bool *t = *state;
        *state = *next;
        *next = t;
        return alive;
}

static struct pattern_result try_literal(const char *literal, const char *path)
{
        struct pattern_result r = { 0 };
        size_t len = strlen(literal), path_len = strlen(path);
        r.whole = str_eq(literal, path);
        r.parent = len < path_len && path[len] == '/' && strncmp(path, literal, len) == 0;
        r.below = path_len < len && literal[path_len] == '/' && strncmp(literal, path, path_len) == 0;
        return r;
}

struct pattern_result pattern_try(const struct pattern *p, const char *path)
{
        if (p->literal)
                return try_literal(p->literal, path);
        struct pattern_result r = { 0 };
        _cleanup_free_ bool *memory = xcalloc(2 * (p->count + 2), sizeof(bool));
        bool *state = memory, *next = memory + p->count + 2;
        bool alive = true;
        state[0] = true;
        close_states(p, state);
        for (const char *s = path; *s && alive;) {
                r.parent |= *s == '/' && s != path && state[p->count];
                alive = step_all(p, &state, &next, next_rune(&s));
        }
        r.whole = alive && state[p->count];
        r.below = alive && step_all(p, &state, &next, '/');
        return r;
}

bool pattern_matches(const char *pattern, const char *path)
{
        struct err ignored = ERR_INIT;
        _cleanup_(pattern_freep) struct pattern *p = NULL;
        return pattern_compile(pattern, &p, &ignored) == 0 && pattern_try(p, path).whole;
}
