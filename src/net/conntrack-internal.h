/* Flows the kernel remembers. A peer that keeps sending UDP to a published port keeps its flow alive, and with it the translation
 * made at its first packet: to a container that is gone, or to the host from before the port was published. */
#ifndef TARE_NET_CONNTRACK_INTERNAL_H
#define TARE_NET_CONNTRACK_INTERNAL_H

#include <netinet/in.h> /* before the kernel's, which steps aside for it */
#include "net/netlink-internal.h"
#include "net/network.h"

/* Forgets the flows to the UDP ports among those of the endpoint; without such ports it costs nothing. Best effort: without ctnetlink
 * flows end after their time, 30 to 120 s without a packet. */
void conntrack_forget_udp(int nft_fd, const struct endpoint *e);

#endif
