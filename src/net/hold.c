#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include "base/mem.h"
#include "base/port.h"
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
        return port_keep(kinds[p->protocol].type, kinds[p->protocol].protocol, p->host_address, p->host_port);
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
