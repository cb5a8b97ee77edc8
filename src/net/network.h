/* Networks behind one driver contract, and the host's side of them. No helper programs: netlink, nf_tables, ioctl only.
 *
 * Cost of attaching container n must not depend on n: veth made inside the namespace (IFLA_NET_NS_FD in VETH_INFO_PEER),
 * published ports are elements of nftables maps, addresses come from a cursor in the database, nothing is listed, no frame is
 * broadcast (neighbours are permanent). A Linux bridge takes 1023 ports and slows down before: past 250 addresses a
 * network grows further bridges below its own, joined by cables, each for the next 250.
 *
 * nftables: one table "ip tare", described in firewall-internal.h. Loopback publishing uses route_localnet on the bridge with
 * a drop of martians. Where another engine has set the FORWARD policy of "ip filter" to DROP (docker, ufw), accept rules for
 * our bridges are put into DOCKER-USER or FORWARD: forward-internal.h.
 *
 * IPv4 only. Not done for IPv6: subnets, addresses, published ports ([::1]:80 and the host's own IPv6 addresses do not lead
 * to containers; "localhost" reaches them by 127.0.0.1). IPv6 is switched off on bridges and inside containers, but for lo.
 */
#ifndef TARE_NET_NETWORK_H
#define TARE_NET_NETWORK_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/db.h"
#include "base/err.h"
#include "base/mem.h"

extern const struct db_schema net_schema; /* tables: networks, leases, ports */

struct ip4_net {
        struct in_addr address;
        uint8_t prefix;
};
int ip4_net_parse(const char *text, struct ip4_net *ret, struct err *err); /* "172.20.0.0/16" */
char *ip4_net_format(const struct ip4_net *n);

struct network {
        char *id; /* 64 hex */
        char *name; /* "bridge" */
        char *driver; /* "bridge", "host", "none" */
        int64_t created;
        struct ip4_net subnet;
        struct in_addr gateway;
        char bridge[IFNAMSIZ]; /* host interface: "tare0" for the default */
        uint32_t mtu; /* 0: the default route's */
        bool internal; /* no way out */
        bool isolated_containers; /* --icc=false */
        char **labels; /* "k=v" */
        char **options; /* "k=v" driver options */
};
void network_done(struct network *n);
#define _cleanup_network_ _cleanup_(network_done)

enum port_protocol { PORT_TCP, PORT_UDP, PORT_SCTP };
struct port_map {
        struct in_addr host_address; /* 0.0.0.0: every address */
        uint16_t host_port; /* 0: choose one from the ephemeral range */
        uint16_t host_port_end; /* not 0: choose one from host_port..host_port_end ("8000-8010:80"); 0 once reserved */
        uint16_t container_port;
        enum port_protocol protocol;
};
/* docker's -p: [[ip:][hostPort]:]containerPort[/proto], ranges "8000-8010:80-90"; appends to a heap array. ERR_INVALID as docker words it. */
int port_map_parse(const char *text, struct port_map **ports, size_t *count, struct err *err);
const char *port_protocol_name(enum port_protocol p);

/* A container's place in a network: filled by network_reserve(), made by network_attach(). */
struct endpoint {
        char container[65];
        char interface[IFNAMSIZ]; /* inside, "eth0" */
        char host_interface[IFNAMSIZ]; /* "tv" + 11 hex of the container */
        struct in_addr address;
        uint8_t prefix;
        struct in_addr gateway;
        uint8_t mac[6]; /* from the address, 02:42:.. as docker */
        struct port_map *ports; /* host_port never 0 once reserved; owned */
        size_t port_count;
};
void endpoint_done(struct endpoint *e);
#define _cleanup_endpoint_ _cleanup_(endpoint_done)

/* --- definitions (in the caller's transaction) --- */
/* The default network, made on first use: name "bridge", interface "tare0", the first free of 172.20-31/16, 192.168.x/20, 10.x/16
 * that no route of the host covers. TARE_BRIDGE overrides the interface's name (tests). */
int network_default(struct db *db, struct network *ret, struct err *err);
int network_create(struct db *db, const struct network *wanted, struct network *ret, struct err *err);
int network_find(struct db *db, const char *name_or_id, struct network *ret, struct err *err);
int network_list(struct db *db, struct network **ret, size_t *ret_count, struct err *err);
int network_remove(struct db *db, const struct network *n, struct err *err); /* ERR_CONFLICT while leases exist */

/* --- per container --- */
/* Takes an address (wanted 0: the next free) and the ports as leases, inside the caller's write transaction. ERR_CONFLICT
 * "Bind for 0.0.0.0:80 failed: port is already allocated". */
int network_reserve(struct db *db, const struct network *n, const char *container, struct in_addr wanted,
                    const struct port_map *ports, size_t port_count, struct endpoint *ret, struct err *err);
int network_release(struct db *db, const char *container,
                    struct err *err); /* all leases of a container; missing is success */
int network_release_from(struct db *db, const struct network *n, const char *container,
                         struct err *err); /* those in one network */
/* The endpoint of a container as its leases say; ERR_NOT_FOUND when it has none in this network. */
int network_endpoint(struct db *db, const struct network *n, const char *container, struct endpoint *ret,
                     struct err *err);
/* The kernel's side, outside any transaction. Makes bridge, table and sysctls when missing; makes the veth pair with the peer in
 * netns_fd, addresses, routes, lo; adds the ports to the maps. */
int network_attach(const struct network *n, const struct endpoint *e, int netns_fd, struct err *err);
/* Removes the port elements at once; the veth dies with the namespace and is not waited for. With published ports this takes some
 * 15 ms of waiting: the kernel keeps whoever closes an nf_tables socket until deleted elements are freed. 0.02 ms without. */
int network_detach(const struct network *n, const struct endpoint *e, struct err *err);
/* network_detach() for a container that lives on ("network disconnect"): also removes its interface, and waits for that, ~16 ms. */
int network_unplug(const struct network *n, const struct endpoint *e, struct err *err);
/* Ports of a container that runs: `e` is its endpoint with those that come or go, and no others. Leases in the caller's write transaction
 * (host ports that were left open are filled in), then the kernel's side. */
int network_ports_reserve(struct db *db, const struct network *n, struct endpoint *e, struct err *err);
int network_ports_release(struct db *db, const struct network *n, const struct endpoint *e, struct err *err);
int network_ports_publish(const struct network *n, const struct endpoint *e, struct err *err);
int network_ports_unpublish(const struct network *n, const struct endpoint *e, struct err *err);
/* "92:d0:c6:0a:29:33", of one host: no group, not all zero. */
int mac_parse(const char *text, uint8_t ret_mac[6], struct err *err);
/* "10mbit", "1gbit", "500kbps" (bytes), a bare number is bits a second; tc's words. */
int net_rate_parse(const char *text, uint64_t *ret_bits, struct err *err);
/* After network_attach(): what the container receives and sends, bits a second, 0: no limit. What it sends is limited inside, where only
 * CAP_NET_ADMIN could change that. Gone with the interfaces. */
int network_shape(const struct endpoint *e, int netns_fd, uint64_t in, uint64_t out, struct err *err);
/* lo up in a namespace without a network. */
int network_loopback_up(int netns_fd, struct err *err);
/* Binds sockets that keep host programs from taking the ports; fds appended to `ret_fds` (heap). ERR_CONFLICT as docker words it. */
int network_hold_ports(const struct endpoint *e, int **ret_fds, size_t *ret_count, struct err *err);
/* What the kernel has and no lease stands for, on bridges and in subnets of this database: interfaces of containers, and published ports in
 * words ("tcp 8080"). Looked at before the leases, so whatever comes meanwhile has one; but an interface outlives its lease for the moment in which
 * a namespace dies. network_sweep() takes the ports down, network_stray_remove() an interface. */
int network_strays(struct db *db, char ***ret_interfaces, char ***ret_ports, struct err *err);
int network_stray_remove(const char *interface, struct err *err);
/* For `system prune/check`, in the caller's write transaction: gives back leases of containers that are not alive, takes down
 * published ports no lease stands for and bridges without leases, and puts back what a flushed rule set took from the living.
 * Only subnets and bridges of this database are touched. */
int network_sweep(struct db *db, bool (*alive)(void *data, const char *container), void *data, unsigned *ret_removed,
                  struct err *err);

#endif
