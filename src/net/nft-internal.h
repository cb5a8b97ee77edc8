/* nf_tables messages and expressions, written straight: our rule set is small and fixed, and a program that needs no
 * library for it starts sooner. linux/netfilter/nf_tables.h is the reference; numbers there are big-endian. */
#ifndef TARE_NET_NFT_INTERNAL_H
#define TARE_NET_NFT_INTERNAL_H

#include <netinet/in.h> /* before the kernel's, which steps aside for it */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include "net/netlink-internal.h"

/* One transaction: everything between begin and end happens or nothing does. genid 0: whatever the generation. */
void nft_begin(struct nl_batch *b, uint32_t genid);
void nft_end(struct nl_batch *b);
/* A message about family ip; the caller adds attributes. */
struct nlmsghdr *nft_put(struct nl_batch *b, int type, uint16_t flags, const char *what, int tolerated);

/* Attributes. */
void nft_u32(struct nlmsghdr *m, int type, uint32_t value);
void nft_data(struct nlmsghdr *m, int type, const void *data, size_t len); /* nested NFTA_DATA_VALUE */

struct nft_chain {
        const char *name;
        const char *type; /* NULL: not a base chain */
        int hook;
        int priority;
};
void nft_chain_add(struct nl_batch *b, const char *table, const struct nft_chain *c, uint16_t flags);

struct nft_set {
        const char *name;
        uint32_t flags; /* NFT_SET_* */
        uint32_t key_type, key_len;
        uint32_t data_type, data_len;
};
void nft_set_add(struct nl_batch *b, const char *table, const struct nft_set *s);

struct nft_element {
        const void *key;
        size_t key_len;
        const void *data; /* NULL: none */
        size_t data_len;
        uint32_t flags;
};
/* type: NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM or NFT_MSG_GETSETELEM. */
void nft_element_put(struct nl_batch *b, int type, const char *table, const char *set, const struct nft_element *e,
                     const char *what, int tolerated);

/* A rule: begin, expressions, end. append false: at the chain's head. */
struct nft_rule {
        struct nlmsghdr *m;
        struct nlattr *list;
};
struct nft_rule nft_rule_begin(struct nl_batch *b, const char *table, const char *chain, bool append, const char *what);
void nft_rule_end(struct nft_rule r);
void nft_meta(struct nlmsghdr *m, enum nft_meta_keys key, uint32_t reg);
void nft_ct(struct nlmsghdr *m, enum nft_ct_keys key, uint32_t reg);
void nft_payload(struct nlmsghdr *m, enum nft_payload_bases base, uint32_t offset, uint32_t len, uint32_t reg);
void nft_fib_daddr_type(struct nlmsghdr *m, uint32_t reg);
void nft_cmp(struct nlmsghdr *m, enum nft_cmp_ops op, uint32_t reg, const void *data, size_t len);
void nft_mask(struct nlmsghdr *m, uint32_t reg, uint32_t mask);
void nft_lookup(struct nlmsghdr *m, const char *set, uint32_t reg, bool invert);
void nft_map(struct nlmsghdr *m, const char *map, uint32_t reg, uint32_t ret_reg);
void nft_dnat(struct nlmsghdr *m, uint32_t reg_address, uint32_t reg_port);
void nft_masquerade(struct nlmsghdr *m);
void nft_notrack(struct nlmsghdr *m);
void nft_counter(struct nlmsghdr *m);
void nft_verdict(struct nlmsghdr *m, int verdict, const char *chain);

#endif
