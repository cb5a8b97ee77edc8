#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "base/path.h"
#include "base/str.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"

/* -1 with an error, -2 when the path does not exist: then there is nothing to protect. */
static int open_existing(const struct init *in, const char *path, struct err *err)
{
        int fd = path_open_in(in->root_fd, path, O_PATH, 0, err);
        if (fd >= 0)
                return fd;
        if (err->sys != ENOENT && err->sys != ENOTDIR && err->sys != EACCES)
                return -1;
        err_clear(err);
        return -2;
}

/* The host's own /dev/null and nothing that an image put in its place (CVE-2025-31133). */
static int null_clone(struct init *in, struct err *err)
{
        struct stat st;
        int fd = mount_clone(AT_FDCWD, "/dev/null", false, err);
        if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))) {
                mem_closep(&fd);
                return err_set(err, ERR_SYSTEM, "/dev/null of the host is no null device");
        }
        return fd;
}

/* One empty tmpfs serves all covered directories. */
static int empty_clone(struct init *in, struct err *err)
{
        if (in->empty_fd < 0) {
                char *const data[] = { (char *)"mode=755", (char *)"size=0k", (char *)"nr_inodes=2", NULL };
                in->empty_fd = mount_make_fs(
                        "tmpfs", "tmpfs", data,
                        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
                return in->empty_fd < 0 ? -1 : fcntl(in->empty_fd, F_DUPFD_CLOEXEC, 3);
        }
        /* The first use attached it, so that it can be cloned also where detached mounts cannot be. */
        return mount_clone(in->empty_fd, "", false, err);
}

static int mask_path(struct init *in, const char *path, struct err *err)
{
        _cleanup_close_ int place = open_existing(in, path, err);
        if (place < 0)
                return place == -2 ? 0 : -1;
        _cleanup_close_ int cover = mount_is_directory(place) ? empty_clone(in, err) : null_clone(in, err);
        return cover < 0 ? -1 : mount_attach(cover, place, err);
}

static int lock_path(struct init *in, const char *path, struct err *err)
{
        _cleanup_close_ int place = open_existing(in, path, err);
        if (place < 0)
                return place == -2 ? 0 : -1;
        _cleanup_close_ int copy = mount_clone(place, "", true, err);
        if (copy < 0 || mount_set(copy, MOUNT_ATTR_RDONLY, 0, true, err) < 0)
                return -1;
        return mount_attach(copy, place, err);
}

int root_protect(struct init *in, struct err *err)
{
        STRV_FOREACH (path, in->spec->readonly_paths)
                if (lock_path(in, *path, err) < 0)
                        return err_add(err, "read-only path %s", *path);
        STRV_FOREACH (path, in->spec->masked_paths)
                if (mask_path(in, *path, err) < 0)
                        return err_add(err, "masked path %s", *path);
        return 0;
}
