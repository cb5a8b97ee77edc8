#include <arpa/inet.h>
#include <string.h>
#include "base/str.h"
#include "net/bridge-internal.h"
#include "net/driver-internal.h"
#include "net/firewall-internal.h"
#include "net/lease-internal.h"
#include "net/subnet-internal.h"

/* One sweep. Only what lies in subnets and on bridges of this database is touched: another data root may use the same host. */
struct sweep {
        struct db *db;
        struct network *networks;
        size_t count;
        int route_fd, nft_fd;
        unsigned removed;
};

static void sweep_done(struct sweep *s)
{
        for (size_t i = 0; i < s->count; i++)
                network_done(&s->networks[i]);
        free(s->networks);
        mem_closep(&s->route_fd);
        mem_closep(&s->nft_fd);
}

/* Gives back the leases of containers that are gone. */
static int sweep_leases(struct sweep *s, bool (*alive)(void *data, const char *container), void *data, struct err *err)
{
        _cleanup_strv_ char **gone = NULL;
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(s->db, &q, err, "SELECT DISTINCT container FROM leases", "") < 0)
                return -1;
        int row;
        while ((row = db_step(q, err)) > 0)
                if (!alive(data, db_str(q, 0)))
                        strv_push(&gone, db_str(q, 0));
        if (row < 0)
                return -1;
        STRV_FOREACH (container, gone) {
                if (network_release(s->db, *container, err) < 0)
                        return -1;
                s->removed++;
        }
        return 0;
}

static const struct network *sweep_network_of(const struct sweep *s, struct in_addr address)
{
        for (size_t i = 0; i < s->count; i++)
                if (s->networks[i].subnet.prefix &&
                    subnet_overlaps(&s->networks[i].subnet, &(struct ip4_net){ address, 32 }))
                        return &s->networks[i];
        return NULL;
}

static int sweep_ports(struct sweep *s, struct err *err)
{
        _cleanup_free_ struct firewall_port *ports = NULL;
        size_t count = 0;
        if (firewall_ports(s->nft_fd, &ports, &count, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++) {
                if (!sweep_network_of(s, ports[i].address))
                        continue;
                int wanted = port_lease_leads(s->db, &ports[i].port, ports[i].address, err);
                if (wanted < 0)
                        return -1;
                struct endpoint e = { .address = ports[i].address, .ports = &ports[i].port, .port_count = 1 };
                if (wanted == 0 && firewall_unpublish(s->nft_fd, &e, err) < 0)
                        return -1;
                s->removed += wanted == 0;
        }
        return 0;
}

static int network_has_leases(struct sweep *s, const struct network *n, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(s->db, &q, err,
                     "SELECT 1 FROM leases WHERE network = (SELECT number FROM networks WHERE id = ?1) LIMIT 1", "s",
                     n->id) < 0)
                return -1;
        return db_step(q, err);
}

/* Puts back what a flushed rule set (a restart of nftables.service) took from running containers. */
static int sweep_restore(struct sweep *s, const struct network *n, struct err *err)
{
        _cleanup_strv_ char **containers = NULL;
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (bridge_make(s->route_fd, s->nft_fd, n, err) < 0)
                return -1;
        if (db_query(s->db, &q, err,
                     "SELECT DISTINCT container FROM ports WHERE network = (SELECT number FROM networks WHERE id = ?1)",
                     "s", n->id) < 0)
                return -1;
        int row;
        while ((row = db_step(q, err)) > 0)
                strv_push(&containers, db_str(q, 0));
        STRV_FOREACH (container, containers) {
                _cleanup_endpoint_ struct endpoint e = { 0 };
                if (network_endpoint(s->db, n, *container, &e, err) < 0 || firewall_publish(s->nft_fd, &e, err) < 0)
                        return -1;
        }
        return row;
}

static int sweep_bridges(struct sweep *s, struct err *err)
{
        for (size_t i = 0; i < s->count; i++) {
                const struct network *n = &s->networks[i];
                struct link_state link;
                if (n->subnet.prefix == 0)
                        continue;
                int used = network_has_leases(s, n, err);
                if (used < 0 || (used > 0 && sweep_restore(s, n, err) < 0))
                        return -1;
                if (used > 0 || !link_look(s->route_fd, n->bridge, &link))
                        continue;
                /* The next attach makes it again. */
                if (bridge_remove(s->route_fd, s->nft_fd, n, err) < 0)
                        return -1;
                s->removed++;
        }
        return 0;
}

int network_sweep(struct db *db, bool (*alive)(void *data, const char *container), void *data, unsigned *ret_removed,
                  struct err *err)
{
        _cleanup_(sweep_done) struct sweep s = { .db = db, .route_fd = -1, .nft_fd = -1 };
        s.route_fd = nl_open(NETLINK_ROUTE, err);
        if (s.route_fd < 0)
                return -1;
        s.nft_fd = nl_open(NETLINK_NETFILTER, err);
        if (s.nft_fd < 0)
                return -1;
        if (network_list(db, &s.networks, &s.count, err) < 0 || sweep_leases(&s, alive, data, err) < 0 ||
            sweep_ports(&s, err) < 0 || sweep_bridges(&s, err) < 0)
                return err_add(err, "sweep networks");
        *ret_removed = s.removed;
        return 0;
}
