#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/template-parse-internal.h"

/* Constants as Go writes them: escapes of strings and characters, numbers with a base and underscores. */

static int hex_value(char c)
{
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
}

/* `count` digits of a base at s; -1. */
static int64_t digits(const char *s, size_t count, int base)
{
        int64_t value = 0;
        for (size_t i = 0; i < count; i++) {
                int digit = hex_value(s[i]);
                if (digit < 0 || digit >= base)
                        return -1;
                value = value * base + digit;
        }
        return value;
}

size_t rune_put(uint32_t rune, char *out)
{
        if (rune < 0x80) {
                out[0] = (char)rune;
                return 1;
        }
        size_t len = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
        static const unsigned char heads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
        for (size_t i = len; i-- > 1; rune >>= 6)
                out[i] = (char)(0x80 | (rune & 0x3f));
        out[0] = (char)(heads[len] | rune);
        return len;
}

/* One escape behind its backslash; returns the bytes of source used, 0 on a bad one. */
static size_t escape_read(const char *s, char quote, char *out, size_t *ret_len)
{
        static const char letters[] = "abfnrtv\\", meant[] = "\a\b\f\n\r\t\v\\";
        static const struct {
                char letter;
                size_t digits;
        } hex[] = { { 'x', 2 }, { 'u', 4 }, { 'U', 8 } };
        const char *letter = *s ? strchr(letters, *s) : NULL;
        if (letter || *s == quote) {
                *out = letter ? meant[letter - letters] : quote;
                *ret_len = 1;
                return 1;
        }
        for (size_t i = 0; i < ELEMENTS(hex); i++) {
                if (*s != hex[i].letter)
                        continue;
                int64_t rune = digits(s + 1, hex[i].digits, 16);
                if (rune < 0 || rune > 0x10ffff)
                        return 0;
                *ret_len = i == 0 ? (*out = (char)rune, 1) : rune_put((uint32_t)rune, out);
                return hex[i].digits + 1;
        }
        int64_t octal = digits(s, 3, 8);
        if (octal < 0 || octal > 255)
                return 0;
        *out = (char)octal;
        *ret_len = 1;
        return 3;
}

static int parse_quoted(struct parser *p, const struct token *t, struct value *ret, struct err *err)
{
        const char *s = p->text + t->pos + 1, *end = p->text + t->pos + t->len - 1;
        char quote = s[-1], *out = arena_alloc(&p->t->arena, t->len);
        size_t len = 0;
        while (s < end) {
                if (*s != '\\' || quote == '`') {
                        out[len++] = *s++;
                        continue;
                }
                size_t made = 0, used = escape_read(s + 1, quote, out + len, &made);
                if (used == 0)
                        return template_parse_error(p->text, t->pos, err, "invalid syntax");
                s += used + 1;
                len += made;
        }
        *ret = value_of_string(out, len);
        return 0;
}

static int parse_char(struct parser *p, const struct token *t, struct value *ret, struct err *err)
{
        struct value text;
        if (parse_quoted(p, t, &text, err) < 0)
                return -1;
        const unsigned char *s = (const unsigned char *)text.s;
        size_t len = text.len;
        int64_t rune = len > 0 ? s[0] & (len == 1 ? 0xff : 0xff >> (len + 1)) : -1;
        for (size_t i = 1; i < len && len <= 4; i++)
                rune = (rune << 6) | (s[i] & 0x3f);
        if (rune < 0 || len > 4)
                return template_parse_error(p->text, t->pos, err, "malformed character constant: %.*s", (int)t->len,
                                            p->text + t->pos);
        *ret = value_of_int(rune);
        return 0;
}

static int parse_number(struct parser *p, const struct token *t, struct value *ret, struct err *err)
{
        char text[64], *end;
        size_t len = 0;
        const char *s = p->text + t->pos;
        bool fits = t->len < sizeof(text);
        for (size_t i = 0; i < t->len && fits; i++)
                if (s[i] != '_')
                        text[len++] = s[i];
        text[len] = '\0';
        const char *digits_at = text + (text[0] == '-' || text[0] == '+');
        int base = digits_at[0] != '0'                          ? 10
                   : digits_at[1] == 'b' || digits_at[1] == 'B' ? 2
                   : digits_at[1] == 'o' || digits_at[1] == 'O' ? 8
                                                                : 0;
        if (base == 2 || base == 8)
                memmove((char *)digits_at, digits_at + 2, strlen(digits_at + 2) + 1);
        errno = 0;
        int64_t i = strtoll(text, &end, base);
        if (fits && *end == '\0' && end > text && errno == 0) {
                *ret = value_of_int(i);
                return 0;
        }
        errno = 0;
        double f = strtod(text, &end);
        bool real = fits && *end == '\0' && end > text && errno == 0 && strpbrk(text, ".eEpP");
        if (!real)
                return template_parse_error(p->text, t->pos, err, "bad number syntax: \"%.*s\"", (int)t->len, s);
        *ret = (struct value){ .kind = VALUE_FLOAT, .f = f };
        return 0;
}

int parse_constant(struct parser *p, const struct token *t, struct value *ret, struct err *err)
{
        if (t->kind == TOKEN_STRING)
                return parse_quoted(p, t, ret, err);
        return t->kind == TOKEN_CHAR ? parse_char(p, t, ret, err) : parse_number(p, t, ret, err);
}
