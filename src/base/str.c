#include "base/str.h"

#include "base/utf8.h"

static const char blanks[] = " \t\n\r\v\f";

const char *str_after(const char *s, const char *prefix)
{
        size_t len = strlen(prefix);
        return strncmp(s, prefix, len) == 0 ? s + len : NULL;
}

bool str_starts(const char *s, const char *prefix)
{
        return str_after(s, prefix) != NULL;
}

bool str_ends(const char *s, const char *suffix)
{
        size_t len = strlen(s), tail = strlen(suffix);
        return len >= tail && memcmp(s + len - tail, suffix, tail) == 0;
}

char *str_trim(char *s)
{
        s += strspn(s, blanks);
        size_t len = strlen(s);
        while (len > 0 && strchr(blanks, s[len - 1]))
                len--;
        s[len] = '\0';
        return s;
}

void str_lower(char *s)
{
        for (; *s; s++)
                if (*s >= 'A' && *s <= 'Z')
                        *s = (char)(*s - 'A' + 'a');
}

bool str_only(const char *s, const char *set)
{
        return *s && s[strspn(s, set)] == '\0';
}

void str_replace(char **dst, const char *src)
{
        char *copy = src ? xstrdup(src) : NULL; /* first: src may lie inside *dst */
        free(*dst);
        *dst = copy;
}

bool str_is_utf8(const char *s, size_t len)
{
        for (size_t i = 0; i < len;) {
                size_t step = utf8_step((const unsigned char *)s + i, len - i);
                if (step == 0 || s[i] == '\0')
                        return false;
                i += step;
        }
        return true;
}

void strv_free(char **v)
{
        for (char **s = v; s && *s; s++)
                free(*s);
        free(v);
}

size_t strv_len(char *const *v)
{
        size_t n = 0;
        while (v && v[n])
                n++;
        return n;
}

/* A vector has no field for its capacity. Rounding up to a power of two makes most calls a realloc() to the size
 * that the block has already, which costs nothing, and is right for vectors that a caller allocated by himself. */
static char **room_for(char **v, size_t len, size_t more)
{
        size_t cap = 4;
        while (cap < len + more + 1)
                cap *= 2;
        return xreallocarray(v, cap, sizeof(*v));
}

void strv_push_take(char ***v, char *s)
{
        size_t len = strv_len(*v);
        *v = room_for(*v, len, 1);
        (*v)[len] = s;
        (*v)[len + 1] = NULL;
}

void strv_push(char ***v, const char *s)
{
        strv_push_take(v, xstrdup(s));
}

void strv_extend(char ***v, char *const *more)
{
        size_t len = strv_len(*v), count = strv_len(more);
        if (count == 0)
                return;
        *v = room_for(*v, len, count);
        for (size_t i = 0; i < count; i++)
                (*v)[len + i] = xstrdup(more[i]);
        (*v)[len + count] = NULL;
}

char **strv_dup(char *const *v)
{
        char **copy = NULL;
        strv_extend(&copy, v);
        return copy;
}

bool strv_has(char *const *v, const char *s)
{
        STRV_FOREACH (entry, v)
                if (strcmp(*entry, s) == 0)
                        return true;
        return false;
}

static int entry_compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(char **v)
{
        if (v)
                qsort(v, strv_len(v), sizeof(*v), entry_compare);
}

char *strv_join(char *const *v, const char *separator)
{
        size_t gap = strlen(separator), size = 1;
        STRV_FOREACH (s, v)
                size += strlen(*s) + gap;
        char *text = xmalloc(size), *end = text;
        STRV_FOREACH (s, v) {
                if (s != v)
                        end = mempcpy(end, separator, gap);
                end = mempcpy(end, *s, strlen(*s));
        }
        *end = '\0';
        return text;
}

char **strv_split(const char *s, const char *separators, bool keep_empty)
{
        char **v = NULL;
        size_t count = 0, cap = 0; /* kept here: a long text must not cost its square */
        for (;;) {
                size_t len = strcspn(s, separators);
                if (len > 0 || keep_empty) {
                        if (count + 2 > cap)
                                v = xreallocarray(v, cap = 2 * cap + 4, sizeof(*v));
                        v[count++] = xstrndup(s, len);
                        v[count] = NULL;
                }
                if (s[len] == '\0')
                        return v;
                s += len + 1;
        }
}

void strv_env_set(char ***v, const char *assignment)
{
        size_t name = strcspn(assignment, "=");
        STRV_FOREACH (entry, *v) {
                if (strcspn(*entry, "=") != name || strncmp(*entry, assignment, name) != 0)
                        continue;
                str_replace(&(*v)[entry - *v], assignment);
                return;
        }
        strv_push(v, assignment);
}

const char *strv_env_get(char *const *v, const char *name)
{
        STRV_FOREACH (entry, v) {
                const char *rest = str_after(*entry, name);
                if (rest && *rest == '=')
                        return rest + 1;
        }
        return NULL;
}
