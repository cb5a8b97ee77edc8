#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/str.h"
#include "runtime/kernel-internal.h"
#include "runtime/namespace-internal.h"

static const uint64_t flags_of[OCI_NS_KINDS] = {
        [OCI_NS_PID] = CLONE_NEWPID,       [OCI_NS_NETWORK] = CLONE_NEWNET, [OCI_NS_MOUNT] = CLONE_NEWNS,
        [OCI_NS_IPC] = CLONE_NEWIPC,       [OCI_NS_UTS] = CLONE_NEWUTS,     [OCI_NS_USER] = CLONE_NEWUSER,
        [OCI_NS_CGROUP] = CLONE_NEWCGROUP, [OCI_NS_TIME] = CLONE_NEWTIME,
};

uint64_t namespace_flag(enum oci_namespace_kind kind)
{
        return flags_of[kind];
}

int namespace_raise_loopback(struct err *err)
{
        struct ifreq lo = { .ifr_name = "lo" };
        _cleanup_close_ int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (sock < 0 || ioctl(sock, SIOCGIFFLAGS, &lo) < 0)
                return err_sys(err, "the loopback interface");
        lo.ifr_flags |= IFF_UP;
        return ioctl(sock, SIOCSIFFLAGS, &lo) < 0 ? err_sys(err, "bring up the loopback interface") : 0;
}

void namespaces_close(int fds[OCI_NS_KINDS])
{
        for (int i = 0; i < OCI_NS_KINDS; i++)
                mem_closep(&fds[i]);
}

/* A descriptor of some other kind of namespace, or of no namespace at all, must not be joined as if it were this one. */
static int open_typed(enum oci_namespace_kind kind, const char *path, struct err *err)
{
        if (path[0] != '/')
                return err_set(err, ERR_INVALID, "linux.namespaces: %s: path \"%s\" must be absolute", oci_namespace_name(kind), path);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return err_sys(err, "linux.namespaces: %s: %s", oci_namespace_name(kind), path);
        int type = ioctl(fd, NS_GET_NSTYPE);
        if (type < 0 || (uint64_t)type != flags_of[kind])
                return err_set(err, ERR_INVALID, "linux.namespaces: %s is no %s namespace", path,
                               oci_namespace_name(kind));
        return TAKE_FD(fd);
}

bool namespace_is_own(int fd, const char *name)
{
        char path[64];
        struct stat theirs, ours;
        snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", name);
        return fstat(fd, &theirs) == 0 && stat(path, &ours) == 0 && theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

int namespaces_open(const struct oci_spec *spec, int ret_fds[OCI_NS_KINDS], struct err *err)
{
        for (int i = 0; i < OCI_NS_KINDS; i++) {
                const struct oci_namespace *ns = &spec->namespaces[i];
                const char *path = ns->wanted ? ns->path : i == OCI_NS_MOUNT ? "/proc/thread-self/ns/mnt" : NULL;
                if (!path)
                        continue;
                ret_fds[i] = open_typed((enum oci_namespace_kind)i, path, err);
                if (ret_fds[i] < 0)
                        return -1;
        }
        /* Nobody can join the user namespace that he is in: it is inherited then, as if it were not named. */
        if (ret_fds[OCI_NS_USER] >= 0 && namespace_is_own(ret_fds[OCI_NS_USER], "user"))
                mem_closep(&ret_fds[OCI_NS_USER]);
        return 0;
}

/* These belong to a thread alone, so the caller's thread takes them on for the moment of the clone: the child is then born
 * in them, and no process in between is needed. (In the pid namespace only children are born.) */
static const struct {
        enum oci_namespace_kind kind;
        const char *own;
} borrowed[] = {
        { OCI_NS_NETWORK, "/proc/thread-self/ns/net" }, { OCI_NS_IPC, "/proc/thread-self/ns/ipc" },
        { OCI_NS_UTS, "/proc/thread-self/ns/uts" },     { OCI_NS_CGROUP, "/proc/thread-self/ns/cgroup" },
        { OCI_NS_PID, "/proc/thread-self/ns/pid" },
};

struct own {
        int fds[ELEMENTS(borrowed)];
        bool left[ELEMENTS(borrowed)]; /* for a process in between to join */
        bool any_left;
};

/* A thread left in a namespace of a container would do the next thing there: no going on from that. */
static void give_back(struct own *own)
{
        int saved = errno;
        for (size_t i = 0; i < ELEMENTS(borrowed); i++)
                if (own->fds[i] >= 0 && setns(own->fds[i], 0) < 0)
                        abort();
        for (size_t i = 0; i < ELEMENTS(borrowed); i++)
                mem_closep(&own->fds[i]);
        errno = saved;
}

/* 1 when it was taken on, 0 when a process in between has to do that: who is privileged in a user namespace alone could not
 * come back to the host's, or gets the right to join only with the user namespace of the container. */
static int borrow_one(const int *join, size_t i, int *ret_mine, struct err *err)
{
        enum oci_namespace_kind kind = borrowed[i].kind;
        /* With a user namespace it is the process in between that takes on the pid namespace: were it born in there, the
         * pid it tells of would be that namespace's. */
        if (kind == OCI_NS_PID && join[OCI_NS_USER] >= 0)
                return 0;
        _cleanup_close_ int mine = open(borrowed[i].own, O_RDONLY | O_CLOEXEC);
        if (mine < 0)
                return err_sys(err, "open our %s namespace", oci_namespace_name(kind));
        if (setns(mine, (int)flags_of[kind]) < 0 && errno == EPERM)
                return 0;
        if (setns(join[kind], (int)flags_of[kind]) < 0)
                return errno == EPERM && join[OCI_NS_USER] >= 0 ? 0 : err_sys(err, "join the %s namespace", oci_namespace_name(kind));
        *ret_mine = TAKE_FD(mine);
        return 1;
}

static int borrow(const int *join, struct own *own, struct err *err)
{
        *own = (struct own){ 0 };
        for (size_t i = 0; i < ELEMENTS(borrowed); i++)
                own->fds[i] = -1;
        for (size_t i = 0; i < ELEMENTS(borrowed); i++) {
                int taken = join[borrowed[i].kind] < 0 ? 1 : borrow_one(join, i, &own->fds[i], err);
                if (taken < 0) {
                        give_back(own);
                        return -1;
                }
                own->left[i] = !taken;
                own->any_left = own->any_left || !taken;
        }
        return 0;
}

static pid_t clone_plain(uint64_t flags, int cgroup_fd, int *ret_pidfd)
{
        struct clone_args args = { .flags = flags | CLONE_PIDFD,
                                   .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
                                   .exit_signal = SIGCHLD };
        if (cgroup_fd >= 0) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t)cgroup_fd;
        }
        if (flags & CLONE_PARENT)
                args.exit_signal = 0;
        return kernel_clone3(&args, sizeof(args));
}

/* What the process in between says: the pid of init, or why there is none. */
struct between {
        pid_t pid;
        struct err err;
};

static int join_left(const struct namespaces_clone *c, struct own *own, bool again, struct err *err)
{
        for (size_t i = 0; i < ELEMENTS(borrowed); i++) {
                if (!own->left[i])
                        continue;
                own->left[i] = setns(c->join[borrowed[i].kind], (int)flags_of[borrowed[i].kind]) < 0;
                if (own->left[i] && !again)
                        return err_sys(err, "join the %s namespace", oci_namespace_name(borrowed[i].kind));
        }
        return 0;
}

/* The others may belong to the host's user namespace, or to the one that is joined. */
static int join_between(const struct namespaces_clone *c, struct own *own, struct err *err)
{
        int user = c->join[OCI_NS_USER];
        if (join_left(c, own, user >= 0, err) < 0)
                return -1;
        if (user >= 0 && setns(user, CLONE_NEWUSER) < 0)
                return err_sys(err, "join the user namespace");
        return join_left(c, own, false, err);
}

/* New namespaces must belong to the user namespace that is joined, so they are made by a process that is in it already.
 * CLONE_PARENT makes init our child all the same. Returns 0 in init; the process in between never returns. */
static pid_t clone_from_between(const struct namespaces_clone *c, struct own *own, int sock)
{
        struct between say = { .pid = -1 };
        int pidfd = -1;
        if (join_between(c, own, &say.err) == 0 && (say.pid = clone_plain(c->flags | CLONE_PARENT, -1, &pidfd)) < 0)
                err_sys(&say.err, "clone");
        if (say.pid == 0)
                return 0;
        (void)fd_write_full(sock, &say, sizeof(say));
        _exit(0);
}

static pid_t clone_between(const struct namespaces_clone *c, struct own *own, int *ret_pidfd, struct err *err)
{
        int sv[2], pidfd = -1;
        struct between say = { .pid = -1 };
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
                return err_sys(err, "socket");
        _cleanup_close_ int ours = sv[0], theirs = sv[1], between_fd = -1;
        pid_t between = clone_plain(0, c->cgroup_fd, &between_fd);
        if (between < 0)
                return err_sys(err, "clone");
        if (between == 0) {
                mem_closep(&ours);
                return clone_from_between(c, own, theirs);
        }
        mem_closep(&theirs);
        ssize_t n = fd_read_full(ours, &say, sizeof(say));
        while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
                ;
        if (n != sizeof(say))
                return err_set(err, ERR_SYSTEM, "the process that joins the namespaces died");
        if (say.pid < 0) {
                *err = say.err;
                return -1;
        }
        pidfd = pidfd_open(say.pid, 0);
        if (pidfd < 0)
                return err_sys(err, "open init");
        *ret_pidfd = pidfd;
        return say.pid;
}

pid_t namespaces_clone(const struct namespaces_clone *c, int *ret_pidfd, struct err *err)
{
        struct own own;
        int dumpable = c->guarded ? prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) : 0;
        if (borrow(c->join, &own, err) < 0)
                return -1;
        if (c->guarded)
                prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        pid_t pid = c->join[OCI_NS_USER] >= 0 || own.any_left ? clone_between(c, &own, ret_pidfd, err)
                                                              : clone_plain(c->flags, c->cgroup_fd, ret_pidfd);
        if (pid == 0)
                return 0;
        int saved = errno;
        if (c->guarded)
                prctl(PR_SET_DUMPABLE, dumpable == 1, 0, 0, 0);
        give_back(&own);
        if (pid < 0 && err->kind == ERR_NONE)
                return err_sysnum(err, saved, "clone init");
        return pid;
}
