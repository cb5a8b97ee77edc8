#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include "base/path.h"
#include "base/str.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"

static int base_fd(const struct init *in)
{
        return in->request->bundle_fd >= 0 ? in->request->bundle_fd : AT_FDCWD;
}

/* Shared and slave binds are opened while our mounts are still peers of the host's: then the copy is in the same peer
 * group, or a slave of it, as was asked for. */
static int open_propagating(struct init *in, struct err *err)
{
        for (size_t i = 0; i < in->spec->mount_count; i++) {
                const struct oci_mount *m = &in->spec->mounts[i];
                _cleanup_mount_words_ struct mount_words w = { 0 };
                mount_words_parse(m, &w);
                if (!mount_words_propagates(&w) || in->mount_fds[i] != -1)
                        continue;
                in->mount_fds[i] = mount_make(m, &w, base_fd(in), in->userns_fd, err);
                if (in->mount_fds[i] < 0)
                        return err_add(err, "mounts[%zu]: mount %s", i, m->destination);
        }
        return 0;
}

/* Cuts our copy of the host's mounts off, so that nothing done here is seen there. */
static int cut_off(const struct init *in, struct err *err)
{
        const char *wanted = in->spec->rootfs_propagation;
        bool private_ = str_eq(wanted, "private") || str_eq(wanted, "rprivate");
        if (mount(NULL, "/", NULL, MS_REC | (private_ ? MS_PRIVATE : MS_SLAVE), NULL) < 0)
                return err_sys(err, "make the mounts private");
        return 0;
}

/* SELinux: new file systems of the container carry its label. */
static void add_label(const struct init *in, const struct oci_mount *m, struct mount_words *w)
{
        static const char *const types[] = { "tmpfs", "ramfs", "devpts", "overlay" };
        for (size_t i = 0; i < ELEMENTS(types) && !str_empty(in->spec->mount_label); i++)
                if (!w->bind && str_eq(m->type, types[i]) && access("/sys/fs/selinux/enforce", F_OK) == 0)
                        strv_push_take(&w->data, xasprintf("context=%s", in->spec->mount_label));
}

static int make_root(struct init *in, struct err *err)
{
        const struct oci_mount *rootfs = in->request->rootfs;
        if (in->root_mount_fd >= 0)
                return TAKE_FD(in->root_mount_fd);
        if (!rootfs)
                return mount_clone(base_fd(in), in->spec->root_path, true, err);
        _cleanup_mount_words_ struct mount_words w = { 0 };
        mount_words_parse(rootfs, &w);
        add_label(in, rootfs, &w);
        return mount_make(rootfs, &w, base_fd(in), in->userns_fd, err);
}

/* A directory of the host is laid on its own path: hooks look for the root there, to mount files into it, and so do sources of
 * binds that come from mounts before them. An overlay has no path: on top of "/" of our own mount namespace pivot_root finds it. */
static int attach_root(struct init *in, struct err *err)
{
        if (str_empty(in->spec->root_path) && !in->request->rootfs)
                return err_set(err, ERR_INVALID, "root: no path and no mount");
        in->root_fd = make_root(in, err);
        const char *field = in->request->rootfs ? "root" : "root.path";
        if (in->root_fd < 0)
                return err_add(err, "%s", field);
        if (!mount_is_directory(in->root_fd))
                return err_set(err, ERR_INVALID, "%s: is no directory", field);
        in->root_at_path = !in->request->rootfs && move_mount(in->root_fd, "", base_fd(in), in->spec->root_path, MOVE_MOUNT_F_EMPTY_PATH) == 0;
        if (!in->root_at_path && move_mount(in->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return err_sys(err, "attach the root");
        return 0;
}

/* proc and sysfs on a link of the image would leave what expects them at their place to the image. */
static int place_of(struct init *in, const struct oci_mount *m, bool directory, struct err *err)
{
        if (str_eq(m->type, "proc") || str_eq(m->type, "sysfs")) {
                int fd = path_open_nolink(in->root_fd, m->destination + strspn(m->destination, "/"),
                                          O_PATH | O_DIRECTORY, 0, err);
                if (fd >= 0)
                        return fd;
                if (err->sys != ENOENT)
                        return err_set(err, ERR_INVALID, "%s must be mounted on ordinary directory", m->type);
                err_clear(err);
        }
        return mount_place(in->root_fd, m->destination, directory, err);
}

static bool is_procfs(int fd)
{
        struct statfs fs;
        return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

static bool is_root_proc(const struct init *in, int place)
{
        struct err unused = ERR_INIT;
        struct stat a, b;
        _cleanup_close_ int fd = path_open_nolink(in->root_fd, "proc", O_PATH, 0, &unused);
        return fd >= 0 && fstat(fd, &a) == 0 && fstat(place, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* Who runs later inside reads and writes below /proc and believes the kernel answers: labels, limits, parameters
 * (CVE-2019-16884, CVE-2019-19921). So /proc is procfs, and of the files below only those may be covered that merely tell,
 * as LXCFS does. The place is judged by what was reached, whatever path led there. */
static int check_proc(const struct init *in, const struct oci_mount *m, int mount_fd, int place, struct err *err)
{
        static const char *const telling[] = { "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo",
                                               "/proc/stat",    "/proc/swaps",     "/proc/uptime",
                                               "/proc/loadavg", "/proc/slabinfo",  "/proc/net/dev",
                                               "/proc/sys/kernel/ns_last_pid",     "/proc/sys/crypto/fips_enabled" };
        struct stat st;
        if (is_root_proc(in, place))
                return is_procfs(mount_fd) ? 0
                                           : err_set(err, ERR_INVALID, "cannot be mounted because it is not of type proc");
        if (!is_procfs(place))
                return 0;
        _cleanup_free_ char *clean = path_clean(m->destination);
        for (size_t i = 0; i < ELEMENTS(telling); i++)
                if (str_eq(clean, telling[i]) && fstat(place, &st) == 0 && S_ISREG(st.st_mode))
                        return 0;
        /* The root of another procfs: a mount of that kind on its own kind changes nothing. */
        return fstat(place, &st) == 0 && st.st_ino == 1 && is_procfs(mount_fd)
                       ? 0
                       : err_set(err, ERR_INVALID, "cannot be mounted because it is inside /proc");
}

static int remount(struct init *in, const struct oci_mount *m, const struct mount_words *w, struct err *err)
{
        _cleanup_close_ int place = path_open_in(in->root_fd, m->destination, O_PATH, 0, err);
        if (place < 0 || mount_set(place, w->set, w->clear, false, err) < 0 ||
            mount_set(place, w->all_set, w->all_clear, true, err) < 0)
                return -1;
        return w->propagation ? mount_set_propagation(place, w->propagation, w->propagation_all, err) : 0;
}

/* The kernel lists mounts in the order they were made. What was opened beforehand is copied in its turn, so that the
 * container sees its mounts in the order of the spec; kernels that list by place do not copy what is detached (before 6.15). */
static int in_turn(int early_fd)
{
        struct err unused = ERR_INIT;
        int copy = early_fd < 0 ? -1 : mount_clone(early_fd, "", true, &unused);
        if (copy < 0)
                return early_fd;
        close(early_fd);
        return copy;
}

/* The runtime's part of a mount whose source only now is there. What it sent before comes first. */
static int ask_mount(struct init *in, size_t index, struct err *err)
{
        struct sync_packet p;
        struct sync_message m = { .type = SYNC_MOUNT, .step = (int32_t)index };
        int fd = -1;
        if (init_wait_cgroup(in, err) < 0 || init_wait_network(in, err) < 0)
                return -1;
        if (send(in->sync_fd, &m, SYNC_SHORT, MSG_NOSIGNAL) < 0)
                return err_sys(err, "ask for a mount");
        if (sync_receive(in->sync_fd, &p, &fd, err) < 0)
                return -1;
        return p.message.type == SYNC_MOUNT && fd >= 0 ? fd : err_set(err, ERR_SYSTEM, "the runtime has gone away");
}

/* A tmpfs that nothing is said of looks like the directory it covers. */
static void keep_mode(const struct init *in, const struct oci_mount *m, struct mount_words *w)
{
        struct err unused = ERR_INIT;
        struct stat st;
        STRV_FOREACH (word, w->data)
                if (str_starts(*word, "mode="))
                        return;
        _cleanup_close_ int fd = path_open_in(in->root_fd, m->destination, O_PATH | O_DIRECTORY, 0, &unused);
        if (fd >= 0 && fstat(fd, &st) == 0)
                strv_push_take(&w->data, xasprintf("mode=%o", st.st_mode & 07777));
}

static int add_mount(struct init *in, size_t index, struct err *err)
{
        const struct oci_mount *m = &in->spec->mounts[index];
        _cleanup_mount_words_ struct mount_words w = { 0 };
        mount_words_parse(m, &w);
        add_label(in, m, &w);
        if (w.remount)
                return remount(in, m, &w, err);
        bool asked = in->mount_fds[index] == MOUNT_LATE;
        _cleanup_close_ int fd = asked ? ask_mount(in, index, err) : in_turn(TAKE_FD(in->mount_fds[index]));
        if (asked && fd < 0)
                return -1;
        if (!w.bind && str_eq(m->type, "tmpfs"))
                keep_mode(in, m, &w);
        bool late = !w.bind && str_eq(m->type, "tmpfs") && (w.set & MOUNT_ATTR_RDONLY);
        if (late)
                w.set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
        if (fd < 0)
                fd = mount_make(m, &w, base_fd(in), in->userns_fd, err);
        _cleanup_close_ int place = fd < 0 ? -1 : place_of(in, m, mount_is_directory(fd), err);
        if (place < 0 || check_proc(in, m, fd, place, err) < 0)
                return -1;
        if (w.copy_up && copy_up(place, fd, err) < 0)
                return -1;
        if (mount_attach(fd, place, err) < 0)
                return -1;
        if (late)
                in->mount_fds[index] = TAKE_FD(fd);
        return 0;
}

/* Read-only ones that others lay their places in. */
static int seal_mounts(struct init *in, struct err *err)
{
        for (size_t i = 0; i < in->spec->mount_count; i++) {
                _cleanup_close_ int fd = TAKE_FD(in->mount_fds[i]);
                if (fd >= 0 && mount_set(fd, MOUNT_ATTR_RDONLY, 0, false, err) < 0)
                        return err_add(err, "mount %s", in->spec->mounts[i].destination);
        }
        return 0;
}

static bool is_cgroup(const struct oci_mount *m)
{
        return str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2");
}

/* The groups are made by the runtime while we mount: their mount comes last, unless another one lies on it. */
static bool can_wait(const struct oci_spec *spec, size_t index)
{
        for (size_t i = index + 1; i < spec->mount_count; i++)
                if (path_is_below(spec->mounts[i].destination, spec->mounts[index].destination))
                        return false;
        return true;
}

static int add_mounts(struct init *in, bool late, struct err *err)
{
        for (size_t i = 0; i < in->spec->mount_count; i++) {
                const struct oci_mount *m = &in->spec->mounts[i];
                bool cgroup = is_cgroup(m), is_late = cgroup && can_wait(in->spec, i);
                if (is_late != late)
                        continue;
                if (str_empty(m->destination) || m->destination[strspn(m->destination, "/.")] == 0)
                        return err_set(err, ERR_INVALID, "mounts[%zu].destination: \"%s\" is the root", i,
                                       m->destination ? m->destination : "");
                if ((cgroup ? root_mount_cgroup(in, m, err) : add_mount(in, i, err)) < 0)
                        return err_add(err, "mounts[%zu]: mount %s", i, m->destination);
        }
        return 0;
}

/* --init: the reaper is bound in, as docker does it. */
static int add_reaper(struct init *in, struct err *err)
{
        if (!in->request->init_process)
                return 0;
        if (str_empty(in->request->init_path))
                return err_set(err, ERR_INVALID, "no reaper program");
        _cleanup_close_ int fd = mount_clone(AT_FDCWD, in->request->init_path, false, err);
        _cleanup_close_ int place = fd < 0 ? -1 : mount_place(in->root_fd, "/sbin/docker-init", false, err);
        if (place < 0 || mount_set(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, 0, false, err) < 0)
                return -1;
        return mount_attach(fd, place, err);
}

/* A missing working directory is made; one that cannot be is the command's failure, told when it is entered. */
static int make_working_directory(struct init *in, struct err *err)
{
        if (str_eq(in->spec->process.cwd, "/"))
                return 0;
        _cleanup_close_ int fd = path_mkdirs_in(in->root_fd, in->spec->process.cwd, 0755, (uid_t)-1, (gid_t)-1, err);
        if (fd < 0 && err->sys != EROFS && err->sys != EACCES && err->sys != EPERM)
                return err_add(err, "process.cwd");
        err_clear(err);
        return 0;
}

int root_build(struct init *in, struct err *err)
{
        umask(0);
        if (open_propagating(in, err) < 0 || cut_off(in, err) < 0 || attach_root(in, err) < 0)
                return -1;
        if (add_mounts(in, false, err) < 0 || root_add_devices(in, err) < 0)
                return -1;
        if (make_working_directory(in, err) < 0)
                return -1;
        if (in->spec->process.terminal && console_open(in, err) < 0)
                return -1;
        if (add_reaper(in, err) < 0)
                return err_add(err, "init");
        return add_mounts(in, true, err) < 0 ? -1 : seal_mounts(in, err);
}

static const struct {
        const char *name;
        uint64_t flag;
        bool all;
} propagations[] = {
        { "private", MS_PRIVATE, false },       { "rprivate", MS_PRIVATE, true },       { "slave", MS_SLAVE, false },
        { "rslave", MS_SLAVE, true },           { "shared", MS_SHARED, false },         { "rshared", MS_SHARED, true },
        { "unbindable", MS_UNBINDABLE, false }, { "runbindable", MS_UNBINDABLE, true },
};

static int set_root_propagation(const struct init *in, struct err *err)
{
        const char *wanted = in->spec->rootfs_propagation;
        for (size_t i = 0; i < ELEMENTS(propagations) && wanted; i++)
                if (str_eq(wanted, propagations[i].name))
                        return mount_set_propagation(in->root_fd, propagations[i].flag, propagations[i].all, err);
        return str_empty(wanted) ? 0 : err_set(err, ERR_INVALID, "linux.rootfsPropagation: \"%s\"", wanted);
}

/* Into a mount namespace that is not ours alone: the root with all its mounts goes along detached. It is in nobody's table of
 * mounts, and is gone with the last process that has it as its root. */
static int enter_shared(struct init *in, struct err *err)
{
        _cleanup_close_ int root = mount_clone(in->root_fd, "", true, err);
        if (root < 0)
                return err_add(err, "root");
        if (setns(in->ns_fds[OCI_NS_MOUNT], CLONE_NEWNS) < 0)
                return err_sys(err, "enter the mount namespace");
        return fchdir(root) < 0 || kernel_change_root(".") < 0 || chdir("/") < 0 ? err_sys(err, "enter the root") : 0;
}

/* proc(5) writes blanks and backslashes of a path as three octal digits. Heap. */
static char *point_decode(const char *text)
{
        char *out = xstrdup(text), *to = out;
        for (const char *p = text; *p; p++)
                if (p[0] == '\\' && strspn(p + 1, "01234567") >= 3) {
                        *to++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + p[3] - '0');
                        p += 3;
                } else {
                        *to++ = *p;
                }
        *to = 0;
        return out;
}

/* Without pivot_root the host's mounts stay below ours. A whole procfs or sysfs among them would let a user namespace made
 * inside mount another one, without the paths that are masked here. */
static int hide_host_kinds(struct err *err)
{
        _cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
        _cleanup_strv_ char **points = NULL;
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        if (!f)
                return err_sys(err, "/proc/self/mountinfo");
        while (getline(&line, &size, f) > 0) {
                const char *type = strstr(line, " - ");
                _cleanup_strv_ char **fields = strv_split(line, " ", true);
                if (type && (str_starts(type + 3, "proc ") || str_starts(type + 3, "sysfs ")) && strv_len(fields) > 4)
                        strv_push_take(&points, point_decode(fields[4]));
        }
        /* Paths lead through the old root, so those of the container's own mounts lead to none. */
        for (size_t i = strv_len(points); i-- > 0;)
                if (umount2(points[i], MNT_DETACH) < 0 && errno == EPERM &&
                    mount("none", points[i], "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0k,nr_inodes=2") < 0)
                        return err_sys(err, "cover %s", points[i]);
        return 0;
}

int root_enter(struct init *in, struct err *err)
{
        if (in->spec->root_readonly && mount_set(in->root_fd, MOUNT_ATTR_RDONLY, 0, false, err) < 0)
                return err_add(err, "read-only root");
        if (in->ns_fds[OCI_NS_MOUNT] >= 0)
                return enter_shared(in, err);
        if (fchdir(in->root_fd) < 0)
                return err_sys(err, "enter the root");
        if (in->request->no_pivot) {
                /* Stacked on the old one at "/": ".." from it leads back to itself. */
                if (in->root_at_path && move_mount(in->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                        return err_sys(err, "move the root");
                if (hide_host_kinds(err) < 0)
                        return -1;
                if (kernel_change_root(".") < 0 || chdir("/") < 0)
                        return err_sys(err, "enter the root");
                return set_root_propagation(in, err);
        }
        if (kernel_pivot_root(".", ".") < 0)
                return err_sys(err, "pivot_root");
        /* The old root is now stacked on ours. */
        if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return err_sys(err, "leave the host's root");
        return set_root_propagation(in, err);
}
