/* Network interfaces of one namespace through a netlink socket of it: what they are (one by one, no lists) and messages about them. */
#ifndef TARE_NET_LINK_INTERNAL_H
#define TARE_NET_LINK_INTERNAL_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include "net/netlink-internal.h"

struct link_state {
        int index;
        bool up;
        bool running; /* carrier seen and acted on: packets pass */
        uint32_t mtu;
        uint8_t mac[6];
};
/* false when there is no such interface. */
bool link_look(int fd, const char *name, struct link_state *ret);
/* Names of bridges that begin with `prefix`, for taking things down. */
int link_list_bridges(int fd, const char *prefix, char ***ret_names, struct err *err);
/* Names of a bridge's ports that begin with `prefix`, likewise. */
int link_list_ports(int fd, int bridge, const char *prefix, char ***ret_names, struct err *err);
/* Waits until an interface that has just got its carrier passes packets. The kernel acts on a carrier later, from a queue; what is
 * sent before is dropped, and sent again after a second. Looking at the link (RTM_GETLINK) makes newer kernels do it at once;
 * for others this sleeps, a fifth of a second at most, and goes on in any case. */
void link_settle(int fd, const char *name);
/* First IPv4 address of an interface of the caller's namespace; 0 when none. */
struct in_addr link_address(const char *name);

/* A link request with its header; the caller adds attributes. */
struct nlmsghdr *link_put(struct nl_batch *b, uint16_t type, uint16_t flags, int index, bool up, const char *what,
                          int tolerated);
void link_put_address(struct nl_batch *b, int index, struct in_addr address, uint8_t prefix);
/* No IPv6 address of the kernel's own choosing, so none of the multicasts that come with one: 2000 interfaces that each announce
 * themselves to 2000 others would make every start dearer. Inside a container this is done by message and not by /proc/sys, where
 * a look-up compares with the same file of every other namespace. */
void link_put_no_ipv6(struct nl_batch *b, int index);
/* IPv6 off altogether for an interface of ours on the host: each that has it makes the kernel walk all its IPv6 routes at every
 * change of a link. Without IPv6 in the kernel, or with a read-only /proc/sys, nothing happens. */
void link_ipv6_off(const char *name);
void link_put_default_route(struct nl_batch *b, int index, struct in_addr gateway);
/* family AF_INET: a permanent neighbour; AF_BRIDGE: an entry of the bridge's forwarding table that no other
 * port can take over (address ignored). */
void link_put_neighbour(struct nl_batch *b, int family, int index, struct in_addr address, const uint8_t mac[6]);
void link_put_neighbour_removal(struct nl_batch *b, int family, int index, struct in_addr address,
                                const uint8_t mac[6]);
/* Deletes an interface of any kind; missing is success. Blocks for some 16 ms: never on a start path. */
int link_remove(int fd, const char *name, struct err *err);
/* 02:42 and the address, as docker. */
void link_mac_from_address(struct in_addr address, uint8_t ret_mac[6]);

#endif
