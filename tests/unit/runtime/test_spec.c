/* runtime-spec 1.2 config.md and config-linux.md by their effects inside: process, namespaces, hooks, kernel parameters. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "base/str.h"
#include "harness.h"

/* ---- process ---- */

static json_t *json(const char *text)
{
        json_t *j = json_loads(text, 0, NULL);
        assert_non_null(j);
        return j;
}

static void scheduler_and_io_priority(void **state)
{
        static const struct {
                const char *scheduler, *io, *seen, *io_seen;
        } rows[] = {
                { "{\"policy\":\"SCHED_BATCH\",\"nice\":5}", "{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":6}",
                  "policy 3 nice 5 priority 0 flags 0", "class 2 level 6" },
                { "{\"policy\":\"SCHED_IDLE\"}", "{\"class\":\"IOPRIO_CLASS_IDLE\",\"priority\":0}",
                  "policy 5 nice 0 priority 0 flags 0", "class 3 level 0" },
                { "{\"policy\":\"SCHED_OTHER\",\"nice\":7,\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\"]}",
                  "{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":0}", "policy 0 nice", "class 2 level 0" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_box_ struct box b;
                box_init(&b, "exec probe scheduler");
                b.spec.process.scheduler = json(rows[i].scheduler);
                box_expect(&b, 0);
                box_has(&b, rows[i].seen);
                _cleanup_box_ struct box c;
                box_init(&c, "probe ioprio");
                c.spec.process.io_priority = json(rows[i].io);
                box_expect(&c, 0);
                box_has(&c, rows[i].io_seen);
        }
}

static void wrong_priorities(void **state)
{
        static const struct {
                bool io;
                const char *text, *words;
        } rows[] = {
                { false, "{}", "scheduler.policy: missing" },
                { false, "{\"policy\":\"SCHED_X\"}", "scheduler.policy: \"SCHED_X\" is unknown" },
                { false, "{\"policy\":\"SCHED_OTHER\",\"nice\":20}", "scheduler.nice" },
                { false, "{\"policy\":\"SCHED_OTHER\",\"nice\":\"1\"}", "scheduler.nice" },
                { false, "{\"policy\":\"SCHED_OTHER\",\"flags\":[\"x\"]}", "scheduler.flags" },
                { true, "{\"priority\":1}", "ioPriority.class" },
                { true, "{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}", "ioPriority.priority" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_box_ struct box b;
                box_init(&b, "true");
                *(rows[i].io ? &b.spec.process.io_priority : &b.spec.process.scheduler) = json(rows[i].text);
                box_refused(&b, ERR_INVALID, rows[i].words);
        }
}

static void limits_are_known_and_single(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "ulimit -s; ulimit -l");
        oci_spec_add_rlimit(&b.spec.process, "RLIMIT_STACK", 1 << 20, 2 << 20);
        oci_spec_add_rlimit(&b.spec.process, "RLIMIT_MEMLOCK", 16 << 10, 32 << 10);
        box_expect(&b, 0);
        assert_string_equal(b.output, "1024\n16\n");
        struct oci_process *p = &b.spec.process;
        str_replace(&p->rlimits[1].type, "RLIMIT_STACK");
        box_refused(&b, ERR_INVALID, "process.rlimits[1]: RLIMIT_STACK is there twice");
        str_replace(&p->rlimits[1].type, "RLIMIT_NONSENSE");
        box_refused(&b, ERR_INVALID, "process.rlimits[1]: RLIMIT_NONSENSE is unknown");
        str_replace(&p->rlimits[1].type, "RLIMIT_CORE");
        p->rlimits[1].soft = p->rlimits[1].hard + 1;
        box_refused(&b, ERR_INVALID, "soft limit above the hard one");
}

static void user_and_oom_score(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "id; umask; cat /proc/self/oom_score_adj");
        struct oci_process *p = &b.spec.process;
        p->uid = 1000;
        p->gid = 2000;
        p->additional_gids = xcalloc(2, sizeof(uint32_t));
        p->additional_gids[0] = 44;
        p->additional_gids[1] = 3000000000u;
        p->additional_gid_count = 2;
        p->has_umask = true;
        p->umask = 077;
        p->has_oom_score_adj = true;
        p->oom_score_adj = 321;
        box_expect(&b, 0);
        box_has(&b, "uid=1000 gid=2000 groups=44,3000000000");
        box_has(&b, "0077\n321\n");
}

static void personality(void **state)
{
        _cleanup_box_ struct box b, c;
        box_init(&b, "probe call 135 0xffffffff; uname -m"); /* personality(2) */
        str_replace(&b.spec.personality_domain, "LINUX32");
        box_expect(&b, 0);
        box_has(&b, "result 8\n");
        box_has_not(&b, "64");
        box_init(&c, "probe call 135 0xffffffff");
        str_replace(&c.spec.personality_domain, "LINUX");
        box_expect(&c, 0);
        box_has(&c, "result 0\n");
}

static void exec_affinity(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        char text[256];
        _cleanup_box_ struct box b;
        box_init(&b, "probe affinity; echo up; sleep 100");
        cpu_set_t all;
        assert_return_code(sched_getaffinity(0, sizeof(all), &all), errno);
        if (!CPU_ISSET(0, &all) || !CPU_ISSET(1, &all))
                skip();
        b.spec.process.exec_cpu_affinity = json("{\"initial\":\"0\",\"final\":\"1\"}");
        assert_int_equal(box_create(&b, &r, &err), 0);
        assert_int_equal(runtime_start(&r.c, &err), 0);
        memset(text, 0, sizeof(text));
        assert_true(read(r.out, text, sizeof(text) - 1) > 0);
        assert_non_null(strstr(text, "cpu0 cpu1")); /* the container's own process is not meant */
        assert_int_equal(box_exec(&b, &r, "probe affinity", text, sizeof(text), &err), 0);
        assert_string_equal(text, "cpu1 \n");
        json_decref(b.spec.process.exec_cpu_affinity);
        b.spec.process.exec_cpu_affinity = json("{\"initial\":\"0\"}");
        assert_int_equal(box_exec(&b, &r, "probe affinity", text, sizeof(text), &err), 0);
        assert_string_equal(text, "cpu0 \n");
        static const char *const bad[] = { "x", "1-", "3-1", "0-99999", "-1", "1;2" };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                json_object_set_new(b.spec.process.exec_cpu_affinity, "final", json_string(bad[i]));
                err_clear(&err);
                assert_int_equal(box_exec(&b, &r, "true", text, sizeof(text), &err), -1);
                assert_int_equal(err.kind, ERR_INVALID);
                assert_non_null(strstr(err.msg, "execCPUAffinity.final"));
        }
        kill(r.c.pid, SIGKILL);
        assert_int_equal(box_finish(&b, &r, &err), 0);
}

/* ---- namespaces ---- */

/* The holder's part. A pid namespace lives by its first process, so that one is made too. */
__attribute__((noreturn)) static void hold_namespaces(int sock)
{
        const int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWPID | 0x80;
        char byte;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWUSER) < 0 || write(sock, "u", 1) != 1 || read(sock, &byte, 1) != 1)
                _exit(1);
        if (setresuid(0, 0, 0) < 0 || unshare(flags) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                _exit(2);
        if (fork() == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)!write(sock, "x", 1);
        }
        for (;;)
                pause();
}

/* A process in namespaces of its own, all eight; they live as long as it. */
static pid_t make_namespaces(void)
{
        struct err err = ERR_INIT;
        char byte, path[64];
        int sv[2];
        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), errno);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                close(sv[0]);
                hold_namespaces(sv[1]);
        }
        close(sv[1]);
        assert_int_equal(read(sv[0], &byte, 1), 1);
        snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
        assert_int_equal(file_poke_at(AT_FDCWD, path, "0 0 65536", &err), 0);
        snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
        assert_int_equal(file_poke_at(AT_FDCWD, path, "0 0 65536", &err), 0);
        assert_int_equal(write(sv[0], "m", 1), 1);
        assert_int_equal(read(sv[0], &byte, 1), 1);
        close(sv[0]);
        return pid;
}

static void end_namespaces(pid_t pid)
{
        kill(pid, SIGKILL); /* its child goes with it */
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

static const char *const files[OCI_NS_KINDS] = {
        [OCI_NS_PID] = "pid_for_children", [OCI_NS_NETWORK] = "net", [OCI_NS_MOUNT] = "mnt",
        [OCI_NS_IPC] = "ipc",              [OCI_NS_UTS] = "uts",     [OCI_NS_USER] = "user",
        [OCI_NS_CGROUP] = "cgroup",        [OCI_NS_TIME] = "time_for_children",
};
static const char *const own_files[OCI_NS_KINDS] = { "pid", "net", "mnt", "ipc", "uts", "user", "cgroup", "time" };

static void joins(pid_t pid, const enum oci_namespace_kind *kinds, size_t count)
{
        _cleanup_box_ struct box b;
        box_init(&b, "for i in pid net mnt ipc uts user cgroup time; do readlink /proc/self/ns/$i; done");
        for (size_t i = 0; i < count; i++) {
                b.spec.namespaces[kinds[i]].wanted = true;
                b.spec.namespaces[kinds[i]].path = xasprintf("/proc/%d/ns/%s", (int)pid, files[kinds[i]]);
        }
        box_expect(&b, 0);
        for (size_t i = 0; i < count; i++) {
                char path[64], target[64] = "";
                snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, files[kinds[i]]);
                assert_true(readlink(path, target, sizeof(target) - 1) > 0);
                box_has(&b, target);
        }
        for (int kind = 0; kind < OCI_NS_KINDS; kind++) { /* and new or inherited is what was not named */
                char path[64], target[64] = "";
                snprintf(path, sizeof(path), "/proc/self/ns/%s", own_files[kind]);
                assert_true(readlink(path, target, sizeof(target) - 1) > 0);
                if (b.spec.namespaces[kind].wanted)
                        box_has_not(&b, target);
                else
                        box_has(&b, target);
        }
}

static void each_namespace_by_path(void **state)
{
        static const enum oci_namespace_kind alone[] = { OCI_NS_PID, OCI_NS_NETWORK, OCI_NS_MOUNT, OCI_NS_IPC,
                                                         OCI_NS_UTS, OCI_NS_CGROUP,  OCI_NS_TIME };
        pid_t pid = make_namespaces();
        for (size_t i = 0; i < ELEMENTS(alone); i++)
                joins(pid, &alone[i], 1);
        end_namespaces(pid);
}

static void user_namespace_by_path(void **state)
{
        static const enum oci_namespace_kind kinds[] = { OCI_NS_USER, OCI_NS_PID, OCI_NS_NETWORK, OCI_NS_IPC,
                                                         OCI_NS_UTS, OCI_NS_CGROUP, OCI_NS_TIME };
        pid_t pid = make_namespaces();
        joins(pid, kinds, 1);
        joins(pid, kinds, ELEMENTS(kinds));
        end_namespaces(pid);
}

static void a_path_of_another_kind(void **state)
{
        static const char *const names[] = { "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time" };
        for (int kind = 0; kind < OCI_NS_KINDS; kind++) {
                _cleanup_box_ struct box b;
                box_init(&b, "true");
                b.spec.namespaces[kind].wanted = true;
                b.spec.namespaces[kind].path =
                        xasprintf("/proc/self/ns/%s", own_files[(kind + 1) % OCI_NS_KINDS]);
                char words[64];
                snprintf(words, sizeof(words), "is no %s namespace", names[kind]);
                box_refused(&b, ERR_INVALID, words);
                str_replace(&b.spec.namespaces[kind].path, "/dev/null");
                box_refused(&b, ERR_INVALID, words);
                str_replace(&b.spec.namespaces[kind].path, "proc/self/ns/net");
                box_refused(&b, ERR_INVALID, "must be absolute");
        }
}

static void names_need_their_namespace(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "hostname; cat /proc/sys/kernel/domainname");
        str_replace(&b.spec.hostname, "a-host");
        str_replace(&b.spec.domainname, "a.domain");
        box_expect(&b, 0);
        assert_string_equal(b.output, "a-host\na.domain\n");
        b.spec.namespaces[OCI_NS_UTS].wanted = false;
        box_refused(&b, ERR_INVALID, "hostname: needs a uts namespace");
        str_replace(&b.spec.hostname, NULL);
        box_refused(&b, ERR_INVALID, "domainname: needs a uts namespace");
}

static void time_offsets(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "cat /proc/uptime; cat /proc/self/timens_offsets");
        b.spec.has_monotonic_offset = b.spec.has_boottime_offset = true;
        b.spec.monotonic_secs = 4000000;
        b.spec.monotonic_nsecs = 7;
        b.spec.boottime_secs = 2000000000;
        box_refused(&b, ERR_INVALID, "linux.timeOffsets: needs a time namespace");
        b.spec.namespaces[OCI_NS_TIME].wanted = true;
        b.spec.monotonic_nsecs = 1000000000;
        box_refused(&b, ERR_INVALID, "linux.timeOffsets.monotonic.nanosecs");
        b.spec.monotonic_nsecs = 7;
        box_expect(&b, 0);
        assert_true(strtoull(b.output, NULL, 10) >= 2000000000);
        box_has(&b, "4000000         7");
}

/* ---- kernel parameters ---- */

static void sysctl_stays_inside(void **state)
{
        static const struct {
                const char *entry;
                enum oci_namespace_kind without;
                const char *words;
        } rows[] = {
                { "kernel.panic=1", OCI_NS_KINDS, "belongs to no namespace" },
                { "vm.swappiness=1", OCI_NS_KINDS, "belongs to no namespace" },
                { "kernel.core_pattern=|/x", OCI_NS_KINDS, "belongs to no namespace" },
                { "kernel/core_pattern=|/x", OCI_NS_KINDS, "belongs to no namespace" },
                { "kernel.hostname=x", OCI_NS_KINDS, "set by the field \"hostname\"" },
                { "/net/x=1", OCI_NS_KINDS, "linux.sysctl" },
                { "net.ipv4.ip_forward=1", OCI_NS_NETWORK, "needs a network namespace" },
                { "kernel.shmmni=1", OCI_NS_IPC, "needs a ipc namespace" },
                { "fs.mqueue.msg_max=1", OCI_NS_IPC, "needs a ipc namespace" },
                { "kernel.domainname=x", OCI_NS_UTS, "needs a uts namespace" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_box_ struct box b;
                box_init(&b, "true");
                strv_push(&b.spec.sysctl, rows[i].entry);
                if (rows[i].without < OCI_NS_KINDS)
                        b.spec.namespaces[rows[i].without].wanted = false;
                box_refused(&b, ERR_INVALID, rows[i].words);
                if (rows[i].without >= OCI_NS_KINDS)
                        continue;
                b.spec.namespaces[rows[i].without].wanted = true; /* joined from ourselves is no better */
                b.spec.namespaces[rows[i].without].path = xasprintf("/proc/self/ns/%s", own_files[rows[i].without]);
                box_refused(&b, ERR_INVALID, rows[i].words);
        }
        _cleanup_box_ struct box b;
        box_init(&b, "cd /proc/sys; cat net/ipv4/conf/lo/forwarding kernel/msgmax fs/mqueue/msg_max kernel/domainname");
        strv_push(&b.spec.sysctl, "net/ipv4/conf/lo/forwarding=1");
        strv_push(&b.spec.sysctl, "kernel.msgmax=4321");
        strv_push(&b.spec.sysctl, "fs.mqueue.msg_max=12");
        strv_push(&b.spec.sysctl, "kernel.domainname=some.where");
        box_expect(&b, 0);
        assert_string_equal(b.output, "1\n4321\n12\nsome.where\n");
}

/* ---- hooks ---- */

static struct oci_hook *hook_add(struct box *b, enum oci_hook_kind kind, const char *script)
{
        struct oci_hooks *h = &b->spec.hooks[kind];
        h->list = xreallocarray(h->list, h->count + 1, sizeof(*h->list));
        struct oci_hook *hook = &h->list[h->count++];
        *hook = (struct oci_hook){ .path = xstrdup("/bin/sh") };
        strv_push(&hook->args, "sh");
        strv_push(&hook->args, "-c");
        strv_push(&hook->args, script);
        return hook;
}

static void hooks_see_their_namespaces(void **state)
{
        struct err err = ERR_INIT;
        static const enum oci_hook_kind kinds[] = { OCI_HOOK_PRESTART, OCI_HOOK_CREATE_RUNTIME,
                                                    OCI_HOOK_CREATE_CONTAINER };
        _cleanup_box_ struct box b;
        box_init(&b, "cat /hook; readlink /proc/self/ns/mnt");
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                _cleanup_free_ char *script = xasprintf(
                        "echo $WORD; readlink /proc/self/ns/mnt; test -e %s/root && echo host) > %s/hook-%zu; (true",
                        harness_dir, harness_dir, i);
                _cleanup_free_ char *whole = xasprintf("(%s)", script);
                struct oci_hook *h = hook_add(&b, kinds[i], whole);
                strv_push(&h->env, "PATH=/bin:/usr/bin");
                strv_push(&h->env, "WORD=from-env");
        }
        hook_add(&b, OCI_HOOK_START_CONTAINER,
                 "(/bin/readlink /proc/self/ns/mnt; /bin/ls /bin/probe; /bin/cat) > /hook");
        strv_push(&b.spec.annotations, "a.key=a value");
        box_expect(&b, 0);
        char own[64] = "";
        assert_true(readlink("/proc/self/ns/mnt", own, sizeof(own) - 1) > 0);
        box_has_not(&b, own);
        box_has(&b, "/bin/probe");
        box_has(&b, "\"status\":\"created\"");
        box_has(&b, "\"annotations\":{\"a.key\":\"a value\"}");
        char *first = strstr(b.output, "mnt:["), *second = first ? strstr(first + 1, "mnt:[") : NULL;
        assert_non_null(second); /* startContainer and the command are in the same one */
        assert_memory_equal(first, second, strcspn(first, "\n"));
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                _cleanup_buf_ struct buf text = BUF_INIT(1000);
                _cleanup_free_ char *path = xasprintf("%s/hook-%zu", harness_dir, i);
                assert_int_equal(file_read_at(AT_FDCWD, path, &text, &err), 0);
                unlink(path);
                assert_non_null(strstr(text.data, "from-env\n"));
                assert_non_null(strstr(text.data, "host\n")); /* paths are the runtime's */
                /* createContainer runs in the container's mount namespace, the others in ours */
                bool ours = strstr(text.data, own) != NULL, inside = memmem(text.data, text.len, first, strcspn(first, "\n"));
                assert_int_equal(ours, kinds[i] != OCI_HOOK_CREATE_CONTAINER);
                assert_int_equal(inside, kinds[i] == OCI_HOOK_CREATE_CONTAINER);
        }
}

static void failing_hooks(void **state)
{
        static const enum oci_hook_kind kinds[] = { OCI_HOOK_PRESTART, OCI_HOOK_CREATE_RUNTIME,
                                                    OCI_HOOK_CREATE_CONTAINER, OCI_HOOK_START_CONTAINER };
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                {
                        _cleanup_box_ struct box b;
                        box_init(&b, "true");
                        hook_add(&b, kinds[i], "exit 3");
                        box_refused(&b, ERR_SYSTEM, "hook /bin/sh: exited with 3");
                }
                {
                        _cleanup_box_ struct box b;
                        box_init(&b, "true");
                        hook_add(&b, kinds[i], "exec /bin/sleep 50")->timeout = 1;
                        box_refused(&b, ERR_TIMEOUT, "did not end within 1 s");
                }
                {
                        _cleanup_box_ struct box b;
                        box_init(&b, "true");
                        str_replace(&hook_add(&b, kinds[i], "x")->path, "/nonesuch/hook");
                        struct err err = ERR_INIT;
                        assert_int_equal(box_run(&b, &err), -1);
                        assert_non_null(strstr(err.msg, "/nonesuch/hook"));
                }
                assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left */
        }
}

static void late_hooks(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_box_ struct box b;
        box_init(&b, "true");
        _cleanup_free_ char *file = xasprintf("%s/late", harness_dir), *script = xasprintf("cat > %s", file);
        hook_add(&b, OCI_HOOK_POSTSTOP, "exit 1");
        hook_add(&b, OCI_HOOK_POSTSTOP, script);
        strv_push(&b.spec.hooks[OCI_HOOK_POSTSTOP].list[1].env, "PATH=/bin:/usr/bin");
        assert_int_equal(runtime_hooks(&b.spec, OCI_HOOK_POSTSTOP, b.id, "/b", 0, "stopped", &err), -1);
        _cleanup_buf_ struct buf text = BUF_INIT(1000);
        struct err other = ERR_INIT;
        assert_int_equal(file_read_at(AT_FDCWD, file, &text, &other), 0); /* the second ran all the same */
        assert_non_null(strstr(text.data, "\"status\":\"stopped\""));
        assert_null(strstr(text.data, "\"pid\""));
        unlink(file);
}

/* ---- what is not there ---- */

static void absent_facilities(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "true");
        b.spec.intel_rdt = json("{\"closID\":\"x\"}");
        box_refused(&b, ERR_UNSUPPORTED, "linux.intelRdt: no resctrl file system is mounted");
        json_decref(b.spec.intel_rdt);
        b.spec.intel_rdt = NULL;
        if (access("/sys/fs/selinux/enforce", F_OK) < 0) {
                str_replace(&b.spec.process.selinux_label, "system_u:system_r:x_t:s0");
                box_refused(&b, ERR_UNSUPPORTED, "process.selinuxLabel: SELinux is not enabled");
                str_replace(&b.spec.process.selinux_label, NULL);
                str_replace(&b.spec.mount_label, "system_u:object_r:x_t:s0");
                box_refused(&b, ERR_UNSUPPORTED, "linux.mountLabel: SELinux is not enabled");
                str_replace(&b.spec.mount_label, NULL);
        }
        if (access("/sys/kernel/security/apparmor", F_OK) < 0) {
                str_replace(&b.spec.process.apparmor_profile, "some-profile");
                box_refused(&b, ERR_UNSUPPORTED, "process.apparmorProfile: AppArmor is not enabled");
                str_replace(&b.spec.process.apparmor_profile, "unconfined");
        }
        box_expect(&b, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(scheduler_and_io_priority), cmocka_unit_test(wrong_priorities),
                cmocka_unit_test(limits_are_known_and_single), cmocka_unit_test(user_and_oom_score),
                cmocka_unit_test(personality),               cmocka_unit_test(exec_affinity),
                cmocka_unit_test(each_namespace_by_path),    cmocka_unit_test(user_namespace_by_path),
                cmocka_unit_test(a_path_of_another_kind),    cmocka_unit_test(names_need_their_namespace),
                cmocka_unit_test(time_offsets),              cmocka_unit_test(sysctl_stays_inside),
                cmocka_unit_test(hooks_see_their_namespaces), cmocka_unit_test(failing_hooks),
                cmocka_unit_test(late_hooks),                cmocka_unit_test(absent_facilities),
        };
        return harness_main(tests, ELEMENTS(tests));
}
