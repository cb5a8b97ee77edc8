#include "build/parser-internal.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"

/* End of the word at p: quotes and escaped characters belong to it. */
static const char *quoted_word_end(const char *p, char escape)
{
        char quote = 0;
        for (; *p; p++) {
                if (!quote && is_blank(*p))
                        return p;
                if (*p == escape && quote != '\'') {
                        if (p[1])
                                p++;
                } else if (quote) {
                        if (*p == quote)
                                quote = 0;
                } else if (*p == '\'' || *p == '"') {
                        quote = *p;
                }
        }
        return p;
}

static size_t trailing(const char *s, size_t len, char c)
{
        size_t n = 0;
        while (n < len && s[len - 1 - n] == c)
                n++;
        return n;
}

char **words_split_quoted(const char *text, char escape)
{
        char **words = NULL;
        for (;;) {
                while (is_blank(*text))
                        text++;
                if (!*text)
                        return words;
                const char *end = quoted_word_end(text, escape);
                size_t len = (size_t)(end - text);
                /* A lone escape at the very end escapes nothing. */
                bool odd = !*end && trailing(text, len, escape) % 2 == 1;
                if (len - odd)
                        strv_push_take(&words, xstrndup(text, len - odd));
                text = end;
        }
}

char **words_split_plain(const char *text)
{
        return strv_split(text, " \t\n\v\f\r", false);
}

/* One flag word: quotes removed, a backslash takes the next character as it is. Returns where it ends. */
static const char *flag_read(const char *p, char **ret)
{
        char *word = xmalloc(strlen(p) + 1);
        size_t n = 0;
        char quote = 0;
        for (; *p && (quote || !is_blank(*p)); p++) {
                if (quote ? *p == quote : (*p == '\'' || *p == '"'))
                        quote = quote ? 0 : *p;
                else if (*p != '\\')
                        word[n++] = *p;
                else if (p[1])
                        word[n++] = *++p;
        }
        word[n] = '\0';
        *ret = word;
        return p;
}

const char *words_take_flags(const char *text, char ***flags)
{
        for (;;) {
                while (is_blank(*text))
                        text++;
                if (text[0] != '-' || text[1] != '-')
                        return text;
                char *word = NULL;
                text = flag_read(text, &word);
                if (str_eq(word, "--")) {
                        free(word);
                        while (is_blank(*text))
                                text++;
                        return text;
                }
                strv_push_take(flags, word);
        }
}

char *words_protect(const char *text)
{
        /* At most "'" becomes "'\"'\"'", and two around all. */
        char *quoted = xmalloc(strlen(text) * 5 + 3), *p = quoted;
        *p++ = '\'';
        for (; *text; text++) {
                if (*text == '\'')
                        p = mempcpy(p, "'\"'\"", 4);
                *p++ = *text;
        }
        *p++ = '\'';
        *p = '\0';
        return quoted;
}

int words_from_json(const char *text, char ***ret, struct err *err)
{
        while (is_blank(*text))
                text++;
        if (*text != '[')
                return 0;
        struct err ignored = ERR_INIT;
        _cleanup_json_ json_t *array = json_parse(text, strlen(text), DOCKERFILE_MAX, "arguments", &ignored);
        if (!json_is_array(array))
                return 0;
        _cleanup_strv_ char **words = NULL;
        size_t i;
        json_t *item;
        json_array_foreach (array, i, item) {
                if (!json_is_string(item))
                        return err_set(err, ERR_INVALID,
                                       "when using JSON array syntax, arrays must be comprised of strings only");
                strv_push(&words, json_string_value(item));
        }
        *ret = TAKE_PTR(words);
        return 1;
}
