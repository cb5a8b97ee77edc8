#include "oci/runtime-spec-internal.h"

#include <pthread.h>
#include "base/digest.h"
#include "base/str.h"

#define SECRET_DIGITS 16
#define MARK_SIZE (sizeof("u64-") - 1 + SECRET_DIGITS + 1)

/* "u64-<random>:": no document can hold it, so a marked string is a number and nothing else is. */
static char mark[MARK_SIZE + 1];

static void mark_make(void)
{
        char secret[SECRET_DIGITS + 1];

        random_hex(secret, SECRET_DIGITS);
        snprintf(mark, sizeof(mark), "u64-%s:", secret);
}

static const char *mark_get(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, mark_make);
        return mark;
}

static bool in_number(char c)
{
        return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

/* More than an int64_t, not more than a uint64_t, and nothing but digits. */
static bool is_big(const char *digits, size_t n)
{
        for (size_t i = 0; i < n && n <= 20; i++)
                if (digits[i] < '0' || digits[i] > '9')
                        return false;
        if (n == 19)
                return memcmp(digits, "9223372036854775807", 19) > 0;
        return n == 20 && digits[0] == '1' && memcmp(digits, "18446744073709551615", 20) <= 0;
}

static const char *string_end(const char *s, const char *end)
{
        for (s++; s < end && *s != '"'; s++)
                if (*s == '\\' && s + 1 < end)
                        s++;
        return s < end ? s + 1 : end;
}

/* The next number of `text` that jansson could not hold; NULL when there is none. */
static const char *big_next(const char *s, const char *end, size_t *ret_digits)
{
        while (s < end) {
                const char *from = s;

                if (*s == '"') {
                        s = string_end(s, end);
                        continue;
                }
                while (s < end && in_number(*s))
                        s++;
                if (is_big(from, (size_t)(s - from))) {
                        *ret_digits = (size_t)(s - from);
                        return from;
                }
                if (s == from)
                        s++;
        }
        return NULL;
}

/* Appends `"mark:digits"`; returns the new end. */
static char *marked_add(char *to, const char *digits, size_t n)
{
        *to++ = '"';
        to = mempcpy(to, mark_get(), MARK_SIZE);
        to = mempcpy(to, digits, n);
        *to++ = '"';
        return to;
}

char *spec_numbers_mark(const char *text, size_t len, size_t *ret_len)
{
        const char *end = text + len, *from = text, *found;
        size_t digits = 0, count = 0;
        char *out, *to;

        for (found = text; (found = big_next(found, end, &digits)); found += digits)
                count++;
        if (count == 0)
                return NULL;
        out = to = xmalloc(len + count * (MARK_SIZE + 2) + 1);
        while ((found = big_next(from, end, &digits))) {
                to = mempcpy(to, from, (size_t)(found - from));
                to = marked_add(to, found, digits);
                from = found + digits;
        }
        to = mempcpy(to, from, (size_t)(end - from));
        *to = '\0';
        *ret_len = (size_t)(to - out);
        return out;
}

void spec_numbers_unmark(char *text)
{
        const char *from = text, *hit;
        char *to = text;

        while ((hit = strstr(from, mark_get()))) {
                size_t before = (size_t)(hit - 1 - from), digits = strspn(hit + MARK_SIZE, "0123456789");

                memmove(to, from, before);
                memmove(to + before, hit + MARK_SIZE, digits);
                to += before + digits;
                from = hit + MARK_SIZE + digits + 1;
        }
        memmove(to, from, strlen(from) + 1);
}

int spec_u64_get(const json_t *o, const struct jpath *path, const char *key, uint64_t *ret, struct err *err)
{
        const char *text = json_string_value(json_object_get(o, key)),
                   *digits = text ? str_after(text, mark_get()) : NULL;

        return digits ? parse_u64(digits, ret, err) : json_get_u64(o, path, key, true, ret, err);
}

json_t *spec_u64_new(uint64_t value)
{
        if (value <= INT64_MAX)
                return json_integer((json_int_t)value);
        return json_sprintf("%s%llu", mark_get(), (unsigned long long)value);
}
