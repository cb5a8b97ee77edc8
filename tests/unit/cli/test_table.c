/* Tables as docker lays them out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/output.h"
#include "cli/tabulate-internal.h"

static const struct table_column columns[] = {
        { "ID", "CONTAINER ID" }, { "Names", "NAMES" }, { "Status", "STATUS" }, { "Labels", "LABELS" }, { 0 },
};
static const char *const shown[] = { "ID", "Status", "Names", NULL };

/* table_print() with stdout in a file. */
static char *printed(const char *document, const char *format)
{
        _cleanup_json_ json_t *rows = json_loads(document, 0, NULL);
        struct err err = ERR_INIT;
        assert_non_null(rows);
        int kept = dup(STDOUT_FILENO), file = memfd_create("out", MFD_CLOEXEC);
        assert_true(kept >= 0 && file >= 0);
        fflush(stdout);
        assert_true(dup2(file, STDOUT_FILENO) >= 0);
        int r = table_print(rows, columns, shown, format, &err);
        assert_true(dup2(kept, STDOUT_FILENO) >= 0);
        close(kept);
        struct buf out = { 0 };
        assert_true(lseek(file, 0, SEEK_SET) == 0 && fd_read_all(file, &out, &err) == 0);
        close(file);
        if (r < 0) {
                buf_done(&out);
                return xasprintf("!%s", err.msg);
        }
        return buf_take(&out);
}

static const char two[] =
        "[{\"Names\":\"web\",\"ID\":\"0123456789ab\",\"Status\":\"Up 5 "
        "minutes\",\"Labels\":\"a=b\",\"Label\":{\"a\":\"b\"}},"
        "{\"Names\":\"a-very-long-name\",\"ID\":\"ba9876543210\",\"Status\":\"Created\",\"Labels\":\"\",\"Label\":{}}]";

static const struct {
        const char *document, *format, *expected;
} cases[] = {
        { two, NULL,
          "CONTAINER ID   STATUS         NAMES\n"
          "0123456789ab   Up 5 minutes   web\n"
          "ba9876543210   Created        a-very-long-name\n" },
        { "[]", "table", "CONTAINER ID   STATUS    NAMES\n" },
        { two, "table {{.Names}}\\t{{.Status}}",
          "NAMES              STATUS\n"
          "web                Up 5 minutes\n"
          "a-very-long-name   Created\n" },
        { two, "table {{upper .Names}}", "NAMES\nWEB\nA-VERY-LONG-NAME\n" },
        { two, "{{.ID}}: {{.Label \"a\"}}\\n", "0123456789ab: b\n\nba9876543210: \n\n" },
        { "[{\"Names\":\"x\",\"ID\":\"1\",\"Labels\":\"\",\"Label\":{}}]", "json",
          "{\"ID\":\"1\",\"Labels\":\"\",\"Names\":\"x\"}\n" },
        { "[{\"Names\":\"x\",\"ID\":\"1\"}]", "{{json .}}", "{\"ID\":\"1\",\"Names\":\"x\"}\n" },
        { two, "{{.Nope}}",
          "!template parsing error: template: :1:2: executing \"\" at <.Nope>: map has no entry for key \"Nope\"" },
        { two, "{{.Names", "!template parsing error: template: :1: unclosed action" },
        { "[]", "{{.Names}}", "" },
};

static void test_cases(void **state)
{
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *text = printed(cases[i].document, cases[i].format);
                assert_string_equal(text, cases[i].expected);
        }
}

/* Go's tabwriter(10, 1, 3, ' ', 0): a column lives as long as the lines that have it. */
static void test_blocks(void **state)
{
        static const char text[] = "a\tb\tc\nlonger-than-ten\tx\ty\nalone\nq\tr\n\n\xc3\xa9\t2\n";
        struct err err = ERR_INIT;
        _cleanup_buf_ struct buf out = { 0 };
        assert_int_equal(tabulate(text, strlen(text), TABULATE_LEAST, &out, &err), 0);
        assert_string_equal(out.data, "a                 b         c\n"
                                      "longer-than-ten   x         y\n"
                                      "alone\n"
                                      "q         r\n"
                                      "\n"
                                      "\xc3\xa9         2\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_blocks) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
