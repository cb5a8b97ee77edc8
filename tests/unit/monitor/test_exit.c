/* The end of a container: exit codes, status.json, who clears away, and what the monitor withstands and what it
 * costs. */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/timefmt.h"

static void test_codes(void **state)
{
        static const struct {
                const char *command;
                int code;
        } cases[] = {
                { "exit 0", 0 },       { "exit 3", 3 },          { "exit 255", 255 },
                { "kill -9 $$", 137 }, { "kill -TERM $$", 143 }, { "kill -SEGV $$", 139 },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct rig r;
                struct container_status status;
                int64_t before = time_now();
                rig_start(&r, &(struct rig_options){ .command = cases[i].command, .own_lock = i == 1 });
                assert_int_equal(rig_wait(&r), 0);
                rig_status(&r, &status);
                assert_int_equal(status.state, STATE_EXITED);
                assert_int_equal(status.exit_code, cases[i].code);
                assert_int_equal(status.pid, 0);
                assert_int_equal(status.restarts, 3);
                assert_false(status.oom_killed);
                assert_true(status.started >= before && status.finished >= status.started &&
                            status.finished <= time_now());
                rig_done(&r);
        }
}

/* Even a client that reads nothing, and no log that its output could go to, do not hide the end. */
static void test_end_waits_for_nobody(void **state)
{
        struct rig r;
        struct container_status status = { 0 };
        struct err err = ERR_INIT;
        rig_start(&r, &(struct rig_options){
                              .command = "trap 'exit 4' TERM; (yes | head -c 5000000) & while :; do sleep 0.02; done",
                              .no_log = true,
                              .attach = true });
        busy_wait_ms(1000); /* its output has filled everything */
        uint8_t term[4] = { 0, 0, 0, SIGTERM };
        int64_t before = time_monotonic();
        session_type(r.client, ATTACH_SIGNAL, term, 4);
        while (time_monotonic() - before < 2000000000 && status.state != STATE_EXITED) {
                busy_wait_ms(10);
                if (container_status_read(r.run_fd, &status, &err) < 0)
                        err_clear(&err);
        }
        assert_int_equal(status.state, STATE_EXITED);
        assert_int_equal(status.exit_code, 4);
        rig_done(&r);
}

static void test_monitor_pid(void **state)
{
        struct rig r;
        struct err err = ERR_INIT;
        uint64_t ticks;
        rig_start(&r,
                  &(struct rig_options){ .command = "read x", .listen = true, .open_stdin = true, .stdin_once = true });
        int fd = session_open(&r, true, true, true);
        assert_int_equal(proc_start_time(r.monitor, &ticks, &err), 0);
        _cleanup_free_ char *line = NULL, *expected = xasprintf("%d %" PRIu64, (int)r.monitor, ticks);
        assert_int_equal(file_line_at(r.run_fd, "monitor.pid", &line, &err), 0);
        assert_string_equal(line, expected);
        close(fd);
        rig_done(&r);
}

/* Nobody said that he would: the program runs, finds the status written, and inherits the lock and nothing else of
 * ours. */
static void test_cleanup_program(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "exit 3", .listen = true, .attach = true, .open_stdin = true });
        _cleanup_free_ char *marker = rig_marker(&r, true);
        assert_true(str_starts(marker, "container exited --lock "));
        assert_non_null(strstr(marker, " 0123abcd\nheld\nmine\n{\"state\":\"exited\""));
        assert_true(str_ends(marker, "}\n0\n"));
        rig_done(&r);
}

static bool lock_is_free(const struct rig *r)
{
        int fd = openat(r->run_fd, "monitor.pid", O_RDONLY | O_CLOEXEC);
        bool got = flock(fd, LOCK_SH | LOCK_NB) == 0;
        close(fd);
        return got;
}

/* The client does it: the lock is held until it says so, then the monitor ends and starts nothing. */
static void test_client_cleans(void **state)
{
        struct rig r;
        _cleanup_buf_ struct buf o = BUF_INIT(1000), e = BUF_INIT(1000);
        rig_start(&r, &(struct rig_options){ .command = "echo hi; exit 3", .attach = true, .clean_mine = true });
        assert_int_equal(session_collect(r.client, &o, &e), 3);
        busy_wait_ms(100);
        assert_false(lock_is_free(&r));
        session_type(r.client, ATTACH_CLEANED, NULL, 0);
        assert_int_equal(rig_wait(&r), 0);
        assert_true(lock_is_free(&r));
        busy_wait_ms(100);
        assert_null(rig_marker(&r, false));
        r.cleaned = true;
        rig_done(&r);
}

/* CLEANED before the end, or from one who never promised, is not believed. */
static void test_cleaned_too_early(void **state)
{
        struct rig r;
        _cleanup_buf_ struct buf o = BUF_INIT(1000), e = BUF_INIT(1000);
        rig_start(&r, &(struct rig_options){ .command = "read x; exit 3",
                                             .attach = true,
                                             .clean_mine = true,
                                             .listen = true,
                                             .open_stdin = true });
        int other = session_open(&r, true, true, true);
        session_type(r.client, ATTACH_CLEANED, NULL, 0);
        busy_wait_ms(50);
        session_type(other, ATTACH_STDIN, "\n", 1);
        assert_int_equal(session_collect(r.client, &o, &e), 3);
        session_type(other, ATTACH_CLEANED, NULL, 0);
        busy_wait_ms(100);
        assert_false(lock_is_free(&r));
        close(r.client);
        r.client = -1;
        _cleanup_free_ char *marker = rig_marker(&r, true);
        assert_non_null(strstr(marker, " 0123abcd\nheld\nmine\n"));
        close(other);
        rig_done(&r);
}

static void test_client_vanishes(void **state)
{
        for (int when = 0; when < 2; when++) {
                struct rig r;
                _cleanup_buf_ struct buf o = BUF_INIT(1000), e = BUF_INIT(1000);
                rig_start(&r,
                          &(struct rig_options){ .command = "sleep 0.2; exit 3", .attach = true, .clean_mine = true });
                if (when)
                        assert_int_equal(session_collect(r.client, &o, &e), 3);
                close(r.client);
                r.client = -1;
                _cleanup_free_ char *marker = rig_marker(&r, true);
                assert_true(str_starts(marker, "container exited --lock "));
        assert_non_null(strstr(marker, " 0123abcd\nheld\nmine\n{\"state\":\"exited\""));
                rig_done(&r);
        }
}

static void test_ended_before_it_looked(void **state)
{
        struct rig r;
        _cleanup_buf_ struct buf o = BUF_INIT(1000), e = BUF_INIT(1000);
        rig_start(&r, &(struct rig_options){ .command = "exit 42", .attach = true });
        assert_int_equal(session_collect(r.client, &o, &e), 42);
        rig_done(&r);
}

static void test_signals_do_nothing(void **state)
{
        static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM };
        struct rig r;
        struct container_status status;
        rig_start(&r, &(struct rig_options){ .command = "read x; exit 11", .listen = true, .open_stdin = true });
        int fd = session_open(&r, true, true, true); /* so it is up */
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                assert_int_equal(kill(r.monitor, signals[i]), 0);
        session_type(fd, ATTACH_STDIN, "\n", 1);
        assert_int_equal(rig_wait(&r), 0);
        rig_status(&r, &status);
        assert_int_equal(status.exit_code, 11);
        close(fd);
        rig_done(&r);
}

static int port_bind(int port)
{
        struct sockaddr_in a = { .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
                return fd;
        close(fd);
        return -1;
}

static void test_ports_held(void **state)
{
        struct rig r;
        struct sockaddr_in a;
        socklen_t len = sizeof(a);
        int held = port_bind(0);
        assert_int_equal(getsockname(held, (struct sockaddr *)&a, &len), 0);
        rig_start(&r,
                  &(struct rig_options){ .command = "read x", .listen = true, .open_stdin = true, .port_fd = held });
        close(held);
        int fd = session_open(&r, true, true, true);
        assert_int_equal(port_bind(ntohs(a.sin_port)), -1);
        session_type(fd, ATTACH_STDIN, "\n", 1);
        assert_int_equal(rig_wait(&r), 0);
        int again = port_bind(ntohs(a.sin_port));
        assert_true(again >= 0);
        close(again);
        close(fd);
        rig_done(&r);
}

static size_t children_dead(pid_t parent)
{
        char path[64];
        struct buf b = BUF_INIT(65536);
        struct err err = ERR_INIT;
        size_t dead = 0;
        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
        assert_int_equal(file_read_at(AT_FDCWD, path, &b, &err), 0);
        _cleanup_free_ char *text = buf_take(&b);
        char **pids = strv_split(text, " ", false);
        STRV_FOREACH (pid, pids) {
                _cleanup_free_ char *stat_path = xasprintf("/proc/%s/stat", *pid), *line = NULL;
                if (file_line_at(AT_FDCWD, stat_path, &line, &err) == 0)
                        dead += strstr(line, ") Z ") != NULL;
        }
        strv_free(pids);
        return dead;
}

static void test_orphans_reaped(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){
                              .command = "for i in 1 2 3 4 5; do (setsid sleep 0.1 &); done; echo up; read x",
                              .listen = true,
                              .open_stdin = true,
                              .attach = true });
        session_expect(r.client, "up");
        busy_wait_ms(400);
        assert_int_equal(children_dead(r.monitor), 0);
        int fd = session_open(&r, true, true, true);
        session_type(fd, ATTACH_STDIN, "\n", 1);
        close(fd);
        rig_done(&r);
}

/* A memory group of v1 or v2 that this process may make, or NULL. */
static char *group_make(const char *name)
{
        static const struct {
                const char *top, *limit;
        } tops[] = {
                { "/sys/fs/cgroup/memory", "memory.limit_in_bytes" },
                { "/sys/fs/cgroup", "memory.max" },
        };
        struct err err = ERR_INIT;
        for (size_t i = 0; i < ELEMENTS(tops); i++) {
                _cleanup_free_ char *path = xasprintf("%s/%s", tops[i].top, name),
                                    *limit = xasprintf("%s/%s", path, tops[i].limit);
                if (mkdir(path, 0755) < 0)
                        continue;
                if (file_poke_at(AT_FDCWD, limit, "16777216", &err) == 0)
                        return TAKE_PTR(path);
                rmdir(path);
        }
        return NULL;
}

static void test_oom(void **state)
{
        _cleanup_free_ char *name = xasprintf("tare-test-monitor-%d", (int)getpid()), *slashed = xasprintf("/%s", name);
        _cleanup_free_ char *group = group_make(name);
        if (!group) {
                print_message("no memory group can be made here\n");
                skip();
        }
        struct rig r;
        struct container_status status;
        _cleanup_free_ char *command =
                xasprintf("echo $$ >%s/cgroup.procs; x=$(head -c 300000000 /dev/zero | tr '\\0' x); exit 0", group);
        rig_start(&r, &(struct rig_options){ .command = command, .cgroup_path = slashed });
        int ended = rig_wait(&r);
        rmdir(group);
        assert_int_equal(ended, 0);
        rig_status(&r, &status);
        assert_int_equal(status.exit_code, 137);
        assert_true(status.oom_killed);
        rig_done(&r);
}

static long private_kb(pid_t pid)
{
        char path[64];
        _cleanup_buf_ struct buf b = BUF_INIT(65536);
        struct err err = ERR_INIT;
        snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
        assert_int_equal(file_read_at(AT_FDCWD, path, &b, &err), 0);
        const char *at = strstr(b.data, "Private_Dirty:");
        assert_non_null(at);
        return strtol(at + strlen("Private_Dirty:"), NULL, 10);
}

static long private_kb_soon(pid_t pid)
{
        long kb = private_kb(pid);
        for (int left = 10000; left > 0 && kb >= 200 && !getenv("TARE_TEST_SANITIZED"); left -= 50) {
                busy_wait_ms(50);
                kb = private_kb(pid);
        }
        return kb;
}

/* Small at rest, and small again after a burst with a client that came late to it. */
static void test_memory(void **state)
{
        struct rig r;
        rig_start(&r,
                  &(struct rig_options){ .command = "echo up; read x; yes | head -c 10000000; echo; echo done; read x",
                                         .attach = true,
                                         .attach_stdin = true,
                                         .open_stdin = true });
        session_expect(r.client, "up");
        long before = private_kb_soon(r.monitor);
        session_type(r.client, ATTACH_STDIN, "\n", 1);
        session_expect(r.client, "done");
        long burst = private_kb(r.monitor);
        long after = private_kb_soon(r.monitor);
        print_message("private: %ld kB, after a burst %ld kB, at rest %ld kB\n", before, burst, after);
        if (!getenv("TARE_TEST_SANITIZED"))
                assert_true(before < 200 && after < 200);
        session_type(r.client, ATTACH_STDIN, "\n", 1);
        rig_done(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_codes),
                cmocka_unit_test(test_end_waits_for_nobody),
                cmocka_unit_test(test_monitor_pid),
                cmocka_unit_test(test_cleanup_program),
                cmocka_unit_test(test_client_cleans),
                cmocka_unit_test(test_cleaned_too_early),
                cmocka_unit_test(test_client_vanishes),
                cmocka_unit_test(test_ended_before_it_looked),
                cmocka_unit_test(test_signals_do_nothing),
                cmocka_unit_test(test_ports_held),
                cmocka_unit_test(test_orphans_reaped),
                cmocka_unit_test(test_oom),
                cmocka_unit_test(test_memory),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
