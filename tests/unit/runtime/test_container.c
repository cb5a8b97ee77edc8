#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "harness.h"

static void has(const struct box *b, const char *text)
{
        if (!strstr(b->output, text))
                fail_msg("no \"%s\" in:\n%s", text, b->output);
}

static void has_not(const struct box *b, const char *text)
{
        if (strstr(b->output, text))
                fail_msg("\"%s\" in:\n%s", text, b->output);
}

static void hostname_and_pid(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "hostname; echo $$; pwd; echo oops >&2; exit 7");
        str_replace(&b.spec.hostname, "weigh");
        str_replace(&b.spec.process.cwd, "/made/here");
        box_expect(&b, 7);
        assert_string_equal(b.output, "weigh\n1\n/made/here\noops\n");
}

static void default_mounts(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "cat /proc/mounts; ls /dev; ls -l /dev/ptmx /dev/fd; stat -c '%t:%T %a' /dev/null; echo x > "
                     "/dev/shm/x && echo shm ok;"
                     "touch /sys/x || echo sys ro; echo 1 > /proc/sys/kernel/panic || echo procsys ro; cat "
                     "/proc/timer_list | wc -c; ls /sys/firmware | wc -l");
        box_expect(&b, 0);
        has(&b, "proc /proc proc rw,nosuid,nodev,noexec");
        has(&b, "tmpfs /dev tmpfs rw,nosuid");
        has(&b, "devpts /dev/pts devpts rw,nosuid,noexec");
        has(&b, "sysfs /sys sysfs ro,nosuid,nodev,noexec");
        has(&b, "mqueue /dev/mqueue mqueue");
        has(&b, "pts/ptmx");
        has(&b, "1:3 666");
        has(&b, "shm ok");
        has(&b, "sys ro");
        has(&b, "procsys ro");
        has(&b, "\n0\n0\n"); /* masked file and directory are empty */
        assert_null(strstr(strchr(b.output, '\n'),
                           harness_dir)); /* of the host's mounts only the root's own options tell */
}

static void capabilities_and_seccomp(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp:' /proc/self/status; mount -t tmpfs x /tmp "
                     "|| echo no mount; unshare -U true || echo no userns");
        box_expect(&b, 0);
        has(&b, "CapPrm:\t00000000a80425fb");
        has(&b, "CapEff:\t00000000a80425fb");
        has(&b, "CapBnd:\t00000000a80425fb");
        has(&b, "CapInh:\t0000000000000000");
        has(&b, "CapAmb:\t0000000000000000");
        has(&b, "Seccomp:\t2");
        has(&b, "NoNewPrivs:\t0");
        has(&b, "no mount");
        has(&b, "no userns");
}

static void ordinary_user(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "id; grep -E 'CapEff|CapAmb|NoNewPrivs' /proc/self/status; echo again > /dev/stdout; umask");
        struct oci_process *p = &b.spec.process;
        p->uid = 1234;
        p->gid = 567;
        p->additional_gids = xcalloc(2, sizeof(uint32_t));
        p->additional_gids[0] = 8;
        p->additional_gids[1] = 9;
        p->additional_gid_count = 2;
        p->no_new_privileges = true;
        p->has_umask = true;
        p->umask = 027;
        strv_push(&p->caps.ambient, "CAP_NET_RAW");
        strv_push(&p->caps.inheritable, "CAP_NET_RAW");
        box_expect(&b, 0);
        has(&b, "uid=1234 gid=567 groups=8,9");
        has(&b, "CapEff:\t0000000000002000");
        has(&b, "CapAmb:\t0000000000002000");
        has(&b, "NoNewPrivs:\t1");
        has(&b, "again");
        has(&b, "0027");
}

static void missing_and_forbidden_commands(void **state)
{
        static const struct {
                const char *command;
                enum err_kind kind;
                const char *words;
        } rows[] = {
                { "nonesuch", ERR_NO_COMMAND, "executable file not found in $PATH" },
                { "/nonesuch", ERR_NO_COMMAND, "no such file or directory" },
                { "/etc/passwd", ERR_CANNOT_RUN, "Permission denied" },
                { "/etc", ERR_CANNOT_RUN, "Permission denied" },
                { "/etc/passwd/x", ERR_NO_COMMAND, "" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct err err = ERR_INIT;
                _cleanup_box_ struct box b;
                box_init(&b, "");
                box_args(&b, (const char *[]){ rows[i].command, NULL });
                assert_int_equal(box_run(&b, &err), -1);
                assert_int_equal(err.kind, rows[i].kind);
                assert_non_null(strstr(err.msg, rows[i].words));
        }
}

static void wrong_specs(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_box_ struct box b;
        box_init(&b, "true");
        str_replace(&b.spec.process.cwd, "relative");
        assert_int_equal(box_run(&b, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        str_replace(&b.spec.process.cwd, "/");
        oci_spec_add_mount(&b.spec, "/mnt", "nonesuchfs", "x", NULL);
        assert_int_equal(box_run(&b, &err), -1);
        assert_int_equal(err.kind, ERR_UNSUPPORTED);
        assert_non_null(strstr(err.msg, "mount /mnt"));
}

static void resource_limits(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "ulimit -n; ulimit -c; ulimit -Hu");
        oci_spec_add_rlimit(&b.spec.process, "RLIMIT_NOFILE", 100, 200);
        oci_spec_add_rlimit(&b.spec.process, "RLIMIT_CORE", 0, 0);
        oci_spec_add_rlimit(&b.spec.process, "RLIMIT_NPROC", UINT64_MAX,
                            UINT64_MAX); /* more than we may: as much as we may */
        box_expect(&b, 0);
        assert_int_equal(strncmp(b.output, "100\n0\n", 6), 0);
}

static void groups_hold_and_limit(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        _cleanup_box_ struct box b;
        box_init(&b, "cat /proc/self/cgroup; sleep 0.05; (sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & "
                     "wait) 2>&1; true");
        b.spec.resources.has_pids_limit = true;
        b.spec.resources.pids_limit = 4;
        b.spec.resources.has_memory_limit = true;
        b.spec.resources.memory_limit = 64 << 20;
        b.spec.resources.has_cpu_shares = true;
        b.spec.resources.cpu_shares = 512;
        b.spec.resources.has_cpu_quota = b.spec.resources.has_cpu_period = true;
        b.spec.resources.cpu_quota = 50000;
        b.spec.resources.cpu_period = 100000;
        must(box_create(&b, &r, &err), &err);
        struct cgroup_stats stats;
        assert_int_equal(cgroup_stats(r.c.cgroup, &stats, &err), 0);
        assert_int_equal(stats.pids_limit, 4);
        assert_int_equal(stats.memory_limit, 64 << 20);
        assert_true(stats.pids_current == 1);
        pid_t *pids = NULL;
        size_t count = 0;
        assert_int_equal(cgroup_pids(r.c.cgroup, &pids, &count, &err), 0);
        assert_int_equal(count, 1);
        assert_int_equal(pids[0], r.c.pid);
        free(pids);
        must(runtime_start(&r.c, &err), &err);
        must(box_finish(&b, &r, &err), &err);
        has(&b, "can't fork");
        has(&b, ":/\n");
        has_not(&b, b.id); /* its own group is the root of its cgroup namespace */
        struct cgroup *gone;
        assert_int_equal(cgroup_open(b.spec.cgroups_path, &gone, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void devices_are_refused(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg || echo refused; mknod /tmp/null c 1 3 && echo x > "
                     "/tmp/null && echo null ok");
        box_expect(&b, 0);
        has(&b, "refused");
        has(&b, "null ok");
}

static void links_lead_nowhere_outside(void **state)
{
        char host[300], path[400];
        struct stat st;
        struct err err = ERR_INIT;
        snprintf(host, sizeof(host), "%s/outside", harness_dir);
        assert_return_code(mkdir(host, 0755), errno);
        snprintf(path, sizeof(path), "%s/root/escape", harness_dir);
        assert_return_code(symlink(host, path), errno);
        {
                _cleanup_box_ struct box b;
                box_init(&b, "touch /escape/inside && ls /escape");
                oci_spec_add_mount(&b.spec, "/escape", "tmpfs", "tmpfs", "mode=755");
                _cleanup_free_ char *deep = xasprintf("/escape/../..%s/deep/file", host);
                oci_spec_add_mount(&b.spec, deep, "bind", "/etc/hostname", "bind,ro");
                box_expect(&b, 0);
                has(&b, "inside");
        }
        snprintf(path, sizeof(path), "%s/deep", host);
        assert_int_equal(stat(path, &st), -1);
        snprintf(path, sizeof(path), "%s/inside", host);
        assert_int_equal(stat(path, &st), -1);
        snprintf(path, sizeof(path), "%s/root/escape", harness_dir);
        unlink(path);
        assert_int_equal(tree_remove_at(AT_FDCWD, host, &err), 0);
}

static void proc_on_a_link_is_refused(void **state)
{
        char proc[300], moved[300];
        snprintf(proc, sizeof(proc), "%s/root/proc", harness_dir);
        snprintf(moved, sizeof(moved), "%s/root/proc.away", harness_dir);
        assert_return_code(rename(proc, moved), errno);
        assert_return_code(symlink("/tmp", proc), errno);
        struct err err = ERR_INIT;
        _cleanup_box_ struct box b;
        box_init(&b, "true");
        int r = box_run(&b, &err);
        unlink(proc);
        assert_return_code(rename(moved, proc), errno);
        assert_int_equal(r, -1);
        assert_int_equal(err.kind, ERR_INVALID);
}

static void working_directory_stays_inside(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_close_ int host = open("/", O_RDONLY | O_DIRECTORY); /* inheritable on purpose */
        _cleanup_free_ char *cwd = xasprintf("/proc/self/fd/%d", host);
        _cleanup_box_ struct box b;
        box_init(&b, "pwd; ls -d /proc/self/fd/*");
        str_replace(&b.spec.process.cwd, cwd);
        if (box_run(&b, &err) == 0) { /* or it is there, and empty, as a directory of that name */
                has_not(&b, "/etc");
                has_not(&b, "unreachable");
        }
}

static void no_descriptor_leaks(void **state)
{
        int leaks[20];
        for (size_t i = 0; i < ELEMENTS(leaks); i++)
                leaks[i] = open("/etc/passwd", O_RDONLY);
        _cleanup_box_ struct box b;
        box_init(&b, "");
        box_args(&b, (const char *[]){ "ls", "/proc/self/fd", NULL });
        box_expect(&b, 0);
        for (size_t i = 0; i < ELEMENTS(leaks); i++)
                close(leaks[i]);
        assert_string_equal(b.output, "0\n1\n2\n3\n"); /* 3: ls reading the directory */
}

static void preserved_descriptors(void **state)
{
        int ends[2];
        assert_return_code(pipe2(ends, O_CLOEXEC), 0);
        for (int i = 0; i < 2; i++) /* away from 3 */
                ends[i] = fcntl(ends[i], F_DUPFD_CLOEXEC, 20);
        assert_return_code(dup2(ends[1], 3), 0);
        _cleanup_box_ struct box b;
        box_init(&b, "echo through >&3");
        b.request.preserve_fds = 1;
        box_expect(&b, 0);
        char text[16] = "";
        assert_int_equal(read(ends[0], text, sizeof(text)), 8);
        assert_string_equal(text, "through\n");
        close(3);
        close(ends[0]);
        close(ends[1]);
}

static void own_binary_is_out_of_reach(void **state)
{
        struct err err = ERR_INIT;
        char script[300];
        snprintf(script, sizeof(script), "%s/root/bin/evil", harness_dir);
        assert_int_equal(file_write_at(AT_FDCWD, script, "#!/proc/self/exe\n", 17, 0755, false, &err), 0);
        _cleanup_box_ struct box b;
        box_init(&b, "");
        box_args(&b, (const char *[]){ "/bin/evil", NULL });
        /* Whatever happens, it is the sealed program that runs, which finds no plan for the script and ends. */
        if (box_run(&b, &err) == 0)
                assert_int_not_equal(b.status, 0);
        unlink(script);
        struct running r;
        _cleanup_box_ struct box waiting;
        box_init(&waiting, "true");
        must(box_create(&waiting, &r, &err), &err);
        char path[64], target[256] = "";
        snprintf(path, sizeof(path), "/proc/%d/exe", (int)r.c.pid);
        assert_true(readlink(path, target, sizeof(target) - 1) > 0);
        assert_non_null(strstr(target, "memfd:tare"));
        assert_int_equal(open(path, O_WRONLY), -1);
        must(runtime_start(&r.c, &err), &err);
        must(box_finish(&waiting, &r, &err), &err);
        assert_int_equal(waiting.status, 0);
}

static void nobody_starts_it(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        _cleanup_box_ struct box b;
        box_init(&b, "echo never");
        must(box_create(&b, &r, &err), &err);
        mem_closep(&r.c.start_fd); /* the runtime died */
        must(box_finish(&b, &r, &err), &err);
        assert_int_equal(b.status, 1);
        assert_string_equal(b.output, "");
}

static void killed_and_removed(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        _cleanup_box_ struct box b;
        box_init(&b, "sleep 100 & sleep 100 & echo up; wait");
        must(box_create(&b, &r, &err), &err);
        must(runtime_start(&r.c, &err), &err);
        char text[3];
        assert_int_equal(fd_read_full(r.out, text, 3), 3);
        assert_int_equal(cgroup_freeze(r.c.cgroup, true, &err), 0);
        assert_true(cgroup_frozen(r.c.cgroup));
        assert_int_equal(cgroup_signal(r.c.cgroup, SIGKILL, &err), 0);
        must(box_finish(&b, &r, &err), &err);
        assert_int_equal(b.status, 128 + SIGKILL);
}

static void failing_network_undoes_all(void **state);
static int refuse(void *data, pid_t pid, int netns_fd, struct err *err)
{
        assert_true(netns_fd >= 0 && pid > 0);
        return err_set(err, ERR_UNAVAILABLE, "no network today");
}

static void failing_network_undoes_all(void **state)
{
        struct err err = ERR_INIT;
        struct cgroup *cg;
        struct running r;
        _cleanup_box_ struct box b;
        box_init(&b, "true");
        b.request.on_namespaces = refuse;
        assert_int_equal(box_create(&b, &r, &err), -1);
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        assert_int_equal(cgroup_open(b.spec.cgroups_path, &cg, &err), -1);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void sysctls(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni /proc/sys/kernel/domainname");
        strv_push(&b.spec.sysctl, "net.ipv4.ip_forward=1");
        strv_push(&b.spec.sysctl, "kernel.shmmni=77");
        str_replace(&b.spec.domainname, "scale.example");
        box_expect(&b, 0);
        assert_string_equal(b.output, "1\n77\nscale.example\n");
        _cleanup_box_ struct box bad;
        struct err err = ERR_INIT;
        box_init(&bad, "true");
        strv_push(&bad.spec.sysctl, "net/../../../etc/x=1");
        assert_int_equal(box_run(&bad, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
}

static void read_only_root_and_options(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "touch /x || echo root ro; touch /rw/x && echo rw ok; touch /ro/x || echo ro ok; touch /rro/sub/x "
                     "|| echo rro ok;"
                     "grep -E ' (/ro|/rw|/t) ' /proc/mounts; ls /t; stat -c %a /t");
        b.spec.root_readonly = true;
        _cleanup_free_ char *dir = xasprintf("%s/vol", harness_dir), *sub = xasprintf("%s/vol/sub", harness_dir);
        mkdir(dir, 0755);
        mkdir(sub, 0755);
        char passwd[300];
        snprintf(passwd, sizeof(passwd), "%s/root/t", harness_dir);
        mkdir(passwd, 0751);
        snprintf(passwd, sizeof(passwd), "%s/root/t/kept", harness_dir);
        struct err err = ERR_INIT;
        assert_int_equal(file_write_at(AT_FDCWD, passwd, "x", 1, 0640, false, &err), 0);
        oci_spec_add_mount(&b.spec, "/rw", "bind", dir, "rbind,rw,nosuid,noatime,rprivate");
        oci_spec_add_mount(&b.spec, "/ro", "bind", dir, "bind,ro,noexec");
        oci_spec_add_mount(&b.spec, "/rro", NULL, dir, "rbind,rro");
        oci_spec_add_mount(&b.spec, "/t", "tmpfs", "tmpfs", "tmpcopyup,size=1m,nodev");
        box_expect(&b, 0);
        assert_int_equal(tree_remove_at(AT_FDCWD, dir, &err), 0);
        snprintf(passwd, sizeof(passwd), "%s/root/t", harness_dir);
        assert_int_equal(tree_remove_at(AT_FDCWD, passwd, &err), 0);
        has(&b, "root ro");
        has(&b, "rw ok");
        has(&b, "ro ok");
        has(&b, "rro ok");
        has(&b, " rw,nosuid,noatime");
        has(&b, " ro,noexec");
        has(&b, "kept\n751");
}

static void terminal(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        _cleanup_box_ struct box b;
        box_init(&b, "tty; stty size; test -t 0 && echo is tty; ls -l /dev/console; echo done > /dev/console");
        b.spec.process.terminal = true;
        b.spec.process.console_height = 33;
        b.spec.process.console_width = 101;
        must(box_create(&b, &r, &err), &err);
        assert_true(r.c.console_fd >= 0);
        must(runtime_start(&r.c, &err), &err);
        must(box_finish(&b, &r, &err), &err);
        assert_int_equal(b.status, 0);
        has(&b, "/dev/pts/0");
        has(&b, "33 101");
        has(&b, "is tty");
        has(&b, "136,   0");
        has(&b, "done");
}

static void exec_into(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        char text[4096];
        _cleanup_box_ struct box b;
        box_init(&b, "echo up; sleep 100");
        str_replace(&b.spec.hostname, "host1");
        must(box_create(&b, &r, &err), &err);
        must(runtime_start(&r.c, &err), &err);
        assert_int_equal(fd_read_full(r.out, text, 3), 3);
        int status = box_exec(&b, &r,
                              "hostname; ls -d /proc/1 /root /bin; grep -E 'CapEff|Seccomp:' /proc/self/status; cat "
                              "/proc/self/cgroup; exit 9",
                              text, sizeof(text), &err);
        if (status < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(status, 9);
        assert_non_null(strstr(text, "host1\n"));
        assert_non_null(strstr(text, "CapEff:\t00000000a80425fb"));
        assert_non_null(strstr(text, "Seccomp:\t2"));
        assert_null(strstr(text, "tare-test"));
        b.spec.process.terminal = true;
        assert_int_equal(box_exec(&b, &r, "tty; test -t 1 && echo yes", text, sizeof(text), &err), 0);
        assert_non_null(strstr(text, "/dev/pts/0"));
        b.spec.process.terminal = false;
        str_replace(&b.spec.process.cwd, "/nonesuch");
        assert_int_equal(box_exec(&b, &r, "true", text, sizeof(text), &err), -1);
        assert_int_equal(err.kind, ERR_CANNOT_RUN);
        str_replace(&b.spec.process.cwd, "/");
        err_clear(&err);
        assert_int_equal(cgroup_freeze(r.c.cgroup, true, &err), 0);
        assert_int_equal(box_exec(&b, &r, "true", text, sizeof(text), &err), -1);
        assert_int_equal(err.kind, ERR_CONFLICT);
        err_clear(&err);
        assert_int_equal(cgroup_freeze(r.c.cgroup, false, &err), 0);
        kill(r.c.pid, SIGKILL);
        must(box_finish(&b, &r, &err), &err);
        r.c.pid = 1; /* runs, and has another start time */
        assert_int_equal(box_exec(&b, &r, "true", text, sizeof(text), &err), -1);
        assert_int_equal(err.kind, ERR_CONFLICT);
}

static void mapped_user(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "id -u; cat /proc/self/uid_map; ls -ln / | grep etc; stat -c '%t:%T' /dev/null; echo x > "
                     "/dev/null && echo dev ok; touch /new && stat -c %u /new;"
                     "test -w /proc/sysrq-trigger || echo sysrq");
        b.spec.namespaces[OCI_NS_USER].wanted = true;
        b.spec.uid_maps = xcalloc(1, sizeof(struct oci_id_map));
        b.spec.gid_maps = xcalloc(1, sizeof(struct oci_id_map));
        b.spec.uid_maps[0] = b.spec.gid_maps[0] = (struct oci_id_map){ 0, 100000, 65536 };
        b.spec.uid_map_count = b.spec.gid_map_count = 1;
        char upper[300];
        snprintf(upper, sizeof(upper), "%s/%s/upper", harness_dir, b.id);
        assert_return_code(chown(upper, 100000, 100000), errno);
        struct running r;
        struct err err = ERR_INIT;
        strv_push(&b.rootfs.options, "idmap");
        bool mapped = box_create(&b, &r, &err) == 0;
        if (mapped) {
                must(runtime_start(&r.c, &err), &err);
                must(box_finish(&b, &r, &err), &err);
                has(&b, " 0        0 "); /* files of the image belong to root inside */
        } else {
                assert_int_equal(err.kind, ERR_UNSUPPORTED); /* by older kernels */
                free(b.rootfs.options[strv_len(b.rootfs.options) - 1]);
                b.rootfs.options[strv_len(b.rootfs.options) - 1] = NULL;
                box_expect(&b, 0);
        }
        has(&b, "0\n");
        has(&b, "0     100000      65536");
        has(&b, "1:3");
        has(&b, "dev ok");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hostname_and_pid),
                cmocka_unit_test(default_mounts),
                cmocka_unit_test(capabilities_and_seccomp),
                cmocka_unit_test(ordinary_user),
                cmocka_unit_test(missing_and_forbidden_commands),
                cmocka_unit_test(wrong_specs),
                cmocka_unit_test(resource_limits),
                cmocka_unit_test(groups_hold_and_limit),
                cmocka_unit_test(devices_are_refused),
                cmocka_unit_test(links_lead_nowhere_outside),
                cmocka_unit_test(proc_on_a_link_is_refused),
                cmocka_unit_test(working_directory_stays_inside),
                cmocka_unit_test(no_descriptor_leaks),
                cmocka_unit_test(preserved_descriptors),
                cmocka_unit_test(own_binary_is_out_of_reach),
                cmocka_unit_test(nobody_starts_it),
                cmocka_unit_test(killed_and_removed),
                cmocka_unit_test(failing_network_undoes_all),
                cmocka_unit_test(sysctls),
                cmocka_unit_test(read_only_root_and_options),
                cmocka_unit_test(terminal),
                cmocka_unit_test(exec_into),
                cmocka_unit_test(mapped_user),
        };
        if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0) {
                fprintf(stderr, "needs root and /bin/busybox\n");
                return 77; /* meson: skipped */
        }
        return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
