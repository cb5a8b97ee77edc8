#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "base/str.h"
#include "oci/reference.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64

static const struct good {
        const char *text, *canonical, *familiar, *name;
} goods[] = {
        { "debian", "docker.io/library/debian:latest", "debian:latest", "debian" },
        { "debian:12", "docker.io/library/debian:12", "debian:12", "debian" },
        { "localhost:5000", "docker.io/library/localhost:5000", "localhost:5000", "localhost" },
        { "localhost", "docker.io/library/localhost:latest", "localhost:latest", "localhost" },
        { "localhost/x", "localhost/x:latest", "localhost/x:latest", "localhost/x" },
        { "localhost:5000/x:y", "localhost:5000/x:y", "localhost:5000/x:y", "localhost:5000/x" },
        { "some/thing", "docker.io/some/thing:latest", "some/thing:latest", "some/thing" },
        { "a/b/c", "docker.io/a/b/c:latest", "a/b/c:latest", "a/b/c" },
        { "docker.io/debian", "docker.io/library/debian:latest", "debian:latest", "debian" },
        { "index.docker.io/debian:1", "docker.io/library/debian:1", "debian:1", "debian" },
        { "index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest", "a/b" },
        { "docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest", "library/a/b" },
        { "library/debian", "docker.io/library/debian:latest", "debian:latest", "debian" },
        { "Registry.Example/a", "Registry.Example/a:latest", "Registry.Example/a:latest", "Registry.Example/a" },
        { "[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest", "[::1]:5000/a" },
        { "[2001:db8::1]/a:t", "[2001:db8::1]/a:t", "[2001:db8::1]/a:t", "[2001:db8::1]/a" },
        { "127.0.0.1:5000/a", "127.0.0.1:5000/a:latest", "127.0.0.1:5000/a:latest", "127.0.0.1:5000/a" },
        { "a-b.c:80/d", "a-b.c:80/d:latest", "a-b.c:80/d:latest", "a-b.c:80/d" },
        { "a__b/c.d/e-----f", "docker.io/a__b/c.d/e-----f:latest", "a__b/c.d/e-----f:latest", "a__b/c.d/e-----f" },
        { "a@" DIGEST, "docker.io/library/a@" DIGEST, "a@" DIGEST, "a" },
        { "a:b@" DIGEST, "docker.io/library/a:b@" DIGEST, "a:b@" DIGEST, "a" },
        { "h:1/a@" DIGEST, "h:1/a@" DIGEST, "h:1/a@" DIGEST, "h:1/a" },
        { "a@sha512:" HEX64 HEX64, "docker.io/library/a@sha512:" HEX64 HEX64, "a@sha512:" HEX64 HEX64, "a" },
        { HEX64 ":tag", "docker.io/library/" HEX64 ":tag", "library/" HEX64 ":tag", "library/" HEX64 },
        { "docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest", "docker.io/a.b/c" },
        { "a:_.-X", "docker.io/library/a:_.-X", "a:_.-X", "a" },
        { "0", "docker.io/library/0:latest", "0:latest", "0" },
};

static void check_good(const struct good *g, const char *text)
{
        struct err err = ERR_INIT;
        _cleanup_reference_ struct reference r = { 0 };
        _cleanup_free_ char *canonical = NULL, *familiar = NULL, *name = NULL;

        if (reference_parse(text, &r, &err) < 0)
                fail_msg("%s: %s", text, err.msg);
        canonical = reference_canonical(&r);
        familiar = reference_familiar(&r);
        name = reference_familiar_name(&r);
        assert_string_equal(canonical, g->canonical);
        assert_string_equal(familiar, g->familiar);
        assert_string_equal(name, g->name);
}

static void test_good(void **state)
{
        for (size_t i = 0; i < ELEMENTS(goods); i++) {
                check_good(&goods[i], goods[i].text);
                check_good(&goods[i], goods[i].canonical);
                check_good(&goods[i], goods[i].familiar);
        }
}

static const char *const bads[] = {
        "", ":", "@", "/", "//", "a//b", "/a", "a/", "a:", "a@", "a:b:c", "a:-b", "a:.b", "a: b", " a", "a ", "a\n",
        "Debian", "a/B", "A/b", "-a", "a-", "_a", "a_", ".a", "a.", "a..b", "a___b", "a._b", "a.-b", "\xc3\xa4",
        "h:x/a", "h:/a", "-h.x/a", "h-.x/a", "h..x/a", ".h/a", "[::1/a", "[]/a", "[::g]/a", "[::1]x/a", "[::1]", "h.x/",
        "h_x:1/a", "a@sha256:abc", "a@sha256:" HEX64 "0", "a@md5:0123456789abcdef0123456789abcdef", "a@" DIGEST "@" DIGEST,
        "a@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", HEX64, "a:b/c:d:e",
        "http://h/a", "../a", "a/./b", "a/../b",
};

static void test_bad(void **state)
{
        for (size_t i = 0; i < ELEMENTS(bads); i++) {
                struct err err = ERR_INIT;
                struct reference r = { 0 };

                if (reference_parse(bads[i], &r, &err) == 0)
                        fail_msg("\"%s\" was taken as %s/%s", bads[i], r.domain, r.path);
                assert_int_equal(err.kind, ERR_INVALID);
                assert_null(r.path);
        }
}

static void test_messages(void **state)
{
        struct err err = ERR_INIT;
        struct reference r = { 0 };

        assert_int_equal(reference_parse("Debian:12", &r, &err), -1);
        assert_string_equal(err.msg, "invalid reference format: repository name (library/Debian) must be lowercase");
        assert_int_equal(reference_parse("a b", &r, &err), -1);
        assert_string_equal(err.msg, "invalid reference format: \"a b\"");
        assert_int_equal(reference_parse(HEX64, &r, &err), -1);
        assert_string_equal(err.msg, "invalid repository name (" HEX64 "), cannot specify 64-byte hexadecimal strings");
}

static int parse_repeated(const char *head, size_t count, const char *tail)
{
        struct err err = ERR_INIT;
        _cleanup_reference_ struct reference r = { 0 };
        char text[4096];

        snprintf(text, sizeof(text), "%s%0*d%s", head, (int)count, 0, tail);
        return reference_parse(text, &r, &err);
}

static void test_lengths(void **state)
{
        assert_int_equal(parse_repeated("h.x/", 255, ""), 0);
        assert_int_equal(parse_repeated("h.x/", 256, ""), -1);
        assert_int_equal(parse_repeated("", 255 - 8, ""), 0);          /* library/ counts */
        assert_int_equal(parse_repeated("", 255 - 7, ""), -1);
        assert_int_equal(parse_repeated("h.x/a:", 128, ""), 0);
        assert_int_equal(parse_repeated("h.x/a:", 129, ""), -1);
        assert_int_equal(parse_repeated("h.x/a:", 128, "@" DIGEST), 0);
        assert_int_equal(parse_repeated("h.", 253, "/a"), 0);
        assert_int_equal(parse_repeated("h.", 254, "/a"), -1);
        assert_int_equal(parse_repeated("", 4000, ""), -1);
}

static void test_tags(void **state)
{
        static const char *const good[] = { "a", "latest", "_", "A.b-c_d", "0" };
        static const char *const bad[] = { "", ".a", "-a", "a b", "a/b", "a:b", "a@b", "\xc3\xa4" };

        for (size_t i = 0; i < ELEMENTS(good); i++)
                assert_true(reference_tag_valid(good[i]));
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(reference_tag_valid(bad[i]));
        assert_false(reference_tag_valid(NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),    cmocka_unit_test(test_bad),  cmocka_unit_test(test_messages),
                cmocka_unit_test(test_lengths), cmocka_unit_test(test_tags),
        };
        return cmocka_run_group_tests_name("oci reference", tests, NULL, NULL);
}
