#include "net/conntrack-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdbool.h>
#include <string.h>
#include "base/mem.h"

/* Bits of CTA_FILTER_ORIG_FLAGS, which the kernel's exported headers do not have: the parts of the tuple that must match. */
enum { MATCH_ADDRESS_TO = 1 << 1, MATCH_PROTOCOL = 1 << 3, MATCH_PORT_TO = 1 << 5 };

#define FLOWS_MAX 4096u

/* Flows to a port, found by asking. */
struct flows {
        const struct port_map *port;
        struct flow {
                struct in_addr from, to;
                uint16_t from_port; /* as on the wire */
        } list[FLOWS_MAX];
        unsigned count;
};

static struct nlmsghdr *conntrack_put(struct nl_batch *b, int type, uint16_t flags, const char *what, int tolerated)
{
        struct nlmsghdr *m = nl_put(b, (uint16_t)((NFNL_SUBSYS_CTNETLINK << 8) | type), flags, what, tolerated);
        struct nfgenmsg *g = message_put(m, sizeof(*g));
        g->nfgen_family = AF_INET;
        return m;
}

static void tuple_put(struct nlmsghdr *m, const struct flow *f, uint16_t port)
{
        struct nlattr *tuple = attr_nest_begin(m, CTA_TUPLE_ORIG);
        struct nlattr *ip = attr_nest_begin(m, CTA_TUPLE_IP);
        attr_put_u32(m, CTA_IP_V4_SRC, f->from.s_addr);
        attr_put_u32(m, CTA_IP_V4_DST, f->to.s_addr);
        attr_nest_end(m, ip);
        struct nlattr *proto = attr_nest_begin(m, CTA_TUPLE_PROTO);
        attr_put_u8(m, CTA_PROTO_NUM, IPPROTO_UDP);
        attr_put_u16(m, CTA_PROTO_SRC_PORT, f->from_port);
        attr_put_u16(m, CTA_PROTO_DST_PORT, htons(port));
        attr_nest_end(m, proto);
        attr_nest_end(m, tuple);
}

/* What both a filtered deletion (from 6.9 on) and a filtered list (from 5.8 on) take. */
static void filter_put(struct nlmsghdr *m, const struct port_map *p)
{
        bool any = p->host_address.s_addr == INADDR_ANY;
        tuple_put(m, &(struct flow){ .to = p->host_address }, p->host_port);
        struct nlattr *filter = attr_nest_begin(m, CTA_FILTER);
        attr_put_u32(m, CTA_FILTER_ORIG_FLAGS, MATCH_PROTOCOL | MATCH_PORT_TO | (any ? 0 : MATCH_ADDRESS_TO));
        attr_put_u32(m, CTA_FILTER_REPLY_FLAGS, 0);
        attr_nest_end(m, filter);
}

static const struct nlattr *nested(const struct nlattr *parent, int type, size_t len)
{
        const struct nlattr *a;
        if (parent)
                attr_each_in (a, parent)
                        if (attr_type(a) == type && attr_len(a) >= len)
                                return a;
        return NULL;
}

static void flow_answer(const struct nlmsghdr *m, void *data)
{
        struct flows *flows = data;
        const struct nlattr *tuple = NULL, *a;
        attr_each (a, m, sizeof(struct nfgenmsg))
                if (attr_type(a) == CTA_TUPLE_ORIG)
                        tuple = a;
        const struct nlattr *ip = tuple ? nested(tuple, CTA_TUPLE_IP, 0) : NULL,
                            *proto = tuple ? nested(tuple, CTA_TUPLE_PROTO, 0) : NULL;
        const struct nlattr *from = nested(ip, CTA_IP_V4_SRC, 4), *to = nested(ip, CTA_IP_V4_DST, 4),
                            *number = nested(proto, CTA_PROTO_NUM, 1),
                            *from_port = nested(proto, CTA_PROTO_SRC_PORT, 2),
                            *to_port = nested(proto, CTA_PROTO_DST_PORT, 2);
        if (!from || !to || !number || !from_port || !to_port || flows->count == FLOWS_MAX)
                return;
        /* Kernels without the filter list everything. */
        struct flow f = { { attr_u32(from) }, { attr_u32(to) }, attr_u16(from_port) };
        in_addr_t wanted = flows->port->host_address.s_addr;
        if (attr_u8(number) == IPPROTO_UDP && ntohs(attr_u16(to_port)) == flows->port->host_port &&
            (wanted == INADDR_ANY || wanted == f.to.s_addr))
                flows->list[flows->count++] = f;
}

static void forget_singly(int fd, const struct port_map *p)
{
        struct err ignored = ERR_INIT;
        struct nl_batch b;
        _cleanup_free_ struct flows *flows = xcalloc(1, sizeof(*flows));
        flows->port = p;
        nl_start(&b, fd);
        filter_put(conntrack_put(&b, IPCTNL_MSG_CT_GET, NLM_F_DUMP, "list UDP flows", 0), p);
        if (nl_commit(&b, flow_answer, flows, &ignored) < 0)
                return;
        for (unsigned i = 0; i < flows->count;) {
                nl_start(&b, fd);
                for (; i < flows->count && nl_has_room(&b); i++)
                        tuple_put(conntrack_put(&b, IPCTNL_MSG_CT_DELETE, 0, "forget UDP flow", ENOENT), &flows->list[i],
                                  p->host_port);
                if (nl_commit(&b, NULL, NULL, &ignored) < 0)
                        return;
        }
}

void conntrack_forget_udp(int nft_fd, const struct endpoint *e)
{
        for (size_t i = 0; i < e->port_count; i++) {
                struct err refused = ERR_INIT;
                struct nl_batch b;
                if (e->ports[i].protocol != PORT_UDP)
                        continue;
                nl_start(&b, nft_fd);
                filter_put(conntrack_put(&b, IPCTNL_MSG_CT_DELETE, 0, "forget UDP flows", 0), &e->ports[i]);
                /* A kernel that does not filter here looks for one flow from 0.0.0.0:0, which never is. */
                if (nl_commit(&b, NULL, NULL, &refused) < 0)
                        forget_singly(nft_fd, &e->ports[i]);
        }
}
