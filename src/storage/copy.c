#include "storage/copy-internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/snapshot-internal.h"

#define XATTR_MAX 65536

static int xattr_copy(const char *from, const char *to, const char *name, char *value, struct err *err)
{
        ssize_t n = getxattr(from, name, value, XATTR_MAX);
        if (n < 0)
                return errno == ENODATA || errno == ENOTSUP ? 0 : err_sys(err, "read attribute %s", name);
        if (setxattr(to, name, value, (size_t)n, 0) == 0)
                return 0;
        bool optional =
                errno == ENOTSUP || ((errno == EPERM || errno == EACCES) && !str_eq(name, "security.capability"));
        return optional ? 0 : err_sys(err, "set attribute %s", name);
}

int copy_xattrs(int from, int to, struct err *err)
{
        char from_path[FD_PATH_SIZE], to_path[FD_PATH_SIZE];
        fd_path(from, from_path);
        fd_path(to, to_path);
        ssize_t len = listxattr(from_path, NULL, 0);
        if (len <= 0)
                return len == 0 || errno == ENOTSUP ? 0 : err_sys(err, "list attributes");
        _cleanup_free_ char *names = xmalloc((size_t)len + 1);
        _cleanup_free_ char *value = xmalloc(XATTR_MAX);
        len = listxattr(from_path, names, (size_t)len);
        if (len < 0)
                return err_sys(err, "list attributes");
        names[len] = '\0';
        for (const char *name = names; name < names + len; name += strlen(name) + 1)
                if (!xattr_is_private(name) && xattr_copy(from_path, to_path, name, value, err) < 0)
                        return -1;
        return 0;
}

static int times_set(int to, const struct stat *st, struct err *err)
{
        char path[FD_PATH_SIZE];
        const struct timespec times[2] = { st->st_atim, st->st_mtim };
        return utimensat(AT_FDCWD, fd_path(to, path), times, 0) < 0 ? err_sys(err, "set times") : 0;
}

int copy_attributes(int from, int to, const struct stat *st, struct err *err)
{
        char path[FD_PATH_SIZE];
        if (fchownat(to, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) < 0)
                return err_sys(err, "set owner");
        if (!S_ISLNK(st->st_mode) && chmod(fd_path(to, path), st->st_mode & 07777) < 0)
                return err_sys(err, "set mode");
        return copy_xattrs(from, to, err) < 0 ? -1 : times_set(to, st, err);
}

static int range_copy(int from, int to, off_t at, off_t end, struct err *err)
{
        _cleanup_free_ char *chunk = NULL;
        while (at < end) {
                off_t in = at, out = at;
                ssize_t n = chunk ? -1 : copy_file_range(from, &in, to, &out, (size_t)(end - at), 0);
                if (n < 0 && (chunk || errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
                        chunk = chunk ? chunk : xmalloc(256 << 10);
                        n = pread(from, chunk, end - at < 256 << 10 ? (size_t)(end - at) : 256 << 10, at);
                        for (ssize_t done = 0; n > 0 && done < n;) {
                                ssize_t w = pwrite(to, chunk + done, (size_t)(n - done), at + done);
                                if (w < 0)
                                        return err_sys(err, "write");
                                done += w;
                        }
                }
                if (n < 0)
                        return err_sys(err, "copy");
                if (n == 0)
                        break; /* cut off by somebody meanwhile */
                at += n;
        }
        return 0;
}

int copy_content(int from, int to, uint64_t size, struct err *err)
{
        if (size == 0 || ioctl(to, FICLONE, from) == 0)
                return 0;
        for (off_t at = 0; at < (off_t)size;) {
                off_t data = lseek(from, at, SEEK_DATA), end = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
                if (data < 0 && errno == ENXIO)
                        break;
                if (data < 0 || end < 0) {
                        data = at;
                        end = (off_t)size;
                }
                if (end > (off_t)size)
                        end = (off_t)size;
                if (data >= end)
                        break;
                if (range_copy(from, to, data, end, err) < 0)
                        return -1;
                at = end;
        }
        return ftruncate(to, (off_t)size) < 0 ? err_sys(err, "set size") : 0;
}

static int regular_copy(int from, const struct stat *st, int dir_fd, const char *name, struct err *err)
{
        char path[FD_PATH_SIZE];
        _cleanup_close_ int in = open(fd_path(from, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (in < 0)
                return err_sys(err, "open %s", name);
        _cleanup_close_ int out = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (out < 0)
                return err_sys(err, "create %s", name);
        if (copy_content(in, out, (uint64_t)st->st_size, err) < 0)
                return err_add(err, "copy %s", name);
        return copy_attributes(in, out, st, err) < 0 ? err_add(err, "copy %s", name) : 0;
}

static int link_copy(int from, int dir_fd, const char *name, struct err *err)
{
        char target[4097];
        ssize_t n = readlinkat(from, "", target, sizeof(target) - 1);
        if (n < 0)
                return err_sys(err, "read link %s", name);
        target[n] = '\0';
        return symlinkat(target, dir_fd, name) < 0 ? err_sys(err, "make link %s", name) : 0;
}

int copy_file(int from, const struct stat *st, int dir_fd, const char *name, struct err *err)
{
        if (S_ISREG(st->st_mode))
                return regular_copy(from, st, dir_fd, name, err);
        if (S_ISLNK(st->st_mode)) {
                if (link_copy(from, dir_fd, name, err) < 0)
                        return -1;
        } else if (mknodat(dir_fd, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0)
                return err_sys(err, "make node %s", name);
        _cleanup_close_ int to = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (to < 0)
                return err_sys(err, "open %s", name);
        return copy_attributes(from, to, st, err) < 0 ? err_add(err, "copy %s", name) : 0;
}
