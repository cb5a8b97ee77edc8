#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "cli/template-internal.h"

/* fmt.Sprintf: verbs %v %s %q %x %X %d %b %o %c %t %e %f %g %T, flags, widths, precisions and Go's complaints inside the text. */

#define PRINTF_WIDTH_MAX 10000

struct verb {
        bool minus, plus, sharp, blank, zero;
        int width, precision; /* -1: none */
        char letter;
};

static size_t runes(const char *s, size_t len)
{
        size_t count = 0;
        for (size_t i = 0; i < len; i++)
                count += ((unsigned char)s[i] & 0xc0) != 0x80;
        return count;
}

static int pad(const struct verb *v, const char *s, size_t len, bool zeros, struct buf *out, struct err *err)
{
        size_t shown = runes(s, len), width = v->width > 0 ? (size_t)v->width : 0;
        size_t fill = width > shown ? width - shown : 0;
        size_t sign = zeros && len > 0 && (*s == '-' || *s == '+') ? 1 : 0;
        if (!v->minus && buf_add(out, s, sign, err) < 0)
                return -1;
        for (size_t i = 0; i < fill && !v->minus; i++)
                if (buf_addc(out, zeros ? '0' : ' ', err) < 0)
                        return -1;
        if (v->minus)
                sign = 0;
        if (buf_add(out, s + sign, len - sign, err) < 0)
                return -1;
        for (size_t i = 0; i < fill && v->minus; i++)
                if (buf_addc(out, ' ', err) < 0)
                        return -1;
        return 0;
}

/* A precision cuts strings, counted in runes. */
static size_t cut(const struct verb *v, const char *s, size_t len)
{
        if (v->precision < 0)
                return len;
        size_t i = 0;
        for (int left = v->precision; i < len && left > 0; left--) {
                size_t step = utf8_step((const unsigned char *)s + i, len - i);
                i += step ? step : 1;
        }
        return i;
}

static int bad_verb(const struct verb *v, const struct value *value, struct buf *out, struct err *err)
{
        if (value->kind == VALUE_NONE || (value->kind == VALUE_NIL && value->pointer))
                return buf_addf(out, err, "%%!%c(<nil>)", v->letter);
        if (buf_addf(out, err, "%%!%c(%s=", v->letter, value_type(value)) < 0 || value_show(value, out, err) < 0)
                return -1;
        return buf_addc(out, ')', err);
}

static int print_string(const struct verb *v, const struct value *value, struct buf *out, struct err *err)
{
        _cleanup_buf_ struct buf text = { 0 };
        size_t len = cut(v, value->s, value->len);
        if (v->letter == 's' || v->letter == 'v')
                return pad(v, value->s, len, v->zero, out, err);
        if (v->letter == 'q') {
                if (string_show_quoted(value->s, len, &text, err) < 0)
                        return -1;
                return pad(v, text.data, text.len, v->zero, out, err);
        }
        if (v->letter != 'x' && v->letter != 'X')
                return bad_verb(v, value, out, err);
        for (size_t i = 0; i < len; i++)
                if (buf_addf(&text, err, v->letter == 'x' ? "%02x" : "%02X", (unsigned char)value->s[i]) < 0)
                        return -1;
        return pad(v, text.len ? text.data : "", text.len, v->zero, out, err);
}

static void binary_digits(uint64_t n, char text[80])
{
        char digits[65];
        size_t len = 0;
        do
                digits[len++] = (char)('0' + (n & 1));
        while (n >>= 1);
        for (size_t i = 0; i < len; i++)
                text[i] = digits[len - 1 - i];
        text[len] = '\0';
}

static bool int_digits(const struct verb *v, uint64_t n, char text[80])
{
        static const struct {
                char letter;
                const char *format, *sharp;
        } verbs[] = { { 'd', "%llu", "%llu" },
                      { 'v', "%llu", "%llu" },
                      { 'x', "%llx", "0x%llx" },
                      { 'X', "%llX", "0X%llX" },
                      { 'o', "%llo", "0%llo" } };
        if (v->letter == 'b')
                binary_digits(n, text);
        for (size_t i = 0; i < ELEMENTS(verbs); i++)
                if (verbs[i].letter == v->letter) {
                        snprintf(text, 80, v->sharp ? verbs[i].sharp : verbs[i].format, (unsigned long long)n);
                        return true;
                }
        return v->letter == 'b';
}

static int print_int(const struct verb *v, const struct value *value, struct buf *out, struct err *err)
{
        char digits[80], text[160];
        uint64_t n = value->i < 0 ? -(uint64_t)value->i : (uint64_t)value->i;
        if (v->letter == 'c')
                return pad(v, text, rune_put(value->i < 0 || n > 0x10ffff ? 0xfffd : (uint32_t)n, text), false, out,
                           err);
        if (v->letter == 'q') {
                char rune[8] = { 0 };
                rune_put(value->i < 0 || n > 0x10ffff ? 0xfffd : (uint32_t)n, rune);
                snprintf(text, sizeof(text), "'%s'", rune);
                return pad(v, text, strlen(text), false, out, err);
        }
        if (!int_digits(v, n, digits))
                return bad_verb(v, value, out, err);
        int zeros = v->precision > (int)strlen(digits) && v->precision < 64 ? v->precision - (int)strlen(digits) : 0;
        snprintf(text, sizeof(text), "%s%.*s%s",
                 value->i < 0 ? "-"
                 : v->plus    ? "+"
                 : v->blank   ? " "
                              : "",
                 zeros, "0000000000000000000000000000000000000000000000000000000000000000", digits);
        return pad(v, text, strlen(text), v->zero && !v->minus && v->precision < 0, out, err);
}

static int print_float(const struct verb *v, const struct value *value, struct buf *out, struct err *err)
{
        _cleanup_buf_ struct buf text = { 0 };
        if (!strchr("vgGeEfF", v->letter))
                return bad_verb(v, value, out, err);
        if ((v->plus || v->blank) && value->f >= 0 && buf_addc(&text, v->plus ? '+' : ' ', err) < 0)
                return -1;
        char format[] = { '%', '.', '*', v->letter == 'v' ? 'g' : v->letter, '\0' };
        bool shortest = v->precision < 0 && (v->letter == 'v' || v->letter == 'g' || v->letter == 'G');
        int precision = v->precision < 0 ? 6 : v->precision;
        int r = shortest ? float_show(value->f, &text, err)
                         : buf_addf(&text, err, format, precision > 100 ? 100 : precision, value->f);
        return r < 0 ? -1 : pad(v, text.data, text.len, v->zero && !v->minus, out, err);
}

static int print_value(const struct verb *v, const struct value *value, struct buf *out, struct err *err);

/* Each element with the same verb, as fmt does for slices. */
static int print_list(const struct verb *v, const struct value *value, struct buf *out, struct err *err)
{
        for (size_t i = 0; i < value_length(value); i++) {
                struct value element = value_of_json(json_array_get(value->json, i), NULL);
                if (buf_addc(out, i ? ' ' : '[', err) < 0 || print_value(v, &element, out, err) < 0)
                        return -1;
        }
        return buf_adds(out, value_length(value) ? "]" : "[]", err);
}

static int print_value(const struct verb *v, const struct value *value, struct buf *out, struct err *err)
{
        if (v->letter == 'T')
                return pad(v, value_type(value), strlen(value_type(value)), false, out, err);
        switch (value->kind) {
        case VALUE_STRING:
                return print_string(v, value, out, err);
        case VALUE_INT:
                return strchr("eEfFgG", v->letter) ? bad_verb(v, value, out, err) : print_int(v, value, out, err);
        case VALUE_FLOAT:
                return print_float(v, value, out, err);
        case VALUE_BOOL:
                if (v->letter != 't' && v->letter != 'v')
                        return bad_verb(v, value, out, err);
                return pad(v, value->b ? "true" : "false", value->b ? 4 : 5, false, out, err);
        case VALUE_LIST:
                return print_list(v, value, out, err);
        case VALUE_NONE:
        case VALUE_NIL:
                if (v->letter == 'v' && value->kind == VALUE_NONE)
                        return pad(v, "<nil>", 5, false, out, err);
                break;
        case VALUE_OBJECT:
                break;
        }
        bool shown =
                v->letter == 'v' ||
                (v->letter == 's' && (value->kind == VALUE_OBJECT || (value->kind == VALUE_NIL && !value->pointer)));
        return shown ? value_show(value, out, err) : bad_verb(v, value, out, err);
}

struct walk {
        const char *s, *end;
        const struct value *args;
        size_t count, next;
};

/* A number, or '*' and an argument. */
static bool read_number(struct walk *w, int *ret)
{
        if (w->s < w->end && *w->s == '*') {
                w->s++;
                if (w->next >= w->count || w->args[w->next].kind != VALUE_INT)
                        return false;
                int64_t n = w->args[w->next++].i;
                *ret = n > PRINTF_WIDTH_MAX || n < -PRINTF_WIDTH_MAX ? 0 : (int)n;
                return true;
        }
        int n = 0;
        bool any = false;
        for (; w->s < w->end && *w->s >= '0' && *w->s <= '9'; w->s++, any = true)
                n = n > PRINTF_WIDTH_MAX ? n : n * 10 + (*w->s - '0');
        if (any)
                *ret = n > PRINTF_WIDTH_MAX ? 0 : n;
        return any;
}

static struct verb read_verb(struct walk *w)
{
        struct verb v = { .width = -1, .precision = -1 };
        for (;; w->s++) {
                char c = w->s < w->end ? *w->s : '\0';
                bool *flag = c == '-'   ? &v.minus
                             : c == '+' ? &v.plus
                             : c == '#' ? &v.sharp
                             : c == ' ' ? &v.blank
                             : c == '0' ? &v.zero
                                        : NULL;
                if (!flag)
                        break;
                *flag = true;
        }
        if (read_number(w, &v.width) && v.width < 0) {
                v.minus = true;
                v.width = -v.width;
        }
        if (w->s < w->end && *w->s == '.') {
                w->s++;
                if (!read_number(w, &v.precision))
                        v.precision = 0;
        }
        v.zero = v.zero && !v.minus;
        if (w->s < w->end)
                v.letter = *w->s++;
        if (v.letter == 'v') /* there the flags ask for names of fields and for Go syntax, which JSON has not */
                v.plus = v.sharp = false;
        return v;
}

static int print_extra(const struct walk *w, struct buf *out, struct err *err)
{
        if (w->next >= w->count)
                return 0;
        for (size_t i = w->next; i < w->count; i++)
                if (buf_addf(out, err, "%s%s=", i == w->next ? "%!(EXTRA " : ", ", value_type(&w->args[i])) < 0 ||
                    value_show(&w->args[i], out, err) < 0)
                        return -1;
        return buf_addc(out, ')', err);
}

int function_printf(const struct call *c, struct value *ret, struct err *err)
{
        if (c->args[0].kind != VALUE_STRING)
                return err_set(err, ERR_INVALID, "wrong type for value; expected string; got %s",
                               value_type(&c->args[0]));
        struct walk w = { c->args[0].s, c->args[0].s + c->args[0].len, c->args, c->count, 1 };
        _cleanup_buf_ struct buf out = { 0 };
        while (w.s < w.end) {
                const char *percent = memchr(w.s, '%', (size_t)(w.end - w.s));
                size_t plain = (size_t)((percent ? percent : w.end) - w.s);
                if (buf_add(&out, w.s, plain, err) < 0)
                        return -1;
                w.s += plain + (percent ? 1 : 0);
                if (!percent)
                        break;
                struct verb v = read_verb(&w);
                int r = !v.letter           ? buf_adds(&out, "%!(NOVERB)", err)
                        : v.letter == '%'   ? buf_addc(&out, '%', err)
                        : w.next >= w.count ? buf_addf(&out, err, "%%!%c(MISSING)", v.letter)
                                            : print_value(&v, &w.args[w.next++], &out, err);
                if (r < 0)
                        return -1;
        }
        if (print_extra(&w, &out, err) < 0)
                return -1;
        *ret = value_take_buf(c->arena, &out);
        return 0;
}
