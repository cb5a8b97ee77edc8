#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"
#include "runtime/checkpoint-internal.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/namespace-internal.h"
#include "runtime/security.h"

struct restore {
        const struct runtime_restore *request;
        const struct oci_spec *spec;
        struct buf options;
        struct criu criu;
        struct cgroup *cgroup;
        bool made_cgroup, made_init;
        int ns_fds[OCI_NS_KINDS];
        int console_fd, pidfd;
        pid_t pid;
        uint64_t start_time;
};

static void restore_done(struct restore *r)
{
        struct err unused = ERR_INIT;
        criu_done(&r->criu);
        if (r->made_init && r->pidfd >= 0) {
                (void)proc_signal(r->pidfd, SIGKILL, &unused);
                while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        if (r->made_cgroup)
                (void)cgroup_remove(r->cgroup, &unused);
        cgroup_freep(&r->cgroup);
        namespaces_close(r->ns_fds);
        mem_closep(&r->console_fd);
        mem_closep(&r->pidfd);
        buf_done(&r->options);
}

/* ---- criu's surroundings ---- */

/* The root has to be a mount on a place that nothing else lies on. */
static int enter(void *data, struct err *err)
{
        const struct runtime_restore *q = data;
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return err_sys(err, "make a mount namespace");
        return mount(q->rootfs, q->mountpoint, NULL, MS_BIND | MS_REC, NULL) < 0 ? err_sys(err, "bind %s", q->rootfs) : 0;
}

static int start_criu(struct restore *r, struct err *err)
{
        const struct runtime_restore *q = r->request;
        int keep[OCI_NS_KINDS];
        struct criu_start start = { .keep = keep, .enter = enter, .data = (void *)q };
        memcpy(start.stdio, q->stdio, sizeof(start.stdio));
        for (int i = 0; i < OCI_NS_KINDS; i++)
                if (r->ns_fds[i] >= 0)
                        keep[start.keep_count++] = r->ns_fds[i];
        return checkpoint_open(&q->options, "restore.log", &start, &r->criu, &r->options, err);
}

/* criu is in the group, and so is what it makes. */
static int make_cgroup(struct restore *r, struct err *err)
{
        struct oci_resources resources = r->spec->resources;
        _cleanup_free_ struct oci_device_rule *rules = device_rules_complete(&resources, &resources.device_count);
        const char *path = r->spec->cgroups_path;
        resources.devices = rules;
        if (r->request->systemd_cgroup) {
                if (cgroup_create_scope(path, r->criu.pid, &resources, r->spec->annotations, &r->cgroup, err) < 0)
                        return -1;
        } else if (cgroup_create(path, &resources, &r->cgroup, err) < 0) {
                return -1;
        }
        r->made_cgroup = true;
        return cgroup_join(r->cgroup, r->criu.pid, err);
}

/* What was below the group of the checkpoint goes below ours, in each hierarchy. */
static int add_cgroup_roots(struct restore *r, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT((size_t)1 << 20);
        _cleanup_free_ char *file = xasprintf("/proc/%d/cgroup", (int)r->criu.pid);
        if (file_read_at(AT_FDCWD, file, &b, err) < 0)
                return -1;
        _cleanup_strv_ char **lines = strv_split(b.data, "\n", false);
        STRV_FOREACH (line, lines) {
                char *names = strchr(*line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
                if (!path)
                        continue;
                *path++ = 0;
                _cleanup_strv_ char **controllers = strv_split(names + 1, ",", false);
                STRV_FOREACH (name, controllers)
                        if (criu_option_pair(&r->options, CRIU_CGROUP_ROOTS, *name, path, err) < 0)
                                return -1;
                /* v2 has no name: criu takes a root without one for every hierarchy that has none of its own */
                if (!controllers && criu_option_pair(&r->options, CRIU_CGROUP_ROOTS, NULL, path, err) < 0)
                        return -1;
        }
        return 0;
}

/* ---- what criu is told ---- */

static int add_namespaces(struct restore *r, struct err *err)
{
        static const char *const joined[OCI_NS_KINDS] = { [OCI_NS_IPC] = "ipc", [OCI_NS_UTS] = "uts", [OCI_NS_USER] = "user",
                                                          [OCI_NS_MOUNT] = "mnt", [OCI_NS_TIME] = "time" };
        for (int i = 0; i < OCI_NS_KINDS; i++) {
                const char *word, *key, *path = r->spec->namespaces[i].path;
                if (!r->spec->namespaces[i].wanted || !path)
                        continue;
                if (checkpoint_namespace(&r->criu, r->spec, (enum oci_namespace_kind)i, &word, &key)) {
                        if (criu_option_numbered(&r->options, CRIU_INHERITED, key, r->ns_fds[i], err) < 0)
                                return -1;
                } else if (!joined[i]) {
                        return err_set(err, ERR_UNSUPPORTED, "criu cannot restore into the %s namespace %s",
                                       oci_namespace_name((enum oci_namespace_kind)i), path);
                } else if (criu_option_pair(&r->options, CRIU_JOIN_NAMESPACES, joined[i], path, err) < 0) {
                        return -1;
                }
        }
        return 0;
}

/* The pipes its stdio was are ours now. */
static int add_descriptors(struct restore *r, struct err *err)
{
        _cleanup_json_ json_t *list = json_read_file_at(r->criu.folders[0], CHECKPOINT_DESCRIPTORS, (size_t)1 << 20, err);
        if (!list)
                return -1;
        for (size_t i = 0; i < json_array_size(list) && i < 3; i++) {
                const char *name = json_string_value(json_array_get(list, i));
                if (name && str_starts(name, "pipe:") &&
                    criu_option_numbered(&r->options, CRIU_INHERITED, name, (int64_t)i, err) < 0)
                        return -1;
        }
        return 0;
}

static int add_lsm(struct restore *r, struct err *err)
{
        const struct runtime_restore *q = r->request;
        if ((q->lsm_profile || q->lsm_mount_context) && r->criu.version < 31600)
                return err_set(err, ERR_UNSUPPORTED, "%s requires at least CRIU 3.16",
                               q->lsm_profile ? "--lsm-profile" : "--lsm-mount-context");
        return protobuf_text(&r->options, CRIU_LSM_PROFILE, q->lsm_profile, err) < 0 ||
                               protobuf_text(&r->options, CRIU_LSM_MOUNT_CONTEXT, q->lsm_mount_context, err) < 0
                       ? -1
                       : 0;
}

static int fill_options(struct restore *r, struct err *err)
{
        const struct runtime_restore *q = r->request;
        if (protobuf_text(&r->options, CRIU_ROOT, q->mountpoint, err) < 0 ||
            criu_option_flag(&r->options, CRIU_SIBLING, true, err) < 0 ||
            criu_option_flag(&r->options, CRIU_EVASIVE_DEVICES, true, err) < 0 || add_lsm(r, err) < 0 ||
            add_namespaces(r, err) < 0 || add_descriptors(r, err) < 0 || make_cgroup(r, err) < 0 || add_cgroup_roots(r, err) < 0)
                return -1;
        return checkpoint_mounts_restore(&r->options, r->spec, q->bundle, q->rootfs, cgroup_path(r->cgroup), err);
}

/* ---- what criu tells ---- */

static void loopback_child(const char *path) __attribute__((noreturn));
static void loopback_child(const char *path)
{
        struct err unused = ERR_INIT;
        _cleanup_close_ int ns = open(path, O_RDONLY | O_CLOEXEC);
        _exit(ns < 0 || setns(ns, CLONE_NEWNET) < 0 || namespace_raise_loopback(&unused) < 0);
}

/* A network namespace of its own is empty and new; connections to itself are restored in it. */
static int raise_loopback(const struct restore *r, pid_t pid, struct err *err)
{
        const struct oci_namespace *ns = &r->spec->namespaces[OCI_NS_NETWORK];
        _cleanup_free_ char *path = xasprintf("/proc/%d/ns/net", (int)pid);
        int status = 0;
        if (!ns->wanted || ns->path)
                return 0;
        pid_t child = fork();
        if (child < 0)
                return err_sys(err, "fork");
        if (child == 0)
                loopback_child(path);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
                ;
        return status ? err_set(err, ERR_SYSTEM, "bring up the loopback interface") : 0;
}

static int namespaces_made(struct restore *r, pid_t pid, struct err *err)
{
        static const enum oci_hook_kind kinds[] = { OCI_HOOK_PRESTART, OCI_HOOK_CREATE_RUNTIME };
        if (raise_loopback(r, pid, err) < 0)
                return -1;
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (runtime_hooks(r->spec, kinds[i], r->request->id, r->request->bundle, pid, "creating", err) < 0)
                        return -1;
        return 0;
}

static int restored(struct restore *r, pid_t pid, struct err *err)
{
        r->pidfd = pidfd_open(pid, 0);
        if (r->pidfd < 0)
                return err_sys(err, "process %d", (int)pid);
        r->pid = pid;
        r->made_init = true;
        if (proc_start_time(pid, &r->start_time, err) < 0)
                return -1;
        return r->request->on_restored ? r->request->on_restored(r->request->data, pid, err) : 0;
}

static int on_notify(void *data, const struct criu_answer *what, int *fd, struct err *err)
{
        struct restore *r = data;
        if (str_eq(what->script, "orphan-pts-master") && *fd >= 0 && r->console_fd < 0)
                r->console_fd = TAKE_FD(*fd);
        if (str_eq(what->script, "setup-namespaces"))
                return namespaces_made(r, what->pid, err);
        return str_eq(what->script, "post-restore") ? restored(r, what->pid, err) : 0;
}

static int restore(struct restore *r, struct err *err)
{
        pid_t pid = 0;
        if (namespaces_open(r->spec, r->ns_fds, err) < 0 || start_criu(r, err) < 0 || fill_options(r, err) < 0 ||
            criu_call(&r->criu, CRIU_RESTORE, &r->options, on_notify, r, &pid, err) < 0)
                return -1;
        return r->made_init && pid == r->pid ? 0 : err_set(err, ERR_CORRUPT, "criu tells of two processes that were restored");
}

int runtime_restore(const struct runtime_restore *request, struct runtime_container *ret, struct err *err)
{
        _cleanup_(restore_done) struct restore r = { .request = request, .spec = request->spec, .options = BUF_INIT(CRIU_MESSAGE_MAX),
                                                     .criu = CRIU_INIT, .console_fd = -1, .pidfd = -1 };
        for (int i = 0; i < OCI_NS_KINDS; i++)
                r.ns_fds[i] = -1;
        if (restore(&r, err) < 0)
                return err_add(err, "restore container %s", request->id);
        r.made_init = r.made_cgroup = false;
        *ret = (struct runtime_container){ .pid = r.pid, .start_time = r.start_time, .pidfd = TAKE_FD(r.pidfd), .start_fd = -1,
                                           .console_fd = TAKE_FD(r.console_fd), .cgroup = TAKE_PTR(r.cgroup) };
        return 0;
}
