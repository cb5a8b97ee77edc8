#include "monitor/backlog-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include "base/fd.h"
#include "base/mem.h"

void backlog_init(struct backlog *b)
{
        *b = (struct backlog){ .spill = -1 };
}

void backlog_done(struct backlog *b)
{
        if (b->ring)
                munmap(b->ring, BACKLOG_RING);
        mem_closep(&b->spill);
        backlog_init(b);
}

static bool spilling(const struct backlog *b)
{
        return b->spill >= 0;
}

bool backlog_empty(const struct backlog *b)
{
        return b->len == 0 && b->spill_read == b->spill_written;
}

size_t backlog_room(const struct backlog *b)
{
        return spilling(b) ? (size_t)(BACKLOG_SPILL - b->spill_written) : BACKLOG_RING - b->len;
}

static int ring_add(struct backlog *b, const uint8_t *data, size_t len)
{
        if (!b->ring) {
                void *ring = mmap(NULL, BACKLOG_RING, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (ring == MAP_FAILED)
                        return -1;
                b->ring = ring;
        }
        size_t tail = (b->head + b->len) % BACKLOG_RING, first = BACKLOG_RING - tail;
        if (first > len)
                first = len;
        memcpy(b->ring + tail, data, first);
        memcpy(b->ring, data + first, len - first);
        b->len += len;
        return 0;
}

int backlog_add(struct backlog *b, const void *data, size_t len)
{
        if (len == 0)
                return 0;
        if (len > backlog_room(b))
                return -1;
        if (!spilling(b))
                return ring_add(b, data, len);
        /* A file has no end that a full disk could not reach; what is half written is never sent, as the session
         * ends. */
        for (size_t done = 0; done < len;) {
                ssize_t n =
                        pwrite(b->spill, (const uint8_t *)data + done, len - done, (off_t)(b->spill_written + done));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return -1;
                done += (size_t)n;
        }
        b->spill_written += len;
        return 0;
}

int backlog_spill(struct backlog *b, const char *path)
{
        char folder[PATH_MAX];
        const char *slash = path ? strrchr(path, '/') : NULL;
        if (spilling(b) || !slash || (size_t)(slash - path) >= sizeof(folder) - 1)
                return -1;
        snprintf(folder, sizeof(folder), "%.*s/", (int)(slash - path), path);
        b->spill = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
        return b->spill < 0 ? -1 : 0;
}

static ssize_t ring_send(struct backlog *b, int sock)
{
        size_t part = b->head + b->len > BACKLOG_RING ? BACKLOG_RING - b->head : b->len;
        ssize_t n = send(sock, b->ring + b->head, part, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
                b->len -= (size_t)n;
                b->head = b->len ? (b->head + (size_t)n) % BACKLOG_RING : 0;
        }
        return n;
}

static ssize_t spill_send(struct backlog *b, int sock)
{
        off_t at = (off_t)b->spill_read;
        ssize_t n = sendfile(sock, b->spill, &at, (size_t)(b->spill_written - b->spill_read));
        if (n > 0)
                b->spill_read += (uint64_t)n;
        if (n == 0) {
                errno = EIO;
                return -1;
        }
        return n;
}

int backlog_send(struct backlog *b, int sock)
{
        while (!backlog_empty(b)) {
                ssize_t n = b->len ? ring_send(b, sock) : spill_send(b, sock);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? 0 : -1;
        }
        if (spilling(b)) {
                mem_closep(&b->spill);
                b->spill = -1;
                b->spill_read = b->spill_written = 0;
        }
        return 0;
}

void backlog_rest(struct backlog *b)
{
        if (b->ring && b->len == 0) {
                munmap(b->ring, BACKLOG_RING);
                b->ring = NULL;
                b->head = 0;
        }
}
