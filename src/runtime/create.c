#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"
#include "runtime/namespace-internal.h"
#include "runtime/security.h"

/* Everything a create holds until it has succeeded; what is still here at the end is undone. */
struct create {
        const struct runtime_create *request;
        const struct oci_spec *spec;
        struct init in;
        int sync_fd; /* our end */
        struct seccomp_filter filter;
        char *label;
        char *cgroup_path;
        struct cgroup *cgroup;
        bool made_cgroup;
        pid_t pid; /* 0: none yet */
        int pidfd, console_fd;
        uint64_t clone_flags;
};

void runtime_container_done(struct runtime_container *c)
{
        mem_closep(&c->pidfd);
        mem_closep(&c->start_fd);
        mem_closep(&c->console_fd);
        cgroup_freep(&c->cgroup);
        *c = (struct runtime_container)RUNTIME_CONTAINER_INIT;
}

static void create_init(struct create *c, const struct runtime_create *request)
{
        *c = (struct create){ .request = request, .spec = request->spec, .sync_fd = -1, .pidfd = -1, .console_fd = -1 };
        c->in = (struct init){ .request = request,
                               .spec = request->spec,
                               .sync_fd = -1,
                               .runtime_sync_fd = -1,
                               .stage_fd = -1,
                               .root_mount_fd = -1,
                               .userns_fd = -1,
                               .root_fd = -1,
                               .null_fd = -1,
                               .empty_fd = -1,
                               .console_fd = -1,
                               .ptmx_fd = -1,
                               .label_fd = -1 };
        for (int i = 0; i < OCI_NS_KINDS; i++)
                c->in.ns_fds[i] = -1;
}

/* What init needed from us and has as its own copy by now. */
static void close_inherited(struct create *c)
{
        mem_closep(&c->in.sync_fd);
        mem_closep(&c->in.stage_fd);
        mem_closep(&c->in.label_fd);
        prepared_close(&c->in);
        namespaces_close(c->in.ns_fds);
}

static void create_done(struct create *c)
{
        struct err unused = ERR_INIT;
        if (c->pid > 0) {
                (void)kill(c->pid, SIGKILL);
                while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        if (c->made_cgroup && c->cgroup)
                (void)cgroup_remove(c->cgroup, &unused);
        cgroup_freep(&c->cgroup);
        close_inherited(c);
        mem_closep(&c->sync_fd);
        mem_closep(&c->pidfd);
        mem_closep(&c->console_fd);
        prepared_done(&c->in);
        seccomp_filter_done(&c->filter);
        free(c->label);
        free(c->cgroup_path);
}

/* ---- before the clone ---- */

/* Descriptors that stay open into the stage lie above those the container's process is given. */
static int above_preserved(const struct create *c, int fd, struct err *err)
{
        int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3 + c->request->preserve_fds);
        return moved < 0 ? err_sys(err, "duplicate a descriptor") : moved;
}

static int open_sockets(struct create *c, struct err *err)
{
        int sv[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
                return err_sys(err, "socket");
        _cleanup_close_ int a = sv[0], b = sv[1];
        c->sync_fd = above_preserved(c, a, err);
        c->in.sync_fd = c->sync_fd < 0 ? -1 : above_preserved(c, b, err);
        c->in.runtime_sync_fd = c->sync_fd;
        if (c->in.sync_fd < 0)
                return -1;
        c->in.label_folder = label_folder(&c->spec->process, &c->label);
        if (c->in.label_folder && (c->in.label_fd = above_preserved(c, b, err)) < 0)
                return -1;
        return 0;
}

static int make_stage(struct create *c, struct err *err)
{
        c->in.filter = &c->filter;
        struct stage_request r = { .process = &c->spec->process,
                                   .filter = &c->filter,
                                   .label = c->label,
                                   .sync_fd = c->in.sync_fd,
                                   .label_fd = c->in.label_fd };
        r.command = c->request->init_process ? "/sbin/docker-init" : c->spec->process.args[0];
        r.listen_fd = c->request->start_listen_fd > 0 ? c->request->start_listen_fd : -1;
        r.keep_groups = groups_kept(c->spec);
        r.wait_start = c->spec->hooks[OCI_HOOK_START_CONTAINER].count == 0;
        c->in.stage_fd = stage_make(&r, err);
        return c->in.stage_fd < 0 ? -1 : 0;
}

static void choose_flags(struct create *c)
{
        const struct oci_namespace *ns = c->spec->namespaces;
        for (int i = 0; i < OCI_NS_KINDS; i++) {
                if (!ns[i].wanted || ns[i].path)
                        continue;
                /* These two init makes itself: the first once it is in its group, the second once it has its offsets. */
                if (i == OCI_NS_CGROUP || i == OCI_NS_TIME)
                        c->in.unshare_flags |= namespace_flag((enum oci_namespace_kind)i);
                else
                        c->clone_flags |= namespace_flag((enum oci_namespace_kind)i);
        }
        c->in.user_new = ns[OCI_NS_USER].wanted && !ns[OCI_NS_USER].path;
        c->in.in_userns = c->in.user_new || c->in.ns_fds[OCI_NS_USER] >= 0;
        c->in.guarded =
                c->in.ns_fds[OCI_NS_USER] >= 0 || c->in.ns_fds[OCI_NS_PID] >= 0 || c->in.ns_fds[OCI_NS_MOUNT] >= 0;
        STRV_FOREACH (entry, c->spec->sysctl)
                if (sysctl_needs_interfaces(*entry) && c->request->on_namespaces)
                        c->in.wait_network = true;
}

static char *asked_cgroup(const struct create *c)
{
        if (c->spec->cgroups_path)
                return xstrdup(c->spec->cgroups_path);
        return xasprintf(c->request->systemd_cgroup ? ":tare:%s" : "/tare/%s", c->request->id);
}

static int prepare(struct create *c, struct err *err)
{
        if (create_check(c->request, err) < 0 || namespaces_open(c->spec, c->in.ns_fds, err) < 0)
                return -1;
        choose_flags(c);
        if (c->spec->seccomp && seccomp_filter_load(c->spec->seccomp, c->request->seccomp_cache, &c->filter, err) < 0)
                return -1;
        _cleanup_free_ char *path = asked_cgroup(c);
        c->cgroup_path = cgroup_path_clean(path, err);
        if (!c->cgroup_path)
                return -1;
        c->in.cgroup_path = c->cgroup_path;
        c->in.wait_cgroup = true;
        return open_sockets(c, err) < 0 || make_stage(c, err) < 0 || prepared_make(&c->in, err) < 0 ? -1 : 0;
}

/* ---- groups ---- */

static bool wants_resources(const struct oci_resources *r)
{
        return r->has_memory_limit || r->has_cpu_quota || r->has_cpu_shares || r->has_pids_limit || r->cpuset_cpus ||
               r->unified;
}

static int make_group(struct create *c, const struct oci_resources *r, struct err *err)
{
        if (!c->request->systemd_cgroup)
                return cgroup_create(c->cgroup_path, r, &c->cgroup, err);
        _cleanup_free_ char *path = asked_cgroup(c);
        return cgroup_create_scope(path, c->pid, r, c->spec->annotations, &c->cgroup, err);
}

/* A user without delegated groups still gets his container, unless he asked for limits. */
static int make_cgroup(struct create *c, struct err *err)
{
        struct oci_resources resources = c->spec->resources;
        _cleanup_free_ struct oci_device_rule *rules = device_rules_complete(&resources, &resources.device_count);
        resources.devices = rules;
        if (make_group(c, &resources, err) == 0) {
                c->made_cgroup = true;
                return 0;
        }
        bool refused = err->kind == ERR_DENIED || err->sys == EROFS;
        if (!refused || (geteuid() == 0 && !cgroup_in_user_namespace()) || c->request->cgroup_required ||
            wants_resources(&c->spec->resources))
                return err_add(err, "cgroup");
        err_clear(err);
        return 0;
}

/* systemd may keep its units below a group of its own: init is told where that is. */
static int tell_cgroup(struct create *c, struct err *err)
{
        struct sync_message m = { .type = c->cgroup ? SYNC_CGROUP : SYNC_NO_CGROUP };
        const char *path = c->cgroup && !str_eq(cgroup_path(c->cgroup), c->cgroup_path) ? cgroup_path(c->cgroup) : "";
        if (strlen(path) >= sizeof(m.text))
                return err_set(err, ERR_TOO_LARGE, "cgroup %s: the path is too long", path);
        memcpy(m.text, path, strlen(path));
        return send(c->sync_fd, &m, *path ? sizeof(m) : SYNC_SHORT, MSG_NOSIGNAL) < 0 ? err_sys(err, "talk to init") : 0;
}

static int join_cgroup(struct create *c, bool cloned_into, struct err *err)
{
        if (!c->cgroup && make_cgroup(c, err) < 0)
                return -1;
        bool is_in = cloned_into || c->in.join_self || c->request->systemd_cgroup; /* a scope is made with it */
        if (c->cgroup && !is_in && cgroup_join(c->cgroup, c->pid, err) < 0)
                return err_add(err, "cgroup");
        return tell_cgroup(c, err);
}

/* ---- after the clone: our part, while init builds its root ---- */

static int set_up_network(struct create *c, struct err *err)
{
        if (c->request->on_namespaces) {
                char path[64];
                snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->pid);
                _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        return err_sys(err, "open the network namespace");
                if (c->request->on_namespaces(c->request->data, c->pid, fd, err) < 0)
                        return -1;
        }
        return c->in.wait_network ? sync_send(c->sync_fd, SYNC_NETWORK, err) : 0;
}

static int our_part(struct create *c, bool cloned_into, struct err *err)
{
        if (c->in.user_new && (idmap_write(c->pid, c->spec, err) < 0 || sync_send(c->sync_fd, SYNC_MAPPED, err) < 0))
                return -1;
        if (join_cgroup(c, cloned_into, err) < 0 || process_set_oom_score(&c->spec->process, c->pid, err) < 0)
                return -1;
        return set_up_network(c, err);
}

static int run_hooks(struct create *c, struct err *err)
{
        static const enum oci_hook_kind kinds[] = { OCI_HOOK_PRESTART, OCI_HOOK_CREATE_RUNTIME };
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (runtime_hooks(c->spec, kinds[i], c->request->id, c->request->bundle, c->pid, "creating", err) < 0)
                        return -1;
        return sync_send(c->sync_fd, SYNC_HOOKS_DONE, err);
}

static int died(struct err *err)
{
        return err_set(err, ERR_SYSTEM, "init died before the container was ready");
}

static int hand_over(struct create *c, int listener_fd, struct err *err)
{
        _cleanup_free_ char *state =
                runtime_state_json(c->spec, c->request->id, c->request->bundle, c->pid, "creating");
        return seccomp_hand_over(c->spec->seccomp, listener_fd, c->pid, state, err);
}

/* One message of init: 1 when it is ready. */
static int take_message(struct create *c, struct err *err)
{
        struct sync_packet p;
        _cleanup_close_ int fd = -1;
        if (sync_receive(c->sync_fd, &p, &fd, err) < 0)
                return -1;
        switch (p.message.type) {
        case SYNC_READY:
                return 1;
        case SYNC_CONSOLE:
                c->console_fd = TAKE_FD(fd);
                return 0;
        case SYNC_LISTENER:
                return hand_over(c, fd, err);
        case SYNC_MOUNTED:
                return run_hooks(c, err);
        case SYNC_MOUNT:
                return prepared_give(&c->in, c->sync_fd, c->pid, p.message.step, err);
        case SYNC_STAGE:
                return stage_error(&p.message, err);
        case SYNC_ERROR:
                *err = p.error;
                return -1;
        default:
                return died(err);
        }
}

static int wait_ready(struct create *c, struct err *err)
{
        int r;
        while ((r = take_message(c, err)) == 0)
                ;
        return r < 0 ? -1 : 0;
}

/* When our part fails because init is gone, init's own words are the better ones. */
static int prefer_init_error(struct create *c, struct err *err)
{
        struct sync_packet p;
        struct err unused = ERR_INIT;
        if (err->sys != EPIPE && err->sys != ESRCH && err->sys != ENOENT && err->sys != ECONNRESET)
                return -1;
        while (sync_receive(c->sync_fd, &p, NULL, &unused) == 0 && p.message.type)
                if (p.message.type == SYNC_ERROR) {
                        *err = p.error;
                        break;
                }
        return -1;
}

static int start_init(struct create *c, bool *ret_into, struct err *err)
{
        struct namespaces_clone n = {
                .flags = c->clone_flags, .join = c->in.ns_fds, .cgroup_fd = -1, .guarded = c->in.guarded
        };
        /* On v2 the group comes first, because init can be born in it; on v1 it is made while init already works, and a scope of
         * systemd's starts with a process. */
        if (cgroup_layout()->count == 0 && cgroup_layout()->unified && !c->request->systemd_cgroup) {
                if (make_cgroup(c, err) < 0)
                        return -1;
                n.cgroup_fd = c->cgroup ? cgroup_clone_fd(c->cgroup) : -1;
        }
        /* In a user namespace of its own init may not write to the host's groups. */
        c->in.join_self = n.cgroup_fd < 0 && !c->in.in_userns && geteuid() == 0 && !c->request->systemd_cgroup;
        *ret_into = n.cgroup_fd >= 0;
        pid_t pid = namespaces_clone(&n, &c->pidfd, err);
        if (pid == 0)
                init_main(&c->in);
        if (pid < 0)
                return -1;
        c->pid = pid;
        close_inherited(c);
        return 0;
}

static int create(struct create *c, struct runtime_container *ret, struct err *err)
{
        bool into = false;
        uint64_t started = 0;
        if (prepare(c, err) < 0 || start_init(c, &into, err) < 0)
                return -1;
        if (our_part(c, into, err) < 0)
                return prefer_init_error(c, err);
        if (proc_start_time(c->pid, &started, err) < 0 || wait_ready(c, err) < 0)
                return -1;
        *ret = (struct runtime_container){ .pid = c->pid,
                                           .start_time = started,
                                           .pidfd = TAKE_FD(c->pidfd),
                                           .start_fd = TAKE_FD(c->sync_fd),
                                           .console_fd = TAKE_FD(c->console_fd),
                                           .cgroup = TAKE_PTR(c->cgroup) };
        c->pid = 0;
        return 0;
}

int runtime_create(const struct runtime_create *request, struct runtime_container *ret, struct err *err)
{
        _cleanup_(create_done) struct create c;
        create_init(&c, request);
        return create(&c, ret, err) < 0 ? err_add(err, "create container %s", request->id ? request->id : "") : 0;
}

int runtime_start(struct runtime_container *c, struct err *err)
{
        struct sync_packet p;
        if (c->start_fd < 0)
                return err_set(err, ERR_CONFLICT, "the container is started already");
        _cleanup_close_ int fd = TAKE_FD(c->start_fd);
        if (sync_send(fd, SYNC_START, err) < 0)
                return err_add(err, "start");
        if (sync_receive(fd, &p, NULL, err) < 0)
                return err->sys == ECONNRESET ? 0 : err_add(err, "start");
        if (p.message.type == SYNC_STAGE)
                return stage_error(&p.message, err);
        if (p.message.type == SYNC_ERROR) {
                *err = p.error;
                return -1;
        }
        return 0; /* closed by exec */
}

int runtime_remove(struct runtime_container *c, struct err *err)
{
        struct err unused = ERR_INIT;
        if (c->pidfd >= 0)
                (void)proc_signal(c->pidfd, SIGKILL, &unused);
        if (c->cgroup && cgroup_remove(c->cgroup, err) < 0)
                return err_add(err, "remove container");
        return 0;
}
