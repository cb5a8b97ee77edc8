/* Our nf_tables table "ip tare": published ports, masquerading, isolation of the bridges.
 *
 * A container adds at most map elements, a bridge at most set elements; rules are made once, with the table.
 *   map publish      address . protocol . port -> address . port     ports published on one host address
 *   map publish_any  protocol . port -> address . port               ports published on every host address
 *   set bridges      interface names of ours; set internal: those of networks without a way out
 *   set pairs        bridge . bridge, both the same: what br_netfilter shows of frames inside one bridge
 *   set blocks       bridges below ours (driver-internal.h), which are left alone
 *   set masq         subnets that leave the host under its address
 * Only IPv4: there is no table "ip6 tare"; bridges and containers have IPv6 switched off, so nothing passes unfiltered.
 * The maps hold all protocols (the key names it), which makes two lookups for a new connection instead of six.
 */
#ifndef TARE_NET_FIREWALL_INTERNAL_H
#define TARE_NET_FIREWALL_INTERNAL_H

#include <stdbool.h>
#include "base/err.h"
#include "net/network.h"
#include "net/nft-internal.h"

#define FIREWALL_TABLE "tare"

/* fd: a NETLINK_NETFILTER socket. Makes the table when missing; one that exists is left as it is. */
int firewall_make(int fd, struct err *err);
/* Adds the names and the subnet of the network's bridge; making them again is success. `bridge` may be a further one below n->bridge. */
int firewall_bridge_add(int fd, const struct network *n, const char *bridge, struct err *err);
int firewall_bridge_remove(int fd, const struct network *n, const char *bridge, struct err *err);
/* Asks for one bridge name in the batch; firewall_has_bridge() tells from an answer whether it is there. */
void firewall_ask_bridge(struct nl_batch *b, const char *bridge);
bool firewall_answer_is_bridge(const struct nlmsghdr *m);
/* Publishing replaces what stood at these ports: the lease says they are ours. Unpublishing absent ones is success. */
int firewall_publish(int fd, const struct endpoint *e, struct err *err);
int firewall_unpublish(int fd, const struct endpoint *e, struct err *err);

/* The published ports in the kernel, for sweeping. */
struct firewall_port {
        struct port_map port;
        struct in_addr address;
};
int firewall_ports(int fd, struct firewall_port **ret, size_t *ret_count, struct err *err);

#endif
