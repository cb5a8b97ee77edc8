#include "unit.h"

#include "base/digest.h"
#include "base/str.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                                                                        \
        "sha512:"                                                                                                      \
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643c" \
        "e80e"                                                                                                         \
        "2a9ac94fa54ca49f"

static void test_known_answers(void **state)
{
        char text[DIGEST_SIZE];
        digest_of("", 0, text);
        assert_string_equal(text, "sha256:" EMPTY);
        _cleanup_(digest_freep) struct digest *d = digest_new_named("sha256"), *e = digest_new_named("sha512");
        digest_update(d, "a", 1);
        digest_update(d, "bc", 2);
        digest_final(d, text);
        assert_string_equal(text, ABC);
        digest_update(e, "abc", 3);
        digest_final(e, text);
        assert_string_equal(text, ABC_512);
        assert_int_equal(strlen(text) + 1, DIGEST_SIZE);
        assert_null(digest_new_named("md5"));
        assert_null(digest_new_named("SHA256"));
}

static void test_valid(void **state)
{
        assert_true(digest_valid(ABC) && digest_valid(ABC_512));
        assert_false(digest_valid(""));
        assert_false(digest_valid("sha256:"));
        assert_false(digest_valid(EMPTY));
        assert_false(digest_valid("sha256:" EMPTY "0"));
        assert_false(digest_valid("sha512:" EMPTY));
        assert_false(digest_valid("md5:" EMPTY));
        assert_false(digest_valid("sha256:../../../../etc/passwd"));
        char upper[] = ABC, cut[] = ABC;
        upper[10] = 'A';
        cut[sizeof(cut) - 2] = '\0';
        assert_false(digest_valid(upper));
        assert_false(digest_valid(cut));
        assert_string_equal(digest_hex("sha256:" EMPTY), EMPTY);
}

static void test_random(void **state)
{
        char a[201], b[201];
        for (size_t digits = 0; digits <= 200; digits++) {
                memset(a, '#', sizeof(a));
                random_hex(a, digits);
                assert_int_equal(strlen(a), digits);
                assert_true(digits == 0 || str_only(a, "0123456789abcdef"));
        }
        random_hex(a, 200);
        random_hex(b, 200);
        assert_string_not_equal(a, b);
        assert_memory_not_equal(a, a + 64, 64); /* no chunk repeats */
        for (const char *c = "0123456789abcdef"; *c; c++)
                assert_non_null(strchr(a, *c));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_known_answers),
                cmocka_unit_test(test_valid),
                cmocka_unit_test(test_random),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
