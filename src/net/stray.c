#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include "base/str.h"
#include "net/bridge-internal.h"
#include "net/firewall-internal.h"
#include "net/lease-internal.h"
#include "net/link-internal.h"
#include "net/subnet-internal.h"

struct strays {
        struct db *db;
        int route_fd, nft_fd;
        struct network *networks;
        size_t count;
        char **interfaces;
        struct firewall_port *ports;
        size_t port_count;
};

static void strays_done(struct strays *s)
{
        for (size_t i = 0; i < s->count; i++)
                network_done(&s->networks[i]);
        free(s->networks);
        strv_free(s->interfaces);
        free(s->ports);
        mem_closep(&s->route_fd);
        mem_closep(&s->nft_fd);
}

static int bridge_look(struct strays *s, const char *bridge, struct err *err)
{
        struct link_state link;
        _cleanup_strv_ char **names = NULL;
        if (!link_look(s->route_fd, bridge, &link))
                return 0;
        if (link_list_ports(s->route_fd, link.index, "tv", &names, err) < 0)
                return -1;
        STRV_FOREACH (name, names)
                strv_push(&s->interfaces, *name);
        return 0;
}

static int network_look(struct strays *s, const struct network *n, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        int row;
        if (db_query(s->db, &q, err, "SELECT block FROM network_blocks WHERE network = (SELECT number FROM networks WHERE id = ?1)", "s", n->id) < 0)
                return -1;
        while ((row = db_step(q, err)) > 0) {
                char bridge[IFNAMSIZ];
                bridge_block_name(n, (uint32_t)db_i64(q, 0), bridge);
                if (bridge_look(s, bridge, err) < 0)
                        return -1;
        }
        return row;
}

/* A kernel without nf_tables (a module that nothing has loaded yet) forwards no port. */
static int ports_look(struct strays *s, struct err *err)
{
        s->nft_fd = nl_open(NETLINK_NETFILTER, err);
        if (s->nft_fd < 0)
                return err->sys == EPROTONOSUPPORT ? 0 : -1;
        return firewall_ports(s->nft_fd, &s->ports, &s->port_count, err);
}

static int kernel_look(struct strays *s, struct err *err)
{
        if (network_list(s->db, &s->networks, &s->count, err) < 0 || (s->route_fd = nl_open(NETLINK_ROUTE, err)) < 0 || ports_look(s, err) < 0)
                return -1;
        for (size_t i = 0; i < s->count; i++)
                if (s->networks[i].subnet.prefix && network_look(s, &s->networks[i], err) < 0)
                        return -1;
        return 0;
}

/* Of the interfaces those that no lease names. */
static int interfaces_without(struct strays *s, char ***ret, struct err *err)
{
        _cleanup_strv_ char **wanted = NULL;
        _cleanup_stmt_ struct db_stmt *q = NULL;
        int row;
        if (!s->interfaces)
                return 0;
        if (db_query(s->db, &q, err, "SELECT container, slot FROM leases", "") < 0)
                return -1;
        while ((row = db_step(q, err)) > 0) {
                char name[IFNAMSIZ];
                endpoint_host_name(db_str(q, 0), db_i64(q, 1), name);
                strv_push(&wanted, name);
        }
        STRV_FOREACH (name, s->interfaces)
                if (row == 0 && !strv_has(wanted, *name))
                        strv_push(ret, *name);
        return row;
}

static bool is_ours(const struct strays *s, struct in_addr address)
{
        for (size_t i = 0; i < s->count; i++)
                if (s->networks[i].subnet.prefix && subnet_overlaps(&s->networks[i].subnet, &(struct ip4_net){ address, 32 }))
                        return true;
        return false;
}

static int ports_without(struct strays *s, char ***ret, struct err *err)
{
        for (size_t i = 0; i < s->port_count; i++) {
                const struct firewall_port *p = &s->ports[i];
                int wanted = is_ours(s, p->address) ? port_lease_leads(s->db, &p->port, p->address, err) : 1;
                if (wanted < 0)
                        return -1;
                if (!wanted)
                        strv_push_take(ret, xasprintf("%s %u", port_protocol_name(p->port.protocol), p->port.host_port));
        }
        return 0;
}

int network_strays(struct db *db, char ***ret_interfaces, char ***ret_ports, struct err *err)
{
        _cleanup_(strays_done) struct strays s = { .db = db, .route_fd = -1, .nft_fd = -1 };
        _cleanup_strv_ char **interfaces = NULL;
        _cleanup_strv_ char **ports = NULL;
        if (kernel_look(&s, err) < 0 || interfaces_without(&s, &interfaces, err) < 0 || ports_without(&s, &ports, err) < 0)
                return err_add(err, "look at networks");
        *ret_interfaces = TAKE_PTR(interfaces);
        *ret_ports = TAKE_PTR(ports);
        return 0;
}

int network_stray_remove(const char *interface, struct err *err)
{
        _cleanup_close_ int fd = nl_open(NETLINK_ROUTE, err);
        return fd < 0 ? -1 : link_remove(fd, interface, err);
}
