#include "net/nft-internal.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/socket.h>

static void generation_header(struct nlmsghdr *m, uint8_t family, uint16_t res_id)
{
        struct nfgenmsg *g = message_put(m, sizeof(*g));
        g->nfgen_family = family;
        g->version = NFNETLINK_V0;
        g->res_id = htons(res_id);
}

void nft_begin(struct nl_batch *b, uint32_t genid)
{
        struct nlmsghdr *m = nl_put(b, NFNL_MSG_BATCH_BEGIN, 0, "begin nf_tables transaction", 0);
        generation_header(m, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
        if (genid)
                attr_put_u32(m, NFNL_BATCH_GENID, htonl(genid));
}

void nft_end(struct nl_batch *b)
{
        generation_header(nl_put(b, NFNL_MSG_BATCH_END, 0, "end nf_tables transaction", 0), AF_UNSPEC,
                          NFNL_SUBSYS_NFTABLES);
}

struct nlmsghdr *nft_put(struct nl_batch *b, int type, uint16_t flags, const char *what, int tolerated)
{
        struct nlmsghdr *m = nl_put(b, (uint16_t)((NFNL_SUBSYS_NFTABLES << 8) | type), flags, what, tolerated);
        generation_header(m, NFPROTO_IPV4, 0);
        return m;
}

void nft_u32(struct nlmsghdr *m, int type, uint32_t value)
{
        attr_put_u32(m, (uint16_t)type, htonl(value));
}

void nft_data(struct nlmsghdr *m, int type, const void *data, size_t len)
{
        struct nlattr *nest = attr_nest_begin(m, (uint16_t)type);
        attr_put(m, NFTA_DATA_VALUE, len, data);
        attr_nest_end(m, nest);
}

void nft_chain_add(struct nl_batch *b, const char *table, const struct nft_chain *c, uint16_t flags)
{
        struct nlmsghdr *m = nft_put(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | flags, "add nf_tables chain", 0);
        attr_put_str(m, NFTA_CHAIN_TABLE, table);
        attr_put_str(m, NFTA_CHAIN_NAME, c->name);
        if (!c->type)
                return;
        struct nlattr *hook = attr_nest_begin(m, NFTA_CHAIN_HOOK);
        nft_u32(m, NFTA_HOOK_HOOKNUM, (uint32_t)c->hook);
        nft_u32(m, NFTA_HOOK_PRIORITY, (uint32_t)c->priority);
        attr_nest_end(m, hook);
        nft_u32(m, NFTA_CHAIN_POLICY, NF_ACCEPT);
        attr_put_str(m, NFTA_CHAIN_TYPE, c->type);
}

void nft_set_add(struct nl_batch *b, const char *table, const struct nft_set *s)
{
        struct nlmsghdr *m = nft_put(b, NFT_MSG_NEWSET, NLM_F_CREATE, "add nf_tables set", 0);
        attr_put_str(m, NFTA_SET_TABLE, table);
        attr_put_str(m, NFTA_SET_NAME, s->name);
        nft_u32(m, NFTA_SET_ID, b->count);
        nft_u32(m, NFTA_SET_FLAGS, s->flags);
        nft_u32(m, NFTA_SET_KEY_TYPE, s->key_type);
        nft_u32(m, NFTA_SET_KEY_LEN, s->key_len);
        /* nft(8) shows interface names only when told that they are in host order; the kernel keeps this note for it. */
        static const struct {
                uint8_t type, len;
                uint32_t order;
        } __attribute__((packed)) host_order = { 0, 4, 1 };
        if (s->key_len == IFNAMSIZ)
                attr_put(m, NFTA_SET_USERDATA, sizeof(host_order), &host_order);
        if (s->flags & NFT_SET_MAP) {
                nft_u32(m, NFTA_SET_DATA_TYPE, s->data_type);
                nft_u32(m, NFTA_SET_DATA_LEN, s->data_len);
        }
}

void nft_element_put(struct nl_batch *b, int type, const char *table, const char *set, const struct nft_element *e,
                     const char *what, int tolerated)
{
        struct nlmsghdr *m = nft_put(b, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, what, tolerated);
        attr_put_str(m, NFTA_SET_ELEM_LIST_TABLE, table);
        attr_put_str(m, NFTA_SET_ELEM_LIST_SET, set);
        struct nlattr *list = attr_nest_begin(m, NFTA_SET_ELEM_LIST_ELEMENTS);
        struct nlattr *item = attr_nest_begin(m, NFTA_LIST_ELEM);
        if (e->flags)
                nft_u32(m, NFTA_SET_ELEM_FLAGS, e->flags);
        nft_data(m, NFTA_SET_ELEM_KEY, e->key, e->key_len);
        if (e->data)
                nft_data(m, NFTA_SET_ELEM_DATA, e->data, e->data_len);
        attr_nest_end(m, item);
        attr_nest_end(m, list);
}

/* Nests are places we must remember; an expression is two of them inside the rule's list. */
struct expression {
        struct nlattr *item, *data;
};

static struct expression expression_begin(struct nlmsghdr *m, const char *name)
{
        struct expression e = { .item = attr_nest_begin(m, NFTA_LIST_ELEM) };
        attr_put_str(m, NFTA_EXPR_NAME, name);
        e.data = attr_nest_begin(m, NFTA_EXPR_DATA);
        return e;
}

static void expression_end(struct nlmsghdr *m, struct expression e)
{
        attr_nest_end(m, e.data);
        attr_nest_end(m, e.item);
}

struct nft_rule nft_rule_begin(struct nl_batch *b, const char *table, const char *chain, bool append, const char *what)
{
        struct nft_rule r = { .m = nft_put(b, NFT_MSG_NEWRULE, NLM_F_CREATE | (append ? NLM_F_APPEND : 0), what, 0) };
        attr_put_str(r.m, NFTA_RULE_TABLE, table);
        attr_put_str(r.m, NFTA_RULE_CHAIN, chain);
        r.list = attr_nest_begin(r.m, NFTA_RULE_EXPRESSIONS);
        return r;
}

void nft_rule_end(struct nft_rule r)
{
        attr_nest_end(r.m, r.list);
}

void nft_meta(struct nlmsghdr *m, enum nft_meta_keys key, uint32_t reg)
{
        struct expression e = expression_begin(m, "meta");
        nft_u32(m, NFTA_META_KEY, key);
        nft_u32(m, NFTA_META_DREG, reg);
        expression_end(m, e);
}

void nft_ct(struct nlmsghdr *m, enum nft_ct_keys key, uint32_t reg)
{
        struct expression e = expression_begin(m, "ct");
        nft_u32(m, NFTA_CT_KEY, key);
        nft_u32(m, NFTA_CT_DREG, reg);
        expression_end(m, e);
}

void nft_payload(struct nlmsghdr *m, enum nft_payload_bases base, uint32_t offset, uint32_t len, uint32_t reg)
{
        struct expression e = expression_begin(m, "payload");
        nft_u32(m, NFTA_PAYLOAD_DREG, reg);
        nft_u32(m, NFTA_PAYLOAD_BASE, base);
        nft_u32(m, NFTA_PAYLOAD_OFFSET, offset);
        nft_u32(m, NFTA_PAYLOAD_LEN, len);
        expression_end(m, e);
}

void nft_fib_daddr_type(struct nlmsghdr *m, uint32_t reg)
{
        struct expression e = expression_begin(m, "fib");
        nft_u32(m, NFTA_FIB_DREG, reg);
        nft_u32(m, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
        nft_u32(m, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
        expression_end(m, e);
}

void nft_cmp(struct nlmsghdr *m, enum nft_cmp_ops op, uint32_t reg, const void *data, size_t len)
{
        struct expression e = expression_begin(m, "cmp");
        nft_u32(m, NFTA_CMP_SREG, reg);
        nft_u32(m, NFTA_CMP_OP, op);
        nft_data(m, NFTA_CMP_DATA, data, len);
        expression_end(m, e);
}

void nft_mask(struct nlmsghdr *m, uint32_t reg, uint32_t mask)
{
        static const uint32_t zero;
        struct expression e = expression_begin(m, "bitwise");
        nft_u32(m, NFTA_BITWISE_SREG, reg);
        nft_u32(m, NFTA_BITWISE_DREG, reg);
        nft_u32(m, NFTA_BITWISE_LEN, sizeof(mask));
        nft_data(m, NFTA_BITWISE_MASK, &mask, sizeof(mask));
        nft_data(m, NFTA_BITWISE_XOR, &zero, sizeof(zero));
        expression_end(m, e);
}

void nft_lookup(struct nlmsghdr *m, const char *set, uint32_t reg, bool invert)
{
        struct expression e = expression_begin(m, "lookup");
        attr_put_str(m, NFTA_LOOKUP_SET, set);
        nft_u32(m, NFTA_LOOKUP_SREG, reg);
        if (invert)
                nft_u32(m, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
        expression_end(m, e);
}

void nft_map(struct nlmsghdr *m, const char *map, uint32_t reg, uint32_t ret_reg)
{
        struct expression e = expression_begin(m, "lookup");
        attr_put_str(m, NFTA_LOOKUP_SET, map);
        nft_u32(m, NFTA_LOOKUP_SREG, reg);
        nft_u32(m, NFTA_LOOKUP_DREG, ret_reg);
        expression_end(m, e);
}

void nft_dnat(struct nlmsghdr *m, uint32_t reg_address, uint32_t reg_port)
{
        struct expression e = expression_begin(m, "nat");
        nft_u32(m, NFTA_NAT_TYPE, NFT_NAT_DNAT);
        nft_u32(m, NFTA_NAT_FAMILY, NFPROTO_IPV4);
        nft_u32(m, NFTA_NAT_REG_ADDR_MIN, reg_address);
        nft_u32(m, NFTA_NAT_REG_PROTO_MIN, reg_port);
        expression_end(m, e);
}

void nft_masquerade(struct nlmsghdr *m)
{
        expression_end(m, expression_begin(m, "masq"));
}

void nft_notrack(struct nlmsghdr *m)
{
        expression_end(m, expression_begin(m, "notrack"));
}

void nft_counter(struct nlmsghdr *m)
{
        expression_end(m, expression_begin(m, "counter"));
}

void nft_verdict(struct nlmsghdr *m, int verdict, const char *chain)
{
        struct expression e = expression_begin(m, "immediate");
        nft_u32(m, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
        struct nlattr *data = attr_nest_begin(m, NFTA_IMMEDIATE_DATA);
        struct nlattr *v = attr_nest_begin(m, NFTA_DATA_VERDICT);
        nft_u32(m, NFTA_VERDICT_CODE, (uint32_t)verdict);
        if (chain)
                attr_put_str(m, NFTA_VERDICT_CHAIN, chain);
        attr_nest_end(m, v);
        attr_nest_end(m, data);
        expression_end(m, e);
}
