/* Sockets that keep the published ports of the host from its programs: those from the start, and those that came later. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/port.h"
#include "monitor/monitor-internal.h"

static bool is_port(int fd, const struct attach_port *p)
{
        struct sockaddr_in a;
        socklen_t len = sizeof(a), size = sizeof(int);
        int protocol = 0;
        return getsockname(fd, (struct sockaddr *)&a, &len) == 0 && a.sin_family == AF_INET && a.sin_addr.s_addr == p->address &&
               a.sin_port == p->port && getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == p->protocol;
}

/* The numbers of those from the start stay taken until all are closed, so that none of them comes to mean something else. */
static void let_go(struct monitor *m, const struct attach_port *p)
{
        for (int i = 0; m->o.port_fds_first >= 0 && i < m->o.port_fds_count; i++)
                if (is_port(m->o.port_fds_first + i, p))
                        dup3(m->run_dir, m->o.port_fds_first + i, O_CLOEXEC);
        for (int i = 0; i < m->port_count; i++)
                if (is_port(m->ports[i], p)) {
                        close(m->ports[i]);
                        m->ports[i--] = m->ports[--m->port_count];
                }
}

static bool take(struct monitor *m, const struct attach_port *p)
{
        int type = p->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
        int fd = m->port_count < PORTS_MAX ? port_keep(type, p->protocol, (struct in_addr){ p->address }, ntohs(p->port)) : -1;
        if (fd >= 0)
                m->ports[m->port_count++] = fd;
        return fd >= 0;
}

bool ports_change(struct monitor *m, const struct attach_port *p)
{
        if (m->phase != RUNNING)
                return false;
        if (p->hold)
                return take(m, p);
        let_go(m, p);
        return true;
}

void ports_release(struct monitor *m)
{
        for (int i = 0; m->o.port_fds_first >= 0 && i < m->o.port_fds_count; i++)
                close(m->o.port_fds_first + i);
        m->o.port_fds_count = 0;
        while (m->port_count > 0)
                close(m->ports[--m->port_count]);
}
