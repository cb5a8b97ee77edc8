#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include "base/mem.h"
#include "net/lease-internal.h"

static const struct {
        int type, protocol;
        const char *word; /* as Go's net package calls it, which docker's message has */
} kinds[] = {
        [PORT_TCP] = { SOCK_STREAM, IPPROTO_TCP, "tcp4" },
        [PORT_UDP] = { SOCK_DGRAM, IPPROTO_UDP, "udp4" },
        [PORT_SCTP] = { SOCK_STREAM, IPPROTO_SCTP, "sctp4" },
};

/* A socket bound to the port, or -1 with errno. */
static int port_bind(const struct port_map *p)
{
        _cleanup_close_ int fd = socket(AF_INET, kinds[p->protocol].type | SOCK_CLOEXEC, kinds[p->protocol].protocol);
        if (fd < 0)
                return -1;
        /* Set for the bind, so that connections of a program that just ended (TIME_WAIT) do not count; cleared after it, so that
         * nobody else gets the port by setting it too. Not listening: what nftables did not lead away is refused. */
        int on = 1, off = 0, least = 1;
        if (p->protocol != PORT_UDP)
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = p->host_address, .sin_port = htons(p->host_port) };
        if (bind(fd, (void *)&a, sizeof(a)) < 0)
                return -1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off));
        return TAKE_FD(fd);
}

bool port_is_taken(const struct port_map *p)
{
        _cleanup_close_ int fd = port_bind(p);
        return fd < 0 && errno == EADDRINUSE;
}

static int port_hold(const struct port_map *p, struct err *err)
{
        int fd = port_bind(p);
        if (fd >= 0)
                return fd;
        char text[INET_ADDRSTRLEN];
        int sys = errno;
        inet_ntop(AF_INET, &p->host_address, text, sizeof(text));
        if (sys == EADDRINUSE)
                return err_set(err, ERR_CONFLICT, "listen %s %s:%u: bind: address already in use",
                               kinds[p->protocol].word, text, p->host_port);
        if (sys == EADDRNOTAVAIL)
                return err_set(err, ERR_INVALID, "listen %s %s:%u: bind: cannot assign requested address",
                               kinds[p->protocol].word, text, p->host_port);
        return err_sysnum(err, sys, "listen %s %s:%u: bind", kinds[p->protocol].word, text, p->host_port);
}

int network_hold_ports(const struct endpoint *e, int **ret_fds, size_t *ret_count, struct err *err)
{
        size_t before = *ret_count;
        for (size_t i = 0; i < e->port_count; i++) {
                int fd = port_hold(&e->ports[i], err);
                if (fd < 0 && e->ports[i].protocol == PORT_SCTP && err->sys == EPROTONOSUPPORT) {
                        err_clear(err); /* a kernel without SCTP has no program that could take the port */
                        continue;
                }
                if (fd < 0) {
                        while (*ret_count > before)
                                mem_closep(&(*ret_fds)[--*ret_count]);
                        return -1;
                }
                *ret_fds = xreallocarray(*ret_fds, *ret_count + 1, sizeof(**ret_fds));
                (*ret_fds)[(*ret_count)++] = fd;
        }
        return 0;
}
