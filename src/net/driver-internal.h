/* The contract of a network driver: the kernel's side of a network. Each lives in drivers/ and is listed in network.c. */
#ifndef TARE_NET_DRIVER_INTERNAL_H
#define TARE_NET_DRIVER_INTERNAL_H

#include <stdbool.h>
#include "net/network.h"

struct net_driver {
        const char *name;
        bool has_addresses; /* has a subnet, leases and ports */
        int (*attach)(const struct network *n, const struct endpoint *e, int netns_fd, struct err *err);
        int (*detach)(const struct network *n, const struct endpoint *e, struct err *err);
        int (*unplug)(const struct network *n, const struct endpoint *e, struct err *err);
        int (*remove)(const struct network *n, struct err *err);
};

extern const struct net_driver net_driver_bridge, net_driver_host, net_driver_none;
/* ERR_NOT_FOUND in docker's words. */
const struct net_driver *net_driver_find(const char *name, struct err *err);

/* Addresses of one block of a subnet hang on one bridge. A Linux bridge has 1023 ports at most and goes through all of them for
 * each new one (at 1000 that costs as much as the veth itself), so a network is a tree of bridges, grown block by block; leases
 * fill the lowest blocks first, and most networks never see the second. */
#define BLOCK_ADDRESSES 250u
#define BLOCK_CHILDREN 270u /* ports of a bridge that lead to further bridges: a /16 has them all below the first */
static inline uint32_t block_of(const struct network *n, struct in_addr address)
{
        return (ntohl(address.s_addr) - ntohl(n->subnet.address.s_addr)) / BLOCK_ADDRESSES;
}

#endif
