#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "storage/erofs-layer-internal.h"

#define ALIGNMENT ((uint64_t)4096)
#define EXTRA_MAX ((uint64_t)1 << 41)
#define CHUNK ((size_t)256 << 10)

int erofs_extra_add(struct erofs_layer *p, struct erofs_node *n, uint64_t size, struct err *err)
{
        if (p->extra_fd < 0) {
                p->extra_fd = openat(p->staging->dir_fd, EROFS_EXTRA_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                if (p->extra_fd < 0)
                        return err_sys(err, "create %s/" EROFS_EXTRA_NAME, p->staging->name);
        }
        uint64_t at = p->extra_size;
        if (size > EXTRA_MAX || at > EXTRA_MAX - size)
                return err_set(err, ERR_TOO_LARGE, "a file of %llu bytes: sparse files of a layer may have %llu together",
                               (unsigned long long)size, (unsigned long long)EXTRA_MAX);
        uint64_t end = (at + size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
        if (ftruncate(p->extra_fd, (off_t)end) < 0)
                return err_sys(err, "enlarge %s/" EROFS_EXTRA_NAME, p->staging->name);
        n->size = size;
        n->backing = EROFS_EXTRA;
        n->offset = at;
        p->extra_size = end;
        return 0;
}

int erofs_extra_write(struct erofs_layer *p, const struct erofs_node *n, const void *data, size_t len, uint64_t offset, struct err *err)
{
        for (const char *at = data; len > 0;) {
                ssize_t done = pwrite(p->extra_fd, at, len, (off_t)(n->offset + offset));
                if (done < 0 && errno == EINTR)
                        continue;
                if (done <= 0)
                        return err_sys(err, "write %s/" EROFS_EXTRA_NAME, p->staging->name);
                at += done;
                offset += (uint64_t)done;
                len -= (size_t)done;
        }
        return 0;
}

int erofs_extra_copy(struct erofs_layer *p, const struct erofs_node *n, int from, uint64_t from_at, uint64_t len, struct err *err)
{
        _cleanup_free_ char *chunk = xmalloc(CHUNK);
        for (uint64_t at = 0; at < len;) {
                ssize_t part = pread(from, chunk, len - at < CHUNK ? (size_t)(len - at) : CHUNK, (off_t)(from_at + at));
                if (part < 0 && errno == EINTR)
                        continue;
                if (part < 0)
                        return err_sys(err, "read a file of a layer");
                if (part == 0)
                        return err_set(err, ERR_CORRUPT, "a file of a layer is shorter than it was");
                if (erofs_extra_write(p, n, chunk, (size_t)part, at, err) < 0)
                        return -1;
                at += (uint64_t)part;
        }
        return 0;
}
