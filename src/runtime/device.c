#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "base/path.h"
#include "base/str.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"

/* config-linux.md "Default Devices". */
static const struct oci_device default_devices[] = {
#define D(path, major, minor)                                                                                          \
        {                                                                                                              \
                (char *)path, 'c', major, minor, true, 0666, false, false, 0, 0                                        \
        }
        D("/dev/null", 1, 3),   D("/dev/zero", 1, 5),    D("/dev/full", 1, 7),
        D("/dev/random", 1, 8), D("/dev/urandom", 1, 9), D("/dev/tty", 5, 0),
#undef D
};

static const struct {
        const char *name, *target;
} links[] = {
        { "fd", "/proc/self/fd" },       { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
        { "stderr", "/proc/self/fd/2" }, { "core", "/proc/kcore" },      { "ptmx", "pts/ptmx" },
};

static mode_t device_type(const struct oci_device *d)
{
        return d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;
}

static bool is_same(int dir_fd, const char *name, const struct oci_device *d)
{
        struct stat st;
        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == device_type(d) &&
               (d->type == 'p' || st.st_rdev == makedev((unsigned)d->major, (unsigned)d->minor));
}

/* Inside a user namespace nodes cannot be made: one that the runtime made, or the host's, is bound over an empty file. */
static int bind_device(const struct init *in, int dir_fd, const char *name, const struct oci_device *d, struct err *err)
{
        struct stat st;
        bool listed = in->device_fds && d >= in->spec->devices && d < in->spec->devices + in->spec->device_count;
        _cleanup_close_ int source = listed ? TAKE_FD(in->device_fds[d - in->spec->devices]) : -1;
        if (source < 0 && (source = mount_clone(AT_FDCWD, d->path, false, err)) < 0)
                return -1;
        if (fstat(source, &st) < 0 || (st.st_mode & S_IFMT) != device_type(d) ||
            st.st_rdev != makedev((unsigned)d->major, (unsigned)d->minor))
                return err_set(err, ERR_UNSUPPORTED,
                               "the host's node is another device, and none can be made in a user namespace");
        _cleanup_close_ int made = openat(dir_fd, name, O_CREAT | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
        _cleanup_close_ int place = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (place < 0)
                return err_sys(err, "make a place");
        return mount_attach(source, place, err);
}

/* By a descriptor: what carries the name now is what was looked at. */
static int own_device(int dir_fd, const char *name, const struct oci_device *d, struct err *err)
{
        if (!d->has_mode && !d->has_uid && !d->has_gid)
                return 0;
        if (d->has_mode && fchmodat(dir_fd, name, d->mode & 07777, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(err, "mode of a node");
        if ((d->has_uid || d->has_gid) && fchownat(dir_fd, name, d->has_uid ? d->uid : (uid_t)-1,
                                                   d->has_gid ? d->gid : (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(err, "own node");
        return 0;
}

/* config-linux.md "Devices": a file that is no such device is an error. In place of a default device an image may have
 * anything, and that gives way. */
static int make_device(const struct init *in, int dir_fd, const char *name, const struct oci_device *d, bool is_default,
                       struct err *err)
{
        mode_t mode = device_type(d) | (d->has_mode ? d->mode & 07777 : 0666);
        dev_t number = makedev((unsigned)d->major, (unsigned)d->minor);
        bool bind = in->in_userns && d->type != 'p';
        struct stat st;
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
                if (is_same(dir_fd, name, d))
                        return is_default || bind ? 0 : own_device(dir_fd, name, d, err);
                if (!is_default)
                        return err_set(err, ERR_INVALID, "there is another file already");
                if (!bind && unlinkat(dir_fd, name, 0) < 0)
                        return err_sys(err, "make room for a node");
        }
        if (bind)
                return bind_device(in, dir_fd, name, d, err);
        if (mknodat(dir_fd, name, mode, number) < 0)
                return errno == EPERM ? bind_device(in, dir_fd, name, d, err) : err_sys(err, "make node");
        return own_device(dir_fd, name, d, err);
}

static int add_device(const struct init *in, int dev_fd, const struct oci_device *d, bool is_default, struct err *err)
{
        const char *name = str_after(d->path, "/dev/");
        if (!strchr("cbup", d->type) || !d->type)
                return err_set(err, ERR_INVALID, "device %s: unknown type", d->path);
        _cleanup_close_ int parent = -1;
        if (!name || strchr(name, '/') || dev_fd < 0) {
                _cleanup_free_ char *clean = path_clean(d->path);
                _cleanup_free_ char *directory = xstrndup(clean, (size_t)(path_name(clean) - clean));
                parent = path_mkdirs_in(in->root_fd, directory, 0755, (uid_t)-1, (gid_t)-1, err);
                if (parent < 0)
                        return -1;
                name = path_name(d->path);
                if (str_empty(name) || str_eq(name, ".."))
                        return err_set(err, ERR_INVALID, "device path %s", d->path);
                return make_device(in, parent, name, d, is_default, err);
        }
        if (str_empty(name) || str_eq(name, ".") || str_eq(name, ".."))
                return err_set(err, ERR_INVALID, "device path %s", d->path);
        return make_device(in, dev_fd, name, d, is_default, err);
}

static int add_links(int dev_fd, struct err *err)
{
        for (size_t i = 0; i < ELEMENTS(links); i++) {
                int r = symlinkat(links[i].target, dev_fd, links[i].name);
                if (r < 0 && errno == EEXIST && str_eq(links[i].name, "ptmx")) {
                        /* An image's own node would lead to the host's terminals. */
                        (void)unlinkat(dev_fd, "ptmx", 0);
                        r = symlinkat(links[i].target, dev_fd, links[i].name);
                }
                if (r < 0 && errno != EEXIST)
                        return err_sys(err, "link /dev/%s", links[i].name);
        }
        return 0;
}

/* With the host's /dev bound in, nothing of it may be changed. */
static bool has_foreign_dev(const struct oci_spec *spec)
{
        for (size_t i = 0; i < spec->mount_count; i++) {
                const struct oci_mount *m = &spec->mounts[i];
                if (str_eq(m->destination, "/dev") &&
                    (str_eq(m->type, "bind") || strv_has(m->options, "bind") || strv_has(m->options, "rbind")))
                        return true;
        }
        return false;
}

int root_add_devices(struct init *in, struct err *err)
{
        if (has_foreign_dev(in->spec))
                return 0;
        _cleanup_close_ int dev_fd = path_mkdirs_in(in->root_fd, "/dev", 0755, (uid_t)-1, (gid_t)-1, err);
        if (dev_fd < 0)
                return -1;
        for (size_t i = 0; i < ELEMENTS(default_devices); i++)
                if (add_device(in, dev_fd, &default_devices[i], true, err) < 0)
                        return err_add(err, "device %s", default_devices[i].path);
        for (size_t i = 0; i < in->spec->device_count; i++)
                if (add_device(in, dev_fd, &in->spec->devices[i], false, err) < 0)
                        return err_add(err, "linux.devices[%zu]: device %s", i, in->spec->devices[i].path);
        return add_links(dev_fd, err);
}
