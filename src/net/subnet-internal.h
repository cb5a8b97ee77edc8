/* Which subnets are in use on this host, and a free one. */
#ifndef TARE_NET_SUBNET_INTERNAL_H
#define TARE_NET_SUBNET_INTERNAL_H

#include "net/network.h"

bool subnet_overlaps(const struct ip4_net *a, const struct ip4_net *b);
/* Name of a network in the database that overlaps (heap), or NULL with ret 0. */
int subnet_conflict(struct db *db, const struct ip4_net *wanted, char **ret_name, struct err *err);
/* The first of 172.20-31/16, 192.168.x/20, 10.x/16 that no route of the host (any table, default routes apart) and no network
 * of ours covers. */
int subnet_choose(struct db *db, struct ip4_net *ret, struct err *err);

#endif
