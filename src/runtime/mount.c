#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/path.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"

#define VALUE_MAX 255 /* fsconfig(2) takes strings of 256 bytes with their NUL */

/* The kernel's own words about a refused file system: lines "e text" read from its context. */
static int fs_error(int fs_fd, int number, const char *type, const char *what, struct err *err)
{
        char line[256];
        ssize_t n;
        while ((n = read(fs_fd, line, sizeof(line) - 1)) > 2) {
                line[n] = 0;
                if (line[0] == 'e')
                        return err_sysnum(err, number, "%s: %s", type, line + 2);
        }
        return err_sysnum(err, number, "%s: %s", type, what);
}

static int fs_option(int fs_fd, const char *type, const char *option, struct err *err)
{
        const char *equals = strchr(option, '=');
        if (!equals) {
                if (fsconfig(fs_fd, FSCONFIG_SET_FLAG, option, NULL, 0) < 0)
                        return fs_error(fs_fd, errno, type, option, err);
                return 0;
        }
        _cleanup_free_ char *key = xstrndup(option, (size_t)(equals - option));
        if (strlen(equals + 1) > VALUE_MAX)
                return err_set(err, ERR_INVALID, "%s: option %s is longer than %d bytes", type, key, VALUE_MAX);
        if (fsconfig(fs_fd, FSCONFIG_SET_STRING, key, equals + 1, 0) < 0)
                return fs_error(fs_fd, errno, type, option, err);
        return 0;
}

int mount_make_fs(const char *type, const char *source, char *const *data, uint64_t attributes, struct err *err)
{
        _cleanup_close_ int fs_fd = fsopen(type, FSOPEN_CLOEXEC);
        if (fs_fd < 0)
                return errno == ENODEV ? err_set(err, ERR_UNSUPPORTED, "this kernel has no file system \"%s\"", type)
                                       : err_sys(err, "open file system %s", type);
        if (!str_empty(source) && strlen(source) <= VALUE_MAX &&
            fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", source, 0) < 0)
                return fs_error(fs_fd, errno, type, source, err);
        STRV_FOREACH (option, data)
                if (fs_option(fs_fd, type, *option, err) < 0)
                        return -1;
        if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return fs_error(fs_fd, errno, type, "create", err);
        int fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, (unsigned)attributes);
        return fd < 0 ? fs_error(fs_fd, errno, type, "mount", err) : fd;
}

int mount_clone(int dir_fd, const char *path, bool recursive, struct err *err)
{
        unsigned flags =
                OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) | (*path ? 0 : AT_EMPTY_PATH);
        int fd = open_tree(dir_fd, path, flags);
        return fd < 0 ? err_sys(err, "bind %s", path) : fd;
}

int mount_set(int fd, uint64_t set, uint64_t clear, bool recursive, struct err *err)
{
        struct mount_attr attr = { .attr_set = set, .attr_clr = clear };
        if (!set && !clear)
                return 0;
        if (mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)) < 0)
                return err_sys(err, "set mount attributes");
        return 0;
}

int mount_set_propagation(int fd, uint64_t propagation, bool recursive, struct err *err)
{
        struct mount_attr attr = { .propagation = propagation };
        if (mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)) < 0)
                return err_sys(err, "set mount propagation");
        return 0;
}

int mount_idmap(int fd, int userns_fd, bool recursive, struct err *err)
{
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd };
        if (mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)) == 0)
                return 0;
        if (errno == EINVAL || errno == EOPNOTSUPP)
                return err_set(err, ERR_UNSUPPORTED, "this file system cannot be mounted with mapped ids");
        return err_sys(err, "map the ids of a mount");
}

static int make_bind(const struct oci_mount *m, const struct mount_words *w, int base_fd, struct err *err)
{
        if (str_empty(m->source))
                return err_set(err, ERR_INVALID, "a bind mount needs a source");
        if (mount_is_foreign(m->source))
                return mount_clone_foreign(m->source, w->recursive, err);
        if (!w->source_nofollow)
                return mount_clone(base_fd, m->source, w->recursive, err);
        _cleanup_close_ int source = path_open_nolink(base_fd, m->source, O_PATH, 0, err);
        return source < 0 ? -1 : mount_clone(source, "", w->recursive, err);
}

/* A superblock of its own may be read-only as a whole; those shared by kind (proc, sysfs) are so per mount only. */
static bool has_own_superblock(const char *type)
{
        static const char *const shared[] = { "proc",   "sysfs",  "cgroup", "cgroup2",
                                              "mqueue", "devpts", "tmpfs",  "overlay" };
        for (size_t i = 0; i < ELEMENTS(shared); i++)
                if (str_eq(type, shared[i]))
                        return false;
        return true;
}

/* What the kernel refuses to mount anew for a user namespace that owns too little can be seen through the host's. */
static int make_instead(const char *type, int number, struct err *err)
{
        static const struct {
                const char *type, *path;
        } places[] = {
                { "sysfs", "/sys" },
                { "mqueue", "/dev/mqueue" },
                { "proc", "/proc" },
                { "cgroup2", "/sys/fs/cgroup" },
        };
        for (size_t i = 0; i < ELEMENTS(places) && number == EPERM; i++)
                if (str_eq(type, places[i].type))
                        return mount_clone(AT_FDCWD, places[i].path, true, err);
        return -1;
}

static int make_new(const struct oci_mount *m, const struct mount_words *w, struct err *err)
{
        _cleanup_strv_ char **data = strv_dup(w->data);
        if (w->read_only && has_own_superblock(m->type))
                strv_push(&data, "ro");
        /* devpts: every mount is an instance of its own since Linux 4.7 */
        int fd = mount_make_fs(m->type, m->source, data, w->set, err);
        if (fd >= 0 || err->sys != EPERM)
                return fd;
        struct err second = ERR_INIT;
        _cleanup_close_ int instead = make_instead(m->type, EPERM, &second);
        if (instead < 0 ||
            mount_set(instead, w->set, w->set & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0, false, &second) < 0)
                return -1;
        err_clear(err);
        return TAKE_FD(instead);
}

int mount_make(const struct oci_mount *m, const struct mount_words *w, int base_fd, int userns_fd, struct err *err)
{
        _cleanup_close_ int fd = -1;
        if (w->bind)
                fd = make_bind(m, w, base_fd, err);
        else if (str_empty(m->type))
                return err_set(err, ERR_INVALID, "mount %s: neither a type nor bind among the options", m->destination);
        else if (str_eq(m->type, "overlay"))
                fd = mount_make_overlay(m, w, userns_fd, err);
        else
                fd = make_new(m, w, err);
        if (fd < 0)
                return -1;
        if (w->bind && w->idmap && mount_idmap(fd, userns_fd, w->idmap_all, err) < 0)
                return -1;
        if (w->bind && mount_set(fd, w->set, w->clear, false, err) < 0)
                return -1;
        if (mount_set(fd, w->all_set, w->all_clear, true, err) < 0)
                return -1;
        if (w->propagation && mount_set_propagation(fd, w->propagation, w->propagation_all, err) < 0)
                return -1;
        return TAKE_FD(fd);
}

bool mount_is_directory(int fd)
{
        struct stat st;
        return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int make_file(int root_fd, const char *destination, struct err *err)
{
        _cleanup_free_ char *path = path_clean(destination);
        char *slash = strrchr(path, '/');
        if (slash && slash != path) {
                *slash = 0;
                _cleanup_close_ int parent = path_mkdirs_in(root_fd, path, 0755, (uid_t)-1, (gid_t)-1, err);
                if (parent < 0)
                        return -1;
                *slash = '/';
        }
        /* O_PATH cannot create; the file is made, then opened again without being able to block on what it is by then. */
        _cleanup_close_ int made = path_open_in(root_fd, path, O_RDONLY | O_CREAT | O_NONBLOCK | O_NOCTTY, 0644, err);
        return made < 0 ? -1 : path_open_in(root_fd, path, O_PATH, 0, err);
}

int mount_place(int root_fd, const char *destination, bool directory, struct err *err)
{
        if (str_empty(destination))
                return err_set(err, ERR_INVALID, "a mount without destination");
        int fd = path_open_in(root_fd, destination, O_PATH, 0, err);
        if (fd >= 0 || err->sys != ENOENT)
                return fd;
        err_clear(err);
        return directory ? path_mkdirs_in(root_fd, destination, 0755, (uid_t)-1, (gid_t)-1, err)
                         : make_file(root_fd, destination, err);
}

int mount_attach(int mount_fd, int place_fd, struct err *err)
{
        if (move_mount(mount_fd, "", place_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
                return 0;
        int number = errno;
        if (number == ENOTDIR || (number == EINVAL && mount_is_directory(mount_fd) != mount_is_directory(place_fd)))
                return err_set(err, ERR_INVALID,
                               "not a directory: Are you trying to mount a directory onto a file (or vice-versa)? "
                               "Check if the specified host path exists and is the expected type");
        return err_sysnum(err, number, "attach a mount");
}
