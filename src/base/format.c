#include "base/str.h"

/* `digits` significant ones, without trailing zeros. A value that rounds up to the next unit is shown in that unit,
 * never as "1e+03MB". */
static char *size_in(uint64_t bytes, double base, const char *const *units, size_t count, int digits)
{
        double value = (double)bytes;
        size_t unit = 0;
        while (value >= base && unit + 1 < count) {
                value /= base;
                unit++;
        }
        char text[32];
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strchr(text, 'e') && unit + 1 < count) {
                unit++;
                snprintf(text, sizeof(text), "1");
        }
        return xasprintf("%s%s", text, units[unit]);
}

char *format_size(uint64_t bytes)
{
        static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
        return size_in(bytes, 1000, units, ELEMENTS(units), 3);
}

char *format_size_binary(uint64_t bytes)
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        return size_in(bytes, 1024, units, ELEMENTS(units), 4);
}

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24, WEEK = 7 * DAY, MONTH = 30 * DAY, YEAR = 365 * DAY };

/* From two days on: hours are rounded, then divided by the unit. */
static char *age_of_hours(int64_t hours, int64_t exact)
{
        if (hours < 2 * DAY)
                return xasprintf("%lld hours", (long long)hours);
        if (hours < 2 * WEEK)
                return xasprintf("%lld days", (long long)(hours / DAY));
        if (hours < 2 * MONTH)
                return xasprintf("%lld weeks", (long long)(hours / WEEK));
        if (hours < 2 * YEAR)
                return xasprintf("%lld months", (long long)(hours / MONTH));
        return xasprintf("%lld years", (long long)(exact / YEAR));
}

char *format_age(int64_t seconds)
{
        if (seconds < 1)
                return xstrdup("Less than a second");
        if (seconds == 1)
                return xstrdup("1 second");
        if (seconds < MINUTE)
                return xasprintf("%lld seconds", (long long)seconds);
        if (seconds < 2 * MINUTE)
                return xstrdup("About a minute");
        if (seconds < HOUR)
                return xasprintf("%lld minutes", (long long)(seconds / MINUTE));
        int64_t exact = seconds / HOUR, hours = exact + (seconds % HOUR >= HOUR / 2 ? 1 : 0);
        if (hours == 1)
                return xstrdup("About an hour");
        return age_of_hours(hours, exact);
}
