#include "harness.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"

char harness_dir[] = "/tmp/tare-runtime-XXXXXX";
static char cgroup_parent[64]; /* of this program alone: removing it kills what runs in it */
static unsigned serial;

void must(int r, const struct err *err)
{
        if (r < 0)
                fail_msg("%s", err->msg);
}

static void copy_program(const char *source, const char *name)
{
        struct err err = ERR_INIT;
        char path[256];
        snprintf(path, sizeof(path), "%s/root/bin/%s", harness_dir, name);
        _cleanup_close_ int from = open(source, O_RDONLY | O_CLOEXEC);
        _cleanup_close_ int to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        must(fd_copy(from, to, NULL, &err), &err);
}

static void make_root(void)
{
        static const char *const dirs[] = { "root",     "root/bin", "root/proc", "root/sys", "root/dev",
                                            "root/tmp", "root/etc", "root/sbin", "root/home" };
        static const char *const applets[] = { "sh",    "cat",  "echo",  "id",       "ls",      "mount", "sleep",
                                               "stat",  "true", "false", "hostname", "mknod",   "touch", "readlink",
                                               "grep",  "test", "kill",  "ulimit",   "tty",     "stty",  "umask",
                                               "mkdir", "rm",   "wc",    "head",     "dd",      "env",   "pwd",
                                               "ps",    "sync", "chmod", "ln",       "unshare", "rmdir", "umount",
                                               "cut",   "tr",   "date",  "uname",    "nproc" };
        char path[256];
        for (size_t i = 0; i < ELEMENTS(dirs); i++) {
                snprintf(path, sizeof(path), "%s/%s", harness_dir, dirs[i]);
                assert_return_code(mkdir(path, 0755), errno);
                assert_return_code(chmod(path, str_ends(path, "/tmp") ? 01777 : 0755), errno);
        }
        struct err err = ERR_INIT;
        copy_program("/bin/busybox", "busybox");
        copy_program(PROBE_PATH, "probe");
        for (size_t i = 0; i < ELEMENTS(applets); i++) {
                snprintf(path, sizeof(path), "%s/root/bin/%s", harness_dir, applets[i]);
                assert_return_code(symlink("busybox", path), errno);
        }
        snprintf(path, sizeof(path), "%s/root/etc/passwd", harness_dir);
        must(file_write_at(AT_FDCWD, path, "root:x:0:0::/root:/bin/sh\n", 26, 0644, false, &err), &err);
}

int harness_setup(void **state)
{
        umask(022);
        assert_non_null(mkdtemp(harness_dir));
        chmod(harness_dir, 0755);
        snprintf(cgroup_parent, sizeof(cgroup_parent), "/tare-test-%d", (int)getpid());
        make_root();
        return 0;
}

int harness_teardown(void **state)
{
        struct err err = ERR_INIT;
        struct cgroup *parent;
        if (cgroup_open(cgroup_parent, &parent, &err) == 0) {
                must(cgroup_remove(parent, &err), &err);
                cgroup_free(parent);
        }
        err_clear(&err);
        must(tree_remove_at(AT_FDCWD, harness_dir, &err), &err);
        return 0;
}

void box_args(struct box *b, const char *const *args)
{
        strv_free(b->spec.process.args);
        b->spec.process.args = NULL;
        for (; *args; args++)
                strv_push(&b->spec.process.args, *args);
}

static void overlay_root(struct box *b)
{
        char path[256];
        for (int i = 0; i < 3; i++) {
                static const char *const parts[] = { "", "/upper", "/work" };
                snprintf(path, sizeof(path), "%s/%s%s", harness_dir, b->id, parts[i]);
                assert_return_code(mkdir(path, 0755), errno);
        }
        b->rootfs.type = xstrdup("overlay");
        b->rootfs.destination = xstrdup("/");
        b->rootfs.source = xstrdup("overlay");
        strv_push_take(&b->rootfs.options, xasprintf("lowerdir+=%s/root", harness_dir));
        strv_push_take(&b->rootfs.options, xasprintf("upperdir=%s/%s/upper", harness_dir, b->id));
        strv_push_take(&b->rootfs.options, xasprintf("workdir=%s/%s/work", harness_dir, b->id));
        strv_push(&b->rootfs.options, "volatile");
        b->request.rootfs = &b->rootfs;
}

void box_init(struct box *b, const char *command)
{
        struct err err = ERR_INIT;
        uint64_t mask = 0;
        char cache[128];
        *b = (struct box){ .status = -1 };
        oci_spec_init(&b->spec);
        b->id = xasprintf("test-%d-%u", (int)getpid(), serial++);
        struct oci_process *p = &b->spec.process;
        b->spec.has_process = true;
        str_replace(&p->cwd, "/");
        strv_push(&p->env, "PATH=/bin:/sbin");
        box_args(b, (const char *[]){ "sh", "-c", command, NULL });
        must(capabilities_for(NULL, NULL, false, &mask, &err), &err);
        capabilities_apply(mask, p);
        spec_add_default_mounts(&b->spec, false, 1 << 20, NULL, true);
        spec_add_default_paths(&b->spec);
        spec_add_default_devices(&b->spec);
        b->spec.seccomp = seccomp_default(mask);
        static const enum oci_namespace_kind kinds[] = { OCI_NS_PID, OCI_NS_NETWORK, OCI_NS_MOUNT, OCI_NS_IPC,
                                                         OCI_NS_UTS };
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                b->spec.namespaces[kinds[i]].wanted = true;
        b->spec.cgroups_path = xasprintf("%s/%s", cgroup_parent, b->id);
        snprintf(cache, sizeof(cache), "%s/cache", harness_dir);
        b->request = (struct runtime_create){ .id = b->id, .spec = &b->spec, .bundle_fd = -1, .stdio = { -1, -1, -1 } };
        b->request.seccomp_cache = xstrdup(cache);
        overlay_root(b);
}

void box_done(struct box *b)
{
        struct err err = ERR_INIT;
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", harness_dir, b->id);
        tree_remove_at(AT_FDCWD, path, &err);
        oci_mount_done(&b->rootfs);
        oci_spec_done(&b->spec);
        free((char *)b->request.seccomp_cache);
        free(b->id);
}

int box_create(struct box *b, struct running *r, struct err *err)
{
        int ends[2];
        *r = (struct running){ .c = RUNTIME_CONTAINER_INIT, .out = -1 };
        assert_return_code(pipe2(ends, O_CLOEXEC), errno);
        b->request.stdio[1] = b->request.stdio[2] = ends[1];
        int result = runtime_create(&b->request, &r->c, err);
        close(ends[1]);
        b->request.stdio[1] = b->request.stdio[2] = -1;
        r->out = ends[0];
        if (result < 0)
                mem_closep(&r->out);
        return result;
}

int box_finish(struct box *b, struct running *r, struct err *err)
{
        size_t used = 0;
        int from = r->c.console_fd >= 0 ? r->c.console_fd : r->out;
        ssize_t n;
        while (used < sizeof(b->output) - 1 && (n = read(from, b->output + used, sizeof(b->output) - 1 - used)) > 0)
                used += (size_t)n;
        b->output[used] = 0;
        struct err unused = ERR_INIT;
        int result = proc_wait(r->c.pid, &b->status, err);
        if (runtime_remove(&r->c, result < 0 ? &unused : err) < 0)
                result = -1;
        runtime_container_done(&r->c);
        mem_closep(&r->out);
        return result;
}

int box_run(struct box *b, struct err *err)
{
        struct running r;
        if (box_create(b, &r, err) < 0)
                return -1;
        struct err unused = ERR_INIT;
        if (runtime_start(&r.c, err) < 0) {
                box_finish(b, &r, &unused);
                return -1;
        }
        return box_finish(b, &r, err);
}

void box_has(const struct box *b, const char *text)
{
        if (!strstr(b->output, text))
                fail_msg("no \"%s\" in:\n%s", text, b->output);
}

void box_has_not(const struct box *b, const char *text)
{
        if (strstr(b->output, text))
                fail_msg("\"%s\" in:\n%s", text, b->output);
}

void box_refused(struct box *b, enum err_kind kind, const char *words)
{
        struct err err = ERR_INIT;
        if (box_run(b, &err) == 0)
                fail_msg("it ran, with status %d; output:\n%s", b->status, b->output);
        if (err.kind != kind || !strstr(err.msg, words))
                fail_msg("error of kind %d, not %d with \"%s\": %s", (int)err.kind, (int)kind, words, err.msg);
}

int harness_main(const struct CMUnitTest *tests, size_t count)
{
        if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0) {
                fprintf(stderr, "needs root and /bin/busybox\n");
                return 77; /* meson: skipped */
        }
        cmocka_set_test_filter(getenv("TARE_TEST_ONLY")); /* one test, or a pattern: what fails leaves its traces to the others */
        (void)setpriority(PRIO_PROCESS, 0, 0); /* what is asked for in the tests is relative to this */
        return _cmocka_run_group_tests("runtime", tests, count, harness_setup, harness_teardown);
}

void box_expect(struct box *b, int status)
{
        struct err err = ERR_INIT;
        if (box_run(b, &err) < 0)
                fail_msg("%s", err.msg);
        if (b->status != status)
                fail_msg("exit %d, expected %d; output:\n%s", b->status, status, b->output);
}

int box_exec(struct box *b, struct running *r, const char *command, char *text, size_t size, struct err *err)
{
        int ends[2], status = -1;
        assert_return_code(pipe2(ends, O_CLOEXEC), errno);
        struct oci_process p = b->spec.process;
        char *args[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
        p.args = args;
        struct runtime_exec request = { .pid = r->c.pid,
                                        .start_time = r->c.start_time,
                                        .process = &p,
                                        .seccomp = b->spec.seccomp,
                                        .seccomp_cache = b->request.seccomp_cache,
                                        .cgroups_path = b->spec.cgroups_path,
                                        .stdio = { -1, ends[1], ends[1] } };
        struct runtime_exec_result result = { 0 };
        int done = runtime_exec(&request, &result, err);
        close(ends[1]);
        if (done == 0) {
                size_t used = 0;
                ssize_t n;
                int from = result.console_fd >= 0 ? result.console_fd : ends[0];
                while (used < size - 1 && (n = read(from, text + used, size - 1 - used)) > 0)
                        used += (size_t)n;
                text[used] = 0;
                must(proc_wait(result.pid, &status, err), err);
                mem_closep(&result.pidfd);
                mem_closep(&result.console_fd);
        }
        close(ends[0]);
        return status;
}
