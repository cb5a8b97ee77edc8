#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/fd.h"
#include "base/mem.h"

int file_read_at(int dir_fd, const char *path, struct buf *b, struct err *err)
{
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return err_sys(err, "open %s", path);
        struct stat st;
        size_t max = b->max ? b->max : BUF_DEFAULT_MAX;
        /* One allocation and one read for an ordinary file; a size that lies only costs the usual growing. */
        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && (uintmax_t)st.st_size < max - b->len)
                if (buf_reserve(b, (size_t)st.st_size + 1, err) < 0)
                        return err_add(err, "read %s", path);
        return fd_read_all(fd, b, err) < 0 ? err_add(err, "read %s", path) : 0;
}

/* The part of `path` up to its last component: "" when it has one component only. */
static char *directory_of(const char *path)
{
        const char *slash = strrchr(path, '/');
        return slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup("");
}

static int sync_directory_of(int dir_fd, const char *directory, struct err *err)
{
        _cleanup_close_ int fd = openat(dir_fd, *directory ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "open directory %s", directory);
        return file_sync_dir(fd, err);
}

static int write_new(int dir_fd, const char *path, const void *data, size_t len, mode_t mode, bool durable,
                     struct err *err)
{
        _cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return err_sys(err, "create %s", path);
        if (fd_write_full(fd, data, len) < 0)
                return err_sys(err, "write %s", path);
        if (mode != 0600 && fchmod(fd, mode) < 0)
                return err_sys(err, "set the mode of %s", path);
        if (durable && fsync(fd) < 0)
                return err_sys(err, "sync %s", path);
        return 0;
}

int file_write_at(int dir_fd, const char *path, const void *data, size_t len, mode_t mode, bool durable,
                  struct err *err)
{
        char random[17];
        random_hex(random, 16);
        _cleanup_free_ char *directory = directory_of(path);
        _cleanup_free_ char *temporary = xasprintf("%s.tmp-%s", directory, random);
        if (write_new(dir_fd, temporary, data, len, mode, durable, err) < 0) {
                unlinkat(dir_fd, temporary, 0);
                return -1;
        }
        if (renameat(dir_fd, temporary, dir_fd, path) < 0) {
                err_sys(err, "rename to %s", path);
                unlinkat(dir_fd, temporary, 0);
                return -1;
        }
        return durable ? sync_directory_of(dir_fd, directory, err) : 0;
}

int file_poke_at(int dir_fd, const char *path, const char *text, struct err *err)
{
        _cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return err_sys(err, "open %s", path);
        size_t len = strlen(text);
        ssize_t n;
        while ((n = write(fd, text, len)) < 0 && errno == EINTR)
                ;
        if (n < 0)
                return err_sys(err, "write '%.64s' to %s", text, path);
        if ((size_t)n != len)
                return err_sysnum(err, EIO, "write '%.64s' to %s: taken in part", text, path);
        return 0;
}

int file_line_at(int dir_fd, const char *path, char **ret_line, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT((size_t)64 << 10);
        if (file_read_at(dir_fd, path, &b, err) < 0)
                return -1;
        char *text = buf_take(&b);
        text[strcspn(text, "\n")] = '\0';
        *ret_line = text;
        return 0;
}

int file_sync_dir(int dir_fd, struct err *err)
{
        if (dir_fd != AT_FDCWD && fsync(dir_fd) == 0)
                return 0;
        if (dir_fd != AT_FDCWD && errno != EBADF)
                return err_sys(err, "sync directory");
        /* An O_PATH descriptor names the directory and cannot sync it. */
        _cleanup_close_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
                return err_sys(err, "sync directory");
        return 0;
}

bool file_exists_at(int dir_fd, const char *path)
{
        return faccessat(dir_fd, path, F_OK, 0) == 0;
}

static int lock_wait(int fd, int operation)
{
        int r;
        while ((r = flock(fd, operation)) < 0 && errno == EINTR)
                ;
        return r;
}

int file_lock_at(int dir_fd, const char *path, bool exclusive, bool wait, struct err *err)
{
        for (;;) {
                _cleanup_close_ int fd =
                        openat(dir_fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
                if (fd < 0)
                        return err_sys(err, "open lock file %s", path);
                if (lock_wait(fd, (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)) < 0) {
                        if (errno == EWOULDBLOCK)
                                return err_set(err, ERR_CONFLICT, "%s is locked", path);
                        return err_sys(err, "lock %s", path);
                }
                struct stat st;
                if (fstat(fd, &st) < 0)
                        return err_sys(err, "look at lock file %s", path);
                if (st.st_nlink > 0)
                        return TAKE_FD(fd);
                /* Its holder removed it while we waited: this lock keeps nobody out, take the new file's. */
        }
}
