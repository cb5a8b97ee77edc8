/* One contract, every driver: the tests run for v1 where it is mounted and for v2 where it is (beside v1 it has no controllers,
 * so what needs one is asked for only where the group has it). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <cmocka.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

static struct cgroup_layout real, only_v1, only_v2;
static char path[64];

static int use_v1(void **state)
{
        snprintf(path, sizeof(path), "/tare-cgtest-%d/one", (int)getpid());
        if (only_v1.count)
                cgroup_layout_set(&only_v1);
        return 0;
}

static int use_hybrid(void **state)
{
        return use_v1(state), cgroup_layout_set(&real), 0;
}

static int use_v2(void **state)
{
        use_v1(state);
        if (only_v2.unified)
                cgroup_layout_set(&only_v2);
        return 0;
}

static int clean(void **state)
{
        struct err err = ERR_INIT;
        struct cgroup *cg;
        char parent[64];
        snprintf(parent, sizeof(parent), "/tare-cgtest-%d", (int)getpid());
        if (cgroup_open(parent, &cg, &err) == 0) {
                err_clear(&err);
                assert_int_equal(cgroup_remove(cg, &err), 0);
                cgroup_free(cg);
        }
        cgroup_layout_set(&real);
        return 0;
}

static struct cgroup *make(const struct oci_resources *r)
{
        struct err err = ERR_INIT;
        struct cgroup *cg = NULL;
        if (cgroup_create(path, r, &cg, &err) < 0)
                fail_msg("%s", err.msg);
        return cg;
}

/* A child that waits for a byte, and then does fn and exits with what it returns. */
struct child {
        pid_t pid;
        int go;
};
static struct child child_new(int (*fn)(void))
{
        int ends[2];
        assert_return_code(pipe2(ends, O_CLOEXEC), errno);
        pid_t pid = fork();
        if (pid == 0) {
                char c;
                prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
                close(ends[1]);
                (void)!read(ends[0], &c, 1);
                _exit(fn ? fn() : 0);
        }
        close(ends[0]);
        return (struct child){ pid, ends[1] };
}

static int child_end(struct child *c)
{
        int status;
        close(c->go);
        assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static size_t count_pids(struct cgroup *cg)
{
        struct err err = ERR_INIT;
        pid_t *pids = NULL;
        size_t count = 99;
        assert_int_equal(cgroup_pids(cg, &pids, &count, &err), 0);
        free(pids);
        return count;
}

static void life(void **state)
{
        struct err err = ERR_INIT;
        struct oci_resources none = { 0 };
        struct cgroup *other = NULL;
        struct cgroup *cg = make(&none), *again = make(&none); /* made twice is made once */
        assert_int_equal(cgroup_open(path, &other, &err), 0);
        cgroup_free(other);
        cgroup_free(again);
        assert_int_equal(count_pids(cg), 0);
        struct child c = child_new(NULL);
        assert_int_equal(cgroup_join(cg, c.pid, &err), 0);
        assert_int_equal(count_pids(cg), 1);
        assert_int_equal(child_end(&c), 0);
        assert_int_equal(cgroup_remove(cg, &err), 0);
        assert_int_equal(cgroup_remove(cg, &err), 0);
        assert_int_equal(cgroup_open(path, &other, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        cgroup_free(cg);
}

static int spend(void)
{
        for (volatile long i = 0; i >= 0; i++)
                ;
        return 0;
}

static uint64_t usage(pid_t pid)
{
        char file[64];
        struct err err = ERR_INIT;
        snprintf(file, sizeof(file), "/proc/%d/schedstat", (int)pid);
        _cleanup_free_ char *line = NULL;
        assert_int_equal(file_line_at(AT_FDCWD, file, &line, &err), 0);
        return strtoull(line, NULL, 10);
}

static void freeze_and_kill(void **state)
{
        struct err err = ERR_INIT;
        struct oci_resources none = { 0 };
        struct cgroup *cg = make(&none);
        struct child c = child_new(spend);
        assert_int_equal(cgroup_join(cg, c.pid, &err), 0);
        assert_int_equal(write(c.go, "x", 1), 1);
        assert_false(cgroup_frozen(cg));
        assert_int_equal(cgroup_freeze(cg, true, &err), 0);
        assert_true(cgroup_frozen(cg));
        uint64_t before = usage(c.pid);
        struct timespec pause = { 0, 50000000 };
        nanosleep(&pause, NULL);
        assert_true(usage(c.pid) == before);
        assert_int_equal(cgroup_freeze(cg, false, &err), 0);
        assert_false(cgroup_frozen(cg));
        assert_int_equal(cgroup_freeze(cg, true, &err), 0);
        assert_int_equal(cgroup_signal(cg, SIGKILL, &err), 0);
        assert_int_equal(child_end(&c), 128 + SIGKILL);
        cgroup_free(cg);
}

static void a_signal_reaches_the_unfrozen_only_once(void **state)
{
        struct err err = ERR_INIT;
        struct oci_resources none = { 0 };
        struct cgroup *cg = make(&none);
        struct child c = child_new(spend);
        assert_int_equal(cgroup_join(cg, c.pid, &err), 0);
        assert_int_equal(cgroup_signal(cg, SIGTERM, &err), 0);
        assert_int_equal(child_end(&c), 128 + SIGTERM);
        cgroup_free(cg);
}

/* A tree that forks as fast as it can, with groups below the group: removal gets them all. */
static int fork_on(void)
{
        for (int i = 0; i < 20000; i++) {
                pid_t pid = fork();
                if (pid > 0)
                        _exit(0);
        }
        return 0;
}

static void remove_kills_all(void **state)
{
        struct err err = ERR_INIT;
        struct oci_resources none = { 0 };
        struct cgroup *cg = make(&none), *below = NULL, *beside = NULL;
        _cleanup_free_ char *deep = xasprintf("%s/deep/er", path), *side = xasprintf("%s/side", path);
        assert_int_equal(cgroup_create(deep, &none, &below, &err), 0);
        assert_int_equal(cgroup_create(side, &none, &beside, &err), 0);
        struct child a = child_new(fork_on), b = child_new(spend);
        assert_int_equal(cgroup_join(beside, a.pid, &err), 0); /* on v2 only leaves take processes */
        assert_int_equal(cgroup_join(below, b.pid, &err), 0);
        assert_int_equal(write(a.go, "x", 1), 1);
        assert_int_equal(write(b.go, "x", 1), 1);
        cgroup_free(below);
        cgroup_free(beside);
        /* zombies of ours must be gone before a v1 group can be */
        signal(SIGCHLD, SIG_IGN);
        int r = cgroup_remove(cg, &err);
        signal(SIGCHLD, SIG_DFL);
        close(a.go);
        close(b.go);
        while (waitpid(-1, NULL, 0) > 0)
                ;
        if (r < 0)
                fail_msg("%s", err.msg);
        cgroup_free(cg);
}

static int open_devices(void)
{
        int zero = open("/dev/zero", O_RDONLY), full = open("/dev/full", O_RDONLY), null = open("/dev/null", O_RDWR);
        return (zero >= 0) + 2 * (full >= 0) + 4 * (null >= 0);
}

static int tried_in(struct cgroup *cg)
{
        struct err err = ERR_INIT;
        struct child c = child_new(open_devices);
        assert_int_equal(cgroup_join(cg, c.pid, &err), 0);
        return child_end(&c);
}

static void device_rules(void **state)
{
        struct err err = ERR_INIT;
        struct oci_device_rule rules[] = { { false, 'a', -1, -1, "rwm" },
                                           { true, 'c', 1, 3, "rwm" },
                                           { true, 'c', 1, -1, "w" },
                                           { true, 'c', 1, 5, "r" } };
        struct oci_resources r = { .devices = rules, .device_count = 4 };
        struct cgroup *cg = make(&r);
        assert_int_equal(tried_in(cg), 1 + 4);
        struct oci_device_rule more[] = { { false, 'a', -1, -1, "rwm" }, { true, 'c', 1, 7, "rwm" } };
        struct oci_resources update = { .devices = more, .device_count = 2 };
        assert_int_equal(cgroup_update(cg, &update, &err), 0);
        assert_int_equal(tried_in(cg), 2);
        struct oci_device_rule all[] = { { false, 'c', 1, 7, "rwm" }, { true, 'a', -1, -1, "rwm" } };
        struct oci_resources open_ = { .devices = all, .device_count = 2 };
        assert_int_equal(cgroup_update(cg, &open_, &err), 0);
        assert_int_equal(tried_in(cg), 7);
        cgroup_free(cg);
}

static int eat_memory(void)
{
        for (size_t i = 0; i < 256; i++)
                memset(xmalloc(1 << 20), 1, 1 << 20);
        return 0;
}

static void limits(void **state)
{
        struct err err = ERR_INIT;
        struct oci_resources r = { .has_memory_limit = true,
                                   .memory_limit = 16 << 20,
                                   .has_memory_swap = true,
                                   .memory_swap = 16 << 20,
                                   .has_pids_limit = true,
                                   .pids_limit = 7,
                                   .has_cpu_shares = true,
                                   .cpu_shares = 2048,
                                   .has_cpu_quota = true,
                                   .cpu_quota = 20000,
                                   .has_cpu_period = true,
                                   .cpu_period = 100000,
                                   .cpuset_cpus = (char *)"0" };
        struct cgroup_stats stats;
        const struct cgroup_layout *l = cgroup_layout();
        struct oci_resources none = { 0 };
        struct cgroup *cg = make(&none), *other;
        bool has_memory = l->count || cgroup_has(l->unified, path, "memory.max");
        if (has_memory) {
                assert_int_equal(cgroup_update(cg, &r, &err), 0);
                assert_int_equal(cgroup_stats(cg, &stats, &err), 0);
                assert_true(stats.memory_limit == 16 << 20 && stats.pids_limit == 7);
                struct child c = child_new(eat_memory);
                assert_int_equal(cgroup_join(cg, c.pid, &err), 0);
                assert_int_equal(child_end(&c), 128 + SIGKILL);
                assert_true(cgroup_oom_kills(cg) >= 1);
                struct oci_resources larger = { .has_memory_limit = true,
                                                .memory_limit = 64 << 20,
                                                .has_memory_swap = true,
                                                .memory_swap = 128 << 20,
                                                .has_pids_limit = true,
                                                .pids_limit = -1,
                                                .has_cpu_quota = true,
                                                .cpu_quota = 300000,
                                                .has_cpu_period = true,
                                                .cpu_period = 500000 };
                if (cgroup_update(cg, &larger, &err) < 0)
                        fail_msg("%s", err.msg);
                assert_int_equal(cgroup_stats(cg, &stats, &err), 0);
                assert_true(stats.memory_limit == 64 << 20 && stats.pids_limit == UINT64_MAX);
                struct child d = child_new(spend);
                assert_int_equal(cgroup_join(cg, d.pid, &err), 0);
                assert_int_equal(write(d.go, "x", 1), 1);
                struct timespec pause = { 0, 100000000 };
                nanosleep(&pause, NULL);
                assert_int_equal(cgroup_stats(cg, &stats, &err), 0);
                assert_true(stats.cpu_usage_ns > 1000000 && stats.pids_current == 1);
                kill(d.pid, SIGKILL);
                assert_int_equal(child_end(&d), 128 + SIGKILL);
        } else {
                /* What a host lacks is refused, and nothing is left. */
                assert_int_equal(cgroup_remove(cg, &err), 0);
                assert_int_equal(cgroup_create(path, &r, &other, &err), -1);
                assert_int_equal(err.kind, ERR_UNSUPPORTED);
                assert_non_null(strstr(err.msg, "linux.resources.memory."));
                assert_int_equal(cgroup_open(path, &other, &err), -1);
        }
        cgroup_free(cg);
}

static void unified_files(void **state)
{
        struct err err = ERR_INIT;
        const struct cgroup_layout *l = cgroup_layout();
        char *good[] = { (char *)"cgroup.max.depth=7", NULL }, *bad[] = { (char *)"../x.y=1", NULL },
             *none[] = { (char *)"no.such=1", NULL };
        struct oci_resources r = { .unified = good }, wrong = { .unified = bad }, missing = { .unified = none };
        struct cgroup *cg;
        if (l->count && !l->unified_controls) { /* v1 has no such files */
                assert_int_equal(cgroup_create(path, &r, &cg, &err), -1);
                assert_int_equal(err.kind, ERR_UNSUPPORTED);
                return;
        }
        cg = make(&r);
        assert_true(cgroup_read_u64(l->unified, path, "cgroup.max.depth", 0) == 7);
        assert_int_equal(cgroup_update(cg, &wrong, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_int_equal(cgroup_update(cg, &missing, &err), -1);
        cgroup_free(cg);
}

static void paths(void **state)
{
        static const struct {
                const char *in, *out;
        } rows[] = {
                { "/a/b", "/a/b" },
                { "c1", "/tare/c1" },
                { "//a//b/", "/a/b" },
                { "/a/../../b", "/b" },
                { "system.slice:docker:abc", "/system.slice/docker-abc.scope" },
                { "user-1000.slice:tare:x", "/user.slice/user-1000.slice/tare-x.scope" },
                { ":tare:x", "/system.slice/tare-x.scope" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct err err = ERR_INIT;
                _cleanup_free_ char *got = cgroup_path_clean(rows[i].in, &err);
                assert_string_equal(got, rows[i].out);
        }
        struct err err = ERR_INIT;
        assert_null(cgroup_path_clean("/", &err));
        assert_null(cgroup_path_clean("/a/..", &err));
}

static void half_made(void **state)
{
        const struct cgroup_layout *l = cgroup_layout();
        for (size_t i = 0; i < l->count; i++) { /* killed after the i-th hierarchy, making or removing it */
                struct err err = ERR_INIT;
                struct cgroup *cg = NULL;
                cgroup_free(make(&(struct oci_resources){ 0 }));
                for (size_t n = 0; n < l->count; n++)
                        if (n != i)
                                assert_int_equal(cgroup_rmdir(l->list[n].path, path, &err), 0);
                if (cgroup_open(path, &cg, &err) < 0)
                        fail_msg("left in %s alone: %s", l->list[i].path, err.msg);
                assert_int_equal(cgroup_remove(cg, &err), 0);
                cgroup_free(cg);
                assert_false(cgroup_has(l->list[i].path, path, ""));
        }
}

int main(void)
{
        if (geteuid() != 0)
                return 77;
        real = *cgroup_layout();
        only_v1 = (struct cgroup_layout){ .list = real.list, .count = real.count };
        only_v2 = (struct cgroup_layout){ .unified = real.unified };
#define CONTRACT(setup)                                                                                                \
        cmocka_unit_test_setup_teardown(life, setup, clean),                                                           \
                cmocka_unit_test_setup_teardown(freeze_and_kill, setup, clean),                                        \
                cmocka_unit_test_setup_teardown(a_signal_reaches_the_unfrozen_only_once, setup, clean),                \
                cmocka_unit_test_setup_teardown(half_made, setup, clean),                                              \
                cmocka_unit_test_setup_teardown(remove_kills_all, setup, clean),                                       \
                cmocka_unit_test_setup_teardown(device_rules, setup, clean),                                           \
                cmocka_unit_test_setup_teardown(limits, setup, clean),                                                 \
                cmocka_unit_test_setup_teardown(unified_files, setup, clean)
        const struct CMUnitTest v1[] = { CONTRACT(use_v1), cmocka_unit_test(paths) };
        const struct CMUnitTest hybrid[] = { CONTRACT(use_hybrid) };
        const struct CMUnitTest v2[] = { CONTRACT(use_v2) };
        int failed = real.count ? cmocka_run_group_tests_name("cgroup v1", v1, NULL, NULL) : 0;
        if (real.count && real.unified_controls)
                failed += cmocka_run_group_tests_name("cgroup hybrid", hybrid, NULL, NULL);
        return failed + (real.unified ? cmocka_run_group_tests_name("cgroup v2", v2, NULL, NULL) : 0);
}
