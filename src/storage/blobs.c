#include "storage/blobs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/blobs-internal.h"

/* The algorithms a directory is kept for; a digest of another is no digest to digest_valid(). */
static const char *const algorithms[] = { "sha256", "sha512" };

static int dir_make_open(int dir_fd, const char *name, struct err *err)
{
        int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT) {
                if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
                        return err_sys(err, "create directory %s", name);
                fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        return fd < 0 ? err_sys(err, "open directory %s", name) : fd;
}

int blobs_open(const char *root, struct blobs **ret, struct err *err)
{
        if (path_mkdirs(root, 0700, err) < 0)
                return -1;
        _cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return err_sys(err, "open %s", root);
        _cleanup_close_ int blobs_fd = dir_make_open(root_fd, "blobs", err);
        if (blobs_fd < 0)
                return -1;
        _cleanup_close_ int ingest_fd = dir_make_open(root_fd, "ingest", err);
        if (ingest_fd < 0)
                return -1;
        struct blobs *b = xcalloc(1, sizeof(*b));
        *b = (struct blobs){ TAKE_FD(root_fd), TAKE_FD(blobs_fd), TAKE_FD(ingest_fd) };
        *ret = b;
        return 0;
}

void blobs_close(struct blobs *b)
{
        if (!b)
                return;
        mem_closep(&b->ingest_fd);
        mem_closep(&b->blobs_fd);
        mem_closep(&b->root_fd);
        free(b);
}

int blob_name(const char *digest, char ret_name[BLOB_NAME_SIZE], struct err *err)
{
        if (!digest || !digest_valid(digest))
                return err_set(err, ERR_INVALID, "not a digest: %.150s", digest ? digest : "(none)");
        const char *hex = digest_hex(digest);
        snprintf(ret_name, BLOB_NAME_SIZE, "%.*s/%s", (int)(hex - digest - 1), digest, hex);
        return 0;
}

static void algorithm_of(const char *digest, char ret[16])
{
        snprintf(ret, 16, "%.*s", (int)(digest_hex(digest) - digest - 1), digest);
}

int blob_dir_make(struct blobs *b, const char *digest, struct err *err)
{
        char name[16];
        algorithm_of(digest, name);
        if (mkdirat(b->blobs_fd, name, 0700) == 0)
                return file_sync_dir(b->blobs_fd, err);
        return errno == EEXIST ? 0 : err_sys(err, "create blobs/%s", name);
}

int blob_dir_sync(struct blobs *b, const char *digest, struct err *err)
{
        char name[16];
        algorithm_of(digest, name);
        _cleanup_close_ int fd = openat(b->blobs_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "open blobs/%s", name);
        return file_sync_dir(fd, err);
}

bool blob_exists(struct blobs *b, const char *digest, uint64_t *ret_size)
{
        struct err err = ERR_INIT;
        struct stat st;
        char name[BLOB_NAME_SIZE];
        if (blob_name(digest, name, &err) < 0 || fstatat(b->blobs_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
                return false;
        if (ret_size)
                *ret_size = (uint64_t)st.st_size;
        return true;
}

int blob_open(struct blobs *b, const char *digest, uint64_t *ret_size, struct err *err)
{
        char name[BLOB_NAME_SIZE];
        struct stat st;
        if (blob_name(digest, name, err) < 0)
                return -1;
        _cleanup_close_ int fd = openat(b->blobs_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_sys(err, "blob %s", digest);
        if (ret_size)
                *ret_size = (uint64_t)st.st_size;
        return TAKE_FD(fd);
}

int blob_load(struct blobs *b, const char *digest, size_t max, struct buf *ret, struct err *err)
{
        uint64_t size = 0;
        _cleanup_close_ int fd = blob_open(b, digest, &size, err);
        if (fd < 0)
                return -1;
        if (size > max)
                return err_set(err, ERR_TOO_LARGE, "blob %s has %llu bytes, %zu are allowed", digest, (unsigned long long)size, max);
        return fd_read_all(fd, ret, err) < 0 ? err_add(err, "blob %s", digest) : 0;
}

int blob_remove(struct blobs *b, const char *digest, struct err *err)
{
        char name[BLOB_NAME_SIZE];
        if (blob_name(digest, name, err) < 0)
                return -1;
        return unlinkat(b->blobs_fd, name, 0) < 0 ? err_sys(err, "remove blob %s", digest) : 0;
}

static int entry_visit(int dir_fd, const char *algorithm, const char *hex,
                       int (*fn)(void *data, const char *digest, uint64_t size, int64_t mtime, struct err *err),
                       void *data, struct err *err)
{
        char digest[DIGEST_SIZE];
        struct stat st;
        if (snprintf(digest, sizeof(digest), "%s:%s", algorithm, hex) >= (int)sizeof(digest) || !digest_valid(digest))
                return 0;
        /* A blob removed while we walk is no error. */
        if (fstatat(dir_fd, hex, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                return 0;
        return fn(data, digest, (uint64_t)st.st_size, st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec,
                  err);
}

int blobs_walk(struct blobs *b,
               int (*fn)(void *data, const char *digest, uint64_t size, int64_t mtime, struct err *err), void *data,
               struct err *err)
{
        for (size_t i = 0; i < ELEMENTS(algorithms); i++) {
                int fd = openat(b->blobs_fd, algorithms[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd < 0 && errno == ENOENT)
                        continue;
                _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
                if (!dir)
                        return err_sys(err, "open blobs/%s", algorithms[i]);
                for (struct dirent *e; (e = readdir(dir));) {
                        int r = entry_visit(dirfd(dir), algorithms[i], e->d_name, fn, data, err);
                        if (r != 0)
                                return r;
                }
        }
        return 0;
}
