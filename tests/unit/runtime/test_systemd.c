/* The client of systemd. Always: names, messages, and a private bus with a service of ours in systemd's place (fake_systemd.h). Where systemd is the system's manager (/run/systemd/system): a real scope on the system bus. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"
#include "runtime/dbus-internal.h"
#include "runtime/systemd-internal.h"
#include "fake_systemd.h"

static char dir[] = "/tmp/tare-systemd-XXXXXX";

static int set_up(void **state)
{
        assert_non_null(mkdtemp(dir));
        return fake_systemd_start(dir, "/made");
}

static int tear_down(void **state)
{
        struct err err = ERR_INIT;
        fake_systemd_stop();
        unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
        return tree_remove_at(AT_FDCWD, dir, &err);
}

static char *calls(void)
{
        char file[64];
        struct err err = ERR_INIT;
        struct buf b = BUF_INIT(1 << 20);
        snprintf(file, sizeof(file), "%s/calls", dir);
        assert_int_equal(file_read_at(AT_FDCWD, file, &b, &err), 0);
        unlink(file);
        return buf_take(&b);
}

/* ---- tests ---- */

static void names(void **state)
{
        static const struct {
                const char *in, *slice, *unit, *path;
        } good[] = {
                { "system.slice:docker:abc", "system.slice", "docker-abc.scope", "/system.slice/docker-abc.scope" },
                { "a-b-c.slice:tare:x", "a-b-c.slice", "tare-x.scope", "/a.slice/a-b.slice/a-b-c.slice/tare-x.scope" },
                { "-.slice:p:x", "-.slice", "p-x.scope", "/p-x.scope" },
                { "a.slice:p:a-pod.slice", "a.slice", "a-pod.slice", "/a.slice/a-pod.slice" },
        };
        static const char *const bad[] = { "a.slice:b", "a:b:c:d", "nosuffix:b:c", "a/b.slice:b:c", "a--b.slice:b:c", "a.slice:b:",
                                           "a.slice:b:c/d", "a.slice:b:c d", "-a.slice:b:c", ".slice:b:c", "a-.slice:b:c" };
        for (size_t i = 0; i < ELEMENTS(good); i++) {
                struct err err = ERR_INIT;
                _cleanup_systemd_scope_ struct systemd_scope s = { 0 };
                if (systemd_scope_parse(good[i].in, &s, &err) < 0)
                        fail_msg("%s", err.msg);
                _cleanup_free_ char *path = systemd_scope_path(&s);
                assert_string_equal(s.slice, good[i].slice);
                assert_string_equal(s.unit, good[i].unit);
                assert_string_equal(path, good[i].path);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct err err = ERR_INIT;
                struct systemd_scope s;
                assert_int_equal(systemd_scope_parse(bad[i], &s, &err), -1);
                assert_int_equal(err.kind, ERR_INVALID);
        }
}

static void annotations(void **state)
{
        char *good[] = { (char *)"org.systemd.property.A='x\\'y'", (char *)"org.systemd.property.B=true", (char *)"org.systemd.property.C=uint64 5",
                         (char *)"org.systemd.property.D=['a', 'b']", (char *)"org.systemd.property.TimeoutStopSec=uint64 5", (char *)"other=1", NULL };
        static const char *const bad[] = { "A=", "A=x", "A='x", "A=[", "A=['a' 'b']", "A=uint64 -1", "A=uint32 4294967296", "A-b=true", "ASec='x'", "A='a' b" };
        struct err err = ERR_INIT;
        _cleanup_buf_ struct buf b = BUF_INIT(4096);
        assert_int_equal(property_annotations(&b, good, &err), 0);
        static const unsigned char c_row[] = { 1, 0, 0, 0, 'C', 0, 1, 't', 0 };
        assert_non_null(memmem(b.data, b.len, c_row, sizeof(c_row)));
        assert_non_null(memmem(b.data, b.len, "\3\0\0\0x'y", 8));
        assert_non_null(memmem(b.data, b.len, "TimeoutStopUSec", 16));
        assert_null(memmem(b.data, b.len, "other", 5));
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                _cleanup_free_ char *entry = xasprintf("org.systemd.property.%s", bad[i]);
                char *list[] = { entry, NULL };
                _cleanup_buf_ struct buf unused = BUF_INIT(65536);
                err_clear(&err);
                if (property_annotations(&unused, list, &err) == 0)
                        fail_msg("%s was taken", bad[i]);
                assert_int_equal(err.kind, ERR_INVALID);
        }
}

static void scope_over_the_bus(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_(systemd_freep) struct systemd *s = NULL;
        struct oci_resources r = { .has_memory_limit = true, .memory_limit = 1 << 26, .has_pids_limit = true, .pids_limit = 50,
                                   .cpuset_cpus = (char *)"0", .has_cpu_shares = true, .cpu_shares = 1024 };
        struct systemd_scope scope = { (char *)"system.slice", (char *)"tare-x.scope" }, bad = { (char *)"system.slice", (char *)"tare-bad.scope" },
                             there = { (char *)"system.slice", (char *)"tare-there.scope" }, gone = { (char *)"system.slice", (char *)"tare-gone.scope" };
        if (systemd_open(&s, &err) < 0 || systemd_scope_start(s, &scope, getpid(), &r, NULL, true, &err) < 0)
                fail_msg("%s", err.msg);
        _cleanup_free_ char *log = calls(), *group = NULL;
        static const char *const words[] = { "StartTransientUnit ssa(sv)a(sa(sv)) tare-x.scope", "replace", "Slice", "Delegate", "PIDs", "MemoryMax",
                                             "TasksMax", "AllowedCPUs", "CPUWeight", "Subscribe" };
        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (!strstr(log, words[i]))
                        fail_msg("%s was not sent", words[i]);
        assert_int_equal(systemd_scope_group(s, &scope, &group, &err), 0);
        assert_string_equal(group, "/made/tare-x.scope");
        assert_int_equal(systemd_scope_update(s, &scope, &r, true, &err), 0);
        assert_int_equal(systemd_scope_stop(s, &scope, &err), 0);
        assert_int_equal(systemd_scope_stop(s, &gone, &err), 0);
        _cleanup_free_ char *more = calls();
        assert_non_null(strstr(more, "SetUnitProperties sba(sv) tare-x.scope"));
        assert_non_null(strstr(more, "StopUnit ss tare-x.scope"));
        assert_int_equal(systemd_scope_start(s, &bad, getpid(), &r, NULL, true, &err), -1);
        assert_non_null(strstr(err.msg, "ended as failed"));
        err_clear(&err);
        assert_int_equal(systemd_scope_start(s, &there, getpid(), &r, NULL, true, &err), -1);
        assert_int_equal(err.kind, ERR_CONFLICT);
        free(TAKE_PTR(group));
        err_clear(&err);
        assert_int_equal(systemd_scope_group(s, &gone, &group, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void no_bus(void **state)
{
        struct err err = ERR_INIT;
        struct dbus d;
        assert_int_equal(dbus_open("unix:path=/nonexistent/bus", &d, &err), -1);
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        assert_int_equal(dbus_open("tcp:host=localhost", &d, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
}

/* ---- where there is a real one ---- */

static void real_scope(void **state)
{
        struct err err = ERR_INIT;
        struct cgroup *cg = NULL;
        struct oci_resources r = { .has_memory_limit = true, .memory_limit = 1 << 26, .has_pids_limit = true, .pids_limit = 50 },
                             more = { .has_pids_limit = true, .pids_limit = 60 };
        char path[64], words[512];
        snprintf(path, sizeof(path), "system.slice:taretest:%d", (int)getpid());
        pid_t pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        pause();
        }
        if (cgroup_create_scope(path, pid, &r, NULL, &cg, &err) < 0)
                fail_msg("%s", err.msg);
        snprintf(words, sizeof(words), "/proc/%d/cgroup", (int)pid);
        _cleanup_buf_ struct buf b = BUF_INIT(65536);
        assert_int_equal(file_read_at(AT_FDCWD, words, &b, &err), 0);
        assert_non_null(strstr(b.data, cgroup_path(cg)));
        struct cgroup_stats s;
        assert_int_equal(cgroup_stats(cg, &s, &err), 0);
        assert_true(s.memory_limit == 1 << 26 && s.pids_limit == 50 && s.pids_current == 1);
        if (cgroup_update(cg, &more, &err) < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(cgroup_stats(cg, &s, &err), 0);
        assert_true(s.pids_limit == 60);
        signal(SIGCHLD, SIG_IGN);
        assert_int_equal(cgroup_remove(cg, &err), 0);
        signal(SIGCHLD, SIG_DFL);
        assert_int_equal(cgroup_open_scope(path, &(struct cgroup *){ NULL }, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        cgroup_free(cg);
}

int main(void)
{
        const struct CMUnitTest plain[] = { cmocka_unit_test(names), cmocka_unit_test(annotations), cmocka_unit_test(no_bus) };
        const struct CMUnitTest fake[] = { cmocka_unit_test(scope_over_the_bus) };
        const struct CMUnitTest real[] = { cmocka_unit_test(real_scope) };
        int failed = cmocka_run_group_tests_name("systemd words", plain, NULL, NULL);
        if (access("/run/systemd/system", F_OK) == 0 && geteuid() == 0)
                failed += cmocka_run_group_tests_name("systemd itself", real, NULL, NULL);
        if (access("/usr/bin/dbus-daemon", X_OK) == 0)
                failed += cmocka_run_group_tests_name("systemd's place on a private bus", fake, set_up, tear_down);
        return failed;
}
