/* Rates of a container's network: a token bucket (tc-tbf(8)) at the sending end of each direction, set by rtnetlink. */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <string.h>
#include "base/str.h"
#include "net/link-internal.h"
#include "net/network.h"

#define RATE_MIN 8000 /* bits/s: less than a packet of the usual size each 12 s is nobody's wish */
#define RATE_MAX UINT64_C(10000000000000)

/* tc's words: bits unless it says bytes ("bps") */
static const struct {
        const char *name;
        uint64_t bits;
} units[] = {
        { "", 1 },       { "bit", 1 },        { "kbit", 1000 },     { "mbit", 1000000 },     { "gbit", 1000000000 },     { "tbit", 1000000000000 },
        { "bps", 8 },    { "kbps", 8000 },    { "mbps", 8000000 },  { "gbps", 8000000000 },  { "kibit", 1024 },          { "mibit", 1048576 },
        { "gibit", 1073741824 },
};

int net_rate_parse(const char *text, uint64_t *ret_bits, struct err *err)
{
        double number;
        size_t digits = strspn(text, "0123456789.");
        _cleanup_free_ char *whole = xstrndup(text, digits), *unit = xstrdup(text + digits);
        struct err ignored = ERR_INIT;
        str_lower(unit);
        for (size_t i = 0; i < ELEMENTS(units); i++) {
                if (!str_eq(unit, units[i].name) || parse_double(whole, &number, &ignored) < 0)
                        continue;
                double bits = number * (double)units[i].bits;
                if (!(bits >= RATE_MIN && bits <= (double)RATE_MAX))
                        return err_set(err, ERR_INVALID, "a rate of %s is out of range: 8kbit to 10tbit", text);
                *ret_bits = (uint64_t)bits;
                return 0;
        }
        return err_set(err, ERR_INVALID, "'%s' is not a rate: write a number and kbit, mbit, gbit (or kbps, mbps: bytes)", text);
}

/* Ten milliseconds at once, and a tenth of a second waiting; at least what a host sends in one piece. */
static void bucket_put(struct nl_batch *b, int index, uint32_t mtu, uint64_t bits)
{
        uint64_t bytes = bits / 8, burst = bytes / 100, least = (uint64_t)mtu + 64, queue = bytes / 10;
        if (burst < least)
                burst = least;
        if (burst > UINT32_MAX / 4)
                burst = UINT32_MAX / 4;
        if (queue < 65536)
                queue = 65536;
        if (queue > UINT32_MAX / 2)
                queue = UINT32_MAX / 2;
        struct nlmsghdr *m = nl_put(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, "limit the rate", 0);
        struct tcmsg *t = message_put(m, sizeof(*t));
        t->tcm_family = AF_UNSPEC;
        t->tcm_ifindex = index;
        t->tcm_parent = TC_H_ROOT;
        attr_put_str(m, TCA_KIND, "tbf");
        struct nlattr *options = attr_nest_begin(m, TCA_OPTIONS);
        const struct tc_tbf_qopt q = {
                .rate = { .linklayer = TC_LINKLAYER_ETHERNET, .rate = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX },
                .limit = (uint32_t)queue,
        };
        attr_put(m, TCA_TBF_PARMS, sizeof(q), &q);
        if (bytes >= UINT32_MAX)
                attr_put(m, TCA_TBF_RATE64, sizeof(bytes), &bytes);
        attr_put_u32(m, TCA_TBF_BURST, (uint32_t)burst);
        attr_nest_end(m, options);
}

static int end_shape(int fd, const char *name, uint64_t bits, struct err *err)
{
        struct link_state link;
        struct nl_batch b;
        if (!link_look(fd, name, &link))
                return err_set(err, ERR_NOT_FOUND, "interface %s is gone", name);
        nl_start(&b, fd);
        bucket_put(&b, link.index, link.mtu, bits);
        if (nl_commit(&b, NULL, NULL, err) == 0)
                return 0;
        return err->sys == ENOENT || err->sys == EOPNOTSUPP ? err_set(err, ERR_UNSUPPORTED, "this kernel cannot limit the rate of a network (no tbf)") : -1;
}

int network_shape(const struct endpoint *e, int netns_fd, uint64_t in, uint64_t out, struct err *err)
{
        if (in) {
                _cleanup_close_ int host = nl_open(NETLINK_ROUTE, err);
                if (host < 0 || end_shape(host, e->host_interface, in, err) < 0)
                        return err_add(err, "rate in");
        }
        if (out) {
                _cleanup_close_ int inside = nl_open_in(netns_fd, NETLINK_ROUTE, err);
                if (inside < 0 || end_shape(inside, e->interface, out, err) < 0)
                        return err_add(err, "rate out");
        }
        return 0;
}
