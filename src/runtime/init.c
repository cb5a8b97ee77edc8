#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/keyctl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/namespace-internal.h"

/* ---- namespaces ---- */

static int become_root(const struct init *in, struct err *err)
{
        if (in->user_new && sync_expect(in->sync_fd, SYNC_MAPPED, err) < 0)
                return -1;
        if (!in->in_userns)
                return 0;
        if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return err_sys(err, "become root of the user namespace");
        if (!groups_kept(in->spec))
                (void)setgroups(0, NULL); /* denied where the namespace was made without privilege */
        /* Changing ids hid our files in /proc from us. Where nobody else can be yet, that is not needed. */
        if (!in->guarded)
                prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        return 0;
}

/* In a mount namespace that others use the root is built in a copy of it, which nobody else sees, and taken along into it at
 * the end (root_enter). Were it built there, the mounts would lie on theirs, and pivot_root would move them too. */
static int copy_mounts(struct init *in, struct err *err)
{
        int fd = in->ns_fds[OCI_NS_MOUNT];
        bool own = namespace_is_own(fd, "mnt");
        if (!own && setns(fd, CLONE_NEWNS) < 0)
                return err_sys(err, "join the mount namespace");
        if (unshare(CLONE_NEWNS) < 0)
                return err_sys(err, "copy the mount namespace");
        /* Joining led to the root of that namespace: names of the bundle are to be looked up there. */
        if (!own && in->request->bundle && chdir(in->request->bundle) < 0)
                return err_sys(err, "chdir %s in the mount namespace that is joined", in->request->bundle);
        return 0;
}

static int join_namespaces(struct init *in, struct err *err)
{
        if (in->ns_fds[OCI_NS_TIME] >= 0 && setns(in->ns_fds[OCI_NS_TIME], CLONE_NEWTIME) < 0)
                return err_sys(err, "join the time namespace");
        return in->ns_fds[OCI_NS_MOUNT] >= 0 ? copy_mounts(in, err) : 0;
}

/* Offsets can be set only before anybody is in the namespace: it is made for our children, given its offsets, and only
 * then entered. */
static int new_time(const struct oci_spec *spec, struct err *err)
{
        if (unshare(CLONE_NEWTIME) < 0)
                return errno == EINVAL ? err_set(err, ERR_UNSUPPORTED, "this kernel has no time namespaces")
                                       : err_sys(err, "make a time namespace");
        _cleanup_free_ char *text =
                xasprintf("monotonic %" PRId64 " %" PRIu32 "\nboottime %" PRId64 " %" PRIu32 "\n", spec->monotonic_secs,
                          spec->monotonic_nsecs, spec->boottime_secs, spec->boottime_nsecs);
        if ((spec->has_monotonic_offset || spec->has_boottime_offset) &&
            file_poke_at(AT_FDCWD, "/proc/self/timens_offsets", text, err) < 0)
                return err_add(err, "linux.timeOffsets");
        _cleanup_close_ int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
        return fd < 0 || setns(fd, CLONE_NEWTIME) < 0 ? err_sys(err, "enter the time namespace") : 0;
}

static int set_names(const struct oci_spec *spec, struct err *err)
{
        if (!str_empty(spec->hostname) && sethostname(spec->hostname, strlen(spec->hostname)) < 0)
                return err_sys(err, "hostname");
        if (!str_empty(spec->domainname) && setdomainname(spec->domainname, strlen(spec->domainname)) < 0)
                return err_sys(err, "domainname");
        return 0;
}

/* A session keyring of its own keeps the host's keys away. Quota or a missing key facility is no reason not to start. One with a name would
 * be looked for among those of all containers, and be another's where that has the same id. */
static void new_keyring(const struct runtime_create *request)
{
        if (!request->no_new_keyring)
                (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
}

int init_wait_network(struct init *in, struct err *err)
{
        if (!in->wait_network || in->network_done)
                return 0;
        in->network_done = true;
        return sync_expect(in->sync_fd, SYNC_NETWORK, err);
}

/* ---- hooks ---- */

static int run_hooks(struct init *in, struct err *err)
{
        const struct oci_spec *spec = in->spec;
        if (!spec->hooks[OCI_HOOK_PRESTART].count && !spec->hooks[OCI_HOOK_CREATE_RUNTIME].count &&
            !spec->hooks[OCI_HOOK_CREATE_CONTAINER].count)
                return 0;
        if (sync_send(in->sync_fd, SYNC_MOUNTED, err) < 0 || sync_expect(in->sync_fd, SYNC_HOOKS_DONE, err) < 0)
                return -1;
        if (fchdir(in->root_fd) < 0)
                return err_sys(err, "change to the root");
        return runtime_hooks(spec, OCI_HOOK_CREATE_CONTAINER, in->request->id, in->request->bundle, getpid(),
                             "creating", err);
}

static int accept_start(const struct init *in, struct err *err)
{
        int listener = in->request->start_listen_fd;
        if (listener <= 0)
                return sync_expect(in->sync_fd, SYNC_START, err);
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "accept the start");
        if (dup3(fd, in->sync_fd, O_CLOEXEC) < 0)
                return err_sys(err, "accept the start");
        close(fd);
        return sync_expect(in->sync_fd, SYNC_START, err);
}

/* startContainer hooks run inside, between the start and the command: then it is we who wait, and not the stage. */
static int start_hooks(struct init *in, struct err *err)
{
        if (!in->spec->hooks[OCI_HOOK_START_CONTAINER].count)
                return 0;
        if (sync_send(in->sync_fd, SYNC_READY, err) < 0 || accept_start(in, err) < 0)
                return -1;
        return hooks_inside(in, err);
}

/* ---- order of all of it ---- */

static int prepare(struct init *in, struct err *err)
{
        uint64_t now = in->unshare_flags & ~(uint64_t)(CLONE_NEWCGROUP | CLONE_NEWTIME);
        (void)setsid();
        if (become_root(in, err) < 0 || label_open(in->label_folder, in->label_fd, err) < 0 ||
            join_namespaces(in, err) < 0)
                return -1;
        if (now && unshare((int)now) < 0)
                return err_sys(err, "make namespaces");
        if ((in->unshare_flags & CLONE_NEWTIME) && new_time(in->spec, err) < 0)
                return -1;
        new_keyring(in->request);
        const struct oci_namespace *net = &in->spec->namespaces[OCI_NS_NETWORK];
        if (in->request->loopback && net->wanted && !net->path && namespace_raise_loopback(err) < 0)
                return -1;
        return set_names(in->spec, err);
}

static int build(struct init *in, struct err *err)
{
        if (root_build(in, err) < 0 || init_wait_cgroup(in, err) < 0)
                return -1;
        if ((in->unshare_flags & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0)
                return err_sys(err, "make a cgroup namespace");
        if (sysctl_apply(in, err) < 0 || run_hooks(in, err) < 0 || root_protect(in, err) < 0)
                return -1;
        return root_enter(in, err);
}

static char **command_line(const struct init *in)
{
        char **args = NULL;
        if (in->request->init_process) {
                strv_push(&args, "/sbin/docker-init");
                strv_push(&args, "--");
        }
        strv_extend(&args, in->spec->process.args);
        return args;
}

static int launch(struct init *in, struct err *err)
{
        const struct runtime_create *request = in->request;
        int terminal[3] = { in->console_fd, in->console_fd, in->console_fd };
        if (in->console_fd >= 0 && ioctl(in->console_fd, TIOCSCTTY, 0) < 0)
                return err_sys(err, "take the terminal");
        if (start_hooks(in, err) < 0 || process_prepare(&in->spec->process, in->spec->personality_domain, err) < 0)
                return -1;
        char **args = command_line(in);
        struct oci_process process = in->spec->process;
        process.env = process_environment(&in->spec->process);
        int listener = request->start_listen_fd > 0 ? request->start_listen_fd : -1;
        return process_launch(&process, args, in->console_fd >= 0 ? terminal : request->stdio,
                              request->preserve_fds, in->sync_fd, listener, in->label_fd, in->stage_fd, err);
}

void init_main(struct init *in)
{
        struct err err = ERR_INIT;
        mem_closep(&in->runtime_sync_fd);
        if (prepare(in, &err) == 0 && build(in, &err) == 0)
                (void)launch(in, &err);
        (void)sync_send_error(in->sync_fd, &err);
        _exit(1);
}
