#include "base/json.h"

#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "base/file.h"
#include "base/str.h"
#include "base/utf8.h"

struct place {
        char text[256];
        size_t len;
};

static void place_add(struct place *at, const char *s)
{
        size_t more = strnlen(s, sizeof(at->text) - 1 - at->len);
        memcpy(at->text + at->len, s, more);
        at->len += more;
        at->text[at->len] = '\0';
}

/* "document: a.b[3]": the first link is the document, the rest the way down in it. Returns the number of links. */
static size_t place_write(struct place *at, const struct jpath *path)
{
        if (!path)
                return 0;
        size_t depth = place_write(at, path->up);
        if (path->key) {
                if (depth > 0)
                        place_add(at, depth == 1 ? ": " : ".");
                place_add(at, path->key);
        } else {
                char index[32];
                snprintf(index, sizeof(index), "%s[%zu]", depth == 1 ? ": " : "", path->index);
                place_add(at, index);
        }
        return depth + 1;
}

int json_err(const struct jpath *path, const char *key, struct err *err, const char *fmt, ...)
{
        struct jpath last = jpath_key(path, key);
        struct place at = { .len = 0 };
        place_write(&at, key ? &last : path);
        char text[256];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        return err_set(err, ERR_INVALID, "%s: %s", at.text, text);
}

json_t *json_parse(const char *text, size_t len, size_t max, const char *what, struct err *err)
{
        if (len > max) {
                err_set(err, ERR_TOO_LARGE, "%s: more than %zu bytes", what, max);
                return NULL;
        }
        json_error_t problem;
        json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &problem);
        /* Go writes RLIM_INFINITY and its like as an unsigned 64-bit number, which jansson has no integer for. Such a
         * document is read with all its numbers as doubles; the getters below take whole doubles for integers. */
        if (!j && json_error_code(&problem) == json_error_numeric_overflow)
                j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &problem);
        if (!j)
                err_set(err, ERR_INVALID, "%s: line %d column %d: %s", what, problem.line, problem.column,
                        problem.text);
        return j;
}

json_t *json_read_file_at(int dir_fd, const char *path, size_t max, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(max);
        if (file_read_at(dir_fd, path, &b, err) < 0)
                return NULL;
        return json_parse(b.data ? b.data : "", b.len, max, path, err);
}

static char *dump(const json_t *j, size_t flags)
{
        char *text = j ? json_dumps(j, flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : xstrdup("null");
        if (!text)
                abort(); /* every value was made of valid UTF-8, so only memory can have failed */
        return text;
}

char *json_text(const json_t *j)
{
        return dump(j, JSON_COMPACT);
}

char *json_text_indented(const json_t *j)
{
        return dump(j, JSON_INDENT(4));
}

/* 1: *ret_value is a member that is not null; 0: absent and not required; -1. */
static int member(const json_t *o, const struct jpath *p, const char *key, bool required, json_t **ret_value,
                  struct err *err)
{
        if (o && !json_is_object(o) && !json_is_null(o))
                return json_err(p, NULL, err, "expected an object");
        json_t *value = json_object_get(o, key);
        if (!value || json_is_null(value))
                return required ? json_err(p, key, err, "missing") : 0;
        *ret_value = value;
        return 1;
}

int json_get_string(const json_t *o, const struct jpath *p, const char *key, bool required, char **ret, struct err *err)
{
        json_t *value = NULL;
        int r = member(o, p, key, required, &value, err);
        if (r <= 0)
                return r;
        if (!json_is_string(value))
                return json_err(p, key, err, "expected a string");
        str_replace(ret, json_string_value(value));
        return 0;
}

int json_get_bool(const json_t *o, const struct jpath *p, const char *key, bool required, bool *ret, struct err *err)
{
        json_t *value = NULL;
        int r = member(o, p, key, required, &value, err);
        if (r <= 0)
                return r;
        if (!json_is_boolean(value))
                return json_err(p, key, err, "expected true or false");
        *ret = json_is_true(value);
        return 0;
}

static const double two_63 = 9223372036854775808.0;

static bool whole_double(const json_t *value)
{
        return json_is_real(value) && trunc(json_real_value(value)) == json_real_value(value);
}

int json_get_i64(const json_t *o, const struct jpath *p, const char *key, bool required, int64_t *ret, struct err *err)
{
        json_t *value = NULL;
        int r = member(o, p, key, required, &value, err);
        if (r <= 0)
                return r;
        if (json_is_integer(value)) {
                *ret = json_integer_value(value);
                return 0;
        }
        double d = json_real_value(value);
        if (!whole_double(value) || d < -two_63 || d >= two_63)
                return json_err(p, key, err, "expected an integer");
        *ret = (int64_t)d;
        return 0;
}

int json_get_u64(const json_t *o, const struct jpath *p, const char *key, bool required, uint64_t *ret, struct err *err)
{
        json_t *value = NULL;
        int r = member(o, p, key, required, &value, err);
        if (r <= 0)
                return r;
        if (json_is_integer(value) && json_integer_value(value) >= 0) {
                *ret = (uint64_t)json_integer_value(value);
                return 0;
        }
        double d = json_real_value(value);
        if (!whole_double(value) || d < 0 || d > 2 * two_63)
                return json_err(p, key, err, "expected a non-negative integer");
        /* 2^64 - 1, the usual "no limit", became 2^64 as a double. */
        *ret = d >= 2 * two_63 ? UINT64_MAX : (uint64_t)d;
        return 0;
}

int json_get_u32(const json_t *o, const struct jpath *p, const char *key, bool required, uint32_t *ret, struct err *err)
{
        uint64_t value = *ret;
        if (json_get_u64(o, p, key, required, &value, err) < 0)
                return -1;
        if (value > UINT32_MAX)
                return json_err(p, key, err, "expected a number of at most %u", UINT32_MAX);
        *ret = (uint32_t)value;
        return 0;
}

int json_get_double(const json_t *o, const struct jpath *p, const char *key, bool required, double *ret,
                    struct err *err)
{
        json_t *value = NULL;
        int r = member(o, p, key, required, &value, err);
        if (r <= 0)
                return r;
        if (!json_is_number(value))
                return json_err(p, key, err, "expected a number");
        *ret = json_number_value(value);
        return 0;
}

int json_get_strv(const json_t *o, const struct jpath *p, const char *key, bool required, char ***ret, struct err *err)
{
        json_t *array = NULL, *item;
        int r = member(o, p, key, required, &array, err);
        if (r <= 0)
                return r;
        if (!json_is_array(array))
                return json_err(p, key, err, "expected an array of strings");
        size_t i, count = json_array_size(array);
        _cleanup_strv_ char **v = count ? xcalloc(count + 1, sizeof(*v)) : NULL;
        json_array_foreach (array, i, item) {
                struct jpath here = jpath_key(p, key), entry = jpath_index(&here, i);
                if (!json_is_string(item))
                        return json_err(&entry, NULL, err, "expected a string");
                v[i] = xstrdup(json_string_value(item));
        }
        strv_free(*ret);
        *ret = TAKE_PTR(v);
        return 0;
}

int json_get_object(const json_t *o, const struct jpath *p, const char *key, bool required, json_t **ret,
                    struct err *err)
{
        json_t *value = NULL;
        if (member(o, p, key, required, &value, err) < 0)
                return -1;
        if (value && !json_is_object(value))
                return json_err(p, key, err, "expected an object");
        *ret = value;
        return 0;
}

int json_get_array(const json_t *o, const struct jpath *p, const char *key, bool required, json_t **ret,
                   struct err *err)
{
        json_t *value = NULL;
        if (member(o, p, key, required, &value, err) < 0)
                return -1;
        if (value && !json_is_array(value))
                return json_err(p, key, err, "expected an array");
        *ret = value;
        return 0;
}

int json_get_map(const json_t *o, const struct jpath *p, const char *key, bool required, char ***ret, struct err *err)
{
        json_t *map = NULL, *value;
        const char *name;
        int r = member(o, p, key, required, &map, err);
        if (r <= 0)
                return r;
        if (!json_is_object(map))
                return json_err(p, key, err, "expected an object of strings");
        size_t count = json_object_size(map), i = 0;
        _cleanup_strv_ char **v = count ? xcalloc(count + 1, sizeof(*v)) : NULL;
        json_object_foreach (map, name, value) {
                struct jpath here = jpath_key(p, key);
                if (!json_is_string(value) && !json_is_null(value))
                        return json_err(&here, name, err, "expected a string");
                if (strchr(name, '='))
                        return json_err(&here, name, err, "a key with '=' is not supported");
                v[i++] = xasprintf("%s=%s", name, json_is_null(value) ? "" : json_string_value(value));
        }
        strv_free(*ret);
        *ret = TAKE_PTR(v);
        return 0;
}

/* Text of len bytes as JSON, which must be UTF-8: what is not becomes U+FFFD, as Go's encoder does it. */
static json_t *text_value(const char *s, size_t len)
{
        json_t *j = json_stringn(s, len);
        if (j)
                return j;
        _cleanup_free_ char *valid = xreallocarray(NULL, len + 1, 3);
        char *end = valid;
        for (size_t i = 0; i < len;) {
                size_t step = utf8_step((const unsigned char *)s + i, len - i);
                end = step ? mempcpy(end, s + i, step) : mempcpy(end, "\xef\xbf\xbd", 3);
                i += step ? step : 1;
        }
        j = json_stringn(valid, (size_t)(end - valid));
        if (!j)
                abort();
        return j;
}

static json_t *made(json_t *j)
{
        if (!j)
                abort();
        return j;
}

json_t *json_from_strv(char *const *v)
{
        json_t *array = made(json_array());
        STRV_FOREACH (s, v)
                if (json_array_append_new(array, text_value(*s, strlen(*s))) < 0)
                        abort();
        return array;
}

json_t *json_from_map(char *const *v)
{
        json_t *map = made(json_object());
        STRV_FOREACH (s, v) {
                size_t name = strcspn(*s, "=");
                const char *value = (*s)[name] ? *s + name + 1 : "";
                _cleanup_json_ json_t *key = text_value(*s, name);
                if (json_object_set_new(map, json_string_value(key), text_value(value, strlen(value))) < 0)
                        abort();
        }
        return map;
}

void json_set_string(json_t *o, const char *key, const char *value)
{
        if (!str_empty(value))
                json_object_set_new(o, key, text_value(value, strlen(value)));
}

void json_set_strv(json_t *o, const char *key, char *const *v)
{
        if (v && *v)
                json_object_set_new(o, key, json_from_strv(v));
}

void json_set_map(json_t *o, const char *key, char *const *v)
{
        if (v && *v)
                json_object_set_new(o, key, json_from_map(v));
}
