#include "net/conntrack-internal.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

/* Bits of CTA_FILTER_ORIG_FLAGS, which the kernel's exported headers do not have: the parts of the tuple that must match. */
enum { MATCH_ADDRESS_TO = 1 << 1, MATCH_PROTOCOL = 1 << 3, MATCH_PORT_TO = 1 << 5 };

/* The kernel goes through its table and deletes what matches. The tuple is always there: a kernel older than the filter (5.8) then
 * looks for one exact connection and finds none, where without it would delete all. */
static void forget_put(struct nl_batch *b, const struct port_map *p)
{
        bool any = p->host_address.s_addr == INADDR_ANY;
        struct nlmsghdr *m = nl_put(b, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE, 0, "forget UDP flows", 0);
        struct nfgenmsg *g = mnl_nlmsg_put_extra_header(m, sizeof(*g));
        g->nfgen_family = AF_INET;
        struct nlattr *tuple = mnl_attr_nest_start(m, CTA_TUPLE_ORIG);
        struct nlattr *ip = mnl_attr_nest_start(m, CTA_TUPLE_IP);
        mnl_attr_put_u32(m, CTA_IP_V4_SRC, 0);
        mnl_attr_put_u32(m, CTA_IP_V4_DST, p->host_address.s_addr);
        mnl_attr_nest_end(m, ip);
        struct nlattr *proto = mnl_attr_nest_start(m, CTA_TUPLE_PROTO);
        mnl_attr_put_u8(m, CTA_PROTO_NUM, IPPROTO_UDP);
        mnl_attr_put_u16(m, CTA_PROTO_SRC_PORT, 0);
        mnl_attr_put_u16(m, CTA_PROTO_DST_PORT, htons(p->host_port));
        mnl_attr_nest_end(m, proto);
        mnl_attr_nest_end(m, tuple);
        struct nlattr *filter = mnl_attr_nest_start(m, CTA_FILTER);
        mnl_attr_put_u32(m, CTA_FILTER_ORIG_FLAGS, MATCH_PROTOCOL | MATCH_PORT_TO | (any ? 0 : MATCH_ADDRESS_TO));
        mnl_attr_put_u32(m, CTA_FILTER_REPLY_FLAGS, 0);
        mnl_attr_nest_end(m, filter);
}

void conntrack_forget_udp(int nft_fd, const struct endpoint *e)
{
        for (size_t i = 0; i < e->port_count;) {
                struct err ignored = ERR_INIT;
                struct nl_batch b;
                nl_start(&b, nft_fd);
                for (; i < e->port_count && nl_has_room(&b); i++)
                        if (e->ports[i].protocol == PORT_UDP)
                                forget_put(&b, &e->ports[i]);
                nl_commit(&b, NULL, NULL, &ignored);
        }
}
