#include "unit.h"

#include <time.h>
#include "base/timefmt.h"

static void test_format(void **state)
{
        char text[TIME_TEXT_SIZE];
        assert_string_equal(time_format(0, text), "1970-01-01T00:00:00.000000000Z");
        assert_string_equal(time_format(1136214245000000001, text), "2006-01-02T15:04:05.000000001Z");
        assert_string_equal(time_format(-1, text), "1969-12-31T23:59:59.999999999Z");
        assert_string_equal(time_format(INT64_MAX, text), "2262-04-11T23:47:16.854775807Z");
        assert_string_equal(time_format(INT64_MIN, text), "1677-09-21T00:12:43.145224192Z");
        assert_string_equal(time_format_docker(1136214245999999999, text), "2006-01-02 15:04:05 +0000 UTC");
        assert_string_equal(time_format(951782400000000000, text), "2000-02-29T00:00:00.000000000Z");
}

/* Every day from 1900 to 2100 against the C library's calendar. */
static void test_calendar(void **state)
{
        struct err err = ERR_INIT;
        for (time_t t = -2208988800; t < 4102444800; t += 86400 - 11) {
                char ours[TIME_TEXT_SIZE], theirs[TIME_TEXT_SIZE];
                struct tm tm;
                gmtime_r(&t, &tm);
                strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S.000000000Z", &tm);
                assert_string_equal(time_format((int64_t)t * 1000000000, ours), theirs);
                int64_t back;
                OK(time_parse(theirs, &back, &err), &err);
                assert_true(back == (int64_t)t * 1000000000);
        }
}

static void test_parse(void **state)
{
        static const struct {
                const char *text;
                int64_t ns;
        } rows[] = {
                { "2006-01-02T15:04:05Z", 1136214245000000000 },
                { "2006-01-02T15:04:05.5Z", 1136214245500000000 },
                { "2006-01-02t15:04:05.123456789123z", 1136214245123456789 },
                { "2006-01-02 15:04:05+01:00", 1136210645000000000 },
                { "2006-01-02T15:04:05-07:30", 1136241245000000000 },
                { "2006-01-02T15:04:05", 1136214245000000000 },
                { "2006-01-02T15:04", 1136214240000000000 },
                { "2006-01-02", 1136160000000000000 },
                { "1990-12-31T23:59:60Z", 662688000000000000 },
                { "1136214245", 1136214245000000000 },
                { "1136214245.25", 1136214245250000000 },
                { "-1.5", -1500000000 },
                { "0001-01-01T00:00:00Z", 0 },
        };
        struct err err = ERR_INIT;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                int64_t ns = 1;
                OK(time_parse(rows[i].text, &ns, &err), &err);
                if (ns != rows[i].ns)
                        fail_msg("%s: %lld", rows[i].text, (long long)ns);
        }
}

static void test_refused(void **state)
{
        static const char *const bad[] = { "",
                                           "x",
                                           "2006",
                                           "2006-13-01T00:00:00Z-",
                                           "2006-13-01",
                                           "2006-02-30",
                                           "2001-02-29",
                                           "1900-02-29",
                                           "2006-01-02T24:00:00Z",
                                           "2006-01-02T15:60:00Z",
                                           "2006-01-02T15:04:61Z",
                                           "2006-01-02T15:04:05.Z",
                                           "2006-01-02T15:04:05ZZ",
                                           "2006-01-02T15:04:05+0100",
                                           "2006-01-02T15:04:05+24:00",
                                           "2006-1-2",
                                           "9999-12-31T00:00:00Z",
                                           "0002-01-01T00:00:00Z",
                                           "99999999999999999999",
                                           "9223372037",
                                           "1.2.3",
                                           "5x",
                                           "2006-01-02T",
                                           "2006-01-02T15",
                                           " 1",
                                           "2006-01-02T15:04:05 Z",
                                           "-9223372036854775808" };
        struct err err = ERR_INIT;
        int64_t ns = 42;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                if (strcmp(bad[i], "2006") == 0)
                        continue; /* a number of seconds */
                if (time_parse(bad[i], &ns, &err) == 0)
                        fail_msg("%s was taken", bad[i]);
                assert_int_equal(err.kind, ERR_INVALID);
        }
        assert_true(ns == 42);
}

static void test_clock(void **state)
{
        struct err err = ERR_INIT;
        int64_t before = time_now(), ns, a = time_monotonic(), b = time_monotonic();
        OK(time_parse("10m", &ns, &err), &err);
        int64_t ago = 600LL * 1000000000;
        assert_true(ns >= before - ago && ns <= time_now() - ago);
        assert_true(b >= a && before > 1700000000LL * 1000000000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_format),  cmocka_unit_test(test_calendar), cmocka_unit_test(test_parse),
                cmocka_unit_test(test_refused), cmocka_unit_test(test_clock),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
