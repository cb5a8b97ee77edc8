#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "base/str.h"
#include "oci/platform.h"

static void check_parse(const char *text, const char *expected)
{
        struct err err = ERR_INIT;
        _cleanup_platform_ struct platform p = { 0 };
        _cleanup_free_ char *shown = NULL;

        if (platform_parse(text, &p, &err) < 0)
                fail_msg("%s: %s", text, err.msg);
        shown = platform_format(&p);
        assert_string_equal(shown, expected);
}

static void test_parse(void **state)
{
        static const char *const rows[][2] = {
                { "linux/amd64", "linux/amd64" },       { "linux/x86_64", "linux/amd64" },
                { "linux/aarch64", "linux/arm64" },     { "linux/arm64/v8", "linux/arm64" },
                { "linux/arm64/8", "linux/arm64" },     { "linux/arm64/v9", "linux/arm64/v9" },
                { "linux/arm", "linux/arm/v7" },        { "linux/arm/6", "linux/arm/v6" },
                { "linux/armhf", "linux/arm/v7" },      { "linux/armel", "linux/arm/v6" },
                { "arm64", "linux/arm64" },             { "riscv64", "linux/riscv64" },
                { "Linux/AMD64", "linux/amd64" },       { "linux/i686", "linux/386" },
                { "linux/amd64/v1", "linux/amd64" },    { "linux/amd64/v3", "linux/amd64/v3" },
                { "windows/amd64", "windows/amd64" },   { "macos/arm64", "darwin/arm64" },
                { "plan10/sparc64", "plan10/sparc64" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++)
                check_parse(rows[i][0], rows[i][1]);
}

static void test_parse_bad(void **state)
{
        static const char *const rows[] = { "",          "/",           "linux/", "/amd64", "linux/amd64/", "a/b/c/d",
                                            "nonesuch",  "linux/am d", "linux/a\n", "*/*" };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct err err = ERR_INIT;
                struct platform p = { 0 };

                if (platform_parse(rows[i], &p, &err) == 0)
                        fail_msg("\"%s\" was taken", rows[i]);
                assert_int_equal(err.kind, ERR_INVALID);
        }
}

static void test_host(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_platform_ struct platform host = { 0 }, linux_ = { 0 };

        platform_host(&host);
        assert_string_equal(host.os, "linux");
        assert_int_equal(platform_parse("linux", &linux_, &err), 0);
        assert_true(platform_match(&linux_, &host) > 0);
}

static int match(const char *want_text, struct platform have)
{
        struct err err = ERR_INIT;
        _cleanup_platform_ struct platform want = { 0 };

        assert_int_equal(platform_parse(want_text, &want, &err), 0);
        return platform_match(&want, &have);
}

static struct platform plain(const char *os, const char *arch, const char *variant)
{
        return (struct platform){ (char *)os, (char *)arch, (char *)variant, NULL };
}

static void test_match(void **state)
{
        assert_true(match("linux/amd64", plain("linux", "amd64", NULL)) > 0);
        assert_int_equal(match("linux/amd64", plain("linux", "arm64", NULL)), 0);
        assert_int_equal(match("linux/amd64", plain("linux", "arm", "v7")), 0);
        assert_int_equal(match("linux/amd64", plain("windows", "amd64", NULL)), 0);
        assert_int_equal(match("linux/amd64", plain(NULL, NULL, NULL)), 0);
        assert_int_equal(match("linux/amd64", plain("linux", "amd64", "v3")), 0);
        assert_true(match("linux/amd64/v3", plain("linux", "amd64", "v3")) >
                    match("linux/amd64/v3", plain("linux", "amd64", "v2")));
        assert_true(match("linux/amd64/v3", plain("linux", "amd64", "v2")) >
                    match("linux/amd64/v3", plain("linux", "amd64", NULL)));
        assert_true(match("linux/amd64/v3", plain("linux", "amd64", NULL)) > 0);
        assert_true(match("linux/arm64", plain("linux", "arm64", "v8")) > 0);
        assert_int_equal(match("linux/arm64", plain("linux", "arm", "v7")), 0);
        assert_true(match("linux/arm/v7", plain("linux", "arm", "v7")) > match("linux/arm/v7", plain("linux", "arm", "v6")));
        assert_true(match("linux/arm/v7", plain("linux", "arm", "v6")) > match("linux/arm/v7", plain("linux", "arm", "v5")));
        assert_int_equal(match("linux/arm/v6", plain("linux", "arm", "v7")), 0);
        assert_int_equal(match("linux/arm/v6", plain("linux", "arm", "v99999999999")), 0);
        assert_int_equal(match("linux/arm/v7", plain("linux", "arm", "hard")), 0);
}

static void test_json(void **state)
{
        struct err err = ERR_INIT;
        struct jpath root = JPATH("platform");
        _cleanup_platform_ struct platform p = { 0 }, copy = { 0 };
        _cleanup_json_ json_t *o = json_pack("{s:s, s:s, s:s}", "os", "linux", "architecture", "arm", "variant", "v7"), *back = NULL;
        _cleanup_json_ json_t *bad = json_pack("{s:i}", "os", 7);

        assert_int_equal(platform_from_json(o, &root, &p, &err), 0);
        platform_copy(&p, &copy);
        back = platform_to_json(&copy);
        assert_true(json_equal(o, back));
        platform_done(&copy);
        assert_int_equal(platform_from_json(bad, &root, &copy, &err), -1);
        assert_string_equal(err.msg, "platform: os: expected a string");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse), cmocka_unit_test(test_parse_bad), cmocka_unit_test(test_host),
                cmocka_unit_test(test_match), cmocka_unit_test(test_json),
        };
        return cmocka_run_group_tests_name("oci platform", tests, NULL, NULL);
}
