#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"

struct exec {
        const struct runtime_exec *request;
        int target_fd; /* pidfd of the container's init */
        int root_fd; /* its root directory */
        int sync_fd, their_sync_fd, stage_fd, label_fd;
        const char *label_folder;
        char *label;
        struct seccomp_filter filter;
        struct cgroup *cgroup;
        char *cgroup_path;
        bool join_self; /* the child moves itself */
        int namespaces; /* what to join */
        bool foreign_user;
        pid_t pid;
        int pidfd, console_fd;
};

static void exec_done(struct exec *x)
{
        if (x->pid > 0) {
                (void)kill(x->pid, SIGKILL);
                while (waitpid(x->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        int *const fds[] = { &x->target_fd, &x->root_fd,  &x->sync_fd, &x->their_sync_fd,
                             &x->stage_fd,  &x->label_fd, &x->pidfd,   &x->console_fd };
        for (size_t i = 0; i < ELEMENTS(fds); i++)
                mem_closep(fds[i]);
        free(x->label);
        seccomp_filter_done(&x->filter);
        cgroup_freep(&x->cgroup);
        free(x->cgroup_path);
}

/* ---- before the clone ---- */

static bool same_namespace(pid_t pid, const char *name)
{
        char theirs[64], ours[64];
        struct stat a, b;
        snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", (int)pid, name);
        snprintf(ours, sizeof(ours), "/proc/thread-self/ns/%s", name);
        return stat(theirs, &a) < 0 || stat(ours, &b) < 0 || (a.st_ino == b.st_ino && a.st_dev == b.st_dev);
}

static int find_target(struct exec *x, struct err *err)
{
        const struct runtime_exec *r = x->request;
        char path[64];
        x->target_fd = proc_open(r->pid, r->start_time, err);
        if (x->target_fd < 0)
                return err->kind == ERR_NOT_FOUND ? err_set(err, ERR_CONFLICT, "the container is not running") : -1;
        snprintf(path, sizeof(path), "/proc/%d/root", (int)r->pid);
        x->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (x->root_fd < 0)
                return err_sys(err, "open the container's root");
        x->namespaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
        x->foreign_user = !same_namespace(r->pid, "user");
        if (x->foreign_user)
                x->namespaces |= CLONE_NEWUSER;
        if (!same_namespace(r->pid, "time"))
                x->namespaces |= CLONE_NEWTIME;
        /* Nobody could have taken the pid between opening it and reading below its directory, or this fails now. */
        return pidfd_send_signal(x->target_fd, 0, NULL, 0) < 0 && errno == ESRCH
                       ? err_set(err, ERR_CONFLICT, "the container is not running")
                       : 0;
}

/* The group below the container's; nothing leads out of that. */
static char *sub_path(const char *base, const char *below, struct err *err)
{
        _cleanup_strv_ char **parts = strv_split(below, "/", false);
        _cleanup_free_ char *joined = strv_has(parts, "..") ? NULL : xasprintf("%s/%s", base, below);
        if (joined)
                return path_clean(joined);
        err_set(err, ERR_INVALID, "%s is not a sub cgroup path", below);
        return NULL;
}

static int find_cgroup(struct exec *x, struct err *err)
{
        bool asked = x->request->sub_cgroups;
        if (str_empty(x->request->cgroups_path))
                return asked ? err_set(err, ERR_UNSUPPORTED, "the container has no control group") : 0;
        _cleanup_free_ char *path = cgroup_path_clean(x->request->cgroups_path, err);
        if (!path)
                return -1;
        const char *all = asked ? str_after(x->request->sub_cgroups[0], "=") : NULL;
        x->cgroup_path = all ? sub_path(path, all, err) : TAKE_PTR(path);
        if (!x->cgroup_path)
                return -1;
        if (cgroup_open(x->cgroup_path, &x->cgroup, err) < 0) {
                if (asked && err->kind == ERR_NOT_FOUND)
                        return err_set(err, ERR_NOT_FOUND, "adding pid to cgroup: %s/cgroup.procs: no such file or directory", x->cgroup_path);
                if (asked || (err->kind != ERR_NOT_FOUND && err->kind != ERR_UNSUPPORTED))
                        return -1;
                err_clear(err); /* rootless without groups of its own */
                return 0;
        }
        x->join_self = !asked && cgroup_layout()->count > 0 && geteuid() == 0;
        return !x->request->ignore_paused && cgroup_frozen(x->cgroup) ? err_set(err, ERR_CONFLICT, "the container is paused, unpause it before exec")
                                        : 0;
}

static int open_sockets(struct exec *x, struct err *err)
{
        int sv[2], least = 3 + x->request->preserve_fds;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
                return err_sys(err, "socket");
        _cleanup_close_ int a = sv[0], b = sv[1];
        x->sync_fd = fcntl(a, F_DUPFD_CLOEXEC, least);
        x->their_sync_fd = fcntl(b, F_DUPFD_CLOEXEC, least);
        x->label_folder = label_folder(x->request->process, &x->label);
        if (x->label_folder)
                x->label_fd = fcntl(b, F_DUPFD_CLOEXEC, least);
        return x->sync_fd < 0 || x->their_sync_fd < 0 || (x->label_folder && x->label_fd < 0) ? err_sys(err, "socket")
                                                                                            : 0;
}

static int prepare(struct exec *x, struct err *err)
{
        const struct runtime_exec *r = x->request;
        if (process_check(r->process, err) < 0)
                return -1;
        if (r->preserve_fds < 0 || r->preserve_fds > 1024)
                return err_set(err, ERR_INVALID, "preserve_fds");
        if (find_target(x, err) < 0 || find_cgroup(x, err) < 0 || open_sockets(x, err) < 0)
                return -1;
        if (r->seccomp && seccomp_filter_load(r->seccomp, r->seccomp_cache, &x->filter, err) < 0)
                return -1;
        struct stage_request stage = { .process = r->process,
                                       .command = r->process->args[0],
                                       .filter = &x->filter,
                                       .label = x->label,
                                       .sync_fd = x->their_sync_fd,
                                       .listen_fd = -1,
                                       .label_fd = x->label_fd };
        x->stage_fd = stage_make(&stage, err);
        return x->stage_fd < 0 ? -1 : 0;
}

/* ---- inside ---- */

/* Who is privileged in the container's user namespace alone may not join the host's namespaces that it shares. */
static int join_namespaces(struct exec *x)
{
        static const struct { const char *name; int flag; } shared[] = { { "net", CLONE_NEWNET }, { "ipc", CLONE_NEWIPC },
                                                                         { "uts", CLONE_NEWUTS }, { "cgroup", CLONE_NEWCGROUP } };
        int own = x->namespaces;
        if (setns(x->target_fd, x->namespaces) == 0)
                return 0;
        if (errno != EPERM)
                return errno;
        for (size_t i = 0; i < ELEMENTS(shared); i++)
                if (same_namespace(x->request->pid, shared[i].name))
                        own &= ~shared[i].flag;
        return setns(x->target_fd, own) < 0 ? errno : 0;
}

static uint64_t mount_of(int dir_fd, const char *path, bool *ret_top)
{
        struct statx sx;
        if (statx(dir_fd, path, AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0 || !(sx.stx_mask & STATX_MNT_ID))
                return 0;
        *ret_top = sx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
        return sx.stx_mnt_id;
}

/* A command that has changed its root to a folder is in the container all the same: who comes sees it whole. A root that is a mount is believed:
 * that of a container without a mount namespace of its own is not the namespace's. */
static int root_widen(struct exec *x, struct err *err)
{
        bool whole = true, top = false;
        uint64_t theirs = mount_of(x->root_fd, "", &whole);
        if (whole || theirs == 0 || mount_of(AT_FDCWD, "/", &top) != theirs || !top)
                return 0;
        int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "the container's root");
        close(x->root_fd);
        x->root_fd = fd;
        return 0;
}

static int enter(struct exec *x, struct err *err)
{
        (void)setsid();
        /* Not the caller's keys; and the label's file while /proc is still the host's. */
        (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
        if (label_open(x->label_folder, x->label_fd, err) < 0)
                return -1;
        int refused = join_namespaces(x);
        if (refused)
                return err_sysnum(err, refused, "join the container's namespaces");
        if (root_widen(x, err) < 0)
                return -1;
        /* As the user we were, who is nobody there, we would lose all capabilities with the next program. */
        if (x->foreign_user && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
                return err_sys(err, "become root of the user namespace");
        if (fchdir(x->root_fd) < 0 || kernel_change_root(".") < 0 || chdir("/") < 0)
                return err_sys(err, "enter the container's root");
        return 0;
}

static int take_terminal(struct exec *x, int ret_stdio[3], struct err *err)
{
        int master = -1, slave = -1;
        if (console_open_pair(x->root_fd, x->request->process, &master, &slave, err) < 0)
                return -1;
        if (ioctl(slave, TIOCSCTTY, 0) < 0)
                return err_sys(err, "take the terminal");
        if (x->request->plain_lines)
                runtime_plain_lines(slave);
        if (sync_send_fd(x->their_sync_fd, SYNC_CONSOLE, master, err) < 0)
                return -1;
        mem_closep(&master);
        for (int i = 0; i < 3; i++)
                ret_stdio[i] = slave;
        return 0;
}

static int run_inside(struct exec *x, struct err *err)
{
        const struct oci_process *p = x->request->process;
        int stdio[3] = { x->request->stdio[0], x->request->stdio[1], x->request->stdio[2] };
        if (affinity_apply(p, "initial", err) < 0)
                return -1;
        if (x->join_self && cgroup_join_self(x->cgroup_path, err) < 0)
                return err_add(err, "cgroup");
        if (sync_expect(x->their_sync_fd, SYNC_CGROUP, err) < 0 || affinity_apply(p, "final", err) < 0 ||
            enter(x, err) < 0)
                return -1;
        if (p->terminal && take_terminal(x, stdio, err) < 0)
                return -1;
        if (process_prepare(p, x->request->personality, err) < 0)
                return -1;
        struct oci_process process = *p;
        process.env = process_environment(p);
        return process_launch(&process, p->args, stdio, x->request->preserve_fds, x->their_sync_fd, -1, x->label_fd,
                              x->stage_fd, err);
}

__attribute__((noreturn)) static void inside(struct exec *x)
{
        struct err err = ERR_INIT;
        mem_closep(&x->sync_fd);
        (void)run_inside(x, &err);
        (void)sync_send_error(x->their_sync_fd, &err);
        _exit(1);
}

/* ---- the clone ---- */

static pid_t clone_child(uint64_t flags, int cgroup_fd, int *ret_pidfd)
{
        struct clone_args args = { .flags = flags | CLONE_PIDFD,
                                   .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
                                   .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD };
        if (cgroup_fd >= 0) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t)cgroup_fd;
        }
        return kernel_clone3(&args, sizeof(args));
}

/* Who is not privileged here is so inside the user namespace that is his: a process in between joins everything and
 * clones ours, as our own child, into the pid namespace. */
static pid_t clone_between(struct exec *x, struct err *err)
{
        int ends[2], status, pidfd = -1;
        pid_t pid = -1;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        _cleanup_close_ int from = ends[0], to = ends[1];
        pid_t between = clone_child(0, -1, &pidfd);
        _cleanup_close_ int unused_fd = pidfd;
        if (between == 0) {
                if (setns(x->target_fd, CLONE_NEWPID | (x->namespaces & CLONE_NEWUSER)) < 0)
                        _exit(1);
                x->namespaces &= ~CLONE_NEWUSER;
                pid = clone_child(CLONE_PARENT, -1, &pidfd);
                if (pid == 0)
                        inside(x);
                _exit(fd_write_full(to, &pid, sizeof(pid)) < 0 || pid < 0);
        }
        mem_closep(&to);
        bool told = between > 0 && fd_read_full(from, &pid, sizeof(pid)) == sizeof(pid);
        while (between > 0 && waitpid(between, &status, 0) < 0 && errno == EINTR)
                ;
        if (!told || pid < 0 || (x->pidfd = pidfd_open(pid, 0)) < 0)
                return err_set(err, ERR_DENIED, "cannot join the container's namespaces");
        return pid;
}

/* The calling thread's children are born in the container's pid namespace for the moment of the clone. */
static pid_t clone_inside(struct exec *x, bool *ret_into, struct err *err)
{
        _cleanup_close_ int own = open("/proc/thread-self/ns/pid", O_RDONLY | O_CLOEXEC);
        if (own < 0)
                return err_sys(err, "open the pid namespace");
        /* Who could not come back must not go there himself. */
        if (setns(own, CLONE_NEWPID) < 0 || setns(x->target_fd, CLONE_NEWPID) < 0)
                return errno == EPERM ? clone_between(x, err) : err_sys(err, "join the container's pid namespace");
        int cgroup_fd = x->cgroup ? cgroup_clone_fd(x->cgroup) : -1;
        pid_t pid = clone_child(0, cgroup_fd, &x->pidfd);
        *ret_into = cgroup_fd >= 0;
        if (pid < 0 && cgroup_fd >= 0) { /* a group with groups below it takes no processes on v2 */
                *ret_into = false;
                pid = clone_child(0, -1, &x->pidfd);
        }
        if (pid == 0)
                inside(x);
        int saved = errno;
        if (setns(own, CLONE_NEWPID) < 0)
                abort(); /* every later child of this thread would be born in the container */
        return pid < 0 ? err_sysnum(err, saved, "clone") : pid;
}

/* The group of init itself, where the container has made groups below its own. */
static int join_group_of_init(struct exec *x, struct err *err)
{
        char path[64], line[4096];
        snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)x->request->pid);
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f)) {
                line[strcspn(line, "\n")] = 0;
                if (str_starts(line, "0::/") && cgroup_layout()->unified)
                        return cgroup_v2.join(line + 3, x->pid, err);
        }
        return err_set(err, ERR_NOT_FOUND, "the container's init has no group");
}

/* Groups of single controllers, which only v1 has. */
static int join_parts(struct exec *x, struct err *err)
{
        STRV_FOREACH (entry, x->request->sub_cgroups) {
                const char *equals = strrchr(*entry, '=');
                if (!equals || equals == *entry)
                        continue;
                _cleanup_free_ char *controller = xstrndup(*entry, (size_t)(equals - *entry));
                const char *name = str_after(controller, "name="), *top = cgroup_top_of(name ? name : controller);
                if (!top)
                        return err_set(err, ERR_INVALID, "unknown controller %s in SubCgroupPaths", controller);
                _cleanup_free_ char *path = sub_path(cgroup_path(x->cgroup), equals + 1, err);
                if (!path || cgroup_writef(top, path, "cgroup.procs", err, "%d", (int)x->pid) < 0)
                        return path ? err_add(err, "adding pid %d", (int)x->pid) : -1;
        }
        return 0;
}

/* A user may move processes within what is delegated to him only: from outside of it ours stays where he is. */
static bool may_stay(const struct err *err)
{
        return (err->sys == EACCES || err->sys == EPERM) && (geteuid() != 0 || cgroup_in_user_namespace());
}

static int join_cgroup(struct exec *x, bool cloned_into, struct err *err)
{
        if (x->cgroup && !cloned_into && !x->join_self && cgroup_join(x->cgroup, x->pid, err) < 0) {
                bool stay = may_stay(err);
                if ((err->sys != EBUSY && err->sys != EOPNOTSUPP && !stay) || x->request->sub_cgroups)
                        return err_add(err, "cgroup");
                err_clear(err);
                if (!stay && join_group_of_init(x, err) < 0)
                        return err_add(err, "cgroup");
        }
        if (x->cgroup && join_parts(x, err) < 0)
                return err_add(err, "cgroup");
        return sync_send(x->sync_fd, SYNC_CGROUP, err);
}

/* ---- after ---- */

static int take_message(struct exec *x, struct err *err)
{
        struct sync_packet p;
        _cleanup_close_ int fd = -1;
        if (sync_receive(x->sync_fd, &p, &fd, err) < 0)
                return -1;
        switch (p.message.type) {
        case 0:
                return 1; /* closed by exec */
        case SYNC_CONSOLE:
                x->console_fd = TAKE_FD(fd);
                return 0;
        case SYNC_LISTENER:
                return seccomp_hand_over(x->request->seccomp, fd, x->pid, x->request->state, err);
        case SYNC_STAGE:
                return stage_error(&p.message, err);
        case SYNC_ERROR:
                *err = p.error;
                return -1;
        default:
                return err_set(err, ERR_SYSTEM, "the process inside spoke out of turn");
        }
}

static int exec_run(struct exec *x, struct err *err)
{
        bool into = false;
        if (prepare(x, err) < 0)
                return -1;
        int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), r;
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the container's processes see our child from its first moment */
        pid_t pid = clone_inside(x, &into, err);
        prctl(PR_SET_DUMPABLE, dumpable == 1, 0, 0, 0);
        if (pid < 0)
                return -1;
        x->pid = pid;
        mem_closep(&x->their_sync_fd);
        mem_closep(&x->label_fd);
        if (join_cgroup(x, into, err) < 0 || process_set_oom_score(x->request->process, pid, err) < 0)
                return -1;
        while ((r = take_message(x, err)) == 0)
                ;
        return r < 0 ? -1 : 0;
}

int runtime_exec(const struct runtime_exec *request, struct runtime_exec_result *ret, struct err *err)
{
        _cleanup_(exec_done) struct exec x = { .request = request,
                                               .target_fd = -1,
                                               .root_fd = -1,
                                               .sync_fd = -1,
                                               .their_sync_fd = -1,
                                               .stage_fd = -1,
                                               .label_fd = -1,
                                               .pidfd = -1,
                                               .console_fd = -1 };
        if (exec_run(&x, err) < 0)
                return err_add(err, "exec");
        *ret = (struct runtime_exec_result){ .pid = x.pid,
                                             .pidfd = TAKE_FD(x.pidfd),
                                             .console_fd = TAKE_FD(x.console_fd) };
        x.pid = 0;
        return 0;
}
