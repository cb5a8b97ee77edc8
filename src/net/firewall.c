#include "net/firewall-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include "base/str.h"

/* Data types as nft(8) numbers them, so that it can show our sets; the kernel does not look at them. */
enum { TYPE_IPADDR = 7, TYPE_PROTOCOL = 12, TYPE_SERVICE = 13, TYPE_IFNAME = 41 };
#define CONCAT(a, b) ((uint32_t)(a) << 6 | (b))

static const struct nft_set sets[] = {
        { "publish", NFT_SET_MAP, CONCAT(CONCAT(TYPE_IPADDR, TYPE_PROTOCOL), TYPE_SERVICE), 12,
          CONCAT(TYPE_IPADDR, TYPE_SERVICE), 8 },
        { "publish_any", NFT_SET_MAP, CONCAT(TYPE_PROTOCOL, TYPE_SERVICE), 8, CONCAT(TYPE_IPADDR, TYPE_SERVICE), 8 },
        { "bridges", 0, TYPE_IFNAME, IFNAMSIZ, 0, 0 },
        { "internal", 0, TYPE_IFNAME, IFNAMSIZ, 0, 0 },
        { "blocks", 0, TYPE_IFNAME, IFNAMSIZ, 0, 0 },
        { "pairs", 0, CONCAT(TYPE_IFNAME, TYPE_IFNAME), 2 * IFNAMSIZ, 0, 0 },
        { "masq", NFT_SET_INTERVAL, TYPE_IPADDR, 4, 0, 0 },
};

static const struct nft_chain chains[] = {
        { "martian", "filter", NF_INET_PRE_ROUTING, -300 },  { "publishing", NULL, 0, 0 },
        { "prerouting", "nat", NF_INET_PRE_ROUTING, -100 },  { "output", "nat", NF_INET_LOCAL_OUT, -100 },
        { "postrouting", "nat", NF_INET_POST_ROUTING, 100 }, { "to_bridge", NULL, 0, 0 },
        { "forward", "filter", NF_INET_FORWARD, 0 },
};

/* The parts rules are made of; `arg` is a set, a chain or nothing. */
typedef void (*part_fn)(struct nlmsghdr *m, const char *arg);

static void not_from_lo(struct nlmsghdr *m, const char *arg)
{
        static const uint32_t lo = 1; /* the index of lo in every namespace */
        nft_meta(m, NFT_META_IIF, NFT_REG_1);
        nft_cmp(m, NFT_CMP_NEQ, NFT_REG_1, &lo, sizeof(lo));
}

static void address_is_127(struct nlmsghdr *m, uint32_t offset)
{
        static const uint8_t first = 127;
        nft_payload(m, NFT_PAYLOAD_NETWORK_HEADER, offset, 1, NFT_REG_1);
        nft_cmp(m, NFT_CMP_EQ, NFT_REG_1, &first, 1);
}

static void to_127(struct nlmsghdr *m, const char *arg)
{
        address_is_127(m, 16);
}
static void from_127(struct nlmsghdr *m, const char *arg)
{
        address_is_127(m, 12);
}

static void to_local(struct nlmsghdr *m, const char *arg)
{
        static const uint32_t local = RTN_LOCAL;
        nft_fib_daddr_type(m, NFT_REG_1);
        nft_cmp(m, NFT_CMP_EQ, NFT_REG_1, &local, sizeof(local));
}

static void dnat_by_address(struct nlmsghdr *m, const char *map)
{
        nft_payload(m, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, NFT_REG_1);
        nft_meta(m, NFT_META_L4PROTO, NFT_REG32_01);
        nft_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG32_02);
        nft_map(m, map, NFT_REG_1, NFT_REG_1);
        nft_dnat(m, NFT_REG_1, NFT_REG32_01);
}

static void dnat_by_port(struct nlmsghdr *m, const char *map)
{
        nft_meta(m, NFT_META_L4PROTO, NFT_REG_1);
        nft_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG32_01);
        nft_map(m, map, NFT_REG_1, NFT_REG_1);
        nft_dnat(m, NFT_REG_1, NFT_REG32_01);
}

static void interface_in(struct nlmsghdr *m, enum nft_meta_keys key, const char *set, bool invert)
{
        nft_meta(m, key, NFT_REG_1);
        nft_lookup(m, set, NFT_REG_1, invert);
}

static void iif_in(struct nlmsghdr *m, const char *set)
{
        interface_in(m, NFT_META_IIFNAME, set, false);
}
static void oif_in(struct nlmsghdr *m, const char *set)
{
        interface_in(m, NFT_META_OIFNAME, set, false);
}
static void oif_not_in(struct nlmsghdr *m, const char *set)
{
        interface_in(m, NFT_META_OIFNAME, set, true);
}

static void oif_is(struct nlmsghdr *m, const char *name)
{
        nft_meta(m, NFT_META_OIFNAME, NFT_REG_1);
        nft_cmp(m, NFT_CMP_EQ, NFT_REG_1, name, strlen(name) + 1);
}

static void iif_oif_in(struct nlmsghdr *m, const char *set)
{
        nft_meta(m, NFT_META_IIFNAME, NFT_REG_1);
        nft_meta(m, NFT_META_OIFNAME, NFT_REG_2);
        nft_lookup(m, set, NFT_REG_1, false);
}

static void saddr_in(struct nlmsghdr *m, const char *set)
{
        nft_payload(m, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, NFT_REG_1);
        nft_lookup(m, set, NFT_REG_1, false);
}

static void ct_bits(struct nlmsghdr *m, enum nft_ct_keys key, uint32_t bits, enum nft_cmp_ops op)
{
        static const uint32_t zero;
        nft_ct(m, key, NFT_REG_1);
        nft_mask(m, NFT_REG_1, bits);
        nft_cmp(m, op, NFT_REG_1, &zero, sizeof(zero));
}

static void established(struct nlmsghdr *m, const char *arg)
{
        ct_bits(m, NFT_CT_STATE, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED), NFT_CMP_NEQ);
}

static void is_published(struct nlmsghdr *m, const char *arg)
{
        ct_bits(m, NFT_CT_STATUS, IPS_DST_NAT, NFT_CMP_NEQ);
}
static void not_published(struct nlmsghdr *m, const char *arg)
{
        ct_bits(m, NFT_CT_STATUS, IPS_DST_NAT, NFT_CMP_EQ);
}
static void untracked(struct nlmsghdr *m, const char *arg)
{
        nft_notrack(m);
}
static void masquerade(struct nlmsghdr *m, const char *arg)
{
        nft_masquerade(m);
}
static void accept_it(struct nlmsghdr *m, const char *arg)
{
        nft_verdict(m, NF_ACCEPT, NULL);
}
static void drop(struct nlmsghdr *m, const char *arg)
{
        nft_verdict(m, NF_DROP, NULL);
}
static void jump(struct nlmsghdr *m, const char *chain)
{
        nft_verdict(m, NFT_JUMP, chain);
}

static const struct rule {
        const char *chain;
        struct {
                part_fn fn;
                const char *arg;
        } parts[6];
} rules[] = {
        /* Our bridges have route_localnet for the sake of 127.0.0.1:PORT on the host (CVE-2020-8558): on no wire has 127/8 a place. */
        { "martian", { { not_from_lo }, { to_127 }, { drop } } },
        { "martian", { { not_from_lo }, { from_127 }, { drop } } },
        /* br_netfilter shows us frames on their way through a bridge that only widens ours; translated there, the connection would not
         * be known again on the next. */
        { "martian", { { iif_in, "blocks" }, { untracked } } },
        { "publishing", { { dnat_by_address, "publish" } } },
        { "publishing", { { dnat_by_port, "publish_any" } } },
        { "prerouting", { { to_local }, { jump, "publishing" } } },
        { "output", { { to_local }, { jump, "publishing" } } },
        { "postrouting", { { saddr_in, "masq" }, { oif_not_in, "bridges" }, { masquerade } } },
        /* A container that calls a published port of its own network would get the answer past us, from an address it never called. */
        { "postrouting", { { oif_in, "bridges" }, { is_published }, { saddr_in, "masq" }, { masquerade } } },
        { "postrouting", { { oif_in, "bridges" }, { is_published }, { from_127 }, { masquerade } } },
        { "forward", { { established }, { accept_it } } },
        { "forward", { { oif_in, "bridges" }, { jump, "to_bridge" } } },
        { "forward", { { iif_in, "internal" }, { drop } } },
        /* Our accept rules for docker's FORWARD (forward.c) would otherwise open docker's default bridge to our containers. */
        { "forward", { { iif_in, "bridges" }, { oif_is, "docker0" }, { not_published }, { drop } } },
        { "to_bridge", { { iif_oif_in, "pairs" }, { accept_it } } },
        { "to_bridge", { { iif_in, "internal" }, { drop } } },
        { "to_bridge", { { oif_in, "internal" }, { drop } } },
        { "to_bridge", { { is_published }, { accept_it } } },
        { "to_bridge", { { drop } } },
};

static void table_put(struct nl_batch *b)
{
        struct nlmsghdr *m = nft_put(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, "add nf_tables table", 0);
        attr_put_str(m, NFTA_TABLE_NAME, FIREWALL_TABLE);
        for (size_t i = 0; i < ELEMENTS(sets); i++)
                nft_set_add(b, FIREWALL_TABLE, &sets[i]);
        for (size_t i = 0; i < ELEMENTS(chains); i++)
                nft_chain_add(b, FIREWALL_TABLE, &chains[i], 0);
        for (size_t i = 0; i < ELEMENTS(rules); i++) {
                struct nft_rule r = nft_rule_begin(b, FIREWALL_TABLE, rules[i].chain, true, "add nf_tables rule");
                for (size_t k = 0; k < ELEMENTS(rules[i].parts) && rules[i].parts[k].fn; k++)
                        rules[i].parts[k].fn(r.m, rules[i].parts[k].arg);
                nft_rule_end(r);
        }
}

int firewall_make(int fd, struct err *err)
{
        struct nl_batch b;
        nl_start(&b, fd);
        nft_begin(&b, 0);
        table_put(&b);
        nft_end(&b);
        struct err refused = ERR_INIT;
        if (nl_commit(&b, NULL, NULL, &refused) == 0)
                return 0;
        /* Exclusive, so that of processes racing here exactly one adds the rules; the others find the table whole. */
        if (refused.sys == EEXIST)
                return 0;
        *err = refused;
        return err_add(err, "make firewall");
}

static void set_names(struct nl_batch *b, int type, const struct network *n, const char *bridge)
{
        const char *what = type == NFT_MSG_NEWSETELEM ? "add bridge to firewall" : "remove bridge from firewall";
        char pair[2 * IFNAMSIZ] = "";
        memcpy(pair, bridge, strlen(bridge));
        memcpy(pair + IFNAMSIZ, bridge, strlen(bridge));
        struct nft_element one = { .key = pair, .key_len = IFNAMSIZ }, both = { .key = pair, .key_len = sizeof(pair) };
        if (!str_eq(bridge, n->bridge)) {
                nft_element_put(b, type, FIREWALL_TABLE, "blocks", &one, what, 0);
                return;
        }
        nft_element_put(b, type, FIREWALL_TABLE, "bridges", &one, what, 0);
        if (!n->isolated_containers)
                nft_element_put(b, type, FIREWALL_TABLE, "pairs", &both, what, 0);
        if (n->internal)
                nft_element_put(b, type, FIREWALL_TABLE, "internal", &one, what, 0);
}

static void set_subnet(struct nl_batch *b, int type, const struct ip4_net *subnet)
{
        uint32_t size = subnet->prefix ? 1u << (32 - subnet->prefix) : 0;
        uint32_t start = subnet->address.s_addr, end = htonl(ntohl(start) + size);
        struct nft_element first = { .key = &start, .key_len = 4 };
        struct nft_element past = { .key = &end, .key_len = 4, .flags = NFT_SET_ELEM_INTERVAL_END };
        nft_element_put(b, type, FIREWALL_TABLE, "masq", &first, "set masqueraded subnet", 0);
        nft_element_put(b, type, FIREWALL_TABLE, "masq", &past, "set masqueraded subnet", 0);
}

static void set_bridge(struct nl_batch *b, int type, const struct network *n, const char *bridge)
{
        set_names(b, type, n, bridge);
        if (!n->internal && str_eq(bridge, n->bridge))
                set_subnet(b, type, &n->subnet);
}

int firewall_bridge_add(int fd, const struct network *n, const char *bridge, struct err *err)
{
        struct nl_batch b;
        nl_start(&b, fd);
        nft_begin(&b, 0);
        set_bridge(&b, NFT_MSG_NEWSETELEM, n, bridge);
        nft_end(&b);
        return nl_commit(&b, NULL, NULL, err);
}

int firewall_bridge_remove(int fd, const struct network *n, const char *bridge, struct err *err)
{
        struct nl_batch b;
        nl_start(&b, fd);
        nft_begin(&b, 0);
        /* Adding first makes the deletion succeed whatever was there; one missing element would undo the whole transaction. */
        set_bridge(&b, NFT_MSG_NEWSETELEM, n, bridge);
        set_bridge(&b, NFT_MSG_DELSETELEM, n, bridge);
        nft_end(&b);
        struct err refused = ERR_INIT;
        if (nl_commit(&b, NULL, NULL, &refused) < 0 && refused.sys != ENOENT) {
                *err = refused;
                return -1;
        }
        return 0;
}

void firewall_ask_bridge(struct nl_batch *b, const char *bridge)
{
        char key[IFNAMSIZ] = "";
        memcpy(key, bridge, strlen(bridge));
        struct nft_element one = { .key = key, .key_len = sizeof(key) };
        nft_element_put(b, NFT_MSG_GETSETELEM, FIREWALL_TABLE, "bridges", &one, "look for bridge in firewall", ENOENT);
}

bool firewall_answer_is_bridge(const struct nlmsghdr *m)
{
        return m->nlmsg_type == ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM);
}
