#include "unit.h"

#include <errno.h>
#include "base/log.h"

static void test_set(void **state)
{
        struct err err = ERR_INIT;
        assert_int_equal(err_set(&err, ERR_CONFLICT, "name %s is taken", "x"), -1);
        assert_int_equal(err.kind, ERR_CONFLICT);
        assert_int_equal(err.sys, 0);
        assert_string_equal(err.msg, "name x is taken");
        err_clear(&err);
        assert_int_equal(err.kind, ERR_NONE);
        assert_string_equal(err.msg, "");
}

static void test_errno_kinds(void **state)
{
        static const struct {
                int errnum;
                enum err_kind kind;
        } rows[] = { { ENOENT, ERR_NOT_FOUND }, { EACCES, ERR_DENIED },  { EPERM, ERR_DENIED },
                     { EEXIST, ERR_CONFLICT },  { EBUSY, ERR_CONFLICT }, { EIO, ERR_SYSTEM } };
        struct err err = ERR_INIT;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                assert_int_equal(err_sysnum(&err, rows[i].errnum, "open x"), -1);
                assert_int_equal(err.kind, rows[i].kind);
                assert_int_equal(err.sys, rows[i].errnum);
        }
        errno = ENOENT;
        err_sys(&err, "open %s", "/a");
        assert_string_equal(err.msg, "open /a: No such file or directory");
        err_sysnum(&err, 99999, "odd");
        assert_string_equal(err.msg, "odd: error 99999");
}

static void test_context(void **state)
{
        struct err err = ERR_INIT;
        err_sysnum(&err, ENOENT, "open x");
        assert_int_equal(err_add(&err, "layer %d", 3), -1);
        err_add(&err, "pull");
        assert_string_equal(err.msg, "pull: layer 3: open x: No such file or directory");
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        assert_int_equal(err.sys, ENOENT);
        err_set(&err, ERR_INVALID, "again: %s", err.msg); /* an argument inside the message itself */
        assert_string_equal(err.msg, "again: pull: layer 3: open x: No such file or directory");
}

static void test_truncation(void **state)
{
        char long_text[2000];
        memset(long_text, 'a', sizeof(long_text) - 1);
        long_text[sizeof(long_text) - 1] = '\0';
        struct err err = ERR_INIT;
        err_set(&err, ERR_INVALID, "%s", long_text);
        assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
        err_sysnum(&err, EIO, "%s", long_text);
        assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
        for (int i = 0; i < 100; i++)
                err_add(&err, "outer %s", long_text);
        assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
        assert_memory_equal(err.msg, "outer aaa", 9);
        for (size_t len = 480; len < 530; len++) {
                err_set(&err, ERR_INVALID, "%.*s", (int)len, long_text);
                err_add(&err, "c");
                assert_int_equal(strlen(err.msg), (len < 511 ? len : 511) + 3 > 511 ? 511 : len + 3);
        }
}

static void test_hostile_bytes(void **state)
{
        struct err err = ERR_INIT;
        err_set(&err, ERR_INVALID,
                "a\x1b[2Jb\nc\x7f"
                "d\te");
        assert_string_equal(err.msg, "a?[2Jb?c?d?e");
        err_set(&err, ERR_INVALID, "%s",
                "\xc2\x9b"
                "31m \xff\xfe gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xb3 \xed\xa0\x80 \xe2\x82");
        assert_string_equal(err.msg, "??31m ?? gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xb3 ??? ??");
}

static char last_line[2048];
static int lines;

static void keep_line(enum log_level level, const char *line)
{
        snprintf(last_line, sizeof(last_line), "%d %s", (int)level, line);
        lines++;
}

static void test_log(void **state)
{
        log_warning("nobody listens");
        log_set_sink(keep_line, LOG_LEVEL_INFO);
        errno = EIO;
        log_debug("no");
        assert_int_equal(lines, 0);
        log_info("x %d\x1b", 5);
        assert_string_equal(last_line, "1 x 5?");
        log_warning("y");
        assert_string_equal(last_line, "2 y");
        assert_int_equal(errno, EIO);
        log_set_sink(NULL, LOG_LEVEL_DEBUG);
        log_warning("z");
        assert_int_equal(lines, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_set),        cmocka_unit_test(test_errno_kinds),   cmocka_unit_test(test_context),
                cmocka_unit_test(test_truncation), cmocka_unit_test(test_hostile_bytes), cmocka_unit_test(test_log),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
