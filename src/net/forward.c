#include "net/forward-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "net/bridge-internal.h"
#include "net/firewall-internal.h"

#define FILTER "filter"
#define USER_CHAIN "DOCKER-USER"
#define FORWARD_TRIES 8

struct scan {
        const char *bridge;
        const char *chain; /* whose rules are asked for */
        uint32_t genid;
        bool registered; /* bridge known to our table */
        bool has_forward, has_user;
        uint32_t user_use; /* rules in DOCKER-USER and jumps to it */
        uint32_t rules;
        bool in, out; /* accept rules seen in `chain` */
};

size_t forward_pattern(const char *bridge)
{
        return str_starts(bridge, BRIDGE_PREFIX) ? strlen(BRIDGE_PREFIX) : strlen(bridge) + 1;
}

static const char *message_text(const struct nlmsghdr *m, int type)
{
        const struct nlattr *a;
        attr_each (a, m, sizeof(struct nfgenmsg))
                if (attr_type(a) == type && attr_is_string(a))
                        return attr_str(a);
        return "";
}

static uint32_t message_u32(const struct nlmsghdr *m, int type)
{
        const struct nlattr *a;
        attr_each (a, m, sizeof(struct nfgenmsg))
                if (attr_type(a) == type && attr_len(a) == 4)
                        return ntohl(attr_u32(a));
        return 0;
}

static const struct nlattr *nested(const struct nlattr *parent, int type)
{
        const struct nlattr *a;
        if (parent)
                attr_each_in (a, parent)
                        if (attr_type(a) == type)
                                return a;
        return NULL;
}

static uint32_t nested_u32(const struct nlattr *parent, int type)
{
        const struct nlattr *a = nested(parent, type);
        return a && attr_len(a) == 4 ? ntohl(attr_u32(a)) : UINT32_MAX;
}

/* The parts of one rule as far as they are of the form "interface is X, count, accept". */
struct rule_shape {
        uint32_t key; /* NFT_META_IIFNAME or NFT_META_OIFNAME */
        bool matches, accepts, other;
};

static void shape_add(struct rule_shape *shape, const struct nlattr *expression, const char *bridge)
{
        const struct nlattr *name = nested(expression, NFTA_EXPR_NAME), *data = nested(expression, NFTA_EXPR_DATA);
        const char *kind = name && attr_is_string(name) ? attr_str(name) : "";
        size_t len = forward_pattern(bridge);
        if (str_eq(kind, "meta") && shape->key == UINT32_MAX) {
                shape->key = nested_u32(data, NFTA_META_KEY);
        } else if (str_eq(kind, "cmp") && !shape->matches) {
                const struct nlattr *value = nested(nested(data, NFTA_CMP_DATA), NFTA_DATA_VALUE);
                shape->matches = nested_u32(data, NFTA_CMP_OP) == NFT_CMP_EQ && value && attr_len(value) == len &&
                                 memcmp(attr_data(value), bridge, len) == 0;
        } else if (str_eq(kind, "immediate")) {
                const struct nlattr *verdict = nested(nested(data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT);
                shape->accepts = nested_u32(verdict, NFTA_VERDICT_CODE) == NF_ACCEPT;
        } else if (!str_eq(kind, "counter")) {
                shape->other = true;
        }
}

static void scan_rule(struct scan *s, const struct nlmsghdr *m)
{
        if (!str_eq(message_text(m, NFTA_RULE_CHAIN), s->chain))
                return;
        s->rules++;
        struct rule_shape shape = { .key = UINT32_MAX };
        const struct nlattr *a, *expression;
        attr_each (a, m, sizeof(struct nfgenmsg))
                if (attr_type(a) == NFTA_RULE_EXPRESSIONS)
                        attr_each_in (expression, a)
                                shape_add(&shape, expression, s->bridge);
        if (!shape.matches || !shape.accepts || shape.other)
                return;
        s->in |= shape.key == NFT_META_IIFNAME;
        s->out |= shape.key == NFT_META_OIFNAME;
}

static void scan_answer(const struct nlmsghdr *m, void *data)
{
        struct scan *s = data;
        if (firewall_answer_is_bridge(m))
                s->registered = true;
        switch (m->nlmsg_type & 0xff) {
        case NFT_MSG_NEWGEN:
                s->genid = message_u32(m, NFTA_GEN_ID);
                break;
        case NFT_MSG_NEWCHAIN:
                s->has_forward |= str_eq(message_text(m, NFTA_CHAIN_NAME), "FORWARD");
                if (!str_eq(message_text(m, NFTA_CHAIN_NAME), USER_CHAIN))
                        break;
                s->has_user = true;
                s->user_use = message_u32(m, NFTA_CHAIN_USE);
                break;
        case NFT_MSG_NEWRULE:
                scan_rule(s, m);
                break;
        }
}

static void ask_chain(struct nl_batch *b, const char *chain)
{
        struct nlmsghdr *m = nft_put(b, NFT_MSG_GETCHAIN, 0, "look for chain", ENOENT);
        attr_put_str(m, NFTA_CHAIN_TABLE, FILTER);
        attr_put_str(m, NFTA_CHAIN_NAME, chain);
}

static void ask_rules(struct nl_batch *b, const char *chain)
{
        struct nlmsghdr *m = nft_put(b, NFT_MSG_GETRULE, NLM_F_DUMP, "look for rules", ENOENT);
        attr_put_str(m, NFTA_RULE_TABLE, FILTER);
        attr_put_str(m, NFTA_RULE_CHAIN, chain);
}

static int scan_all(int fd, struct scan *s, struct err *err)
{
        struct nl_batch b;
        nl_start(&b, fd);
        nft_put(&b, NFT_MSG_GETGEN, 0, "read generation", 0);
        firewall_ask_bridge(&b, s->bridge);
        ask_chain(&b, "FORWARD");
        ask_chain(&b, USER_CHAIN);
        ask_rules(&b, USER_CHAIN);
        s->chain = USER_CHAIN;
        return nl_commit(&b, scan_answer, s, err);
}

static int scan_forward(int fd, struct scan *s, struct err *err)
{
        struct nl_batch b;
        nl_start(&b, fd);
        ask_rules(&b, "FORWARD");
        s->chain = "FORWARD";
        s->in = s->out = false;
        return nl_commit(&b, scan_answer, s, err);
}

static void put_accept(struct nl_batch *b, const char *chain, enum nft_meta_keys key, const char *bridge)
{
        struct nft_rule r = nft_rule_begin(b, FILTER, chain, false, "let bridge through filter table");
        nft_meta(r.m, key, NFT_REG_1);
        nft_cmp(r.m, NFT_CMP_EQ, NFT_REG_1, bridge, forward_pattern(bridge));
        nft_counter(r.m);
        nft_verdict(r.m, NF_ACCEPT, NULL);
        nft_rule_end(r);
}

/* In one transaction that fails with ERESTART when anybody changed a rule since the scan: no rule comes twice. */
static int add_rules(int fd, const struct scan *s, bool make_chain, struct err *err)
{
        struct nl_batch b;
        nl_start(&b, fd);
        nft_begin(&b, s->genid);
        if (make_chain) {
                struct nlmsghdr *m = nft_put(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE, "add filter table", 0);
                attr_put_str(m, NFTA_TABLE_NAME, FILTER);
                nft_chain_add(&b, FILTER, &(struct nft_chain){ .name = USER_CHAIN }, 0);
        }
        if (!s->in)
                put_accept(&b, s->chain, NFT_META_IIFNAME, s->bridge);
        if (!s->out)
                put_accept(&b, s->chain, NFT_META_OIFNAME, s->bridge);
        nft_end(&b);
        return nl_commit(&b, NULL, NULL, err);
}

static int check_once(int fd, struct scan *s, struct err *err)
{
        if (scan_all(fd, s, err) < 0)
                return -1;
        if (!s->in || !s->out)
                return add_rules(fd, s, !s->has_user, err) < 0 ? -1 : 1;
        if (!s->has_forward || s->user_use > s->rules)
                return 0;
        if (scan_forward(fd, s, err) < 0)
                return -1;
        return s->in && s->out ? 0 : add_rules(fd, s, false, err) < 0 ? -1 : 1;
}

int forward_check(int nft_fd, const char *bridge, bool *ret_registered, struct err *err)
{
        for (int try = 0; try < FORWARD_TRIES; try++) {
                struct scan s = { .bridge = bridge };
                struct err refused = ERR_INIT;
                int changed = check_once(nft_fd, &s, &refused);
                if (changed < 0 && refused.sys != ERESTART && refused.sys != EINTR) {
                        *err = refused;
                        return -1;
                }
                if (changed != 0)
                        continue;
                *ret_registered = s.registered;
                return forward_legacy_check(bridge, err);
        }
        return err_set(err, ERR_UNAVAILABLE, "other programs keep changing the packet filter");
}
