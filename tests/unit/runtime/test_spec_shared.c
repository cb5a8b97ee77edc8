/* config-linux.md "Namespaces": what is inherited or joined although it is ours or another's. Nothing of the container may be
 * seen in a mount namespace that it shares. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"
#include "harness.h"

static char *namespace_of(pid_t pid, const char *name)
{
        char path[64], target[64] = "";
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
        assert_true(readlink(path, target, sizeof(target) - 1) > 0);
        return xstrdup(target);
}

static char *table_of(pid_t pid)
{
        struct buf b = BUF_INIT(1 << 20);
        struct err err = ERR_INIT;
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
        must(file_read_at(AT_FDCWD, path, &b, &err), &err);
        char *text = xstrndup(b.data, b.len);
        buf_done(&b);
        return text;
}

/* Runs in the mount namespace of `pid`, and tells what it can do there. */
static void runs_beside(struct box *b, pid_t pid)
{
        static const char *const commands[][2] = {
                { "cat /proc/self/comm", "cat\n" },
                { "echo x >/dev/null && cat /dev/null && echo nothing", "nothing\n" },
                { "cat /proc/keys /proc/interrupts 2>/dev/null; echo end", "end\n" }, /* masked */
                { "(echo 5 >/proc/sys/kernel/printk_ratelimit) 2>&1 | grep -o Read-only", "Read-only\n" },
                { "touch /dev/shm/f && ls /dev/shm", "f\n" },
                { "ls -d /../bin", "/../bin\n" },
                { "stat -c %i /.. / | uniq | wc -l", "1\n" },
        };
        struct err err = ERR_INIT;
        struct running r;
        char text[4096];
        _cleanup_free_ char *before = table_of(pid), *theirs = namespace_of(pid, "mnt");
        must(box_create(b, &r, &err), &err);
        must(runtime_start(&r.c, &err), &err);
        _cleanup_free_ char *its = namespace_of(r.c.pid, "mnt"), *meanwhile = table_of(pid);
        assert_string_equal(its, theirs);
        assert_string_equal(before, meanwhile);
        for (size_t i = 0; i < ELEMENTS(commands); i++) {
                int status = box_exec(b, &r, commands[i][0], text, sizeof(text), &err);
                if (status != 0 || !str_eq(text, commands[i][1]))
                        fail_msg("%s: %d, %s%s", commands[i][0], status, text, err.msg);
        }
        kill(r.c.pid, SIGKILL);
        must(box_finish(b, &r, &err), &err);
        _cleanup_free_ char *after = table_of(pid);
        assert_string_equal(before, after);
}

static void without_a_mount_namespace(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "sleep 100");
        b.spec.namespaces[OCI_NS_MOUNT].wanted = false;
        runs_beside(&b, getpid());
        _cleanup_box_ struct box c;
        box_init(&c, "sleep 100");
        c.spec.namespaces[OCI_NS_MOUNT].wanted = false;
        c.spec.root_readonly = true;
        str_replace(&c.spec.rootfs_propagation, "rshared");
        runs_beside(&c, getpid());
}

static void our_own_mount_namespace_by_path(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "sleep 100");
        b.spec.namespaces[OCI_NS_MOUNT].path = xasprintf("/proc/%d/ns/mnt", (int)getpid());
        runs_beside(&b, getpid());
}

/* A process in a copy of our mount namespace, which has its root elsewhere by now. */
static pid_t other_mounts(void)
{
        int ends[2];
        char byte;
        assert_return_code(pipe(ends), 0);
        pid_t pid = fork();
        assert_return_code(pid, 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
                (void)!(unshare(CLONE_NEWNS) == 0 && write(ends[1], "r", 1));
                for (;;)
                        pause();
        }
        assert_int_equal(read(ends[0], &byte, 1), 1);
        close(ends[0]);
        close(ends[1]);
        return pid;
}

static void the_mount_namespace_of_another(void **state)
{
        pid_t pid = other_mounts();
        _cleanup_box_ struct box b;
        box_init(&b, "sleep 100");
        b.spec.namespaces[OCI_NS_MOUNT].path = xasprintf("/proc/%d/ns/mnt", (int)pid);
        runs_beside(&b, pid);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

/* "root" is a name below the bundle, also when the mount namespace is another. */
static void a_bundle_in_the_mount_namespace_of_another(void **state)
{
        pid_t pid = other_mounts();
        _cleanup_box_ struct box b;
        box_init(&b, "echo found");
        b.spec.namespaces[OCI_NS_MOUNT].path = xasprintf("/proc/%d/ns/mnt", (int)pid);
        b.request.rootfs = NULL;
        b.request.bundle = harness_dir;
        str_replace(&b.spec.root_path, "root");
        _cleanup_close_ int here = open(".", O_PATH | O_CLOEXEC);
        assert_return_code(chdir(harness_dir), 0);
        box_expect(&b, 0);
        box_has(&b, "found\n");
        assert_return_code(fchdir(here), 0);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

static void our_own_user_namespace_by_path(void **state)
{
        _cleanup_box_ struct box b;
        _cleanup_free_ char *own = namespace_of(getpid(), "user");
        box_init(&b, "readlink /proc/self/ns/user; cat /proc/self/uid_map; [ -c /dev/null ] && mknod /tmp/n c 1 3 && echo made");
        b.spec.namespaces[OCI_NS_USER].wanted = true;
        b.spec.namespaces[OCI_NS_USER].path = xstrdup("/proc/self/ns/user");
        box_expect(&b, 0);
        box_has(&b, own);
        box_has(&b, "4294967295");
        box_has(&b, "made\n");
}

static void a_user_namespace_without_mounts_of_its_own(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "true");
        b.spec.namespaces[OCI_NS_MOUNT].wanted = false;
        b.spec.namespaces[OCI_NS_USER].wanted = true;
        b.spec.uid_maps = xcalloc(1, sizeof(*b.spec.uid_maps));
        b.spec.gid_maps = xcalloc(1, sizeof(*b.spec.gid_maps));
        b.spec.uid_map_count = b.spec.gid_map_count = 1;
        *b.spec.uid_maps = *b.spec.gid_maps = (struct oci_id_map){ 0, 100000, 65536 };
        box_refused(&b, ERR_INVALID, "linux.namespaces: a user namespace needs a mount namespace too");
}

/* config.md "Mounts": "in the listed order", also those that had to be opened before all others. */
static void mounts_stand_in_their_order(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "cut -d' ' -f5 /proc/self/mountinfo | grep ^/m");
        oci_spec_add_mount(&b.spec, "/m1", "tmpfs", "tmpfs", NULL);
        oci_spec_add_mount(&b.spec, "/m2", "bind", "/tmp", "rbind,rslave");
        oci_spec_add_mount(&b.spec, "/m3", "tmpfs", "tmpfs", NULL);
        oci_spec_add_mount(&b.spec, "/m4", "bind", "/tmp", "bind,shared");
        oci_spec_add_mount(&b.spec, "/m5", "tmpfs", "tmpfs", NULL);
        box_expect(&b, 0);
        char *names[] = { (char *)"/m1\n", (char *)"/m2\n", (char *)"/m3\n", (char *)"/m4\n", (char *)"/m5\n" };
        const char *last = b.output;
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                const char *found = strstr(b.output, names[i]);
                if (!found || found < last)
                        fail_msg("%s", b.output);
                last = found;
        }
}

int main(void)
{
        /* What others mount meanwhile is not to be seen; what we mount is, in every copy. */
        if (geteuid() == 0 && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                               mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0))
                return 1;
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_a_mount_namespace),
                cmocka_unit_test(our_own_mount_namespace_by_path),
                cmocka_unit_test(the_mount_namespace_of_another),
                cmocka_unit_test(a_bundle_in_the_mount_namespace_of_another),
                cmocka_unit_test(our_own_user_namespace_by_path),
                cmocka_unit_test(a_user_namespace_without_mounts_of_its_own),
                cmocka_unit_test(mounts_stand_in_their_order),
        };
        return harness_main(tests, ELEMENTS(tests));
}
