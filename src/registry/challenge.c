#include "registry/challenge-internal.h"

#include <string.h>
#include <strings.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define BLANKS " \t"
#define TOKEN_END " \t=,\""
#define VALUE_MAX 4096

void challenge_done(struct challenge *c)
{
        free(c->realm);
        free(c->service);
        free(c->scope);
        *c = (struct challenge){ 0 };
}

/* A quoted string or a bare word at *s; heap, NULL when malformed. */
static char *value_take(const char **s)
{
        size_t len;

        if (**s != '"') {
                len = strcspn(*s, BLANKS ",");
                char *word = xstrndup(*s, len);
                *s += len;
                return word;
        }
        len = strlen(*s);
        char *text = xmalloc(len), *out = text;
        for (const char *p = *s + 1; *p; p++) {
                if (*p == '"') {
                        *out = '\0';
                        *s = p + 1;
                        return text;
                }
                if (*p == '\\' && p[1])
                        p++;
                *out++ = *p;
        }
        free(text);
        return NULL;
}

static void parameter_set(struct challenge *c, const char *name, size_t len, char *value)
{
        const struct {
                const char *name;
                char **slot;
        } known[] = { { "realm", &c->realm }, { "service", &c->service }, { "scope", &c->scope } };

        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (strlen(known[i].name) == len && strncasecmp(name, known[i].name, len) == 0 && !*known[i].slot &&
                    strlen(value) <= VALUE_MAX)
                        *known[i].slot = TAKE_PTR(value);
        free(value);
}

/* Reads "name=value, ..." into c (NULL: skips) up to the next scheme or the end; returns where it stopped. */
static const char *parameters_take(const char *s, struct challenge *c)
{
        for (;;) {
                s += strspn(s, BLANKS ",");
                size_t len = strcspn(s, TOKEN_END);
                const char *after = s + len + strspn(s + len, BLANKS);
                if (len == 0 || *after != '=')
                        return s;
                after += 1 + strspn(after + 1, BLANKS);
                char *value = value_take(&after);
                if (!value)
                        return "";
                if (c)
                        parameter_set(c, s, len, value);
                else
                        free(value);
                s = after;
        }
}

static bool line_find(const char *s, const char *scheme, struct challenge *ret)
{
        for (;;) {
                s += strspn(s, BLANKS ",");
                size_t len = strcspn(s, TOKEN_END);
                if (len == 0)
                        return false;
                bool ours = strlen(scheme) == len && strncasecmp(s, scheme, len) == 0;
                s = parameters_take(s + len, ours ? ret : NULL);
                if (ours)
                        return true;
        }
}

bool challenge_find(char *const *lines, const char *scheme, struct challenge *ret)
{
        STRV_FOREACH (line, lines)
                if (line_find(*line, scheme, ret))
                        return true;
        return false;
}
