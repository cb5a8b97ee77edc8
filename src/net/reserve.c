#include <arpa/inet.h>
#include <string.h>
#include "base/str.h"
#include "net/driver-internal.h"
#include "net/lease-internal.h"
#include "net/link-internal.h"

/* FNV-1a: names only have to differ, and the kernel refuses the second of two that do not. */
static uint64_t name_hash(const char *container, int64_t slot)
{
        uint64_t h = 14695981039346656037u ^ (uint64_t)slot;
        for (const char *c = container; *c; c++)
                h = (h ^ (unsigned char)*c) * 1099511628211u;
        return h;
}

void endpoint_host_name(const char *container, int64_t slot, char ret_name[IFNAMSIZ])
{
        if (slot == 0 && strlen(container) >= 11 && strspn(container, "0123456789abcdef") >= 11)
                snprintf(ret_name, IFNAMSIZ, "tv%.11s", container);
        else
                snprintf(ret_name, IFNAMSIZ, "tv%011llx", (unsigned long long)name_hash(container, slot) & 0xfffffffffff);
}

static void endpoint_name(struct endpoint *e, int64_t slot)
{
        snprintf(e->interface, sizeof(e->interface), "eth%u", (unsigned)slot % 1000);
        endpoint_host_name(e->container, slot, e->host_interface);
}

static void endpoint_fill(struct endpoint *e, const struct network *n, int64_t slot, struct in_addr address)
{
        e->address = address;
        e->prefix = n->subnet.prefix;
        e->gateway = n->gateway;
        link_mac_from_address(address, e->mac);
        endpoint_name(e, slot);
}

/* The lowest number no interface of the container has. */
static int slot_next(struct db *db, const char *container, int64_t *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err, "SELECT slot FROM leases WHERE container = ?1 ORDER BY slot", "s", container) < 0)
                return -1;
        int64_t slot = 0;
        int row;
        while ((row = db_step(q, err)) > 0 && db_i64(q, 0) == slot)
                slot++;
        if (row < 0)
                return -1;
        *ret = slot;
        return 0;
}

static int connected_already(struct db *db, const struct network *n, const char *container, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err,
                     "SELECT 1 FROM leases WHERE container = ?1 AND network = (SELECT number FROM networks WHERE id = "
                     "?2)",
                     "ss", container, n->id) < 0)
                return -1;
        int row = db_step(q, err);
        return row <= 0 ? row
                        : err_set(err, ERR_CONFLICT, "endpoint of container %s already exists in network %s", container,
                                  n->name);
}

int network_reserve(struct db *db, const struct network *n, const char *container, struct in_addr wanted,
                    const struct port_map *ports, size_t port_count, struct endpoint *ret, struct err *err)
{
        _cleanup_endpoint_ struct endpoint e = { 0 };
        const struct net_driver *d = net_driver_find(n->driver, err);
        if (!d)
                return -1;
        if (str_empty(container) || strlen(container) >= sizeof(e.container))
                return err_set(err, ERR_INVALID, "\"%s\" is not a container id", container ? container : "");
        snprintf(e.container, sizeof(e.container), "%s", container);
        if (d->has_addresses) {
                int64_t slot;
                struct in_addr address;
                if (connected_already(db, n, container, err) < 0 || slot_next(db, container, &slot, err) < 0 ||
                    lease_address(db, n, container, slot, wanted, &address, err) < 0)
                        return -1;
                endpoint_fill(&e, n, slot, address);
                e.ports = port_count ? xmemdup(ports, port_count * sizeof(*ports)) : NULL;
                e.port_count = port_count;
                if (lease_ports(db, n, container, e.ports, e.port_count, err) < 0)
                        return -1;
        }
        *ret = e;
        e = (struct endpoint){ 0 };
        return 0;
}

static int endpoint_ports(struct db *db, const struct network *n, struct endpoint *e, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err,
                     "SELECT host_address, host_port, container_port, protocol FROM ports WHERE container = ?1 "
                     "AND network = (SELECT number FROM networks WHERE id = ?2)",
                     "ss", e->container, n->id) < 0)
                return -1;
        int row;
        while ((row = db_step(q, err)) > 0) {
                e->ports = xreallocarray(e->ports, e->port_count + 1, sizeof(*e->ports));
                e->ports[e->port_count++] = (struct port_map){
                        .host_address.s_addr = htonl((uint32_t)db_i64(q, 0)),
                        .host_port = (uint16_t)db_i64(q, 1),
                        .container_port = (uint16_t)db_i64(q, 2),
                        .protocol = (enum port_protocol)db_i64(q, 3),
                };
        }
        return row;
}

int network_endpoint(struct db *db, const struct network *n, const char *container, struct endpoint *ret,
                     struct err *err)
{
        _cleanup_endpoint_ struct endpoint e = { 0 };
        _cleanup_stmt_ struct db_stmt *q = NULL;
        snprintf(e.container, sizeof(e.container), "%s", container);
        if (db_query(db, &q, err,
                     "SELECT address, slot FROM leases WHERE container = ?1 AND network = (SELECT number FROM networks "
                     "WHERE id = ?2)",
                     "ss", container, n->id) < 0)
                return -1;
        int row = db_step(q, err);
        if (row < 0)
                return -1;
        if (row == 0)
                return err_set(err, ERR_NOT_FOUND, "container %s is not connected to network %s", container, n->name);
        endpoint_fill(&e, n, db_i64(q, 1), (struct in_addr){ htonl((uint32_t)db_i64(q, 0)) });
        if (endpoint_ports(db, n, &e, err) < 0)
                return -1;
        *ret = e;
        e = (struct endpoint){ 0 };
        return 0;
}
