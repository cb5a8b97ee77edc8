/* The bridges of a network: its own, which carries the gateway's address, and those below it that only widen it (see
 * driver-internal.h on blocks). Everything is idempotent: a bridge is set up last, so one that is down is made again by
 * whoever meets it. */
#ifndef TARE_NET_BRIDGE_INTERNAL_H
#define TARE_NET_BRIDGE_INTERNAL_H

#include "net/link-internal.h"
#include "net/network.h"

/* Prefix of every interface name we choose, so that one wildcard rule elsewhere covers them. */
#define BRIDGE_PREFIX "tare"

void bridge_block_name(const struct network *n, uint32_t block, char ret_name[IFNAMSIZ]);
/* Makes the network's bridge, its sysctls and its place in the firewall. route_fd, nft_fd: sockets of the host's namespace. */
int bridge_make(int route_fd, int nft_fd, const struct network *n, struct err *err);
/* Makes the bridge of a block and all between it and the network's own. */
int bridge_block_make(int route_fd, int nft_fd, const struct network *n, uint32_t block, struct err *err);
/* Takes the network's bridges and firewall entries down; missing ones are success. */
int bridge_remove(int route_fd, int nft_fd, const struct network *n, struct err *err);
/* Name of the port that leads down to a block (not 0) from the bridge above it. */
void bridge_cable_name(const struct network *n, uint32_t block, char ret_name[IFNAMSIZ]);
/* Adds to the batch the settings of the bridge port called `name`. All ports have ARP requests answered by the bridge for
 * addresses it knows as neighbours: a broadcast to 2000 ports is more than the kernel queues, and costs all of them. */
void bridge_port_put(struct nl_batch *b, const char *name, bool isolated, bool hairpin);
/* True when br_netfilter shows bridged frames to the IP hooks here; they then need hairpin ports. */
bool bridge_netfilter_active(void);

#endif
