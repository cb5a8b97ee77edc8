/* Sockets of the drivers that hand the log to somebody else. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "monitor/log-internal.h"

#define PATIENCE_SECONDS 2 /* for a server that takes nothing; then it is let be for a while (RETRY of the drivers) */

static int socket_connect(int type, const struct sockaddr *address, socklen_t len)
{
        const struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
        _cleanup_close_ int fd = socket(address->sa_family, type | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 || connect(fd, address, len) < 0)
                return -1;
        return TAKE_FD(fd);
}

static int unix_connect(int type, const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        if (strlen(path) >= sizeof(address.sun_path))
                return -1;
        memcpy(address.sun_path, path, strlen(path) + 1);
        return socket_connect(type, (struct sockaddr *)&address, sizeof(address));
}

/* "1.2.3.4:514", "[::1]:514" */
static int inet_connect(int type, const char *text)
{
        struct sockaddr_in v4 = { .sin_family = AF_INET };
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
        const char *colon = strrchr(text, ':');
        uint32_t port;
        struct err ignored = ERR_INIT;
        if (!colon || parse_u32(colon + 1, &port, &ignored) < 0 || port > 65535)
                return -1;
        bool bracket = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
        _cleanup_free_ char *host = bracket ? xstrndup(text + 1, (size_t)(colon - text) - 2) : xstrndup(text, (size_t)(colon - text));
        v4.sin_port = v6.sin6_port = htons((uint16_t)port);
        if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
                return socket_connect(type, (struct sockaddr *)&v4, sizeof(v4));
        if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
                return socket_connect(type, (struct sockaddr *)&v6, sizeof(v6));
        return -1;
}

int logsocket_open(const char *address)
{
        static const struct {
                const char *scheme;
                int type;
                int (*connect)(int type, const char *rest);
        } schemes[] = {
                { "unix:", SOCK_STREAM, unix_connect },
                { "unixgram:", SOCK_DGRAM, unix_connect },
                { "udp:", SOCK_DGRAM, inet_connect },
                { "tcp:", SOCK_STREAM, inet_connect },
        };
        for (size_t i = 0; address && i < ELEMENTS(schemes); i++) {
                const char *rest = str_after(address, schemes[i].scheme);
                if (rest)
                        return schemes[i].connect(schemes[i].type, rest);
        }
        return -1;
}

int logsocket_send(int fd, const struct iovec *parts, int count)
{
        struct iovec left[8];
        struct msghdr message = { .msg_iov = left, .msg_iovlen = (size_t)count };
        memcpy(left, parts, (size_t)count * sizeof(*parts));
        while (message.msg_iovlen) {
                ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -1;
                while (message.msg_iovlen && (size_t)n >= message.msg_iov->iov_len) {
                        n -= (ssize_t)message.msg_iov->iov_len;
                        message.msg_iov++;
                        message.msg_iovlen--;
                }
                if (message.msg_iovlen) {
                        message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + n;
                        message.msg_iov->iov_len -= (size_t)n;
                }
        }
        return 0;
}
