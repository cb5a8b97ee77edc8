#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "storage/blobs-internal.h"
#include "storage/blobs.h"

/* Every so many bytes the kernel is told to start writing, so that the sync at the end finds little left to do. */
#define WRITEBACK_STEP ((uint64_t)8 << 20)

struct ingest {
        struct blobs *blobs;
        int fd; /* flock held; -1 when the blob was there already */
        char name[BLOB_NAME_SIZE]; /* in ROOT/ingest; empty once it is renamed or removed */
        char expected[DIGEST_SIZE]; /* empty: any content */
        struct digest *digest;
        uint64_t size, size_max, started;
        bool named; /* the caller knows it by a name: kept like one with a digest */
        bool complete; /* another writer finished this blob while we waited */
        bool broken; /* a write failed: nothing of this is kept */
};

static struct digest *digest_for(const char *expected)
{
        if (!*expected)
                return digest_new();
        _cleanup_free_ char *algorithm = xstrndup(expected, (size_t)(digest_hex(expected) - expected - 1));
        return digest_new_named(algorithm);
}

/* Opens and locks the partial file. The one we waited for may have been renamed to the blob meanwhile: writing on to it
 * would destroy the blob, so the name is looked at again after the lock. Returns -1 with err, -2 to try again. */
static int partial_lock(struct ingest *in, struct err *err)
{
        struct stat held, named;
        _cleanup_close_ int fd =
                openat(in->blobs->ingest_fd, in->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return err_sys(err, "create ingest/%s", in->name);
        while (flock(fd, LOCK_EX) < 0)
                if (errno != EINTR)
                        return err_sys(err, "lock ingest/%s", in->name);
        if (fstat(fd, &held) < 0)
                return err_sys(err, "ingest/%s", in->name);
        if (fstatat(in->blobs->ingest_fd, in->name, &named, AT_SYMLINK_NOFOLLOW) < 0 || named.st_ino != held.st_ino ||
            named.st_dev != held.st_dev)
                return -2;
        return TAKE_FD(fd);
}

static int partial_rehash(struct ingest *in, struct err *err)
{
        _cleanup_free_ char *chunk = xmalloc(256 << 10);
        for (;;) {
                ssize_t n = fd_read_full(in->fd, chunk, 256 << 10);
                if (n < 0)
                        return err_sys(err, "read ingest/%s", in->name);
                if (n == 0)
                        break;
                digest_update(in->digest, chunk, (size_t)n);
                in->size += (uint64_t)n;
        }
        return in->size > in->size_max ? ingest_restart(in, err) : 0;
}

static int begin_expected(struct ingest *in, struct err *err)
{
        snprintf(in->name, sizeof(in->name), "%s", digest_hex(in->expected));
        do {
                in->fd = partial_lock(in, err);
        } while (in->fd == -2);
        if (in->fd < 0)
                return -1;
        if (blob_exists(in->blobs, in->expected, &in->size)) {
                unlinkat(in->blobs->ingest_fd, in->name, 0);
                in->name[0] = '\0';
                mem_closep(&in->fd);
                in->fd = -1;
                in->complete = true;
                return 0;
        }
        return partial_rehash(in, err);
}

static int begin_anonymous(struct ingest *in, struct err *err)
{
        char random[33];
        random_hex(random, 32);
        snprintf(in->name, sizeof(in->name), "new-%s", random);
        in->fd = openat(in->blobs->ingest_fd, in->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (in->fd < 0)
                return err_sys(err, "create ingest/%s", in->name);
        /* Held for storage_sweep() to see that somebody is still at it. */
        return flock(in->fd, LOCK_EX | LOCK_NB) < 0 ? err_sys(err, "lock ingest/%s", in->name) : 0;
}

int blob_begin(struct blobs *b, const char *expected, uint64_t size_max, struct ingest **ret, uint64_t *ret_offset,
               struct err *err)
{
        _cleanup_(ingest_freep) struct ingest *in = xcalloc(1, sizeof(*in));
        in->blobs = b;
        in->fd = -1;
        in->size_max = size_max;
        if (expected) {
                char name[BLOB_NAME_SIZE];
                if (blob_name(expected, name, err) < 0)
                        return -1;
                snprintf(in->expected, sizeof(in->expected), "%s", expected);
        }
        in->digest = digest_for(in->expected);
        if (!in->digest)
                return err_set(err, ERR_UNSUPPORTED, "digest algorithm of %s", expected);
        if ((expected ? begin_expected(in, err) : begin_anonymous(in, err)) < 0)
                return -1;
        if (ret_offset)
                *ret_offset = in->size;
        *ret = TAKE_PTR(in);
        return 0;
}

int blob_begin_named(struct blobs *b, const char *name, uint64_t size_max, struct ingest **ret, uint64_t *ret_offset,
                     struct err *err)
{
        if (!str_only(name, "abcdefghijklmnopqrstuvwxyz0123456789") || strlen(name) < 8 || strlen(name) > 64)
                return err_set(err, ERR_INVALID, "not the name of an ingest: %.64s", name);
        _cleanup_(ingest_freep) struct ingest *in = xcalloc(1, sizeof(*in));
        *in = (struct ingest){ .blobs = b, .fd = -1, .size_max = size_max, .named = true, .digest = digest_new() };
        snprintf(in->name, sizeof(in->name), "named-%s", name);
        do {
                in->fd = partial_lock(in, err);
        } while (in->fd == -2);
        if (in->fd < 0 || partial_rehash(in, err) < 0)
                return -1;
        if (ret_offset)
                *ret_offset = in->size;
        *ret = TAKE_PTR(in);
        return 0;
}

int ingest_expect(struct ingest *in, const char *digest, struct err *err)
{
        if (!digest || !digest_valid(digest))
                return err_set(err, ERR_INVALID, "not a digest: %.150s", digest ? digest : "(none)");
        snprintf(in->expected, sizeof(in->expected), "%s", digest);
        if (str_starts(digest, "sha256:"))
                return 0;
        /* The running digest is of the usual algorithm: what came is read once more for another. */
        digest_free(in->digest);
        in->digest = digest_for(in->expected);
        in->size = 0;
        if (!in->digest)
                return err_set(err, ERR_UNSUPPORTED, "digest algorithm of %s", digest);
        return lseek(in->fd, 0, SEEK_SET) < 0 ? err_sys(err, "ingest/%s", in->name) : partial_rehash(in, err);
}

int ingest_reader(struct ingest *in, struct err *err)
{
        if (in->complete)
                return blob_open(in->blobs, in->expected, NULL, err);
        int fd = openat(in->blobs->ingest_fd, in->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? err_sys(err, "open ingest/%s", in->name) : fd;
}

int ingest_write(struct ingest *in, const void *data, size_t len, struct err *err)
{
        if (in->complete)
                return 0;
        if (len > in->size_max || in->size > in->size_max - len)
                return err_set(err, ERR_TOO_LARGE, "blob %s is larger than the %llu bytes announced", in->expected,
                               (unsigned long long)in->size_max);
        if (fd_write_full(in->fd, data, len) < 0) {
                in->broken = true;
                return err_sys(err, "write ingest/%s", in->name);
        }
        digest_update(in->digest, data, len);
        in->size += len;
        if (in->size - in->started >= WRITEBACK_STEP) {
                sync_file_range(in->fd, (off_t)in->started, (off_t)(in->size - in->started), SYNC_FILE_RANGE_WRITE);
                in->started = in->size;
        }
        return 0;
}

int ingest_restart(struct ingest *in, struct err *err)
{
        if (in->complete)
                return 0;
        if (!in->name[0])
                return err_set(err, ERR_INVALID, "blob was committed already");
        if (ftruncate(in->fd, 0) < 0 || lseek(in->fd, 0, SEEK_SET) < 0)
                return err_sys(err, "truncate ingest/%s", in->name);
        digest_free(in->digest);
        in->digest = digest_for(in->expected);
        in->size = in->started = 0;
        in->broken = false;
        return 0;
}

static void partial_drop(struct ingest *in)
{
        if (in->name[0])
                unlinkat(in->blobs->ingest_fd, in->name, 0);
        in->name[0] = '\0';
}

static int partial_publish(struct ingest *in, const char *digest, struct err *err)
{
        char name[BLOB_NAME_SIZE];
        if (blob_name(digest, name, err) < 0 || blob_dir_make(in->blobs, digest, err) < 0)
                return -1;
        if (fsync(in->fd) < 0) {
                /* After a failed sync the kernel may call the lost pages clean: they must be fetched again. */
                in->broken = true;
                return err_sys(err, "sync blob %s", digest);
        }
        if (renameat(in->blobs->ingest_fd, in->name, in->blobs->blobs_fd, name) < 0)
                return err_sys(err, "rename to blobs/%s", name);
        in->name[0] = '\0';
        return blob_dir_sync(in->blobs, digest, err);
}

static int content_commit(struct ingest *in, char digest[DIGEST_SIZE], struct err *err)
{
        digest_final(in->digest, digest);
        digest_free(in->digest);
        in->digest = digest_for(in->expected);
        if (in->expected[0] && !str_eq(digest, in->expected)) {
                partial_drop(in);
                return err_set(err, ERR_CORRUPT, "blob %s has the content of %s", in->expected, digest);
        }
        if (!blob_exists(in->blobs, digest, NULL))
                return partial_publish(in, digest, err);
        partial_drop(in);
        return 0;
}

int ingest_commit(struct ingest *in, char *ret_digest, uint64_t *ret_size, struct err *err)
{
        char digest[DIGEST_SIZE];
        if (!in->complete && !in->name[0])
                return err_set(err, ERR_INVALID, "blob was committed already");
        if (in->complete)
                snprintf(digest, sizeof(digest), "%s", in->expected);
        else if (content_commit(in, digest, err) < 0)
                return -1;
        if (ret_digest)
                snprintf(ret_digest, DIGEST_SIZE, "%s", digest);
        if (ret_size)
                *ret_size = in->size;
        return 0;
}

void ingest_free(struct ingest *in)
{
        if (!in)
                return;
        if (in->name[0] && ((!in->expected[0] && !in->named) || in->broken || in->size == 0))
                partial_drop(in);
        mem_closep(&in->fd);
        digest_free(in->digest);
        free(in);
}
