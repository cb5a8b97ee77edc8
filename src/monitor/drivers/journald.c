/* systemd's journal, in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram of fields; one that is too large for a
 * datagram goes as a sealed memfd. The fields are docker's, so that what reads them finds ours. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "monitor/log-internal.h"

#define SOCKET "unixgram:/run/systemd/journal/socket"
#define RETRY 1000000000 /* ns */

static bool journald_connect(struct log *l)
{
        int64_t now = time_monotonic();
        if (l->fd >= 0)
                return true;
        if (now < l->retry)
                return false;
        l->fd = logsocket_open(str_empty(l->options->log_address) ? SOCKET : l->options->log_address);
        l->retry = l->fd < 0 ? now + RETRY : 0;
        return l->fd >= 0;
}

static void journald_close(struct log *l)
{
        mem_closep(&l->fd);
        l->fd = -1;
}

/* A descriptor in place of the bytes. */
static int memfd_send(int fd, const struct iovec *parts, int count)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        _cleanup_close_ int file = memfd_create("journal-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        size_t all = 0;
        for (int i = 0; i < count; i++)
                all += parts[i].iov_len;
        if (file < 0 || writev(file, parts, count) != (ssize_t)all ||
            fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
                return -1;
        struct msghdr message = { .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &file, sizeof(file));
        return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* The journal may have been restarted: once more with a new connection. */
static bool entry_send(struct log *l, const struct iovec *parts, int count)
{
        for (int attempt = 0; attempt < 2; attempt++) {
                if (!journald_connect(l))
                        return false;
                if (logsocket_send(l->fd, parts, count) == 0)
                        return true;
                if ((errno == EMSGSIZE || errno == ENOBUFS) && memfd_send(l->fd, parts, count) == 0)
                        return true;
                bool full = errno == EAGAIN;
                journald_close(l);
                if (full) {
                        l->retry = time_monotonic() + RETRY;
                        return false;
                }
        }
        return false;
}

/* Parts of one line carry a number each, and the last says so. */
static int partial_write(struct log *l, const struct log_piece *p, char *out, size_t size)
{
        l->pieces++;
        int n = 0;
        if (p->open || l->pieces > 1)
                n = snprintf(out, size, "CONTAINER_PARTIAL_MESSAGE=true\nCONTAINER_PARTIAL_ORDINAL=%u\nCONTAINER_PARTIAL_LAST=%s\n", l->pieces,
                             p->open ? "false" : "true");
        if (!p->open)
                l->pieces = 0;
        return n;
}

static size_t journald_lines(struct log *l, const struct log_chunk *c)
{
        char time[TIME_TEXT_SIZE], head[256], partial[160], newline = '\n';
        struct log_piece p;
        size_t at = 0;
        int head_len = snprintf(head, sizeof(head), "PRIORITY=%d\nSYSLOG_TIMESTAMP=%s\nMESSAGE\n", c->is_stderr ? 3 : 6, time_format(c->time, time));
        for (log_piece_next(c, at, &p); p.used; at += p.used, log_piece_next(c, at, &p)) {
                uint8_t size[8];
                for (int i = 0; i < 8; i++)
                        size[i] = (uint8_t)((uint64_t)p.len >> (8 * i));
                int partial_len = partial_write(l, &p, partial, sizeof(partial));
                const struct iovec parts[] = { { l->fixed, l->fixed_len }, { partial, (size_t)partial_len },        { head, (size_t)head_len },
                                               { size, sizeof(size) },     { (void *)(uintptr_t)p.text, p.len }, { &newline, 1 } };
                if (!entry_send(l, parts, ELEMENTS(parts)))
                        l->lost++;
        }
        return at;
}

static void journald_flush(struct log *l)
{
}

const struct log_driver log_driver_journald = { "journald", NULL, journald_lines, journald_flush, journald_close };
