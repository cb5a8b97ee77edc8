#include <stdlib.h>
#include "base/str.h"
#include "runtime/dbus-internal.h"
#include "runtime/systemd-internal.h"

#define SET_MAX 65536

static void head(struct buf *b, const char *name, const char *type)
{
        dbus_align(b, 8);
        dbus_add_string(b, name);
        dbus_add_signature(b, type);
}

void property_string(struct buf *b, const char *name, const char *value)
{
        head(b, name, "s");
        dbus_add_string(b, value);
}

void property_string_list(struct buf *b, const char *name, const char *value)
{
        if (!name)
                return;
        head(b, name, "as");
        size_t mark = dbus_array_begin(b, 4);
        dbus_add_string(b, value);
        dbus_array_end(b, mark, 4);
}

void property_bool(struct buf *b, const char *name, bool value)
{
        head(b, name, "b");
        dbus_add_u32(b, value);
}

void property_u64(struct buf *b, const char *name, uint64_t value)
{
        head(b, name, "t");
        dbus_add_u64(b, value);
}

void property_pid(struct buf *b, const char *name, pid_t pid)
{
        head(b, name, "au");
        size_t mark = dbus_array_begin(b, 4);
        dbus_add_u32(b, (uint32_t)pid);
        dbus_array_end(b, mark, 4);
}

/* ---- resources ---- */

/* systemd's infinity is the largest number. */
static void limit(struct buf *b, const char *name, bool wanted, int64_t value)
{
        if (wanted && value != 0)
                property_u64(b, name, value < 0 ? UINT64_MAX : (uint64_t)value);
}

static void memory(struct buf *b, const struct oci_resources *r, bool unified)
{
        if (!unified) {
                limit(b, "MemoryLimit", r->has_memory_limit, r->memory_limit);
                return;
        }
        limit(b, "MemoryMax", r->has_memory_limit, r->memory_limit);
        limit(b, "MemoryLow", r->has_memory_reservation, r->memory_reservation);
        if (!r->has_memory_swap || r->memory_swap == 0)
                return;
        if (r->memory_swap < 0)
                property_u64(b, "MemorySwapMax", UINT64_MAX);
        else if (r->has_memory_limit && r->memory_limit > 0 && r->memory_swap >= r->memory_limit)
                property_u64(b, "MemorySwapMax", (uint64_t)(r->memory_swap - r->memory_limit));
}

/* A second's share in microseconds, rounded up to 10 ms as systemd itself does when it writes it to the group. */
static void quota(struct buf *b, const struct oci_resources *r, unsigned version)
{
        uint64_t period = r->has_cpu_period && r->cpu_period ? r->cpu_period : 100000, share;
        if (r->has_cpu_period && r->cpu_period && version >= 242)
                property_u64(b, "CPUQuotaPeriodUSec", r->cpu_period);
        if (!r->has_cpu_quota || r->cpu_quota == 0)
                return;
        if (r->cpu_quota < 0 || __builtin_mul_overflow((uint64_t)r->cpu_quota, UINT64_C(1000000), &share)) {
                property_u64(b, "CPUQuotaPerSecUSec", UINT64_MAX);
                return;
        }
        share /= period;
        property_u64(b, "CPUQuotaPerSecUSec", share % 10000 ? (share / 10000 + 1) * 10000 : share);
}

static void cpu(struct buf *b, const struct oci_resources *r, bool unified, unsigned version)
{
        if (r->has_cpu_shares && r->cpu_shares && !(r->has_cpu_idle && r->cpu_idle)) {
                uint64_t shares = r->cpu_shares < 2 ? 2 : r->cpu_shares > 262144 ? 262144 : r->cpu_shares;
                property_u64(b, unified ? "CPUWeight" : "CPUShares", unified ? 1 + (shares - 2) * 9999 / 262142 : shares);
        }
        quota(b, r, version);
}

/* "0-2,4" as a mask of bytes, lowest first. */
static int set(struct buf *b, const char *name, const char *words, const char *field, struct err *err)
{
        unsigned char mask[SET_MAX / 8] = { 0 };
        size_t used = 0;
        if (str_empty(words))
                return 0;
        _cleanup_strv_ char **list = strv_split(words, ",", false);
        STRV_FOREACH (one, list) {
                unsigned first, last;
                int n = sscanf(*one, "%u-%u", &first, &last);
                if (n == 1)
                        last = first;
                if (n < 1 || first > last || last >= SET_MAX)
                        return err_set(err, ERR_INVALID, "linux.resources.cpu.%s: \"%s\"", field, words);
                for (unsigned i = first; i <= last; i++)
                        mask[i / 8] |= (unsigned char)(1u << i % 8);
                used = used > last / 8 ? used : last / 8 + 1;
        }
        head(b, name, "ay");
        size_t mark = dbus_array_begin(b, 1);
        for (size_t i = 0; i < used; i++)
                dbus_add_byte(b, mask[i]);
        dbus_array_end(b, mark, 1);
        return 0;
}

/* Keys of v2 that systemd has a property for; the others stay with the group's files. */
static void unified_keys(struct buf *b, char *const *entries)
{
        static const char *const rows[][2] = { { "cpu.weight=", "CPUWeight" },   { "memory.max=", "MemoryMax" },
                                               { "memory.high=", "MemoryHigh" }, { "memory.low=", "MemoryLow" },
                                               { "memory.min=", "MemoryMin" },   { "memory.swap.max=", "MemorySwapMax" },
                                               { "pids.max=", "TasksMax" } };
        STRV_FOREACH (entry, entries)
                for (size_t i = 0; i < ELEMENTS(rows); i++) {
                        const char *value = str_after(*entry, rows[i][0]);
                        struct err unused = ERR_INIT;
                        uint64_t number = UINT64_MAX;
                        if (value && (str_eq(value, "max") || parse_u64(value, &number, &unused) == 0))
                                property_u64(b, rows[i][1], number);
                }
}

/* Device rules have no part in this: the filter on the group is ours and decides alone as long as systemd is told nothing, and
 * its DeviceAllow= cannot say all that the spec can. */
int property_resources(struct buf *b, const struct oci_resources *r, bool unified, unsigned version, struct err *err)
{
        memory(b, r, unified);
        cpu(b, r, unified, version);
        if (r->has_pids_limit)
                property_u64(b, "TasksMax", r->pids_limit > 0 ? (uint64_t)r->pids_limit : UINT64_MAX);
        if (r->has_blkio_weight && r->blkio_weight) {
                unsigned weight = r->blkio_weight < 10 ? 10 : r->blkio_weight;
                property_u64(b, unified ? "IOWeight" : "BlockIOWeight", unified ? 1 + (weight - 10) * 9999 / 990 : weight);
        }
        if (!unified)
                return 0;
        if (version >= 244 && (set(b, "AllowedCPUs", r->cpuset_cpus, "cpus", err) < 0 ||
                               set(b, "AllowedMemoryNodes", r->cpuset_mems, "mems", err) < 0))
                return -1;
        unified_keys(b, r->unified);
        return 0;
}
