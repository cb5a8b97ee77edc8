#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"

#define DEPTH_MAX 64

static int copy_directory(int from_fd, int to_fd, int depth, struct err *err);

static int copy_attributes(int dir_fd, const char *name, const struct stat *st, struct err *err)
{
        struct timespec times[2] = { st->st_atim, st->st_mtim };
        if (fchownat(dir_fd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EINVAL &&
            errno != EPERM)
                return err_sys(err, "owner of %s", name);
        if (!S_ISLNK(st->st_mode) && fchmodat(dir_fd, name, st->st_mode & 07777, 0) < 0)
                return err_sys(err, "mode of %s", name);
        (void)utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW);
        return 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, struct err *err)
{
        _cleanup_close_ int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        _cleanup_close_ int to =
                from < 0 ? -1 : openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (to < 0)
                return err_sys(err, "copy %s", name);
        return fd_copy(from, to, NULL, err);
}

static int copy_link(int from_dir, int to_dir, const char *name, struct err *err)
{
        char target[4096];
        ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);
        if (n < 0)
                return err_sys(err, "copy link %s", name);
        target[n] = 0;
        return symlinkat(target, to_dir, name) < 0 ? err_sys(err, "copy link %s", name) : 0;
}

static int copy_subdirectory(int from_dir, int to_dir, const char *name, int depth, struct err *err)
{
        if (depth >= DEPTH_MAX)
                return err_set(err, ERR_TOO_LARGE, "tmpcopyup: directories are nested too deeply");
        if (mkdirat(to_dir, name, 0700) < 0)
                return err_sys(err, "copy directory %s", name);
        _cleanup_close_ int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int to = from < 0 ? -1 : openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (to < 0)
                return err_sys(err, "copy directory %s", name);
        return copy_directory(from, to, depth + 1, err);
}

static int copy_entry(int from_dir, int to_dir, const char *name, int depth, struct err *err)
{
        struct stat st;
        int r = 0;
        if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(err, "copy %s", name);
        if (S_ISDIR(st.st_mode))
                r = copy_subdirectory(from_dir, to_dir, name, depth, err);
        else if (S_ISREG(st.st_mode))
                r = copy_file(from_dir, to_dir, name, err);
        else if (S_ISLNK(st.st_mode))
                r = copy_link(from_dir, to_dir, name, err);
        else if (mknodat(to_dir, name, st.st_mode, st.st_rdev) < 0)
                r = errno == EPERM ? 1 : err_sys(err, "copy %s", name); /* devices are not for user namespaces */
        if (r != 0)
                return r < 0 ? -1 : 0;
        return copy_attributes(to_dir, name, &st, err);
}

static int copy_directory(int from_fd, int to_fd, int depth, struct err *err)
{
        int copy = fcntl(from_fd, F_DUPFD_CLOEXEC, 3);
        _cleanup_closedir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        if (!dir) {
                mem_closep(&copy);
                return err_sys(err, "copy a directory");
        }
        for (struct dirent *e; (e = readdir(dir));)
                if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
                    copy_entry(from_fd, to_fd, e->d_name, depth, err) < 0)
                        return -1;
        return 0;
}

int copy_up(int from_fd, int to_fd, struct err *err)
{
        struct stat st;
        /* Both are O_PATH or mount descriptors: readable ones of the same directories are needed. */
        _cleanup_close_ int from = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int to = openat(to_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (from < 0 || to < 0 || fstat(from, &st) < 0)
                return err_sys(err, "tmpcopyup");
        if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
                return err_sys(err, "tmpcopyup");
        return copy_directory(from, to, 0, err);
}
