/* Variable expansion against a table of what docker gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/str.h"
#include "build/dockerfile.h"

static char *const env[] = { (char *)"A=one",      (char *)"B=two words",
                             (char *)"EMPTY=",     (char *)"P=/usr/local/bin",
                             (char *)"F=a.tar.gz", (char *)"Q=it's \"x\"",
                             (char *)"PATH=/bin",  NULL };

struct row {
        const char *word, *want;
};

static void check(const struct row *row, char escape)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *got = NULL;
        int r = dockerfile_expand(row->word, escape, env, &got, &err);
        if (!row->want) {
                assert_int_equal(r, -1);
                assert_int_equal(err.kind == ERR_INVALID || err.kind == ERR_TOO_LARGE, 1);
                return;
        }
        if (r < 0)
                fail_msg("%s: %s", row->word, err.msg);
        if (!str_eq(got, row->want))
                fail_msg("%s: got %s, want %s", row->word, got, row->want);
}

static const struct row word_rows[] = {
        { "", "" },
        { "plain", "plain" },
        { "$A", "one" },
        { "${A}", "one" },
        { "x${A}y", "xoney" },
        { "$A$A", "oneone" },
        { "$A.b", "one.b" },
        { "$Ab", "" },
        { "$", "$" },
        { "a$", "a$" },
        { "$/x", "$/x" },
        { "$1x", "x" },
        { "$12x", "x" },
        { "\\$A", "$A" },
        { "\\\\", "\\" },
        { "\\a", "a" },
        { "a\\", "a" },
        { "'$A'", "$A" },
        { "\"$A\"", "one" },
        { "\"\\$A\"", "$A" },
        { "\"\\a\"", "\\a" },
        { "\"\\\\\"", "\\" },
        { "\"\\\"\"", "\"" },
        { "'a\\'", "a\\" },
        { "'a b'c", "a bc" },
        { "\"'\"", "'" },
        { "'\"'", "\"" },
        { "$B", "two words" },
        { "$Q", "it's \"x\"" },
        { "${B}", "two words" },
        { "a=b", "a=b" },
        { "${UNSET}", "" },
        { "x$UNSET", "x" },
        { "${UNSET:-d}", "d" },
        { "${UNSET-d}", "d" },
        { "${EMPTY:-d}", "d" },
        { "${EMPTY-d}", "" },
        { "${A:-d}", "one" },
        { "${UNSET:-$A}", "one" },
        { "${UNSET:-${A}x}", "onex" },
        { "${UNSET:-${U2:-deep}}", "deep" },
        { "${UNSET:-}", "" },
        { "${UNSET:-a b}", "a b" },
        { "${UNSET:-'}'}", "}" },
        { "${UNSET:-\\}}", "}" },
        { "${A:+alt}", "alt" },
        { "${A+alt}", "alt" },
        { "${UNSET:+alt}", "" },
        { "${EMPTY:+alt}", "" },
        { "${EMPTY+alt}", "alt" },
        { "${A:?no}", "one" },
        { "${A?no}", "one" },
        { "${EMPTY?no}", "" },
        { "${P#/*}", "usr/local/bin" },
        { "${P#/*/}", "local/bin" },
        { "${P##/*/}", "bin" },
        { "${P%/*}", "/usr/local" },
        { "${P%%/*}", "" },
        { "${F%.*}", "a.tar" },
        { "${F%%.*}", "a" },
        { "${F#?}", ".tar.gz" },
        { "${F#zz}", "a.tar.gz" },
        { "${F#\\*}", "a.tar.gz" },
        { "${UNSET#a}", "" },
        { "${F/tar/zip}", "a.zip.gz" },
        { "${F/./-}", "a-tar.gz" },
        { "${F//./-}", "a-tar-gz" },
        { "${F//a/}", ".tr.gz" },
        { "${F/$A/x}", "a.tar.gz" },
        { "${P//\\//_}", "_usr_local_bin" },
        { "${A", NULL },
        { "${", NULL },
        { "${}", NULL },
        { "${A:", NULL },
        { "${A:x}", NULL },
        { "${A:-", NULL },
        { "${A!x}", NULL },
        { "${A:#x}", NULL },
        { "${UNSET:?no}", NULL },
        { "${UNSET?}", NULL },
        { "${EMPTY:?}", NULL },
        { "'open", NULL },
        { "\"open", NULL },
        { "${UNSET:-'}", NULL },
        { "${F/x}", NULL },
        { "${F/x/y", NULL },
        { "\xc3\xa9$A\xff", "\xc3\xa9one\xff" },
};

static void test_words(void **state)
{
        for (size_t i = 0; i < ELEMENTS(word_rows); i++)
                check(&word_rows[i], '\\');
}

static void test_backtick(void **state)
{
        static const struct row rows[] = {
                { "`$A", "$A" }, { "C:\\dir\\$A", "C:\\dir\\one" }, { "\"`\"\"", "\"" }, { "``", "`" }, { "'`'", "`" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                check(&rows[i], '`');
}

static void test_split(void **state)
{
        static const struct {
                const char *text, *joined;
        } rows[] = {
                { "", "" },
                { "a b", "a|b" },
                { "  a\tb ", "a|b" },
                { "$B", "two|words" },
                { "\"$B\"", "two words" },
                { "x$B", "xtwo|words" },
                { "'a b' c", "a b|c" },
                { "\"\" x", "|x" },
                { "$EMPTY x", "x" },
                { "a\\ b", "a b" },
                { "$UNSET", "" },
                { "${UNSET:-1 2}", "1|2" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct err err = ERR_INIT;
                _cleanup_strv_ char **words = NULL;
                assert_int_equal(dockerfile_expand_words(rows[i].text, '\\', env, &words, &err), 0);
                _cleanup_free_ char *joined = strv_join(words, "|");
                assert_string_equal(joined ? joined : "", rows[i].joined);
        }
}

/* What a hostile file could ask for is bounded. */
static void test_bounds(void **state)
{
        struct err err = ERR_INIT;
        char *got = NULL;
        char deep[4096] = "";
        for (size_t i = 0; i < 400; i++)
                memcpy(deep + i * 5, "${u:-", 6);
        assert_int_equal(dockerfile_expand(deep, '\\', env, &got, &err), -1);
        assert_non_null(strstr(err.msg, "nested"));
        size_t n = 100000;
        _cleanup_free_ char *big = xmalloc(n + 3);
        memcpy(big, "V=", 2);
        memset(big + 2, 'a', n);
        big[n + 2] = '\0';
        char *const large[] = { big, NULL };
        assert_int_equal(dockerfile_expand("$V$V$V$V$V$V$V$V$V$V$V", '\\', large, &got, &err), -1);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
        assert_int_equal(dockerfile_expand("${V//*a*a*a*b/x}", '\\', large, &got, &err), -1);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_words), cmocka_unit_test(test_backtick),
                                            cmocka_unit_test(test_split), cmocka_unit_test(test_bounds) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
