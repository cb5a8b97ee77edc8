/* Leases of addresses and ports: rows in the database, taken and given back in the caller's write transaction. */
#ifndef TARE_NET_LEASE_INTERNAL_H
#define TARE_NET_LEASE_INTERNAL_H

#include "net/network.h"

/* lease.c. `slot` numbers the container's interfaces. wanted 0: the next free one. */
int lease_address(struct db *db, const struct network *n, const char *container, int64_t slot, struct in_addr wanted,
                  struct in_addr *ret, struct err *err);
/* lease_port.c: takes all ports, fills in host_port where it was to be chosen. */
int lease_ports(struct db *db, const struct network *n, const char *container, struct port_map *ports, size_t count,
                struct err *err);
/* 1 when a lease says that this port leads to this address. */
int port_lease_leads(struct db *db, const struct port_map *p, struct in_addr address, struct err *err);
/* reserve.c: what the host's end of a container's interface is called. */
void endpoint_host_name(const char *container, int64_t slot, char ret_name[IFNAMSIZ]);
/* hold.c: true when a host program has the port. */
bool port_is_taken(const struct port_map *p);

#endif
