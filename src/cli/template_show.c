#include <math.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "cli/template-internal.h"

/* strconv.FormatFloat: the shortest digits that read back the same, scientific outside the exponents given. */
static int float_put(double f, int least, int most, struct buf *out, struct err *err)
{
        if (isnan(f) || isinf(f))
                return buf_adds(out, isnan(f) ? "NaN" : f > 0 ? "+Inf" : "-Inf", err);
        char text[400];
        int precision = 1;
        do
                snprintf(text, sizeof(text), "%.*e", precision - 1, f);
        while (strtod(text, NULL) != f && precision++ < 17);
        const char *e = strchr(text, 'e');
        long exponent = e ? strtol(e + 1, NULL, 10) : 0;
        if (exponent >= least && exponent < most) {
                int decimals = precision - 1 - (int)exponent;
                snprintf(text, sizeof(text), "%.*f", decimals > 0 ? decimals : 0, f);
        }
        return buf_adds(out, text, err);
}

int float_show(double f, struct buf *out, struct err *err)
{
        return float_put(f, -4, 6, out, err);
}

/* encoding/json has wider bounds, and writes e-7 for e-07. */
static int float_show_json(double f, struct buf *out, struct err *err)
{
        if (float_put(f, -6, 21, out, err) < 0)
                return -1;
        if (out->len > 4 && memcmp(out->data + out->len - 4, "e-0", 3) == 0) {
                out->data[out->len - 2] = out->data[out->len - 1];
                out->len--;
                buf_terminate(out);
        }
        return 0;
}

static int show_struct(const json_t *o, struct buf *out, struct err *err)
{
        const char *key;
        json_t *member;
        bool first = true;
        if (buf_addc(out, '{', err) < 0)
                return -1;
        json_object_foreach ((json_t *)(uintptr_t)o, key, member) {
                struct value v = value_of_json(member, key);
                if ((!first && buf_addc(out, ' ', err) < 0) || value_show(&v, out, err) < 0)
                        return -1;
                first = false;
        }
        return buf_addc(out, '}', err);
}

static int show_map(const json_t *o, struct buf *out, struct err *err)
{
        _cleanup_free_ const char **keys = object_keys_sorted(o);
        if (buf_adds(out, "map[", err) < 0)
                return -1;
        for (const char **key = keys; *key; key++) {
                struct value v = value_of_json(json_object_get(o, *key), *key);
                if (buf_addf(out, err, "%s%s:", key == keys ? "" : " ", *key) < 0 || value_show(&v, out, err) < 0)
                        return -1;
        }
        return buf_addc(out, ']', err);
}

/* Objects in lists are structs wherever docker has lists of objects. */
static int show_list(const json_t *list, struct buf *out, struct err *err)
{
        size_t i;
        json_t *member;
        if (buf_addc(out, '[', err) < 0)
                return -1;
        json_array_foreach (list, i, member) {
                struct value v = value_of_json(member, NULL);
                if (i > 0 && buf_addc(out, ' ', err) < 0)
                        return -1;
                int r = v.kind == VALUE_OBJECT ? show_struct(member, out, err) : value_show(&v, out, err);
                if (r < 0)
                        return -1;
        }
        return buf_addc(out, ']', err);
}

int value_show(const struct value *v, struct buf *out, struct err *err)
{
        switch (v->kind) {
        case VALUE_NONE:
                return buf_adds(out, "<no value>", err);
        case VALUE_NIL:
                return buf_adds(out, v->pointer ? "<nil>" : v->map ? "map[]" : "[]", err);
        case VALUE_BOOL:
                return buf_adds(out, v->b ? "true" : "false", err);
        case VALUE_INT:
                return buf_addf(out, err, "%lld", (long long)v->i);
        case VALUE_FLOAT:
                return float_show(v->f, out, err);
        case VALUE_STRING:
                return buf_add(out, v->s, v->len, err);
        case VALUE_LIST:
                return show_list(v->json, out, err);
        case VALUE_OBJECT:
                return show_map(v->json, out, err);
        }
        return 0;
}

/* --- JSON, as encoding/json writes it without HTML escapes --- */

static int json_show_string(const char *s, size_t len, struct buf *out, struct err *err)
{
        if (buf_addc(out, '"', err) < 0)
                return -1;
        for (size_t i = 0; i < len;) {
                static const char letters[] = "\"\\\n\r\t\b\f", shown[] = "\"\\nrtbf";
                size_t step = utf8_step((const unsigned char *)s + i, len - i);
                const char *letter = s[i] ? strchr(letters, s[i]) : NULL;
                int r;
                if (letter)
                        r = buf_addf(out, err, "\\%c", shown[letter - letters]);
                else if (step == 0)
                        r = buf_adds(out, "\\ufffd", err);
                else if (step == 1 && (unsigned char)s[i] < 0x20)
                        r = buf_addf(out, err, "\\u%04x", s[i]);
                else if (step == 3 && memcmp(s + i, "\xe2\x80", 2) == 0 && ((unsigned char)s[i + 2] & 0xfe) == 0xa8)
                        r = buf_addf(out, err, "\\u202%c", s[i + 2] == (char)0xa8 ? '8' : '9');
                else
                        r = buf_add(out, s + i, step, err);
                if (r < 0)
                        return -1;
                i += step ? step : 1;
        }
        return buf_addc(out, '"', err);
}

static int json_show_member(const char *key, const json_t *member, bool first, struct buf *out, struct err *err)
{
        struct value v = value_of_json(member, key);
        if ((!first && buf_addc(out, ',', err) < 0) || json_show_string(key, strlen(key), out, err) < 0)
                return -1;
        return buf_addc(out, ':', err) < 0 ? -1 : value_show_json(&v, out, err);
}

/* {{.Label "k"}} of a row is a map here, and no member. */
static bool is_method(const json_t *o, const char *key)
{
        return strcmp(key, "Label") == 0 && json_is_string(json_object_get(o, "Labels"));
}

static int json_show_object(const struct value *v, struct buf *out, struct err *err)
{
        const char *key;
        json_t *member;
        bool first = true;
        if (buf_addc(out, '{', err) < 0)
                return -1;
        if (v->map) {
                _cleanup_free_ const char **keys = object_keys_sorted(v->json);
                for (const char **k = keys; *k; k++)
                        if (json_show_member(*k, json_object_get(v->json, *k), k == keys, out, err) < 0)
                                return -1;
                return buf_addc(out, '}', err);
        }
        json_object_foreach ((json_t *)(uintptr_t)v->json, key, member) {
                if (is_method(v->json, key))
                        continue;
                if (json_show_member(key, member, first, out, err) < 0)
                        return -1;
                first = false;
        }
        return buf_addc(out, '}', err);
}

static int json_show_list(const json_t *list, struct buf *out, struct err *err)
{
        size_t i;
        json_t *member;
        if (buf_addc(out, '[', err) < 0)
                return -1;
        json_array_foreach (list, i, member) {
                struct value v = value_of_json(member, NULL);
                if ((i > 0 && buf_addc(out, ',', err) < 0) || value_show_json(&v, out, err) < 0)
                        return -1;
        }
        return buf_addc(out, ']', err);
}

int value_show_json(const struct value *v, struct buf *out, struct err *err)
{
        switch (v->kind) {
        case VALUE_NONE:
        case VALUE_NIL:
                return buf_adds(out, "null", err);
        case VALUE_FLOAT:
                return float_show_json(v->f, out, err);
        case VALUE_STRING:
                return json_show_string(v->s, v->len, out, err);
        case VALUE_LIST:
                return json_show_list(v->json, out, err);
        case VALUE_OBJECT:
                return json_show_object(v, out, err);
        default:
                return value_show(v, out, err);
        }
}

int string_show_quoted(const char *s, size_t len, struct buf *out, struct err *err)
{
        if (buf_addc(out, '"', err) < 0)
                return -1;
        for (size_t i = 0; i < len;) {
                static const char letters[] = "\"\\\a\b\f\n\r\t\v", shown[] = "\"\\abfnrtv";
                size_t step = utf8_step((const unsigned char *)s + i, len - i);
                const char *letter = s[i] ? strchr(letters, s[i]) : NULL;
                unsigned char c = (unsigned char)s[i];
                int r = letter ? buf_addf(out, err, "\\%c", shown[letter - letters])
                        : step == 0 || (step == 1 && (c < 0x20 || c == 0x7f)) ? buf_addf(out, err, "\\x%02x", c)
                                                                              : buf_add(out, s + i, step, err);
                if (r < 0)
                        return -1;
                i += step ? step : 1;
        }
        return buf_addc(out, '"', err);
}
