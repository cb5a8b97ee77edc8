/* "org.systemd.property.TimeoutStopUSec": "uint64 5000000" and its like: values in GVariant's text format, as far as the
 * properties of scopes go (glib, "GVariant Text Format"). */
#include <stdlib.h>
#include "base/str.h"
#include "runtime/dbus-internal.h"
#include "runtime/systemd-internal.h"

#define PREFIX "org.systemd.property."
#define TEXT_MAX 4096

static int refuse(const char *name, const char *value, struct err *err)
{
        return err_set(err, ERR_INVALID, "annotations." PREFIX "%s: \"%s\" is no value of systemd's", name, value);
}

/* 'a\'b' or "a": *at moves behind it; false: not a string. */
static bool read_quoted(const char **at, char text[TEXT_MAX])
{
        const char *s = *at;
        char quote = *s;
        size_t len = 0;
        if (quote != '\'' && quote != '"')
                return false;
        for (s++; *s && *s != quote && len + 1 < TEXT_MAX; s++) {
                s += *s == '\\' && s[1];
                text[len++] = *s;
        }
        text[len] = 0;
        *at = s + 1;
        return *s == quote;
}

static const char *skip(const char *s)
{
        return s + strspn(s, " \t");
}

static bool add_list(struct buf *b, const char *value)
{
        char text[TEXT_MAX];
        const char *at = skip(value + 1);
        size_t mark = dbus_array_begin(b, 4);
        while (*at != ']') {
                if (!read_quoted(&at, text))
                        return false;
                dbus_add_string(b, text);
                at = skip(at);
                if (*at == ',')
                        at = skip(at + 1);
                else if (*at != ']')
                        return false;
        }
        dbus_array_end(b, mark, 4);
        return at[1] == 0;
}

static const struct kind {
        const char *word, *type;
        bool wide, negative;
} kinds[] = {
        { "uint64 ", "t", true, false }, { "int64 ", "x", true, true }, { "uint32 ", "u", false, false }, { "int32 ", "i", false, true },
        { "", "i", false, true },
};

/* Without a word before it a number is an int32. */
static bool add_number(struct buf *b, const char *value, const struct kind *kind)
{
        struct err unused = ERR_INIT;
        uint64_t number;
        int64_t negative = 0;
        value = skip(value);
        if (kind->negative) {
                if (parse_i64(value, &negative, &unused) < 0 || (!kind->wide && (negative < INT32_MIN || negative > INT32_MAX)))
                        return false;
                number = (uint64_t)negative;
        } else if (parse_u64(value, &number, &unused) < 0 || (!kind->wide && number > UINT32_MAX)) {
                return false;
        }
        if (kind->wide)
                dbus_add_u64(b, number);
        else
                dbus_add_u32(b, (uint32_t)number);
        return true;
}

static int add_value(struct buf *b, const char *name, const char *value, struct err *err)
{
        char text[TEXT_MAX];
        const char *at = value;
        if (*value == '[') {
                dbus_add_signature(b, "as");
                return add_list(b, value) ? 0 : refuse(name, value, err);
        }
        if (str_eq(value, "true") || str_eq(value, "false")) {
                dbus_add_signature(b, "b");
                dbus_add_u32(b, *value == 't');
                return 0;
        }
        if (read_quoted(&at, text)) {
                dbus_add_signature(b, "s");
                dbus_add_string(b, text);
                return *at == 0 ? 0 : refuse(name, value, err);
        }
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                const char *rest = str_after(value, kinds[i].word);
                if (!rest)
                        continue;
                dbus_add_signature(b, kinds[i].type);
                return add_number(b, rest, &kinds[i]) ? 0 : refuse(name, value, err);
        }
        return refuse(name, value, err);
}

/* "TimeoutStopSec=uint64 5" is what people write; the property on the bus counts microseconds. */
static int add_seconds(struct buf *b, const char *name, const char *value, struct err *err)
{
        struct err unused = ERR_INIT;
        const char *rest = value;
        uint64_t seconds;
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                rest = str_after(value, kinds[i].word) && *kinds[i].word ? str_after(value, kinds[i].word) : rest;
        double fraction;
        if (parse_u64(skip(rest), &seconds, &unused) == 0 && seconds < UINT64_MAX / 1000000) {
                dbus_add_signature(b, "t");
                dbus_add_u64(b, seconds * 1000000);
                return 0;
        }
        err_clear(&unused);
        if (parse_double(skip(rest), &fraction, &unused) < 0 || !(fraction >= 0 && fraction < 1e12))
                return refuse(name, value, err);
        dbus_add_signature(b, "t");
        dbus_add_u64(b, (uint64_t)(fraction * 1e6));
        return 0;
}

int property_annotations(struct buf *b, char *const *annotations, struct err *err)
{
        STRV_FOREACH (entry, annotations) {
                const char *rest = str_after(*entry, PREFIX), *equals = rest ? strchr(rest, '=') : NULL;
                if (!equals || equals == rest)
                        continue;
                _cleanup_free_ char *name = xstrndup(rest, (size_t)(equals - rest));
                if (!str_only(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") || strlen(equals) > TEXT_MAX)
                        return refuse(name, equals + 1, err);
                bool seconds = str_ends(name, "Sec") && !str_ends(name, "USec");
                _cleanup_free_ char *property = seconds ? xasprintf("%.*sUSec", (int)strlen(name) - 3, name) : xstrdup(name);
                dbus_align(b, 8);
                dbus_add_string(b, property);
                if ((seconds ? add_seconds : add_value)(b, name, equals + 1, err) < 0)
                        return -1;
        }
        return 0;
}
