#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "cli/template-internal.h"

/* Go's builtins and docker's own (docker/cli templates: json, join, lower, upper, title, split, truncate, pad). */

struct value value_take_buf(struct arena *a, struct buf *b)
{
        size_t len = b->len;
        struct value v = value_of_string(arena_copy(a, len ? b->data : "", len), len);
        buf_done(b);
        return v;
}

static int need_string(const struct value *v, struct err *err)
{
        if (v->kind == VALUE_STRING)
                return 0;
        return err_set(err, ERR_INVALID, "wrong type for value; expected string; got %s", value_type(v));
}

static int need_int(const struct value *v, struct err *err)
{
        if (v->kind == VALUE_INT)
                return 0;
        return err_set(err, ERR_INVALID, "wrong type for value; expected int; got %s", value_type(v));
}

static int function_json(const struct call *c, struct value *ret, struct err *err)
{
        _cleanup_buf_ struct buf b = { 0 };
        if (value_show_json(&c->args[0], &b, err) < 0)
                return -1;
        *ret = value_take_buf(c->arena, &b);
        return 0;
}

static int function_join(const struct call *c, struct value *ret, struct err *err)
{
        const struct value *list = &c->args[0], *separator = &c->args[1];
        _cleanup_buf_ struct buf b = { 0 };
        if (list->kind != VALUE_LIST && list->kind != VALUE_NIL)
                return err_set(err, ERR_INVALID, "wrong type for value; expected []string; got %s", value_type(list));
        if (need_string(separator, err) < 0)
                return -1;
        for (size_t i = 0; i < value_length(list); i++) {
                struct value v = value_of_json(json_array_get(list->json, i), NULL);
                if (need_string(&v, err) < 0 || (i > 0 && buf_add(&b, separator->s, separator->len, err) < 0) ||
                    buf_add(&b, v.s, v.len, err) < 0)
                        return -1;
        }
        *ret = value_take_buf(c->arena, &b);
        return 0;
}

static int map_bytes(const struct call *c, struct value *ret, int (*map)(int), struct err *err)
{
        if (need_string(&c->args[0], err) < 0)
                return -1;
        char *copy = arena_copy(c->arena, c->args[0].s, c->args[0].len);
        for (size_t i = 0; i < c->args[0].len; i++)
                copy[i] = (unsigned char)copy[i] < 0x80 ? (char)map((unsigned char)copy[i]) : copy[i];
        *ret = value_of_string(copy, c->args[0].len);
        return 0;
}

static int function_lower(const struct call *c, struct value *ret, struct err *err)
{
        return map_bytes(c, ret, tolower, err);
}

static int function_upper(const struct call *c, struct value *ret, struct err *err)
{
        return map_bytes(c, ret, toupper, err);
}

static int function_title(const struct call *c, struct value *ret, struct err *err)
{
        if (need_string(&c->args[0], err) < 0)
                return -1;
        char *copy = arena_copy(c->arena, c->args[0].s, c->args[0].len);
        bool inside = false;
        for (size_t i = 0; i < c->args[0].len; i++) {
                unsigned char byte = (unsigned char)copy[i];
                if (!inside && byte < 0x80)
                        copy[i] = (char)toupper(byte);
                inside = byte >= 0x80 || isalnum(byte) || byte == '_' || byte == '\'';
        }
        *ret = value_of_string(copy, c->args[0].len);
        return 0;
}

static int function_split(const struct call *c, struct value *ret, struct err *err)
{
        const struct value *s = &c->args[0], *separator = &c->args[1];
        if (need_string(s, err) < 0 || need_string(separator, err) < 0)
                return -1;
        json_t *list = arena_keep(c->arena, json_array());
        size_t start = 0, step = separator->len;
        for (size_t i = 0; i + step <= s->len;) {
                if (step > 0 ? memcmp(s->s + i, separator->s, step) != 0 : i == start) {
                        i++;
                        continue;
                }
                json_array_append_new(list, json_stringn(s->s + start, i - start));
                start = i + step;
                i = start;
        }
        if (step > 0 || start < s->len)
                json_array_append_new(list, json_stringn(s->s + start, s->len - start));
        *ret = (struct value){ .kind = VALUE_LIST, .json = list };
        return 0;
}

static int function_truncate(const struct call *c, struct value *ret, struct err *err)
{
        if (need_string(&c->args[0], err) < 0 || need_int(&c->args[1], err) < 0)
                return -1;
        if (c->args[1].i < 0)
                return err_set(err, ERR_INVALID, "slice bounds out of range [:%lld]", (long long)c->args[1].i);
        *ret = c->args[0];
        if ((uint64_t)c->args[1].i < ret->len)
                ret->len = (size_t)c->args[1].i;
        return 0;
}

#define PAD_MAX 4096

static int function_pad(const struct call *c, struct value *ret, struct err *err)
{
        const struct value *s = &c->args[0], *before = &c->args[1], *after = &c->args[2];
        if (need_string(s, err) < 0 || need_int(before, err) < 0 || need_int(after, err) < 0)
                return -1;
        if (before->i < 0 || after->i < 0 || before->i > PAD_MAX || after->i > PAD_MAX)
                return err_set(err, ERR_INVALID, "a padding is from 0 to %d", PAD_MAX);
        _cleanup_buf_ struct buf b = { 0 };
        if (s->len > 0 && (buf_addf(&b, err, "%*s", (int)before->i, "") < 0 || buf_add(&b, s->s, s->len, err) < 0 ||
                           buf_addf(&b, err, "%*s", (int)after->i, "") < 0))
                return -1;
        *ret = value_take_buf(c->arena, &b);
        return 0;
}

/* fmt.Sprint puts blanks between two operands neither of which is a string, fmt.Sprintln between all. */
static int print_args(const struct call *c, bool line, struct value *ret, struct err *err)
{
        _cleanup_buf_ struct buf b = { 0 };
        for (size_t i = 0; i < c->count; i++) {
                bool strings = i > 0 && (c->args[i].kind == VALUE_STRING || c->args[i - 1].kind == VALUE_STRING);
                if (i > 0 && (line || !strings) && buf_addc(&b, ' ', err) < 0)
                        return -1;
                struct value v = c->args[i];
                if (v.kind == VALUE_NONE)
                        v = (struct value){ .kind = VALUE_NIL, .pointer = true };
                if (value_show(&v, &b, err) < 0)
                        return -1;
        }
        if (line && buf_addc(&b, '\n', err) < 0)
                return -1;
        *ret = value_take_buf(c->arena, &b);
        return 0;
}

static int function_print(const struct call *c, struct value *ret, struct err *err)
{
        return print_args(c, false, ret, err);
}

static int function_println(const struct call *c, struct value *ret, struct err *err)
{
        return print_args(c, true, ret, err);
}

static int function_len(const struct call *c, struct value *ret, struct err *err)
{
        const struct value *v = &c->args[0];
        if (v->kind == VALUE_NONE || (v->kind == VALUE_NIL && v->pointer))
                return err_set(err, ERR_INVALID, "len of nil pointer");
        if (v->kind >= VALUE_BOOL && v->kind <= VALUE_FLOAT)
                return err_set(err, ERR_INVALID, "len of type %s", value_type(v));
        *ret = value_of_int((int64_t)value_length(v));
        return 0;
}

static int function_index(const struct call *c, struct value *ret, struct err *err)
{
        struct value v = c->args[0];
        for (size_t i = 1; i < c->count; i++)
                if (value_index(&v, &c->args[i], &v, err) < 0)
                        return -1;
        *ret = v;
        return 0;
}

static int function_slice(const struct call *c, struct value *ret, struct err *err)
{
        const struct value *v = &c->args[0];
        if (v->kind != VALUE_STRING && v->kind != VALUE_LIST)
                return err_set(err, ERR_INVALID, "can't slice item of type %s", value_type(v));
        int64_t bounds[2] = { 0, (int64_t)value_length(v) };
        for (size_t i = 1; i < c->count && i <= 2; i++) {
                if (need_int(&c->args[i], err) < 0)
                        return -1;
                if (c->args[i].i < 0 || c->args[i].i > (int64_t)value_length(v))
                        return err_set(err, ERR_INVALID, "index out of range: %lld", (long long)c->args[i].i);
                bounds[i - 1] = c->args[i].i;
        }
        if (bounds[0] > bounds[1])
                return err_set(err, ERR_INVALID, "invalid slice index: %lld > %lld", (long long)bounds[0],
                               (long long)bounds[1]);
        if (v->kind == VALUE_STRING) {
                *ret = value_of_string(v->s + bounds[0], (size_t)(bounds[1] - bounds[0]));
                return 0;
        }
        json_t *list = arena_keep(c->arena, json_array());
        for (int64_t i = bounds[0]; i < bounds[1]; i++)
                json_array_append(list, json_array_get(v->json, (size_t)i));
        *ret = (struct value){ .kind = VALUE_LIST, .json = list };
        return 0;
}

static int function_and(const struct call *c, struct value *ret, struct err *err)
{
        size_t i = 0;
        while (i + 1 < c->count && value_truth(&c->args[i]))
                i++;
        *ret = c->args[i];
        return 0;
}

static int function_or(const struct call *c, struct value *ret, struct err *err)
{
        size_t i = 0;
        while (i + 1 < c->count && !value_truth(&c->args[i]))
                i++;
        *ret = c->args[i];
        return 0;
}

static int function_not(const struct call *c, struct value *ret, struct err *err)
{
        *ret = value_of_bool(!value_truth(&c->args[0]));
        return 0;
}

static int escape(const struct call *c, int (*put)(struct buf *b, unsigned char byte, struct err *err),
                  struct value *ret, struct err *err)
{
        struct value text;
        if (print_args(c, false, &text, err) < 0)
                return -1;
        _cleanup_buf_ struct buf b = { 0 };
        for (size_t i = 0; i < text.len; i++)
                if (put(&b, (unsigned char)text.s[i], err) < 0)
                        return -1;
        *ret = value_take_buf(c->arena, &b);
        return 0;
}

static int put_html(struct buf *b, unsigned char byte, struct err *err)
{
        static const char *const escapes[] = {
                ['"'] = "&#34;", ['\''] = "&#39;", ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;"
        };
        return byte < ELEMENTS(escapes) && escapes[byte] ? buf_adds(b, escapes[byte], err)
                                                         : buf_addc(b, (char)byte, err);
}

static int put_query(struct buf *b, unsigned char byte, struct err *err)
{
        if (byte < 0x80 && (isalnum(byte) || strchr("-_.~", byte)))
                return buf_addc(b, (char)byte, err);
        return byte == ' ' ? buf_addc(b, '+', err) : buf_addf(b, err, "%%%02X", byte);
}

static int function_html(const struct call *c, struct value *ret, struct err *err)
{
        return escape(c, put_html, ret, err);
}

static int function_urlquery(const struct call *c, struct value *ret, struct err *err)
{
        return escape(c, put_query, ret, err);
}

static const struct template_function functions[] = {
        { "json", 1, 1, function_json },
        { "join", 2, 2, function_join },
        { "lower", 1, 1, function_lower },
        { "upper", 1, 1, function_upper },
        { "title", 1, 1, function_title },
        { "split", 2, 2, function_split },
        { "truncate", 2, 2, function_truncate },
        { "pad", 3, 3, function_pad },
        { "print", 0, 0, function_print },
        { "println", 0, 0, function_println },
        { "printf", 1, 0, function_printf },
        { "len", 1, 1, function_len },
        { "index", 1, 0, function_index },
        { "slice", 1, 4, function_slice },
        { "eq", 2, 0, function_eq },
        { "ne", 2, 2, function_ne },
        { "lt", 2, 2, function_lt },
        { "le", 2, 2, function_le },
        { "gt", 2, 2, function_gt },
        { "ge", 2, 2, function_ge },
        { "and", 1, 0, function_and },
        { "or", 1, 0, function_or },
        { "not", 1, 1, function_not },
        { "html", 1, 0, function_html },
        { "urlquery", 1, 0, function_urlquery },
};

const struct template_function *template_function_find(const char *name, size_t len)
{
        for (size_t i = 0; i < ELEMENTS(functions); i++)
                if (strlen(functions[i].name) == len && memcmp(functions[i].name, name, len) == 0)
                        return &functions[i];
        return NULL;
}
