#include "net/subnet-internal.h"

#include <arpa/inet.h>
#include "base/mem.h"
#include "base/str.h"
#include "net/netlink-internal.h"

/* The pools, in the order they are tried. 172.17-19 are left to docker, which takes those first. */
static const struct {
        uint32_t first;
        unsigned count;
        uint8_t prefix;
} pools[] = {
        { 0xac140000, 12, 16 }, /* 172.20.0.0 .. 172.31.0.0 */
        { 0xc0a80000, 16, 20 }, /* 192.168.0.0 .. 192.168.240.0 */
        { 0x0a000000, 256, 16 }, /* 10.0.0.0 .. 10.255.0.0 */
};

struct used {
        struct ip4_net *nets;
        size_t count;
};

static void used_done(struct used *u)
{
        free(u->nets);
}

static uint32_t net_mask(uint8_t prefix)
{
        return prefix ? ~0u << (32 - prefix) : 0;
}

bool subnet_overlaps(const struct ip4_net *a, const struct ip4_net *b)
{
        uint32_t mask = net_mask(a->prefix < b->prefix ? a->prefix : b->prefix);
        return ((ntohl(a->address.s_addr) ^ ntohl(b->address.s_addr)) & mask) == 0;
}

static void used_add(struct used *u, struct ip4_net n)
{
        u->nets = xreallocarray(u->nets, u->count + 1, sizeof(*u->nets));
        u->nets[u->count++] = n;
}

static void route_answer(const struct nlmsghdr *m, void *data)
{
        const struct rtmsg *r = message_body(m);
        const struct nlattr *a;
        /* Without a destination it is a default route, which covers all and means nothing. */
        if (m->nlmsg_type != RTM_NEWROUTE || r->rtm_family != AF_INET || r->rtm_dst_len == 0 ||
            r->rtm_type == RTN_BROADCAST || r->rtm_type == RTN_MULTICAST)
                return;
        attr_each (a, m, sizeof(*r))
                if (attr_type(a) == RTA_DST && attr_len(a) == 4)
                        used_add(data, (struct ip4_net){ { attr_u32(a) }, r->rtm_dst_len });
}

static int used_routes(struct used *u, struct err *err)
{
        _cleanup_close_ int fd = nl_open(NETLINK_ROUTE, err);
        if (fd < 0)
                return -1;
        struct nl_batch b;
        nl_start(&b, fd);
        struct nlmsghdr *m = nl_put(&b, RTM_GETROUTE, NLM_F_DUMP, "list routes", 0);
        struct rtmsg *r = message_put(m, sizeof(*r));
        r->rtm_family = AF_INET;
        return nl_commit(&b, route_answer, u, err);
}

int subnet_conflict(struct db *db, const struct ip4_net *wanted, char **ret_name, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err, "SELECT name, subnet, prefix FROM networks WHERE prefix > 0", "") < 0)
                return -1;
        int row;
        *ret_name = NULL;
        while ((row = db_step(q, err)) > 0) {
                struct ip4_net n = { { htonl((uint32_t)db_i64(q, 1)) }, (uint8_t)db_i64(q, 2) };
                if (!subnet_overlaps(&n, wanted))
                        continue;
                *ret_name = xstrdup(db_str(q, 0));
                return 0;
        }
        return row;
}

static int used_networks(struct db *db, struct used *u, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err, "SELECT subnet, prefix FROM networks WHERE prefix > 0", "") < 0)
                return -1;
        int row;
        while ((row = db_step(q, err)) > 0)
                used_add(u, (struct ip4_net){ { htonl((uint32_t)db_i64(q, 0)) }, (uint8_t)db_i64(q, 1) });
        return row;
}

static bool used_has(const struct used *u, const struct ip4_net *n)
{
        for (size_t i = 0; i < u->count; i++)
                if (subnet_overlaps(&u->nets[i], n))
                        return true;
        return false;
}

int subnet_choose(struct db *db, struct ip4_net *ret, struct err *err)
{
        _cleanup_(used_done) struct used used = { 0 };
        if (used_routes(&used, err) < 0 || used_networks(db, &used, err) < 0)
                return -1;
        for (size_t p = 0; p < ELEMENTS(pools); p++)
                for (unsigned i = 0; i < pools[p].count; i++) {
                        uint32_t address = pools[p].first + (i << (32 - pools[p].prefix));
                        struct ip4_net n = { { htonl(address) }, pools[p].prefix };
                        if (used_has(&used, &n))
                                continue;
                        *ret = n;
                        return 0;
                }
        return err_set(err, ERR_CONFLICT, "all predefined address pools have been fully subnetted");
}
