#include "unit.h"

#include "base/str.h"

static void test_sizes(void **state)
{
        static const struct {
                uint64_t bytes;
                const char *decimal, *binary;
        } rows[] = {
                { 0, "0B", "0B" },
                { 999, "999B", "999B" },
                { 1000, "1kB", "1000B" },
                { 1023, "1.02kB", "1023B" },
                { 1024, "1.02kB", "1KiB" },
                { 4261550, "4.26MB", "4.064MiB" },
                { 64 << 20, "67.1MB", "64MiB" },
                { 999999, "1MB", "976.6KiB" },
                { 999600000, "1GB", "953.3MiB" },
                { UINT64_MAX, "18.4EB", "16EiB" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *decimal = format_size(rows[i].bytes), *binary = format_size_binary(rows[i].bytes);
                assert_string_equal(decimal, rows[i].decimal);
                assert_string_equal(binary, rows[i].binary);
        }
}

static void test_ages(void **state)
{
        static const struct {
                int64_t seconds;
                const char *words;
        } rows[] = {
                { -5, "Less than a second" },
                { 0, "Less than a second" },
                { 1, "1 second" },
                { 59, "59 seconds" },
                { 60, "About a minute" },
                { 119, "About a minute" },
                { 300, "5 minutes" },
                { 3599, "59 minutes" },
                { 3600, "About an hour" },
                { 5400, "2 hours" },
                { 47 * 3600, "47 hours" },
                { 48 * 3600, "2 days" },
                { 13 * 86400, "13 days" },
                { 14 * 86400, "2 weeks" },
                { 59 * 86400, "8 weeks" },
                { 60 * 86400, "2 months" },
                { 729 * 86400, "24 months" },
                { 730 * 86400, "2 years" },
                { INT64_MAX, "292471208677 years" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *words = format_age(rows[i].seconds);
                assert_string_equal(words, rows[i].words);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_sizes), cmocka_unit_test(test_ages) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
