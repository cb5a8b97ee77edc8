#include <errno.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <string.h>
#include "base/str.h"
#include "net/bridge-internal.h"
#include "net/conntrack-internal.h"
#include "net/driver-internal.h"
#include "net/firewall-internal.h"
#include "net/forward-internal.h"

/* What one attach works with. */
struct job {
        const struct network *n;
        const struct endpoint *e;
        int netns_fd;
        int route_fd; /* of the host */
        int nft_fd;
        int inside_fd; /* of the container */
        struct link_state gateway; /* the bridge that has the address */
        struct link_state master; /* the bridge the port hangs on */
};

static void job_done(struct job *j)
{
        mem_closep(&j->route_fd);
        mem_closep(&j->nft_fd);
        mem_closep(&j->inside_fd);
}
#define _cleanup_job_ _cleanup_(job_done)
#define JOB_INIT                                                                                                       \
        {                                                                                                              \
                .netns_fd = -1, .route_fd = -1, .nft_fd = -1, .inside_fd = -1                                          \
        }

static int job_open(struct job *j, struct err *err)
{
        j->route_fd = nl_open(NETLINK_ROUTE, err);
        if (j->route_fd < 0)
                return -1;
        j->nft_fd = nl_open(NETLINK_NETFILTER, err);
        return j->nft_fd < 0 ? -1 : 0;
}

static int master_ready(struct job *j, struct err *err)
{
        const struct network *n = j->n;
        bool registered = false;
        if (forward_check(j->nft_fd, n->bridge, &registered, err) < 0)
                return -1;
        if (!registered || !link_look(j->route_fd, n->bridge, &j->gateway) || !j->gateway.up ||
            link_address(n->bridge).s_addr != n->gateway.s_addr) {
                if (bridge_make(j->route_fd, j->nft_fd, n, err) < 0)
                        return -1;
                if (!link_look(j->route_fd, n->bridge, &j->gateway))
                        return err_set(err, ERR_NOT_FOUND, "bridge %s does not exist", n->bridge);
        }
        uint32_t block = block_of(n, j->e->address);
        j->master = j->gateway;
        if (block == 0)
                return 0;
        char name[IFNAMSIZ];
        bridge_block_name(n, block, name);
        if (link_look(j->route_fd, name, &j->master) && j->master.up)
                return 0;
        if (bridge_block_make(j->route_fd, j->nft_fd, n, block, err) < 0)
                return -1;
        return link_look(j->route_fd, name, &j->master) ? 0
                                                        : err_set(err, ERR_NOT_FOUND, "bridge %s does not exist", name);
}

/* One queue, said aloud: else the kernel makes one for each processor and waits for readers of those it takes away again. */
static void queues_put(struct nlmsghdr *m)
{
        attr_put_u32(m, IFLA_NUM_TX_QUEUES, 1);
        attr_put_u32(m, IFLA_NUM_RX_QUEUES, 1);
}

/* One message makes the pair, puts the outer end on the bridge, up, and the inner one, with name and address, into the container.
 * That one cannot be up yet: veth opens only what has its peer. */
static void pair_put(struct nl_batch *b, const struct job *j)
{
        struct nlmsghdr *m = link_put(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, true, "make veth pair", 0);
        attr_put_str(m, IFLA_IFNAME, j->e->host_interface);
        queues_put(m);
        attr_put_u32(m, IFLA_MTU, j->master.mtu);
        attr_put_u32(m, IFLA_MASTER, (uint32_t)j->master.index);
        /* The same for all: no frame carries it, and each one that is different is one more the bridge goes through for every new port. */
        attr_put(m, IFLA_ADDRESS, 6, "\x02tare\x00");
        struct nlattr *info = attr_nest_begin(m, IFLA_LINKINFO);
        attr_put_str(m, IFLA_INFO_KIND, "veth");
        struct nlattr *data = attr_nest_begin(m, IFLA_INFO_DATA);
        struct nlattr *peer = attr_nest_begin(m, VETH_INFO_PEER);
        struct ifinfomsg *i = message_put(m, sizeof(*i));
        i->ifi_family = AF_UNSPEC;
        attr_put_str(m, IFLA_IFNAME, j->e->interface);
        queues_put(m);
        attr_put_u32(m, IFLA_MTU, j->master.mtu);
        attr_put(m, IFLA_ADDRESS, 6, j->e->mac);
        attr_put_u32(m, IFLA_NET_NS_FD, (uint32_t)j->netns_fd);
        attr_nest_end(m, peer);
        attr_nest_end(m, data);
        attr_nest_end(m, info);
}

static int pair_make(struct job *j, struct err *err)
{
        struct nl_batch b;
        nl_start(&b, j->route_fd);
        pair_put(&b, j);
        bridge_port_put(&b, j->e->host_interface, j->n->isolated_containers, bridge_netfilter_active());
        struct err refused = ERR_INIT;
        if (nl_commit(&b, NULL, NULL, &refused) == 0)
                return 0;
        *err = refused;
        if (refused.sys != EEXIST)
                return -1;
        /* The end of an earlier run whose namespace is still dying: this once it is worth waiting for the deletion. */
        err_clear(err);
        if (link_remove(j->route_fd, j->e->host_interface, err) < 0)
                return -1;
        nl_start(&b, j->route_fd);
        pair_put(&b, j);
        bridge_port_put(&b, j->e->host_interface, j->n->isolated_containers, bridge_netfilter_active());
        return nl_commit(&b, NULL, NULL, err);
}

static int inside_set(struct job *j, struct err *err)
{
        struct link_state inner;
        if (!link_look(j->inside_fd, j->e->interface, &inner))
                return err_set(err, ERR_NOT_FOUND, "interface %s is not in the container", j->e->interface);
        struct nl_batch b;
        nl_start(&b, j->inside_fd);
        link_put(&b, RTM_NEWLINK, 0, 1, true, "set lo up", 0);
        link_put_address(&b, inner.index, j->e->address, j->e->prefix);
        link_put_no_ipv6(&b, inner.index);
        link_put(&b, RTM_NEWLINK, 0, inner.index, true, "set interface up", 0);
        /* Neighbours that are known need no broadcast, which every other container would have to look at. */
        link_put_neighbour(&b, AF_INET, inner.index, j->e->gateway, j->gateway.mac);
        if (!j->n->internal)
                link_put_default_route(&b, inner.index, j->e->gateway);
        return nl_commit(&b, NULL, NULL, err);
}

/* Where the container is, told to everybody beforehand: to the host, to the bridge it hangs on, and for one further down also
 * to the port of the network's bridge that leads there. With add false, what would outlive the container is taken back. */
static void whereabouts_put(struct nl_batch *b, const struct job *j, bool add)
{
        char name[IFNAMSIZ];
        struct link_state cable;
        uint32_t block = block_of(j->n, j->e->address);
        bool below = false;
        if (block > 0) {
                /* In trees deeper than two (subnets larger than /16) the bridges between learn from traffic. */
                bridge_cable_name(j->n, block, name);
                below = (block - 1) / BLOCK_CHILDREN == 0 && link_look(j->route_fd, name, &cable);
        }
        if (add) {
                link_put_neighbour(b, AF_INET, j->gateway.index, j->e->address, j->e->mac);
                if (block > 0)
                        link_put_neighbour(b, AF_INET, j->master.index, j->e->address, j->e->mac);
                if (below)
                        link_put_neighbour(b, AF_BRIDGE, cable.index, j->e->address, j->e->mac);
                return;
        }
        link_put_neighbour_removal(b, AF_INET, j->gateway.index, j->e->address, j->e->mac);
        if (block > 0)
                link_put_neighbour_removal(b, AF_INET, j->master.index, j->e->address, j->e->mac);
        if (below)
                link_put_neighbour_removal(b, AF_BRIDGE, cable.index, j->e->address, j->e->mac);
}

static int outside_set(struct job *j, struct err *err)
{
        struct link_state outer;
        if (!link_look(j->route_fd, j->e->host_interface, &outer))
                return err_set(err, ERR_NOT_FOUND, "interface %s is gone", j->e->host_interface);
        struct nl_batch b;
        nl_start(&b, j->route_fd);
        link_put_neighbour(&b, AF_BRIDGE, outer.index, j->e->address, j->e->mac);
        whereabouts_put(&b, j, true);
        if (nl_commit(&b, NULL, NULL, err) < 0)
                return -1;
        link_settle(j->route_fd, j->e->host_interface);
        /* A bridge has a carrier once a port of it has. */
        if (!j->gateway.running)
                link_settle(j->route_fd, j->n->bridge);
        return 0;
}

static int plug(struct job *j, struct err *err)
{
        if (inside_set(j, err) < 0 || outside_set(j, err) < 0)
                return -1;
        if (j->e->port_count && firewall_publish(j->nft_fd, j->e, err) < 0)
                return -1;
        conntrack_forget_udp(j->nft_fd, j->e);
        return 0;
}

static int bridge_attach(const struct network *n, const struct endpoint *e, int netns_fd, struct err *err)
{
        _cleanup_job_ struct job j = JOB_INIT;
        j.n = n;
        j.e = e;
        j.netns_fd = netns_fd;
        j.inside_fd = nl_open_in(netns_fd, NETLINK_ROUTE, err);
        if (j.inside_fd < 0 || job_open(&j, err) < 0 || master_ready(&j, err) < 0 || pair_make(&j, err) < 0)
                return -1;
        link_ipv6_off(e->host_interface);
        if (plug(&j, err) < 0) {
                /* A running container that failed to connect must not keep half an interface. */
                struct err ignored = ERR_INIT;
                firewall_unpublish(j.nft_fd, e, &ignored);
                err_clear(&ignored);
                link_remove(j.route_fd, e->host_interface, &ignored);
                return -1;
        }
        return 0;
}

static int bridge_detach(const struct network *n, const struct endpoint *e, struct err *err)
{
        _cleanup_job_ struct job j = JOB_INIT;
        char name[IFNAMSIZ];
        j.n = n;
        j.e = e;
        if (job_open(&j, err) < 0)
                return -1;
        bridge_block_name(n, block_of(n, e->address), name);
        if (link_look(j.route_fd, n->bridge, &j.gateway) && link_look(j.route_fd, name, &j.master)) {
                struct nl_batch b;
                nl_start(&b, j.route_fd);
                whereabouts_put(&b, &j, false);
                if (nl_commit(&b, NULL, NULL, err) < 0)
                        return -1;
        }
        if (e->port_count && firewall_unpublish(j.nft_fd, e, err) < 0)
                return -1;
        conntrack_forget_udp(j.nft_fd, e);
        return 0;
}

static int bridge_unplug(const struct network *n, const struct endpoint *e, struct err *err)
{
        if (bridge_detach(n, e, err) < 0)
                return -1;
        _cleanup_close_ int fd = nl_open(NETLINK_ROUTE, err);
        return fd < 0 ? -1 : link_remove(fd, e->host_interface, err);
}

static int bridge_take_down(const struct network *n, struct err *err)
{
        _cleanup_job_ struct job j = JOB_INIT;
        if (job_open(&j, err) < 0)
                return -1;
        return bridge_remove(j.route_fd, j.nft_fd, n, err);
}

const struct net_driver net_driver_bridge = {
        .name = "bridge",
        .has_addresses = true,
        .attach = bridge_attach,
        .detach = bridge_detach,
        .unplug = bridge_unplug,
        .remove = bridge_take_down,
};
