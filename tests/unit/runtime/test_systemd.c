/* The client of systemd. Always: names, messages, and a private bus with a service of ours in systemd's place, which checks what it is
 * asked. Where systemd is the system's manager (/run/systemd/system): a real scope on the system bus. */
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

static char dir[] = "/tmp/tare-systemd-XXXXXX";
static pid_t bus = -1, service = -1;

/* ---- the service in systemd's place ---- */

static void reply(struct dbus *d, const struct dbus_message *m, const char *signature, const struct buf *body)
{
        struct err err = ERR_INIT;
        uint32_t serial;
        struct dbus_call c = { .destination = m->sender, .signature = signature, .body = body };
        if (dbus_send(d, 2, m->serial, &c, &serial, &err) < 0)
                _exit(3);
}

static void reply_error(struct dbus *d, const struct dbus_message *m, const char *name)
{
        struct err err = ERR_INIT;
        uint32_t serial;
        _cleanup_buf_ struct buf b = BUF_INIT(256);
        dbus_add_string(&b, "no");
        struct dbus_call c = { .destination = m->sender, .member = name, .signature = "s", .body = &b };
        if (dbus_send(d, 3, m->serial, &c, &serial, &err) < 0)
                _exit(3);
}

static void job_removed(struct dbus *d, const char *unit, const char *result)
{
        struct err err = ERR_INIT;
        uint32_t serial;
        _cleanup_buf_ struct buf b = BUF_INIT(1024);
        dbus_add_u32(&b, 7);
        dbus_add_string(&b, "/org/freedesktop/systemd1/job/7");
        dbus_add_string(&b, unit);
        dbus_add_string(&b, result);
        struct dbus_call c = { .path = "/org/freedesktop/systemd1", .interface = "org.freedesktop.systemd1.Manager",
                               .member = "JobRemoved", .signature = "uoss", .body = &b };
        if (dbus_send(d, 4, 0, &c, &serial, &err) < 0)
                _exit(3);
}

/* Every call is one line of a file: member, signature, unit, then the body in hex for the test to look into. */
static void log_call(const struct dbus_message *m, const char *unit)
{
        char file[64];
        snprintf(file, sizeof(file), "%s/calls", dir);
        FILE *f = fopen(file, "ae");
        fprintf(f, "%s %s %s ", m->member, m->signature ? m->signature : "-", unit);
        for (size_t i = 0; i < m->body.len; i++)
                fputc(m->body.data[i] >= ' ' && m->body.data[i] < 127 ? m->body.data[i] : '.', f);
        fputc('\n', f);
        fclose(f);
}

static void serve_one(struct dbus *d, const struct dbus_message *m)
{
        struct dbus_reader r = { .data = (const unsigned char *)m->body.data, .len = m->body.len };
        const char *unit = m->signature && m->signature[0] == 's' ? dbus_read_string(&r) : "";
        _cleanup_buf_ struct buf b = BUF_INIT(1024);
        log_call(m, unit);
        if (str_eq(m->member, "Get")) {
                dbus_add_signature(&b, "s");
                dbus_add_string(&b, str_eq(dbus_read_string(&r), "Version") ? "252.1-1" : "/made/up.scope");
                reply(d, m, "v", &b);
        } else if (str_eq(m->member, "StartTransientUnit")) {
                if (str_eq(unit, "tare-there.scope")) {
                        reply_error(d, m, "org.freedesktop.systemd1.UnitExists");
                        return;
                }
                job_removed(d, "another.scope", "failed"); /* of somebody else, and before the answer */
                job_removed(d, unit, str_eq(unit, "tare-bad.scope") ? "failed" : "done");
                dbus_add_string(&b, "/org/freedesktop/systemd1/job/7");
                reply(d, m, "o", &b);
        } else if (str_eq(unit, "tare-gone.scope")) {
                reply_error(d, m, "org.freedesktop.systemd1.NoSuchUnit");
        } else if (str_eq(m->member, "GetUnit")) {
                dbus_add_string(&b, "/org/freedesktop/systemd1/unit/x");
                reply(d, m, "o", &b);
        } else {
                reply(d, m, NULL, NULL);
        }
}

static void serve(const char *address, int ready)
{
        struct err err = ERR_INIT;
        struct dbus d;
        _cleanup_buf_ struct buf b = BUF_INIT(256);
        struct dbus_message m = { 0 };
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dbus_add_string(&b, "org.freedesktop.systemd1");
        dbus_add_u32(&b, 0);
        struct dbus_call own = { "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su", &b };
        if (dbus_open(address, &d, &err) < 0 || dbus_call(&d, &own, NULL, NULL, &m, NULL, &err) < 0)
                _exit(2);
        dbus_message_done(&m);
        close(ready);
        for (;;) {
                dbus_set_timeout(&d, 3600000);
                if (dbus_receive(&d, &m, &err) < 0)
                        _exit(0);
                if (m.type == 1)
                        serve_one(&d, &m);
                dbus_message_done(&m);
        }
}

static int set_up(void **state)
{
        int ends[2], bus_ends[2];
        char address[128], print[32], config[96], c;
        assert_non_null(mkdtemp(dir));
        snprintf(address, sizeof(address), "unix:path=%s/bus", dir);
        snprintf(config, sizeof(config), "%s/conf", dir);
        _cleanup_fclose_ FILE *f = fopen(config, "we");
        fprintf(f, "<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth><policy context=\"default\">"
                   "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow receive_type=\"method_call\"/><allow receive_type=\"method_return\"/><allow receive_type=\"error\"/><allow receive_type=\"signal\"/><allow own=\"*\"/></policy></busconfig>\n", address);
        fflush(f);
        assert_return_code(pipe(bus_ends), errno);
        snprintf(print, sizeof(print), "--print-address=%d", bus_ends[1]);
        bus = fork();
        if (bus == 0) {
                char arg[128];
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                snprintf(arg, sizeof(arg), "--config-file=%s", config);
                execl("/usr/bin/dbus-daemon", "dbus-daemon", "--nofork", arg, print, NULL);
                _exit(127);
        }
        close(bus_ends[1]);
        assert_int_equal(read(bus_ends[0], &c, 1), 1);
        close(bus_ends[0]);
        assert_return_code(pipe(ends), errno);
        service = fork();
        if (service == 0) {
                close(ends[0]);
                serve(address, ends[1]);
        }
        close(ends[1]);
        (void)!read(ends[0], &c, 1);
        close(ends[0]);
        setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
        setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
        return 0;
}

static int tear_down(void **state)
{
        struct err err = ERR_INIT;
        kill(service, SIGKILL);
        kill(bus, SIGKILL);
        waitpid(service, NULL, 0);
        waitpid(bus, NULL, 0);
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
        assert_string_equal(group, "/made/up.scope");
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
