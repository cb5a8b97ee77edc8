/* top and diff: what ps printed cut down to one container, and changes without what a start makes. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/top-internal.h"

static const char ps_text[] = "UID          PID    PPID  C STIME TTY          TIME CMD\n"
                              "root           1       0  0 10:00 ?        00:00:01 /sbin/init  splash\n"
                              "root          42       1  0 10:00 ?        00:00:00 sh -c sleep  100; echo done \n"
                              "1000          43      42  0 10:00 ?        00:00:00 sleep 100\n"
                              "root         420       1  0 10:00 ?        00:00:00 other\n";

static void test_rows(void **state)
{
        struct top_result t = { 0 };
        const pid_t pids[] = { 43, 42, 9999 };
        OK(top_parse(ps_text, pids, 3, &t, &err));
        assert_int_equal(strv_len(t.titles), 8);
        assert_string_equal(t.titles[1], "PID");
        assert_int_equal(t.row_count, 2);
        assert_string_equal(t.rows[0][0], "root");
        assert_string_equal(t.rows[0][7], "sh -c sleep  100; echo done");
        assert_string_equal(t.rows[1][1], "43");
        assert_int_equal(strv_len(t.rows[1]), 8);
        top_result_done(&t);
        OK(top_parse(ps_text, NULL, 0, &t, &err));
        assert_int_equal(t.row_count, 0);
        top_result_done(&t);
}

static void test_threads(void **state)
{
        struct top_result t = { 0 };
        const pid_t pid = 7;
        OK(top_parse("PID LWP CMD\n7 - a\n- 7 -\n- 8 -\n9 - b\n- 9 -\n", &pid, 1, &t, &err));
        assert_int_equal(t.row_count, 3);
        assert_string_equal(t.rows[2][1], "8");
        top_result_done(&t);
}

static void test_refused(void **state)
{
        struct top_result t = { 0 };
        const pid_t pid = 7;
        FAILS(top_parse("UID CMD\n0 x\n", &pid, 1, &t, &err), ERR_INVALID, "Couldn't find PID field in ps output");
        FAILS(top_parse("", &pid, 1, &t, &err), ERR_INVALID, "Couldn't find PID field in ps output");
        FAILS(top_parse("PID CMD\nx y\n", &pid, 1, &t, &err), ERR_INVALID, "Unexpected pid 'x'");
        FAILS(top_parse("CMD PID\nx\n", &pid, 1, &t, &err), ERR_INVALID, "Unexpected pid ''");
        char *bad[] = { (char *)(uintptr_t)"-o", (char *)(uintptr_t)"pid,uid=PID", NULL };
        FAILS(top_args_check(bad, &err), ERR_INVALID, "is not allowed");
        char *good[] = { (char *)(uintptr_t)"-o", (char *)(uintptr_t)"pid,ppid=PARENT,cmd", NULL };
        OK(top_args_check(good, &err));
}

static void test_top_state(void **state)
{
        struct fixture *f = *state;
        struct top_result t = { 0 };
        row_plain(f, 'a', "still");
        FAILS(container_top(f->e, "still", NULL, &t, &err), ERR_CONFLICT, "is not running");
        FAILS(container_top(f->e, "none", NULL, &t, &err), ERR_NOT_FOUND, "No such container: none");
}

static int note(void *data, char kind, const char *path, struct err *err)
{
        char line[256];
        snprintf(line, sizeof(line), "%c %s", kind, path);
        strv_push(data, line);
        return 0;
}

static void put(int root, const char *path)
{
        OK(file_write_at(root, path, "x", 1, 0644, false, &err));
}

static void test_changes(void **state)
{
        struct fixture *f = *state;
        struct storage *st;
        _cleanup_strv_ char **seen = NULL;
        char id[65];
        id_of('b', id);
        row_plain(f, 'b', "box");
        OK(container_changes(f->e, "box", note, &seen, &err));  /* no root yet */
        assert_null(seen);
        OK(engine_storage(f->e, &st, &err));
        OK(root_create(st->snapshots, id, NULL, &err));
        _cleanup_close_ int root = -1;
        OK(root = root_open(st->snapshots, id, true, &err));
        assert_int_equal(mkdirat(root, "proc", 0755), 0);
        assert_int_equal(mkdirat(root, "etc", 0755), 0);
        assert_int_equal(mkdirat(root, "etc-x", 0755), 0);
        put(root, "etc/hosts");
        put(root, "etc/mine");
        put(root, "hosts");
        OK(container_changes(f->e, "box", note, &seen, &err));
        _cleanup_free_ char *all = strv_join(seen, ",");
        assert_string_equal(all, "A /etc,A /etc-x,A /etc/mine,A /hosts");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_threads), cmocka_unit_test(test_refused),
                                            T(test_top_state), T(test_changes) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
