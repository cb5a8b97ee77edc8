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
        box_init(&b, "cat /proc/mounts; ls /dev; ls -l /dev/ptmx /dev/fd; stat -c '%t:%T %a' /dev/null; echo x > /dev/shm/x && echo shm ok;"
                     "touch /sys/x || echo sys ro; echo 1 > /proc/sys/kernel/panic || echo procsys ro; cat /proc/timer_list | wc -c; ls /sys/firmware | wc -l");
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
        has(&b, "\n0\n0\n");             /* masked file and directory are empty */
        assert_null(strstr(strchr(b.output, '\n'), harness_dir)); /* of the host's mounts only the root's own options tell */
}

static void capabilities_and_seccomp(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp:' /proc/self/status; mount -t tmpfs x /tmp || echo no mount; unshare -U true || echo no userns");
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
        static const struct { const char *command; enum err_kind kind; const char *words; } rows[] = {
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
        oci_spec_add_rlimit(&b.spec.process, "RLIMIT_NPROC", UINT64_MAX, UINT64_MAX); /* more than we may: as much as we may */
        box_expect(&b, 0);
        assert_int_equal(strncmp(b.output, "100\n0\n", 6), 0);
}

static void groups_hold_and_limit(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        _cleanup_box_ struct box b;
        box_init(&b, "cat /proc/self/cgroup; sleep 0.05; (sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait) 2>&1; true");
        b.spec.resources.has_pids_limit = true;
        b.spec.resources.pids_limit = 4;
        b.spec.resources.has_memory_limit = true;
        b.spec.resources.memory_limit = 64 << 20;
        b.spec.resources.has_cpu_shares = true;
        b.spec.resources.cpu_shares = 512;
        b.spec.resources.has_cpu_quota = b.spec.resources.has_cpu_period = true;
        b.spec.resources.cpu_quota = 50000;
        b.spec.resources.cpu_period = 100000;
        assert_int_equal(box_create(&b, &r, &err), 0);
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
        assert_int_equal(runtime_start(&r.c, &err), 0);
        assert_int_equal(box_finish(&b, &r, &err), 0);
        has(&b, "can't fork");
        has(&b, ":/\n");
        has_not(&b, b.id);              /* its own group is the root of its cgroup namespace */
        struct cgroup *gone;
        assert_int_equal(cgroup_open(b.spec.cgroups_path, &gone, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void devices_are_refused(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg || echo refused; mknod /tmp/null c 1 3 && echo x > /tmp/null && echo null ok");
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
        assert_int_equal(box_create(&waiting, &r, &err), 0);
        char path[64], target[256] = "";
        snprintf(path, sizeof(path), "/proc/%d/exe", (int)r.c.pid);
        assert_true(readlink(path, target, sizeof(target) - 1) > 0);
        assert_non_null(strstr(target, "memfd:tare"));
        assert_int_equal(open(path, O_WRONLY), -1);
        assert_int_equal(runtime_start(&r.c, &err), 0);
        assert_int_equal(box_finish(&waiting, &r, &err), 0);
        assert_int_equal(waiting.status, 0);
}

static void nobody_starts_it(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        _cleanup_box_ struct box b;
        box_init(&b, "echo never");
        assert_int_equal(box_create(&b, &r, &err), 0);
        mem_closep(&r.c.start_fd);      /* the runtime died */
        assert_int_equal(box_finish(&b, &r, &err), 0);
        assert_int_equal(b.status, 1);
        assert_string_equal(b.output, "");
}

static void killed_and_removed(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        _cleanup_box_ struct box b;
        box_init(&b, "sleep 100 & sleep 100 & echo up; wait");
        assert_int_equal(box_create(&b, &r, &err), 0);
        assert_int_equal(runtime_start(&r.c, &err), 0);
        char text[3];
        assert_int_equal(fd_read_full(r.out, text, 3), 3);
        assert_int_equal(cgroup_freeze(r.c.cgroup, true, &err), 0);
        assert_true(cgroup_frozen(r.c.cgroup));
        assert_int_equal(cgroup_signal(r.c.cgroup, SIGKILL, &err), 0);
        assert_int_equal(box_finish(&b, &r, &err), 0);
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
        box_init(&b, "touch /x || echo root ro; touch /rw/x && echo rw ok; touch /ro/x || echo ro ok; touch /rro/sub/x || echo rro ok;"
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
        assert_int_equal(box_create(&b, &r, &err), 0);
        assert_true(r.c.console_fd >= 0);
        assert_int_equal(runtime_start(&r.c, &err), 0);
        assert_int_equal(box_finish(&b, &r, &err), 0);
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
        assert_int_equal(box_create(&b, &r, &err), 0);
        assert_int_equal(runtime_start(&r.c, &err), 0);
        assert_int_equal(fd_read_full(r.out, text, 3), 3);
        int status = box_exec(&b, &r, "hostname; ls -d /proc/1 /root /bin; grep -E 'CapEff|Seccomp:' /proc/self/status; cat /proc/self/cgroup; exit 9", text, sizeof(text), &err);
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
        assert_int_equal(box_finish(&b, &r, &err), 0);
        r.c.pid = 1; /* runs, and has another start time */
        assert_int_equal(box_exec(&b, &r, "true", text, sizeof(text), &err), -1);
        assert_int_equal(err.kind, ERR_CONFLICT);
}

static void mapped_user(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "id -u; cat /proc/self/uid_map; ls -ln / | grep etc; stat -c '%t:%T' /dev/null; echo x > /dev/null && echo dev ok; touch /new && stat -c %u /new;"
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
                assert_int_equal(runtime_start(&r.c, &err), 0);
                assert_int_equal(box_finish(&b, &r, &err), 0);
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

/* Nobody's privileges: a user namespace with one id, devices bound in, no groups. */
static int run_rootless(struct box *b)
{
        struct err err = ERR_INIT;
        struct running r;
        if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
                return 98;
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* as a program that this user started would be */
        if (box_create(b, &r, &err) < 0 || runtime_start(&r.c, &err) < 0 || box_finish(b, &r, &err) < 0) {
                fprintf(stderr, "%s\n", err.msg);
                return 99;
        }
        fputs(b->output, stderr);
        static const char *const wanted[] = { "uid=0(root) gid=0", "0      65534          1", "dev ok", "CapEff:\t00000000a80425fb", "proc /proc" };
        for (size_t i = 0; i < ELEMENTS(wanted); i++)
                if (!strstr(b->output, wanted[i]))
                        return 10 + (int)i;
        return b->status;
}

static void rootless(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "id; cat /proc/self/uid_map; echo x > /dev/null && echo dev ok; grep CapEff /proc/self/status; grep ' /proc ' /proc/mounts; hostname none && hostname");
        b.spec.namespaces[OCI_NS_USER].wanted = true;
        b.spec.uid_maps = xcalloc(1, sizeof(struct oci_id_map));
        b.spec.gid_maps = xcalloc(1, sizeof(struct oci_id_map));
        b.spec.uid_maps[0] = b.spec.gid_maps[0] = (struct oci_id_map){ 0, 65534, 1 };
        b.spec.uid_map_count = b.spec.gid_map_count = 1;
        strv_push(&b.rootfs.options, "userxattr");
        for (size_t i = 0; i < b.spec.mount_count; i++) /* no id 5 here */
                if (str_eq(b.spec.mounts[i].destination, "/dev/pts")) {
                        free(b.spec.mounts[i].options[strv_len(b.spec.mounts[i].options) - 1]);
                        b.spec.mounts[i].options[strv_len(b.spec.mounts[i].options) - 1] = NULL;
                }
        free((char *)b.request.seccomp_cache);
        b.request.seccomp_cache = NULL;
        char path[300];
        for (int i = 0; i < 3; i++) {
                static const char *const parts[] = { "", "/upper", "/work" };
                snprintf(path, sizeof(path), "%s/%s%s", harness_dir, b.id, parts[i]);
                assert_return_code(chown(path, 65534, 65534), errno);
        }
        capabilities_apply(0xa80425fb, &b.spec.process);
        pid_t pid = fork();
        if (pid == 0)
                _exit(run_rootless(&b));
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 1); /* hostname(2) itself is not for this profile: the last command fails */
}

static void joined_namespaces(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        char text[3];
        _cleanup_box_ struct box a;
        box_init(&a, "echo up; sleep 100");
        str_replace(&a.spec.hostname, "shared");
        assert_int_equal(box_create(&a, &r, &err), 0);
        assert_int_equal(runtime_start(&r.c, &err), 0);
        assert_int_equal(fd_read_full(r.out, text, 3), 3);
        {
                static const struct { enum oci_namespace_kind kind; const char *name; } join[] = {
                        { OCI_NS_PID, "pid" }, { OCI_NS_NETWORK, "net" }, { OCI_NS_IPC, "ipc" }, { OCI_NS_UTS, "uts" } };
                _cleanup_box_ struct box b;
                box_init(&b, "hostname; ps; readlink /proc/self/ns/net; readlink /proc/1/ns/net");
                for (size_t i = 0; i < ELEMENTS(join); i++)
                        b.spec.namespaces[join[i].kind].path = xasprintf("/proc/%d/ns/%s", (int)r.c.pid, join[i].name);
                box_expect(&b, 0);
                has(&b, "shared\n");
                has(&b, "sleep 100");
                /* both links are the same */
                char *first = strstr(b.output, "net:["), *second = first ? strstr(first + 1, "net:[") : NULL;
                assert_non_null(second);
                assert_memory_equal(first, second, strcspn(first, "\n"));
                /* and the caller is where it was */
                assert_true(access("/tmp", F_OK) == 0 && waitpid(-1, NULL, WNOHANG) == 0);
        }
        kill(r.c.pid, SIGKILL);
        assert_int_equal(box_finish(&a, &r, &err), 0);
}

static void started_over_a_socket(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), there = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/start", harness_dir);
        assert_return_code(bind(listener, (struct sockaddr *)&address, sizeof(address)), errno);
        assert_return_code(listen(listener, 1), errno);
        for (int i = 0; i < 2; i++) {
                _cleanup_box_ struct box b;
                box_init(&b, "echo started");
                if (i)
                        box_args(&b, (const char *[]){ "nonesuch", NULL });
                b.request.start_listen_fd = listener;
                assert_int_equal(box_create(&b, &r, &err), 0);
                close(r.c.start_fd);    /* the creator goes */
                _cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
                assert_return_code(connect(sock, (struct sockaddr *)&address, sizeof(address)), errno);
                r.c.start_fd = TAKE_FD(sock);
                assert_int_equal(runtime_start(&r.c, &err), i ? -1 : 0);
                if (i)
                        assert_int_equal(err.kind, ERR_NO_COMMAND);
                err_clear(&err);
                assert_int_equal(box_finish(&b, &r, &err), 0);
                assert_string_equal(b.output, i ? "" : "started\n");
        }
        unlink(address.sun_path);
}

static void reaper_as_first_process(void **state)
{
        /* Any static program can stand in for the reaper: busybox is asked what it was called as. */
        _cleanup_box_ struct box b;
        box_init(&b, "");
        box_args(&b, (const char *[]){ "some", "command", NULL });
        b.request.init_process = true;
        b.request.init_path = "/bin/busybox";
        box_expect(&b, 127);
        has(&b, "docker-init: applet not found");
}

static int receive_listener(int sock, char *text, size_t size)
{
        struct err err = ERR_INIT;
        size_t count = 0, len = 0;
        int fd = -1;
        _cleanup_close_ int from = accept4(sock, NULL, NULL, SOCK_CLOEXEC);
        assert_return_code(from, errno);
        assert_int_equal(fd_receive(from, &fd, 1, &count, text, size - 1, &len, &err), 0);
        text[len] = 0;
        assert_int_equal(count, 1);
        return fd;
}

static void seccomp_agent(void **state)
{
        struct err err = ERR_INIT;
        struct running r;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/agent", harness_dir);
        assert_return_code(bind(agent, (struct sockaddr *)&address, sizeof(address)), errno);
        assert_return_code(listen(agent, 1), errno);
        _cleanup_box_ struct box b;
        box_init(&b, "mkdir /tmp/asked || echo answered");
        struct oci_seccomp *s = b.spec.seccomp;
        free(s->default_action);
        s->default_action = xstrdup("SCMP_ACT_ALLOW");
        while (s->rule_count > 1) { /* only one rule: mkdir asks the agent */
                struct oci_seccomp_rule *rule = &s->rules[--s->rule_count];
                strv_free(rule->names);
                free(rule->action);
                for (size_t i = 0; i < rule->arg_count; i++)
                        free(rule->args[i].op);
                free(rule->args);
        }
        strv_free(s->rules[0].names);
        s->rules[0].names = strv_split("mkdir mkdirat", " ", false);
        str_replace(&s->rules[0].action, "SCMP_ACT_NOTIFY");
        str_replace(&s->listener_path, address.sun_path);
        str_replace(&s->listener_metadata, "meta");
        assert_int_equal(box_create(&b, &r, &err), 0);
        char text[2048];
        _cleanup_close_ int fd = receive_listener(agent, text, sizeof(text));
        assert_non_null(strstr(text, "\"fds\":[\"seccompFd\"]"));
        assert_non_null(strstr(text, "\"metadata\":\"meta\""));
        assert_non_null(strstr(text, b.id));
        assert_int_equal(runtime_start(&r.c, &err), 0);
        struct seccomp_notif request = { 0 };
        assert_return_code(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request), errno);
        struct seccomp_notif_resp response = { .id = request.id, .error = -EXFULL };
        assert_return_code(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response), errno);
        assert_int_equal(box_finish(&b, &r, &err), 0);
        has(&b, "Exchange full");
        has(&b, "answered");
        unlink(address.sun_path);
}

static void time_namespace(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "cut -d. -f1 /proc/uptime");
        b.spec.namespaces[OCI_NS_TIME].wanted = true;
        b.spec.has_boottime_offset = true;
        b.spec.boottime_secs = 1000000000;
        box_expect(&b, 0);
        assert_true(strlen(b.output) >= 11);
}

static void hooks_run_in_order(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *log = xasprintf("%s/hooks", harness_dir);
        _cleanup_box_ struct box b;
        box_init(&b, "cat /hook");
        static const enum oci_hook_kind kinds[] = { OCI_HOOK_PRESTART, OCI_HOOK_CREATE_RUNTIME, OCI_HOOK_CREATE_CONTAINER, OCI_HOOK_START_CONTAINER };
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                struct oci_hooks *h = &b.spec.hooks[kinds[i]];
                h->list = xcalloc(1, sizeof(struct oci_hook));
                h->count = 1;
                h->list[0].path = xstrdup("/bin/sh");
                strv_push(&h->list[0].args, "sh");
                strv_push(&h->list[0].args, "-c");
                strv_push_take(&h->list[0].args, kinds[i] == OCI_HOOK_START_CONTAINER
                                                         ? xstrdup("/bin/cat > /hook")
                                                         : xasprintf("read line; case \"$line\" in *creating*) echo %s >> %s;; esac",
                                                                     i == 0 ? "prestart" : i == 1 ? "runtime" : "container", log));
        }
        box_expect(&b, 0);
        has(&b, "\"status\":\"created\"");
        has(&b, b.id);
        _cleanup_buf_ struct buf text = BUF_INIT(1000);
        assert_int_equal(file_read_at(AT_FDCWD, log, &text, &err), 0);
        assert_string_equal(text.data, "prestart\nruntime\ncontainer\n");
        unlink(log);
        _cleanup_box_ struct box bad;
        box_init(&bad, "true");
        bad.spec.hooks[OCI_HOOK_CREATE_RUNTIME].list = xcalloc(1, sizeof(struct oci_hook));
        bad.spec.hooks[OCI_HOOK_CREATE_RUNTIME].count = 1;
        struct oci_hook *slow = bad.spec.hooks[OCI_HOOK_CREATE_RUNTIME].list;
        slow->path = xstrdup("/bin/sleep");
        strv_push(&slow->args, "sleep");
        strv_push(&slow->args, "60");
        slow->timeout = 1;
        assert_int_equal(box_run(&bad, &err), -1);
        assert_int_equal(err.kind, ERR_TIMEOUT);
}

static void other_roots(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "cat /proc/mounts | head -1; ls /");
        b.request.rootfs = NULL;
        b.spec.root_path = xstrdup("root");
        _cleanup_close_ int bundle = open(harness_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        b.request.bundle_fd = bundle;
        b.request.no_pivot = true;
        box_expect(&b, 0);
        has(&b, "busybox" + 7); /* "" : it ran */
        has_not(&b, "usr");
        _cleanup_box_ struct box c;
        box_init(&c, "ls /");
        c.request.rootfs = NULL;
        c.spec.root_path = xasprintf("%s/root", harness_dir);
        c.spec.root_readonly = true;
        box_expect(&c, 0);
        has_not(&c, "usr");
}

static void many_layers(void **state)
{
        _cleanup_box_ struct box b;
        struct err err = ERR_INIT;
        box_init(&b, "ls / | grep -c layer");
        char path[300];
        for (int i = 0; i < 60; i++) {
                snprintf(path, sizeof(path), "%s/%s/l%d/layer%d", harness_dir, b.id, i, i);
                assert_int_equal(path_mkdirs(path, 0755, &err), 0);
                strv_push_take(&b.rootfs.options, xasprintf("lowerdir+=%s/%s/l%d", harness_dir, b.id, i));
        }
        box_expect(&b, 0);
        assert_string_equal(b.output, "60\n");
}

static void personality_and_privileged(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "uname -m; mount -t tmpfs x /tmp && echo mounted");
        str_replace(&b.spec.personality_domain, "LINUX32");
        uint64_t mask;
        struct err err = ERR_INIT;
        assert_int_equal(capabilities_for(NULL, NULL, true, &mask, &err), 0);
        capabilities_apply(mask, &b.spec.process);
        seccomp_free(b.spec.seccomp);
        b.spec.seccomp = NULL;
        assert_int_equal(spec_add_host_devices(&b.spec, &err), 0);
        box_expect(&b, 0);
        has(&b, "mounted");
        has_not(&b, "x86_64");
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
                cmocka_unit_test(rootless),
                cmocka_unit_test(joined_namespaces),
                cmocka_unit_test(started_over_a_socket),
                cmocka_unit_test(reaper_as_first_process),
                cmocka_unit_test(seccomp_agent),
                cmocka_unit_test(time_namespace),
                cmocka_unit_test(hooks_run_in_order),
                cmocka_unit_test(other_roots),
                cmocka_unit_test(many_layers),
                cmocka_unit_test(personality_and_privileged),
        };
        if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0) {
                fprintf(stderr, "needs root and /bin/busybox\n");
                return 77; /* meson: skipped */
        }
        return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
