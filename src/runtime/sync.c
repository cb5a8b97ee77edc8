#include <errno.h>
#include <sys/socket.h>
#include "base/fd.h"
#include "runtime/init-internal.h"

int sync_send(int fd, enum sync_type type, struct err *err)
{
        struct sync_message m = { .type = type };
        if (send(fd, &m, SYNC_SHORT, MSG_NOSIGNAL) < 0)
                return err_sys(err, "talk to init");
        return 0;
}

int sync_send_fd(int fd, enum sync_type type, int passed, struct err *err)
{
        struct sync_message m = { .type = type };
        return fd_send(fd, &passed, 1, &m, SYNC_SHORT, err);
}

int sync_send_error(int fd, const struct err *what)
{
        struct sync_message m = { .type = SYNC_ERROR };
        struct iovec iov[] = { { &m, SYNC_SHORT }, { (void *)what, sizeof(*what) } };
        struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };
        return sendmsg(fd, &h, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int sync_receive(int fd, struct sync_packet *ret, int *ret_fd, struct err *err)
{
        char data[sizeof(struct sync_message) + sizeof(struct err)];
        size_t len = 0, fds = 0;
        int passed = -1;
        /* A peer that ended with something unread is told of once as a reset; what it sent before comes after that. */
        if (fd_receive(fd, &passed, 1, &fds, data, sizeof(data), &len, err) < 0) {
                if (err->sys != ECONNRESET)
                        return -1;
                err_clear(err);
                if (fd_receive(fd, &passed, 1, &fds, data, sizeof(data), &len, err) < 0)
                        return -1;
        }
        *ret = (struct sync_packet){ 0 };
        if (ret_fd)
                *ret_fd = fds ? passed : -1;
        else if (fds)
                mem_closep(&passed);
        if (len < SYNC_SHORT)
                return 0; /* the peer is gone: type 0 */
        size_t head = len < sizeof(ret->message) ? len : sizeof(ret->message);
        memcpy(&ret->message, data, SYNC_SHORT);
        if (ret->message.type == SYNC_ERROR && len == SYNC_SHORT + sizeof(struct err))
                memcpy(&ret->error, data + SYNC_SHORT, sizeof(struct err));
        else
                memcpy(&ret->message, data, head);
        ret->message.text[sizeof(ret->message.text) - 1] = 0;
        ret->error.msg[sizeof(ret->error.msg) - 1] = 0;
        return 0;
}

int sync_expect(int fd, enum sync_type type, struct err *err)
{
        struct sync_packet p;
        if (sync_receive(fd, &p, NULL, err) < 0)
                return -1;
        if (p.message.type != type)
                return err_set(err, ERR_SYSTEM, "the runtime has gone away");
        return 0;
}
