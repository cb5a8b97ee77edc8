#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <linux/close_range.h>

/* The kernel's SCM_MAX_FD. */
enum { PASS_MAX = 253 };

static int wait_ready(int fd, short events)
{
        struct pollfd p = { .fd = fd, .events = events };
        while (poll(&p, 1, -1) < 0)
                if (errno != EINTR)
                        return -1;
        return 0;
}

/* After a failed call: true when it should be tried again (it was interrupted, or the descriptor has become ready). */
static bool again(int fd, short events)
{
        if (errno == EINTR)
                return true;
        return (errno == EAGAIN || errno == EWOULDBLOCK) && wait_ready(fd, events) == 0;
}

ssize_t fd_read_full(int fd, void *data, size_t len)
{
        size_t done = 0;
        while (done < len) {
                ssize_t n = read(fd, (char *)data + done, len - done);
                if (n < 0 && again(fd, POLLIN))
                        continue;
                if (n < 0)
                        return -1;
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        return (ssize_t)done;
}

int fd_write_full(int fd, const void *data, size_t len)
{
        size_t done = 0;
        while (done < len) {
                ssize_t n = write(fd, (const char *)data + done, len - done);
                if (n < 0 && again(fd, POLLOUT))
                        continue;
                if (n < 0)
                        return -1;
                done += (size_t)n;
        }
        return 0;
}

/* One read into the buffer: 1, 0 at the end, -1. At the buffer's maximum one byte is read aside, because only that
 * tells a file of exactly this size from a larger one. */
static int read_some(int fd, struct buf *b, struct err *err)
{
        size_t max = b->max ? b->max : BUF_DEFAULT_MAX, left = max > b->len ? max - b->len : 0;
        size_t want = b->cap > b->len + 1 ? b->cap - b->len - 1 : 16384;
        char spare;
        if (want > left)
                want = left;
        if (want > 0 && buf_reserve(b, want, err) < 0)
                return -1;
        ssize_t n = fd_read_full(fd, want ? b->data + b->len : &spare, want ? want : 1);
        if (n < 0)
                return err_sys(err, "read");
        if (n > 0 && want == 0)
                return err_set(err, ERR_TOO_LARGE, "more than %zu bytes", max);
        if (want > 0) {
                b->len += (size_t)n;
                buf_terminate(b);
        }
        return want == 0 || (size_t)n < want ? 0 : 1;
}

int fd_read_all(int fd, struct buf *b, struct err *err)
{
        for (;;) {
                int r = read_some(fd, b, err);
                if (r <= 0)
                        return r;
        }
}

static int copy_plain(int from, int to, uint64_t *done, struct err *err)
{
        size_t size = (size_t)256 << 10;
        _cleanup_free_ char *data = xmalloc(size);
        for (;;) {
                ssize_t n = read(from, data, size);
                if (n < 0 && again(from, POLLIN))
                        continue;
                if (n < 0)
                        return err_sys(err, "read");
                if (n == 0)
                        return 0;
                if (fd_write_full(to, data, (size_t)n) < 0)
                        return err_sys(err, "write");
                *done += (uint64_t)n;
        }
}

typedef ssize_t (*transfer_fn)(int from, int to);

static ssize_t transfer_range(int from, int to)
{
        return copy_file_range(from, NULL, to, NULL, (size_t)1 << 30, 0);
}

static ssize_t transfer_splice(int from, int to)
{
        return splice(from, NULL, to, NULL, (size_t)1 << 20, SPLICE_F_MOVE);
}

int fd_copy(int from, int to, uint64_t *ret_bytes, struct err *err)
{
        static const transfer_fn ways[] = { transfer_range, transfer_splice };
        uint64_t done = 0;
        for (size_t i = 0; i < ELEMENTS(ways); i++) {
                ssize_t n;
                while ((n = ways[i](from, to)) > 0 || (n < 0 && errno == EINTR))
                        done += n > 0 ? (uint64_t)n : 0;
        }
        /* Whatever stopped the fast ways, this one says what is wrong; and files of /proc show their end only to
         * read(2). */
        if (copy_plain(from, to, &done, err) < 0)
                return -1;
        if (ret_bytes)
                *ret_bytes = done;
        return 0;
}

static int flag_set(int fd, int get, int set, int flag, bool on)
{
        int flags = fcntl(fd, get);
        if (flags < 0)
                return -1;
        int wanted = on ? flags | flag : flags & ~flag;
        return wanted == flags ? 0 : fcntl(fd, set, wanted);
}

int fd_set_nonblock(int fd, bool on)
{
        return flag_set(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on)
{
        return flag_set(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_memfd(const char *name, const void *data, size_t len, struct err *err)
{
        _cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return err_sys(err, "memfd %s", name);
        if (fd_write_full(fd, data, len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return err_sys(err, "write memfd %s", name);
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
                return err_sys(err, "seal memfd %s", name);
        return TAKE_FD(fd);
}

union pass_control {
        char bytes[CMSG_SPACE(PASS_MAX * sizeof(int))];
        struct cmsghdr align;
};

/* What a stream socket did not take at once; the descriptors have gone with the first byte. */
static int send_rest(int sock, const char *data, size_t len, struct err *err)
{
        while (len > 0) {
                ssize_t n = send(sock, data, len, MSG_NOSIGNAL);
                if (n < 0 && again(sock, POLLOUT))
                        continue;
                if (n < 0)
                        return err_sys(err, "send");
                data += n;
                len -= (size_t)n;
        }
        return 0;
}

int fd_send(int sock, const int *fds, size_t count, const void *data, size_t len, struct err *err)
{
        if (count > PASS_MAX || len == 0)
                return err_set(err, ERR_INVALID, "cannot send %zu descriptors with %zu bytes", count, len);
        union pass_control control;
        memset(&control, 0, sizeof(control));
        struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
        if (count > 0) {
                msg.msg_control = control.bytes;
                msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
                struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(count * sizeof(int));
                memcpy(CMSG_DATA(c), fds, count * sizeof(int));
        }
        ssize_t n;
        while ((n = sendmsg(sock, &msg, MSG_NOSIGNAL)) < 0)
                if (!again(sock, POLLOUT))
                        return err_sys(err, "send descriptors");
        return send_rest(sock, (const char *)data + n, len - (size_t)n, err);
}

/* Copies out every descriptor that came; those past max_fds are closed. Returns how many came. */
static size_t take_descriptors(struct msghdr *msg, int *fds, size_t max_fds)
{
        size_t count = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < here; i++, count++) {
                        int fd;
                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                        if (count < max_fds)
                                fds[count] = fd;
                        else
                                close(fd);
                }
        }
        return count;
}

int fd_receive(int sock, int *fds, size_t max_fds, size_t *ret_count, void *data, size_t max_len, size_t *ret_len,
               struct err *err)
{
        int came[PASS_MAX];
        union pass_control control;
        struct iovec iov = { .iov_base = data, .iov_len = max_len };
        struct msghdr msg = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
        };
        if (max_fds > PASS_MAX)
                max_fds = PASS_MAX;
        ssize_t n;
        while ((n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC)) < 0)
                if (!again(sock, POLLIN))
                        return err_sys(err, "receive descriptors");
        size_t count = take_descriptors(&msg, came, max_fds);
        if (count > max_fds || (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC))) {
                for (size_t i = 0; i < count && i < max_fds; i++)
                        close(came[i]);
                return err_set(err, ERR_TOO_LARGE, "message of more than %zu bytes or %zu descriptors", max_len,
                               max_fds);
        }
        if (count > 0)
                memcpy(fds, came, count * sizeof(int));
        *ret_count = count;
        *ret_len = (size_t)n;
        return 0;
}

int fd_cloexec_from(int first)
{
        return close_range((unsigned int)first, ~0U, CLOSE_RANGE_CLOEXEC);
}

const char *fd_path(int fd, char path[FD_PATH_SIZE])
{
        snprintf(path, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
        return path;
}

void fd_socket_address(int dir_fd, const char *name, struct sockaddr_un *ret)
{
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
}
