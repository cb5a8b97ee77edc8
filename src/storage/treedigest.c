#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/tree.h"
#include "storage/walk-internal.h"

struct digesting {
        struct digest *digest;
        bool (*excluded)(void *data, const char *path, bool is_dir);
        void *data;
        char *chunk;
};

#define CHUNK ((size_t)256 << 10)

static int content_add(struct digesting *g, const char *path, int fd, struct err *err)
{
        char proc[FD_PATH_SIZE];
        _cleanup_close_ int in = open(fd_path(fd, proc), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (in < 0)
                return err_sys(err, "open /%s", path);
        for (;;) {
                ssize_t n = fd_read_full(in, g->chunk, CHUNK);
                if (n < 0)
                        return err_sys(err, "read /%s", path);
                if (n == 0)
                        return 0;
                digest_update(g->digest, g->chunk, (size_t)n);
        }
}

static int target_add(struct digesting *g, const char *path, int fd, struct err *err)
{
        char target[4097];
        ssize_t n = readlinkat(fd, "", target, sizeof(target));
        if (n < 0)
                return err_sys(err, "read link /%s", path);
        digest_update(g->digest, target, (size_t)n);
        return 0;
}

static int entry_add(void *data, const char *path, int fd, const struct stat *st, struct err *err)
{
        struct digesting *g = data;
        char head[128];
        if (*path && g->excluded && g->excluded(g->data, path, S_ISDIR(st->st_mode)))
                return 1;
        /* Lengths first, so that no two different trees give the same bytes. */
        bool sized = S_ISREG(st->st_mode) || S_ISLNK(st->st_mode),
             device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
        int len = snprintf(head, sizeof(head), "%o %zu %" PRIu64 " ", (unsigned)st->st_mode, strlen(path),
                           sized    ? (uint64_t)st->st_size
                           : device ? (uint64_t)st->st_rdev
                                    : 0);
        digest_update(g->digest, head, (size_t)len);
        digest_update(g->digest, path, strlen(path));
        if (S_ISREG(st->st_mode))
                return content_add(g, path, fd, err);
        return S_ISLNK(st->st_mode) ? target_add(g, path, fd, err) : 0;
}

int tree_digest(int root_fd, const char *path, bool (*excluded)(void *data, const char *path, bool is_dir), void *data,
                char ret_digest[DIGEST_SIZE], struct err *err)
{
        _cleanup_(digest_freep) struct digest *digest = digest_new();
        _cleanup_free_ char *chunk = xmalloc(CHUNK);
        struct digesting g = { digest, excluded, data, chunk };
        _cleanup_close_ int top = path_open_in(root_fd, path, O_PATH | O_NOFOLLOW, 0, err);
        if (top < 0 || sorted_walk(top, entry_add, &g, err) < 0)
                return -1;
        digest_final(digest, ret_digest);
        return 0;
}
