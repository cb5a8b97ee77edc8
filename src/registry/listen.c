#include "registry/listen-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include "base/mem.h"

#define BACKLOG 1024

static int address_listen(const struct addrinfo *a, const char *address, struct err *err)
{
        int one = 1;
        _cleanup_close_ int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return err_sys(err, "socket");
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (a->ai_family == AF_INET6)
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
        if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
                return err_sys(err, "listen on %s", address);
        return TAKE_FD(fd);
}

static int port_of(int fd, uint16_t *ret, struct err *err)
{
        struct sockaddr_storage ss = { 0 };
        socklen_t len = sizeof(ss);

        if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
                return err_sys(err, "getsockname");
        *ret = ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
                                              : ((struct sockaddr_in *)&ss)->sin_port);
        return 0;
}

DEFINE_CLEANUP(struct addrinfo *, freeaddrinfo)

int listen_open(const char *address, uint16_t port, uint16_t *ret_port, struct err *err)
{
        const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
        _cleanup_(freeaddrinfop) struct addrinfo *list = NULL;
        char service[8];

        snprintf(service, sizeof(service), "%u", port);
        int code = getaddrinfo(address, service, &hints, &list);
        if (code != 0)
                return err_set(err, ERR_INVALID, "address %s: %s", address, gai_strerror(code));
        _cleanup_close_ int fd = address_listen(list, address, err);
        if (fd < 0 || port_of(fd, ret_port, err) < 0)
                return -1;
        return TAKE_FD(fd);
}
