#include "unit.h"

#include "base/str.h"

static void test_integers(void **state)
{
        struct err err = ERR_INIT;
        uint64_t u = 7;
        int64_t i = 7;
        uint32_t n = 7;
        OK(parse_u64("18446744073709551615", &u, &err), &err);
        assert_true(u == UINT64_MAX);
        OK(parse_u64("007", &u, &err), &err);
        assert_true(u == 7);
        OK(parse_i64("-9223372036854775808", &i, &err), &err);
        assert_true(i == INT64_MIN);
        OK(parse_i64("9223372036854775807", &i, &err), &err);
        assert_true(i == INT64_MAX);
        OK(parse_u32("4294967295", &n, &err), &err);
        assert_true(n == UINT32_MAX);
        static const char *const bad[] = {
                "", " ", "-", "+1", " 1", "1 ", "1a", "0x10", "--1", "1.0", "99999999999999999999999"
        };
        u = 5, i = 5, n = 5;
        for (size_t k = 0; k < ELEMENTS(bad); k++) {
                FAILS(parse_u64(bad[k], &u, &err), &err, ERR_INVALID);
                FAILS(parse_i64(bad[k], &i, &err), &err, ERR_INVALID);
                FAILS(parse_u32(bad[k], &n, &err), &err, ERR_INVALID);
                assert_non_null(strstr(err.msg, bad[k]));
        }
        FAILS(parse_u64("18446744073709551616", &u, &err), &err, ERR_INVALID);
        FAILS(parse_u64("-1", &u, &err), &err, ERR_INVALID);
        FAILS(parse_i64("9223372036854775808", &i, &err), &err, ERR_INVALID);
        FAILS(parse_i64("-9223372036854775809", &i, &err), &err, ERR_INVALID);
        FAILS(parse_u32("4294967296", &n, &err), &err, ERR_INVALID);
        assert_true(u == 5 && i == 5 && n == 5); /* outputs untouched on failure */
}

static void test_bool_double(void **state)
{
        struct err err = ERR_INIT;
        bool b = false;
        OK(parse_bool("Yes", &b, &err), &err);
        assert_true(b);
        OK(parse_bool("0", &b, &err), &err);
        assert_false(b);
        FAILS(parse_bool("", &b, &err), &err, ERR_INVALID);
        FAILS(parse_bool("truee", &b, &err), &err, ERR_INVALID);
        double d = 0;
        OK(parse_double("-1.5e3", &d, &err), &err);
        assert_true(d == -1500);
        static const char *const bad[] = { "", "nan", "inf", "0x1p3", "1e999", " 1", "1 ", "1.2.3", "e", "-", "1,5" };
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                FAILS(parse_double(bad[i], &d, &err), &err, ERR_INVALID);
}

static void test_size(void **state)
{
        static const struct {
                const char *text;
                uint64_t bytes;
        } rows[] = {
                { "0", 0 },
                { "512", 512 },
                { "512b", 512 },
                { "64m", 64ULL << 20 },
                { "64M", 64 << 20 },
                { "64mb", 64 << 20 },
                { "64MiB", 64 << 20 },
                { "1.5GiB", 3ULL << 29 },
                { "2 g", 2ULL << 30 },
                { "1t", 1ULL << 40 },
                { "1p", 1ULL << 50 },
                { "0.5k", 512 },
                { "32.3", 32 },
                { "7.e", 7ULL << 60 },
                { "9223372036854775807", INT64_MAX },
                { "1.99999999999999999999999999k", 2047 },
        };
        struct err err = ERR_INIT;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint64_t bytes = 1;
                OK(parse_size(rows[i].text, &bytes, &err), &err);
                assert_true(bytes == rows[i].bytes);
        }
        static const char *const bad[] = { "",
                                           "m",
                                           "-1",
                                           "-1m",
                                           " 1",
                                           "1  m",
                                           "1 ",
                                           "1mm",
                                           "1ibm",
                                           "1kbb",
                                           "1.2.3",
                                           "0x10",
                                           "1z",
                                           ".5",
                                           "8e",
                                           "9223372036854775808",
                                           "18446744073709551616",
                                           "17179869184g",
                                           "1mi",
                                           "99999999999999999999p" };
        uint64_t bytes = 42;
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                FAILS(parse_size(bad[i], &bytes, &err), &err, ERR_INVALID);
        assert_true(bytes == 42);
}

static void test_duration(void **state)
{
        static const struct {
                const char *text;
                int64_t ns;
        } rows[] = {
                { "0", 0 },
                { "30", 30000000000 },
                { "1.5", 1500000000 },
                { "500ms", 500000000 },
                { "1m30s", 90000000000 },
                { "1h2m3.5s", 3723500000000 },
                { "-2s", -2000000000 },
                { "+2s", 2000000000 },
                { "10us", 10000 },
                { "10\xc2\xb5s", 10000 },
                { "10\xce\xbcs", 10000 },
                { "7ns", 7 },
                { ".5s", 500000000 },
                { "2562047h47m16.854775807s", INT64_MAX },
        };
        struct err err = ERR_INIT;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                int64_t ns = 1;
                OK(parse_duration(rows[i].text, &ns, &err), &err);
                assert_true(ns == rows[i].ns);
        }
        static const char *const bad[] = { "",
                                           "-",
                                           "s",
                                           "1x",
                                           "1m30",
                                           "1 s",
                                           "1s ",
                                           "1sm",
                                           "--1s",
                                           "1d",
                                           "2562047h47m16.854775808s",
                                           "9223372037",
                                           "99999999999999999999h",
                                           ".",
                                           ".s",
                                           "1h-5m" };
        int64_t ns = 42;
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                FAILS(parse_duration(bad[i], &ns, &err), &err, ERR_INVALID);
        assert_true(ns == 42);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_integers),
                cmocka_unit_test(test_bool_double),
                cmocka_unit_test(test_size),
                cmocka_unit_test(test_duration),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
