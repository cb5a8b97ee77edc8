#include "unit.h"

#include "base/str.h"

static void test_affixes(void **state)
{
        assert_string_equal(str_after("sha256:ab", "sha256:"), "ab");
        assert_null(str_after("sha", "sha256:"));
        assert_true(str_starts("abc", "") && str_starts("abc", "abc") && !str_starts("abc", "abcd"));
        assert_true(str_ends("abc", "bc") && str_ends("abc", "") && !str_ends("bc", "abc"));
        assert_true(str_eq("a", "a") && !str_eq("a", NULL) && !str_eq(NULL, NULL) && str_empty(NULL) && str_empty(""));
        assert_true(str_only("aab", "ab") && !str_only("", "ab") && !str_only("abc", "ab"));
}

static void test_in_place(void **state)
{
        char text[] = " \t\r\n a b \v\f", blank[] = " \n ", upper[] = "Ab\xc3\x84Z";
        assert_string_equal(str_trim(text), "a b");
        assert_string_equal(str_trim(blank), "");
        str_lower(upper);
        assert_string_equal(upper, "ab\xc3\x84z");
        char *s = xstrdup("abc");
        str_replace(&s, s + 1);
        assert_string_equal(s, "bc");
        str_replace(&s, NULL);
        assert_null(s);
}

static void test_utf8(void **state)
{
        static const char *const good[] = {
                "", "abc", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x90\xb3", "\xf4\x8f\xbf\xbf", "\xef\xbf\xbd"
        };
        static const char *const bad[] = { "\x80",
                                           "\xc0\xaf",
                                           "\xc1\xbf",
                                           "\xe0\x80\xaf",
                                           "\xed\xa0\x80",
                                           "\xf4\x90\x80\x80",
                                           "\xf5\x80\x80\x80",
                                           "\xc3",
                                           "\xe2\x82",
                                           "\xf0\x9f\x90",
                                           "a\xff",
                                           "\xf0\x80\x80\x80" };
        for (size_t i = 0; i < ELEMENTS(good); i++)
                assert_true(str_is_utf8(good[i], strlen(good[i])));
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(str_is_utf8(bad[i], strlen(bad[i])));
        assert_false(str_is_utf8("a\0b", 3));
}

static void test_vector(void **state)
{
        _cleanup_strv_ char **v = NULL;
        assert_int_equal(strv_len(v), 0);
        for (int i = 0; i < 100; i++)
                strv_push_take(&v, xasprintf("%02d", 99 - i));
        strv_push(&v, "x");
        assert_int_equal(strv_len(v), 101);
        strv_sort(v);
        assert_string_equal(v[0], "00");
        assert_true(strv_has(v, "57") && !strv_has(v, "100") && !strv_has(NULL, "a"));
        _cleanup_strv_ char **copy = strv_dup(v);
        strv_extend(&copy, v);
        strv_extend(&copy, NULL);
        assert_int_equal(strv_len(copy), 202);
        assert_string_equal(copy[201], "x");
        assert_null(strv_dup(NULL));
        strv_sort(NULL);
        size_t seen = 0;
        STRV_FOREACH (s, v)
                seen += strlen(*s);
        assert_int_equal(seen, 201);
}

/* A vector that a caller allocated exactly must survive a push. */
static void test_vector_exact(void **state)
{
        _cleanup_strv_ char **v = xcalloc(6, sizeof(*v));
        for (int i = 0; i < 5; i++)
                v[i] = xstrdup("a");
        strv_push(&v, "b");
        strv_push(&v, "c");
        assert_int_equal(strv_len(v), 7);
        assert_string_equal(v[6], "c");
}

static void check_split(const char *text, bool keep, const char *joined)
{
        _cleanup_strv_ char **v = strv_split(text, ",;", keep);
        _cleanup_free_ char *s = strv_join(v, "|");
        assert_string_equal(s, joined);
}

static void test_split(void **state)
{
        check_split("a,b;c", false, "a|b|c");
        check_split(",a,,b,", false, "a|b");
        check_split(",a,,b,", true, "|a||b|");
        check_split("", false, "");
        check_split(",;,", false, "");
        _cleanup_strv_ char **one = strv_split("", ",", true);
        assert_int_equal(strv_len(one), 1);
        assert_null(strv_split("", ",", false));
        _cleanup_free_ char *many = xmalloc(400001);
        memset(many, ',', 400000);
        many[400000] = '\0';
        _cleanup_strv_ char **v = strv_split(many, ",", true);
        assert_int_equal(strv_len(v), 400001);
}

static void test_environment(void **state)
{
        _cleanup_strv_ char **v = NULL;
        strv_env_set(&v, "A=1");
        strv_env_set(&v, "AB=2");
        strv_env_set(&v, "A=3=4");
        strv_env_set(&v, "EMPTY=");
        assert_int_equal(strv_len(v), 3);
        assert_string_equal(strv_env_get(v, "A"), "3=4");
        assert_string_equal(strv_env_get(v, "AB"), "2");
        assert_string_equal(strv_env_get(v, "EMPTY"), "");
        assert_null(strv_env_get(v, "B"));
        strv_env_set(&v, v[0]);
        assert_string_equal(strv_env_get(v, "A"), "3=4");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_affixes),      cmocka_unit_test(test_in_place),
                cmocka_unit_test(test_utf8),         cmocka_unit_test(test_vector),
                cmocka_unit_test(test_split),        cmocka_unit_test(test_environment),
                cmocka_unit_test(test_vector_exact),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
