/* The calendar is computed here and not by gmtime(3)/timegm(3): those bring the time zone code, 40 kB, into the
 * static monitor, and read TZ. Days are counted as in the proleptic Gregorian calendar with the year beginning in
 * March, so that the leap day is a year's last. */
#include "base/timefmt.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/str.h"

static const int64_t second_ns = 1000000000, day_seconds = 86400;
enum { DAYS_400_YEARS = 146097, MARCH_0000_TO_1970 = 719468 };

static int64_t clock_ns(clockid_t id)
{
        struct timespec ts;
        clock_gettime(id, &ts);
        return (int64_t)ts.tv_sec * second_ns + ts.tv_nsec;
}

int64_t time_now(void)
{
        return clock_ns(CLOCK_REALTIME);
}

int64_t time_monotonic(void)
{
        return clock_ns(CLOCK_MONOTONIC);
}

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
        year -= month <= 2;
        int64_t era = (year >= 0 ? year : year - 399) / 400, in_era = year - era * 400;
        int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
        return era * DAYS_400_YEARS + in_era * 365 + in_era / 4 - in_era / 100 + in_year - MARCH_0000_TO_1970;
}

struct moment {
        int64_t year, month, day, hour, minute, second, ns;
};

static struct moment moment_of(int64_t ns)
{
        int64_t seconds = ns / second_ns, rest = ns % second_ns;
        if (rest < 0)
                rest += second_ns, seconds--;
        int64_t days = seconds / day_seconds, in_day = seconds % day_seconds;
        if (in_day < 0)
                in_day += day_seconds, days--;
        days += MARCH_0000_TO_1970; /* positive for every time that 64 bits of ns can name */
        int64_t era = days / DAYS_400_YEARS, left = days % DAYS_400_YEARS;
        int64_t in_era = (left - left / 1460 + left / 36524 - left / 146096) / 365;
        int64_t in_year = left - (365 * in_era + in_era / 4 - in_era / 100), shifted = (5 * in_year + 2) / 153;
        struct moment m = { .hour = in_day / 3600, .minute = in_day / 60 % 60, .second = in_day % 60, .ns = rest };
        m.day = in_year - (153 * shifted + 2) / 5 + 1;
        m.month = shifted < 10 ? shifted + 3 : shifted - 9;
        m.year = era * 400 + in_era + (m.month <= 2);
        return m;
}

const char *time_format(int64_t ns, char text[TIME_TEXT_SIZE])
{
        struct moment m = moment_of(ns);
        snprintf(text, TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", (int)m.year, (int)m.month, (int)m.day,
                 (int)m.hour, (int)m.minute, (int)m.second, (int)m.ns);
        return text;
}

const char *time_format_docker(int64_t ns, char text[TIME_TEXT_SIZE])
{
        struct moment m = moment_of(ns);
        snprintf(text, TIME_TEXT_SIZE, "%04d-%02d-%02d %02d:%02d:%02d +0000 UTC", (int)m.year, (int)m.month, (int)m.day,
                 (int)m.hour, (int)m.minute, (int)m.second);
        return text;
}

/* Exactly `count` digits at *s, a number from least to most; steps over them. */
static bool field(const char **s, int count, int64_t least, int64_t most, int64_t *ret)
{
        int64_t value = 0;
        for (int i = 0; i < count; i++, (*s)++) {
                if (**s < '0' || **s > '9')
                        return false;
                value = value * 10 + (**s - '0');
        }
        *ret = value;
        return value >= least && value <= most;
}

static bool literal(const char **s, char c)
{
        if (**s != c)
                return false;
        (*s)++;
        return true;
}

/* Digits of a fraction as nanoseconds; those past the ninth are dropped. At least one must stand there. */
static bool fraction(const char **s, int64_t *ret_ns)
{
        int64_t ns = 0, unit = second_ns / 10;
        const char *begin = *s;
        for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
                ns += (**s - '0') * unit;
        *ret_ns = ns;
        return *s > begin;
}

static int64_t days_in(int64_t year, int64_t month)
{
        static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        return lengths[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool read_date(const char **s, struct moment *m)
{
        return field(s, 4, 0, 9999, &m->year) && literal(s, '-') && field(s, 2, 1, 12, &m->month) && literal(s, '-') &&
               field(s, 2, 1, days_in(m->year, m->month), &m->day);
}

/* Second 60 is a leap second and becomes the next minute's first. */
static bool read_clock(const char **s, struct moment *m)
{
        if (!field(s, 2, 0, 23, &m->hour) || !literal(s, ':') || !field(s, 2, 0, 59, &m->minute))
                return false;
        if (!literal(s, ':'))
                return true;
        return field(s, 2, 0, 60, &m->second) && (!literal(s, '.') || fraction(s, &m->ns));
}

/* "Z", "+hh:mm" or nothing (UTC). */
static bool read_offset(const char **s, int64_t *ret_seconds)
{
        int64_t hours = 0, minutes = 0;
        bool west = **s == '-';
        *ret_seconds = 0;
        if (!**s || literal(s, 'Z') || literal(s, 'z'))
                return true;
        if (!literal(s, '+') && !literal(s, '-'))
                return false;
        if (!field(s, 2, 0, 23, &hours) || !literal(s, ':') || !field(s, 2, 0, 59, &minutes))
                return false;
        *ret_seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
        return true;
}

static bool join_ns(int64_t seconds, int64_t ns, int64_t *ret)
{
        return !__builtin_mul_overflow(seconds, second_ns, ret) && !__builtin_add_overflow(*ret, ns, ret);
}

static bool parse_calendar(const char *s, int64_t *ret_ns)
{
        struct moment m = { 0 };
        int64_t offset = 0;
        if (strcmp(s, "0001-01-01T00:00:00Z") == 0) {
                *ret_ns = 0;
                return true;
        }
        if (!read_date(&s, &m))
                return false;
        if (*s && ((!literal(&s, 'T') && !literal(&s, 't') && !literal(&s, ' ')) || !read_clock(&s, &m)))
                return false;
        if (!read_offset(&s, &offset) || *s)
                return false;
        int64_t seconds = days_of(m.year, m.month, m.day) * day_seconds + m.hour * 3600 + m.minute * 60 + m.second;
        return join_ns(seconds - offset, m.ns, ret_ns);
}

static bool parse_unix(const char *s, int64_t *ret_ns)
{
        bool negative = literal(&s, '-');
        int64_t seconds = 0, ns = 0;
        const char *begin = s;
        for (; *s >= '0' && *s <= '9'; s++)
                if (__builtin_mul_overflow(seconds, (int64_t)10, &seconds) ||
                    __builtin_add_overflow(seconds, (int64_t)(*s - '0'), &seconds))
                        return false;
        if (s == begin || (literal(&s, '.') && !fraction(&s, &ns)) || *s)
                return false;
        return join_ns(negative ? -seconds : seconds, negative ? -ns : ns, ret_ns);
}

int time_parse(const char *text, int64_t *ret_ns, struct err *err)
{
        int64_t ns;
        struct err unused = ERR_INIT;
        if (parse_calendar(text, &ns) || parse_unix(text, &ns)) {
                *ret_ns = ns;
                return 0;
        }
        if (parse_duration(text, &ns, &unused) == 0 && !__builtin_sub_overflow(time_now(), ns, &ns)) {
                *ret_ns = ns;
                return 0;
        }
        return err_set(err, ERR_INVALID,
                       "'%s' is not a time: write 2006-01-02T15:04:05Z, seconds since 1970, or 10m for ago", text);
}
