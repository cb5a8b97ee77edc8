/* When the monitor has the health looked at: intervals, the start period, pauses, and what becomes of a check that is
 * killed. What a check finds out is engine's. */
#include "rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"

#define MS ((int64_t)1000000)

static size_t probes(const struct rig *r)
{
        _cleanup_buf_ struct buf b = BUF_INIT(65536);
        struct err none = ERR_INIT;
        size_t count = 0;
        if (file_read_at(r->dir_fd, "probes", &b, &none) < 0)
                return 0;
        for (const char *at = b.data; (at = strstr(at, "container probe 0123abcd\n")); at++)
                count++;
        return count;
}

static void probes_reach(const struct rig *r, size_t count)
{
        for (int left = 10000; left > 0 && probes(r) < count; left -= 20)
                busy_wait_ms(20);
        assert_true(probes(r) >= count);
}

/* Its "init" goes with it. */
static void shoot(struct rig *r)
{
        kill(r->monitor, SIGKILL);
        assert_int_equal(waitpid(r->monitor, NULL, 0), r->monitor);
        busy_wait_ms(50);
        r->monitor = 0;
        r->cleaned = true;
        rig_done(r);
}

static void test_none(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "sleep 0.3" });
        assert_int_equal(rig_wait(&r), 0);
        assert_int_equal(probes(&r), 0);
        rig_done(&r);
}

static void test_interval(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "sleep 1.05", .health_interval = 100 * MS, .health_start_interval = 5 * MS });
        assert_int_equal(rig_wait(&r), 0);
        size_t count = probes(&r);
        assert_true(count >= 1 && count <= 10); /* without a start period its interval says nothing */
        busy_wait_ms(300);
        assert_int_equal(probes(&r), count); /* none after the end */
        rig_done(&r);
}

/* The interval is between the end of one and the beginning of the next: never two at once. */
static void test_one_at_a_time(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "sleep 1.5",
                                             .health_interval = 10 * MS,
                                             .probe = "mkdir busy || touch two; sleep 0.2; rmdir busy" });
        assert_int_equal(rig_wait(&r), 0);
        assert_true(probes(&r) >= 2 && probes(&r) <= 7);
        assert_false(file_exists_at(r.dir_fd, "two"));
        rig_done(&r);
}

static void test_start_period(void **state)
{
        struct rig r;
        struct rig_options o = { .command = "exec sleep 100",
                                 .health_interval = 100000 * MS,
                                 .health_start_interval = 20 * MS,
                                 .health_start_period = 100000 * MS,
                                 .probe = "test -e verdict && exit $(cat verdict)" };
        for (int verdict = 0; verdict < 2; verdict++) {
                rig_start(&r, &o);
                probes_reach(&r, 3);
                _cleanup_free_ char *text = xasprintf("%d\n", verdict);
                struct err err = ERR_INIT;
                assert_int_equal(file_write_at(r.dir_fd, "verdict", text, strlen(text), 0600, false, &err), 0);
                busy_wait_ms(500); /* settled now */
                size_t count = probes(&r);
                busy_wait_ms(400);
                assert_int_equal(probes(&r), count);
                shoot(&r);
        }
}

static void test_period_ends(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "sleep 1.5",
                                             .health_interval = 100000 * MS,
                                             .health_start_interval = 50 * MS,
                                             .health_start_period = 500 * MS });
        assert_int_equal(rig_wait(&r), 0);
        assert_true(probes(&r) >= 1 && probes(&r) <= 11);
        rig_done(&r);
}

static void test_paused(void **state)
{
        struct rig r;
        struct err err = ERR_INIT;
        rig_start(&r, &(struct rig_options){ .command = "exec sleep 100", .health_interval = 50 * MS });
        probes_reach(&r, 2);
        assert_int_equal(file_write_at(r.run_fd, "paused", "", 0, 0600, false, &err), 0);
        busy_wait_ms(300); /* one may have been under way */
        size_t count = probes(&r);
        busy_wait_ms(400);
        assert_int_equal(probes(&r), count);
        unlinkat(r.run_fd, "paused", 0);
        probes_reach(&r, count + 1);
        shoot(&r);
}

static pid_t pid_in(const struct rig *r, const char *name)
{
        _cleanup_free_ char *line = NULL;
        struct err err = ERR_INIT;
        rig_wait_file(r, name);
        assert_int_equal(file_line_at(r->dir_fd, name, &line, &err), 0);
        return (pid_t)strtol(line, NULL, 10);
}

static bool soon_gone(pid_t pid)
{
        uint64_t ticks;
        struct err gone = ERR_INIT;
        for (int left = 10000; left > 0; left -= 20, busy_wait_ms(20))
                if (proc_start_time(pid, &ticks, &gone) < 0 || !proc_alive(pid, ticks))
                        return true;
        return false;
}

/* Its test is a process group of its own, with the number in run/probe. */
#define WITH_TEST                                                                                                        \
        "[ ! -e below ] || exit 0; setsid sh -c 'echo $$ $(cut -d\" \" -f22 /proc/$$/stat) >run/probe.new; sleep 1000 & echo $! >below.new; mv run/probe.new run/probe; "  \
        "mv below.new below; wait' & echo $$ >prober.new; mv prober.new prober; wait"

static void test_killed(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "exec sleep 100", .health_interval = 50 * MS, .probe = WITH_TEST });
        pid_t prober = pid_in(&r, "prober"), below = pid_in(&r, "below");
        assert_int_equal(kill(prober, SIGKILL), 0);
        assert_true(soon_gone(below));
        probes_reach(&r, 2); /* and the next one comes */
        shoot(&r);
}

static void test_dies_with_the_monitor(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "exec sleep 100",
                                             .health_interval = 50 * MS,
                                             .probe = "echo $$ >prober.new; mv prober.new prober; exec sleep 1000" });
        pid_t prober = pid_in(&r, "prober");
        kill(r.monitor, SIGKILL);
        assert_true(soon_gone(prober));
        shoot(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_none),         cmocka_unit_test(test_interval), cmocka_unit_test(test_one_at_a_time),
                cmocka_unit_test(test_start_period), cmocka_unit_test(test_period_ends), cmocka_unit_test(test_paused),
                cmocka_unit_test(test_killed),       cmocka_unit_test(test_dies_with_the_monitor),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
