/* .dockerignore against a table of what docker excludes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>
#include "base/str.h"
#include "build/ignore.h"

static void test_patterns(void **state)
{
        static const struct {
                const char *pattern, *path;
                bool want;
        } rows[] = {
                { "a", "a", true },
                { "a", "b", false },
                { "a", "a/b", false },
                { "*", "a", true },
                { "*", "a/b", false },
                { "*.go", "x.go", true },
                { "*.go", ".go", true },
                { "*.go", "d/x.go", false },
                { "a?c", "abc", true },
                { "a?c", "a/c", false },
                { "a?c",
                  "a\xc3\xa9"
                  "c",
                  true },
                { "[a-c]x", "bx", true },
                { "[a-c]x", "dx", false },
                { "[^a]x", "bx", true },
                { "[^a]x", "ax", false },
                { "[^a]x", "/x", false },
                { "[!a]x", "!x", true },
                { "\\*", "*", true },
                { "\\*", "a", false },
                { "[\\]]", "]", true },
                { "[a-", "a", false },
                { "[]", "]", false },
                { "a\\", "a", false },
                { "**", "a/b/c", true },
                { "**/x", "x", true },
                { "**/x", "a/x", true },
                { "**/x", "a/b/x", true },
                { "**/x", "ax", false },
                { "a/**/b", "a/b", true },
                { "a/**/b", "a/x/y/b", true },
                { "a/**/b", "axb", false },
                { "a/**", "a/b/c", true },
                { "a/**", "a", false },
                { "**/*.c", "x/y.c", true },
                { "**/*.c", "y.c", true },
                { "**.c", "x/y.c", false },
                { "abc.def", "abcxdef", false },
                { "a$b", "a$b", true },
                { "d**/x", "dir/x", true },
                { "d*/x", "dir/x", true },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (pattern_matches(rows[i].pattern, rows[i].path) != rows[i].want)
                        fail_msg("%s against %s is not %d", rows[i].pattern, rows[i].path, rows[i].want);
}

struct row {
        const char *rules, *path;
        bool ignored;
        int prunes; /* -1: not asked */
};

static void test_rules(void **state)
{
        static const struct row rows[] = {
                { "", "a", false, 0 },
                { "a", "a", true, 1 },
                { "a", "a/b/c", true, 1 },
                { "/a", "a", true, 1 },
                { "a/", "a/x", true, 1 },
                { "./a", "a", true, 1 },
                { "../a", "a", false, -1 },
                { "#a\na", "#a", false, 0 },
                { "\n\n  a  \r\n", "a", true, 1 },
                { "*/temp*", "x/temporary", true, 1 },
                { "*/temp*", "x/y/temp", false, 0 },
                { "temp?", "tempa", true, 1 },
                { "temp?", "temp", false, 0 },
                { ".", "a", false, 0 },
                { "*\n!keep", "keep", false, 0 },
                { "*\n!keep", "other", true, 1 },
                { "*\n!d/keep", "d", true, 0 },
                { "*\n!d/keep", "d/keep", false, 0 },
                { "*\n!d/keep", "d/other", true, 1 },
                { "*\n!d/keep", "e", true, 1 },
                { "*\n!**/x.md", "d", true, 0 },
                { "*\n!**/x.md", "d/e/x.md", false, -1 },
                { "*.md\n!README*.md\nREADME-secret.md", "README.md", false, -1 },
                { "*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true, -1 },
                { "*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false, -1 },
                { "!a\na", "a", true, 1 },
                { "a\n!a", "a/b", false, 0 },
                { "**/node_modules", "p/q/node_modules/r", true, 1 },
                { "d\n!d/*/k", "d/x", true, 0 },
                { "d\n!d/*/k", "d/x/k", false, -1 },
                { "d\n!d/*/k", "d/x/l", true, 1 },
                { "\xef\xbb\xbf"
                  "a",
                  "a", true, 1 },
                { "a\n! a", "a", false, 0 },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct err err = ERR_INIT;
                _cleanup_(ignore_freep) struct ignore *g = NULL;
                if (ignore_parse(rows[i].rules, &g, &err) < 0)
                        fail_msg("%s: %s", rows[i].rules, err.msg);
                if (ignore_matches(g, rows[i].path) != rows[i].ignored)
                        fail_msg("row %zu: %s is not ignored=%d", i, rows[i].path, rows[i].ignored);
                if (rows[i].prunes >= 0 && ignore_prunes(g, rows[i].path) != rows[i].prunes)
                        fail_msg("row %zu: %s does not prune=%d", i, rows[i].path, rows[i].prunes);
        }
}

static void test_errors(void **state)
{
        struct err err = ERR_INIT;
        struct ignore *g = NULL;
        assert_int_equal(ignore_parse("a\n[x\n", &g, &err), -1);
        assert_non_null(strstr(err.msg, ".dockerignore:2: "));
        assert_int_equal(ignore_parse("!\n", &g, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_null(g);
}

/* The pattern that kills backtracking matchers. */
static void test_hostile(void **state)
{
        char pattern[4000], path[4000];
        size_t n = 0;
        for (; n < 3900; n += 3)
                memcpy(pattern + n, "**a", 4);
        memset(path, 'a', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        clock_t start = clock();
        assert_false(pattern_matches(pattern, path));
        assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_patterns), cmocka_unit_test(test_rules),
                                            cmocka_unit_test(test_errors), cmocka_unit_test(test_hostile) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
