#include "base/str.h"

#include <math.h>

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* Digits at s into *ret; NULL when there are none or they do not fit. */
static const char *digits_read(const char *s, uint64_t *ret)
{
        uint64_t value = 0;
        if (!is_digit(*s))
                return NULL;
        for (; is_digit(*s); s++)
                if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
                        return NULL;
        *ret = value;
        return s;
}

int parse_u64(const char *s, uint64_t *ret, struct err *err)
{
        uint64_t value;
        const char *end = digits_read(s, &value);
        if (!end || *end)
                return err_set(err, ERR_INVALID, "'%s' is not a number from 0 to %llu", s,
                               (unsigned long long)UINT64_MAX);
        *ret = value;
        return 0;
}

int parse_i64(const char *s, int64_t *ret, struct err *err)
{
        bool negative = *s == '-';
        uint64_t value, most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
        const char *end = digits_read(s + (negative ? 1 : 0), &value);
        if (!end || *end || value > most)
                return err_set(err, ERR_INVALID, "'%s' is not an integer of 64 bits", s);
        *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
        return 0;
}

int parse_u32(const char *s, uint32_t *ret, struct err *err)
{
        uint64_t value;
        const char *end = digits_read(s, &value);
        if (!end || *end || value > UINT32_MAX)
                return err_set(err, ERR_INVALID, "'%s' is not a number from 0 to %u", s, UINT32_MAX);
        *ret = (uint32_t)value;
        return 0;
}

int parse_bool(const char *s, bool *ret, struct err *err)
{
        static const struct {
                const char *word;
                bool value;
        } words[] = {
                { "1", true },  { "t", true },  { "true", true },   { "yes", true }, { "on", true },
                { "0", false }, { "f", false }, { "false", false }, { "no", false }, { "off", false },
        };
        for (size_t i = 0; i < ELEMENTS(words); i++) {
                if (strcasecmp(s, words[i].word) != 0)
                        continue;
                *ret = words[i].value;
                return 0;
        }
        return err_set(err, ERR_INVALID, "'%s' is not true or false", s);
}

int parse_double(const char *s, double *ret, struct err *err)
{
        char *end = NULL;
        /* The set keeps out what strtod also takes: blanks, "nan", "infinity", hexadecimal. */
        double value = str_only(s, "0123456789.eE+-") ? strtod(s, &end) : 0;
        if (!end || end == s || *end || !isfinite(value))
                return err_set(err, ERR_INVALID, "'%s' is not a number", s);
        *ret = value;
        return 0;
}

/* A decimal such as "12.34" as whole + fraction / scale; digits past the 18th are dropped. NULL when malformed. */
struct decimal {
        uint64_t whole, fraction, scale;
};

static const char *decimal_read(const char *s, struct decimal *ret)
{
        struct decimal d = { .scale = 1 };
        bool any = is_digit(*s);
        if (any && !(s = digits_read(s, &d.whole)))
                return NULL;
        if (*s == '.') {
                for (s++; is_digit(*s); s++) {
                        any = true;
                        if (d.scale >= 1000000000000000000ULL)
                                continue;
                        d.fraction = d.fraction * 10 + (uint64_t)(*s - '0');
                        d.scale *= 10;
                }
        }
        *ret = d;
        return any ? s : NULL;
}

/* d * unit, or -1 when past INT64_MAX. */
static int64_t decimal_times(const struct decimal *d, uint64_t unit)
{
        unsigned __int128 value = (unsigned __int128)d->whole * unit;
        value += (unsigned __int128)d->fraction * unit / d->scale;
        return value > INT64_MAX ? -1 : (int64_t)value;
}

/* The power of 1024 that a suffix names: "", "b", "k", "kb", "kib" and so on in any case; -1: none. */
static int size_exponent(const char *s)
{
        static const char letters[] = "kmgtpe";
        char c = *s;
        if (c >= 'A' && c <= 'Z')
                c = (char)(c - 'A' + 'a');
        const char *letter = c ? strchr(letters, c) : NULL;
        if (!letter)
                return c == '\0' || strcasecmp(s, "b") == 0 ? 0 : -1;
        s++;
        if (*s != '\0' && strcasecmp(s, "b") != 0 && strcasecmp(s, "ib") != 0)
                return -1;
        return (int)(letter - letters) + 1;
}

int parse_size(const char *s, uint64_t *ret_bytes, struct err *err)
{
        struct decimal d;
        const char *rest = is_digit(*s) ? decimal_read(s, &d) : NULL;
        if (rest && *rest == ' ' && rest[1] != '\0')
                rest++;
        int exponent = rest ? size_exponent(rest) : -1;
        if (exponent < 0)
                return err_set(err, ERR_INVALID, "'%s' is not a size: write a number and b, k, m, g or t", s);
        int64_t bytes = decimal_times(&d, (uint64_t)1 << (10 * exponent));
        if (bytes < 0)
                return err_set(err, ERR_INVALID, "size '%s' is too large", s);
        *ret_bytes = (uint64_t)bytes;
        return 0;
}

static const struct {
        const char *name;
        uint64_t ns;
} duration_units[] = {
        { "ns", 1 },         { "us", 1000 },      { "\u00b5s", 1000 }, /* micro sign */
        { "\u03bcs", 1000 }, /* Greek mu */
        { "ms", 1000000 },   { "s", 1000000000 }, { "m", 60000000000ULL }, { "h", 3600000000000ULL },
};

/* Finds the unit that is the whole run of letters at *s and steps over it; 0 when there is none. */
static uint64_t duration_unit(const char **s)
{
        size_t len = strcspn(*s, "0123456789.");
        for (size_t i = 0; i < ELEMENTS(duration_units); i++) {
                if (strlen(duration_units[i].name) != len || strncmp(*s, duration_units[i].name, len) != 0)
                        continue;
                *s += len;
                return duration_units[i].ns;
        }
        return 0;
}

int parse_duration(const char *s, int64_t *ret_ns, struct err *err)
{
        const char *p = s;
        bool negative = *p == '-';
        if (*p == '-' || *p == '+')
                p++;
        int64_t total = 0;
        for (bool first = true; first || *p; first = false) {
                struct decimal d;
                p = decimal_read(p, &d);
                bool bare = p && first && *p == '\0';
                uint64_t unit = bare ? 1000000000 : p ? duration_unit(&p) : 0;
                if (unit == 0)
                        return err_set(err, ERR_INVALID, "'%s' is not a duration such as 1m30s", s);
                int64_t part = decimal_times(&d, unit);
                if (part < 0 || __builtin_add_overflow(total, part, &total))
                        return err_set(err, ERR_INVALID, "duration '%s' is too long", s);
        }
        *ret_ns = negative ? -total : total;
        return 0;
}
