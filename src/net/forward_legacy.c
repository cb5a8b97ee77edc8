#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/forward-internal.h"

/* The kernel's legacy table is one blob: entries one behind the other, jumps as offsets, replaced as a whole. We put two
 * entries without matches ahead of FORWARD's first and shift what points behind them. */
struct accept_entry {
        struct ipt_entry entry;
        struct xt_standard_target target;
};

#define TABLE_MAX ((size_t)64 << 20)

struct table {
        int fd;
        struct ipt_getinfo info;
        struct ipt_get_entries *got;
};

static void table_done(struct table *t)
{
        mem_closep(&t->fd);
        free(t->got);
}
#define _cleanup_table_ _cleanup_(table_done)

static bool kernel_has_legacy_filter(void)
{
        _cleanup_fclose_ FILE *f = fopen("/proc/self/net/ip_tables_names", "re");
        char line[64];
        while (f && fgets(line, sizeof(line), f))
                if (str_eq(str_trim(line), "filter"))
                        return true;
        return false;
}

static int table_read(struct table *t, struct err *err)
{
        t->fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        if (t->fd < 0)
                return err_sys(err, "open raw socket for iptables-legacy");
        socklen_t len = sizeof(t->info);
        snprintf(t->info.name, sizeof(t->info.name), "filter");
        if (getsockopt(t->fd, IPPROTO_IP, IPT_SO_GET_INFO, &t->info, &len) < 0)
                return err_sys(err, "read legacy filter table");
        if (t->info.size > TABLE_MAX)
                return err_set(err, ERR_TOO_LARGE, "legacy filter table is too large");
        len = (socklen_t)(sizeof(*t->got) + t->info.size);
        t->got = xcalloc(1, len);
        snprintf(t->got->name, sizeof(t->got->name), "filter");
        t->got->size = t->info.size;
        if (getsockopt(t->fd, IPPROTO_IP, IPT_SO_GET_ENTRIES, t->got, &len) < 0)
                return err_sys(err, "read legacy filter table");
        return 0;
}

static struct ipt_entry *entry_at(void *entries, unsigned offset)
{
        return (struct ipt_entry *)((char *)entries + offset);
}

static struct xt_standard_target *entry_standard(struct ipt_entry *e)
{
        struct xt_entry_target *target = (struct xt_entry_target *)((char *)e + e->target_offset);
        return target->u.user.name[0] == 0 ? (struct xt_standard_target *)target : NULL;
}

static void accept_build(const char *bridge, bool out, struct accept_entry *ret)
{
        *ret = (struct accept_entry){ .entry.target_offset = sizeof(struct ipt_entry),
                                      .entry.next_offset = sizeof(*ret) };
        size_t len = forward_pattern(bridge);
        memcpy(out ? ret->entry.ip.outiface : ret->entry.ip.iniface, bridge, len);
        memset(out ? ret->entry.ip.outiface_mask : ret->entry.ip.iniface_mask, 0xff, len);
        ret->target.target.u.target_size = sizeof(ret->target);
        ret->target.verdict = -NF_ACCEPT - 1;
}

/* True when an entry of FORWARD is this one, apart from its counters. */
static bool forward_has(const struct table *t, const struct accept_entry *wanted)
{
        for (unsigned at = t->info.hook_entry[NF_INET_FORWARD]; at < t->info.underflow[NF_INET_FORWARD];) {
                struct ipt_entry *e = entry_at(t->got->entrytable, at);
                const struct xt_standard_target *standard = entry_standard(e);
                if (e->next_offset == sizeof(*wanted) && memcmp(&e->ip, &wanted->entry.ip, sizeof(e->ip)) == 0 &&
                    standard && standard->verdict == wanted->target.verdict)
                        return true;
                at += e->next_offset;
        }
        return false;
}

static void shift_jumps(void *entries, unsigned size, unsigned at, unsigned delta)
{
        for (unsigned offset = 0; offset < size;) {
                struct ipt_entry *e = entry_at(entries, offset);
                struct xt_standard_target *standard = entry_standard(e);
                if (standard && standard->verdict > (int)at)
                        standard->verdict += (int)delta;
                offset += e->next_offset;
        }
}

static unsigned entries_before(const struct table *t, unsigned end)
{
        unsigned count = 0;
        for (unsigned at = 0; at < end; at += entry_at(t->got->entrytable, at)->next_offset)
                count++;
        return count;
}

/* The new table starts counting at zero; the old counts are added back as iptables does. */
static void counters_restore(const struct table *t, const struct xt_counters *old, unsigned at, unsigned added)
{
        size_t count = t->info.num_entries + added;
        _cleanup_free_ struct xt_counters_info *info = xcalloc(1, sizeof(*info) + count * sizeof(*old));
        snprintf(info->name, sizeof(info->name), "filter");
        info->num_counters = (unsigned)count;
        memcpy(info->counters, old, at * sizeof(*old));
        memcpy(info->counters + at + added, old + at, (t->info.num_entries - at) * sizeof(*old));
        setsockopt(t->fd, IPPROTO_IP, IPT_SO_SET_ADD_COUNTERS, info, (socklen_t)(sizeof(*info) + count * sizeof(*old)));
}

static int table_insert(struct table *t, const struct accept_entry *added, unsigned count, struct err *err)
{
        unsigned at = t->info.hook_entry[NF_INET_FORWARD], delta = count * (unsigned)sizeof(*added);
        size_t size = t->info.size + delta;
        _cleanup_free_ struct ipt_replace *r = xcalloc(1, sizeof(*r) + size);
        _cleanup_free_ struct xt_counters *counters = xcalloc(t->info.num_entries, sizeof(*counters));
        snprintf(r->name, sizeof(r->name), "filter");
        r->valid_hooks = t->info.valid_hooks;
        r->num_entries = t->info.num_entries + count;
        r->size = (unsigned)size;
        r->num_counters = t->info.num_entries;
        r->counters = counters;
        for (size_t h = 0; h < NF_INET_NUMHOOKS; h++) {
                r->hook_entry[h] = t->info.hook_entry[h] + (t->info.hook_entry[h] > at ? delta : 0);
                r->underflow[h] = t->info.underflow[h] + (t->info.underflow[h] >= at ? delta : 0);
        }
        shift_jumps(t->got->entrytable, t->info.size, at, delta);
        memcpy(r->entries, t->got->entrytable, at);
        memcpy((char *)r->entries + at, added, delta);
        memcpy((char *)r->entries + at + delta, (char *)t->got->entrytable + at, t->info.size - at);
        if (setsockopt(t->fd, IPPROTO_IP, IPT_SO_SET_REPLACE, r, (socklen_t)(sizeof(*r) + size)) < 0)
                return err_sys(err, "let bridge through legacy filter table");
        counters_restore(t, counters, entries_before(t, at), count);
        return 0;
}

static int legacy_try(const char *bridge, struct err *err)
{
        _cleanup_table_ struct table t = { .fd = -1 };
        if (table_read(&t, err) < 0)
                return -1;
        struct accept_entry wanted[2], missing[2];
        unsigned count = 0;
        for (unsigned out = 0; out < 2; out++) {
                accept_build(bridge, out, &wanted[out]);
                if (!forward_has(&t, &wanted[out]))
                        missing[count++] = wanted[out];
        }
        return count == 0 ? 0 : table_insert(&t, missing, count, err);
}

int forward_legacy_check(const char *bridge, struct err *err)
{
        if (!kernel_has_legacy_filter())
                return 0;
        /* The lock all iptables-legacy programs take; without it (read-only /run) the kernel still refuses a table that changed size. */
        _cleanup_close_ int lock = open("/run/xtables.lock", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (lock >= 0 && flock(lock, LOCK_EX) < 0)
                return err_sys(err, "lock /run/xtables.lock");
        for (int try = 0;; try++) {
                struct err refused = ERR_INIT;
                if (legacy_try(bridge, &refused) == 0)
                        return 0;
                if (refused.sys != EAGAIN || try == 8) {
                        *err = refused;
                        return -1;
                }
        }
}
