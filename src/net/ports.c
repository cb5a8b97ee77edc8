/* Ports that come and go while a container runs. */
#include <arpa/inet.h>
#include "base/mem.h"
#include "net/conntrack-internal.h"
#include "net/firewall-internal.h"
#include "net/lease-internal.h"
#include "net/netlink-internal.h"

int network_ports_reserve(struct db *db, const struct network *n, struct endpoint *e, struct err *err)
{
        return lease_ports(db, n, e->container, e->ports, e->port_count, err);
}

int network_ports_release(struct db *db, const struct network *n, const struct endpoint *e, struct err *err)
{
        for (size_t i = 0; i < e->port_count; i++)
                if (db_exec(db, NULL, err, "DELETE FROM ports WHERE container = ? AND protocol = ? AND host_port = ? AND host_address = ?", "siii",
                            e->container, (int64_t)e->ports[i].protocol, (int64_t)e->ports[i].host_port,
                            (int64_t)ntohl(e->ports[i].host_address.s_addr)) < 0)
                        return -1;
        return 0;
}

static int publish(const struct endpoint *e, bool on, struct err *err)
{
        _cleanup_close_ int fd = nl_open(NETLINK_NETFILTER, err);
        if (fd < 0 || (on ? firewall_publish(fd, e, err) : firewall_unpublish(fd, e, err)) < 0)
                return -1;
        conntrack_forget_udp(fd, e);   /* what flows to where the port led before */
        return 0;
}

int network_ports_publish(const struct network *n, const struct endpoint *e, struct err *err)
{
        return publish(e, true, err) < 0 ? err_add(err, "publish on network %s", n->name) : 0;
}

int network_ports_unpublish(const struct network *n, const struct endpoint *e, struct err *err)
{
        return publish(e, false, err) < 0 ? err_add(err, "unpublish on network %s", n->name) : 0;
}
