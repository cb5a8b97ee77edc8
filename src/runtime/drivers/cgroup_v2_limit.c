/* The limits of cgroup v2 (kernel Documentation/admin-guide/cgroup-v2.rst), from the words of v1 that the spec uses. */
#include <errno.h>
#include <inttypes.h>
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

static const char *top(void)
{
        return cgroup_layout()->unified;
}

static void set_text(struct cgroup_limits *l, const char *field, const char *file, const char *text)
{
        limit_text(l, field, top(), file, text);
}

/* A negative number is "max". */
static void set_number(struct cgroup_limits *l, const char *field, const char *file, bool wanted, int64_t value)
{
        if (wanted && value < 0)
                set_text(l, field, file, "max");
        else
                limit_i64(l, field, top(), file, wanted, value);
}

static void refuse(struct cgroup_limits *l, const char *field, bool asked)
{
        if (asked)
                limit_refuse(l, ERR_UNSUPPORTED, field, "cgroup v2 has no such limit");
}

/* ---- memory ---- */

/* v1 words it as memory and swap together, v2 as swap alone. */
static void set_swap(struct cgroup_limits *l, const struct oci_resources *r)
{
        int64_t memory = r->memory_limit, swap = r->memory_swap;
        if (!r->has_memory_limit || memory == 0)
                memory = (int64_t)cgroup_read_u64(top(), l->path, "memory.max", UINT64_MAX); /* none: -1 */
        if (swap > 0 && (memory <= 0 || swap < memory)) {
                limit_refuse(l, ERR_INVALID, "memory.swap", "must be at least memory.limit");
                return;
        }
        if (swap > 0)
                swap -= memory;
        if (!cgroup_has(top(), l->path, "memory.swap.max") && cgroup_has(top(), l->path, "memory.max")) {
                if (swap > 0)
                        log_warning("this kernel does not count swap: the limit of swap is left out");
                return;
        }
        set_number(l, "memory.swap", "memory.swap.max", true, swap);
}

static void set_memory(struct cgroup_limits *l, const struct oci_resources *r)
{
        bool limit = r->has_memory_limit && r->memory_limit != 0;
        if (limit && r->memory_check_before_update && r->memory_limit > 0 &&
            (uint64_t)r->memory_limit < cgroup_read_u64(top(), l->path, "memory.current", 0))
                limit_refuse(l, ERR_CONFLICT, "memory.limit", "the group uses more than that");
        if (r->has_memory_swap && r->memory_swap != 0)
                set_swap(l, r);
        else if (limit && r->memory_limit < 0 && cgroup_has(top(), l->path, "memory.swap.max"))
                set_number(l, "memory.swap", "memory.swap.max", true, -1); /* v1's pair could not be limited either */
        set_number(l, "memory.limit", "memory.max", limit, r->memory_limit);
        set_number(l, "memory.reservation", "memory.low", r->has_memory_reservation && r->memory_reservation != 0, r->memory_reservation);
        if (r->has_memory_kernel && r->memory_kernel != 0)
                log_warning("linux.resources.memory.kernel is left out: kernels have no such limit any more");
        refuse(l, "memory.kernelTCP", r->has_memory_kernel_tcp && r->memory_kernel_tcp > 0);
        refuse(l, "memory.swappiness", r->has_swappiness && r->swappiness != UINT64_MAX);
        refuse(l, "memory.disableOOMKiller", r->has_disable_oom_killer && r->disable_oom_killer);
}

/* ---- cpu ---- */

/* The half that is not told stays: a quota alone keeps the period, a period alone is written behind the quota of now. */
static void set_max(struct cgroup_limits *l, const struct oci_resources *r)
{
        bool quota = r->has_cpu_quota && r->cpu_quota, period = r->has_cpu_period && r->cpu_period;
        char text[80] = "max";
        if (quota && r->cpu_quota > 0)
                snprintf(text, sizeof(text), "%" PRId64, r->cpu_quota);
        if (!quota && period) {
                uint64_t now = cgroup_read_u64(top(), l->path, "cpu.max", UINT64_MAX);
                if (now != UINT64_MAX)
                        snprintf(text, sizeof(text), "%" PRIu64, now);
        }
        if (period)
                snprintf(text + strlen(text), sizeof(text) - strlen(text), " %" PRIu64, r->cpu_period);
        if (quota || period)
                set_text(l, quota ? "cpu.quota" : "cpu.period", "cpu.max", text);
}

/* A burst may not be above the quota: what does not fit the old one is written again after the new one. */
static void set_bandwidth(struct cgroup_limits *l, const struct oci_resources *r)
{
        struct err first = ERR_INIT;
        struct cgroup_limits trial = { l->path, &first, l->failed };
        limit_u64(&trial, "cpu.burst", top(), "cpu.max.burst", r->has_cpu_burst, r->cpu_burst);
        bool again = trial.failed && !l->failed && first.sys == EINVAL && r->has_cpu_quota;
        if (trial.failed && !l->failed && !again) {
                l->failed = true;
                *l->err = first;
        }
        set_max(l, r);
        limit_u64(l, "cpu.burst", top(), "cpu.max.burst", again, r->cpu_burst);
}

static void set_cpu(struct cgroup_limits *l, const struct oci_resources *r)
{
        bool idle = r->has_cpu_idle && r->cpu_idle;
        limit_i64(l, "cpu.idle", top(), "cpu.idle", r->has_cpu_idle, r->cpu_idle);
        /* 2..262144 shares to 1..10000; the idle have no weight to set */
        if (r->has_cpu_shares && r->cpu_shares && !idle) {
                uint64_t shares = r->cpu_shares < 2 ? 2 : r->cpu_shares > 262144 ? 262144 : r->cpu_shares;
                limit_u64(l, "cpu.shares", top(), "cpu.weight", true, 1 + (shares - 2) * 9999 / 262142);
        }
        set_bandwidth(l, r);
        refuse(l, "cpu.realtimePeriod", r->has_rt_period && r->rt_period);
        refuse(l, "cpu.realtimeRuntime", r->has_rt_runtime && r->rt_runtime > 0);
        if (!str_empty(r->cpuset_cpus))
                set_text(l, "cpu.cpus", "cpuset.cpus", r->cpuset_cpus);
        if (!str_empty(r->cpuset_mems))
                set_text(l, "cpu.mems", "cpuset.mems", r->cpuset_mems);
}

/* ---- block devices ---- */

/* 10..1000 to 1..10000 */
static unsigned weight_of(unsigned weight, bool bfq)
{
        return bfq ? weight : weight < 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
}

static void set_throttles(struct cgroup_limits *l, const char *field, const char *key, const struct oci_throttle *list, size_t count)
{
        for (size_t i = 0; i < count; i++)
                /* 0 is how v1 says none */
                if (list[i].rate)
                        limit_textf(l, field, top(), "io.max", "%" PRId64 ":%" PRId64 " %s=%" PRIu64, list[i].major, list[i].minor, key,
                                    list[i].rate);
                else
                        limit_textf(l, field, top(), "io.max", "%" PRId64 ":%" PRId64 " %s=max", list[i].major, list[i].minor, key);
}

static void set_io(struct cgroup_limits *l, const struct oci_resources *r)
{
        bool weight = r->has_blkio_weight && r->blkio_weight, leaf = r->has_blkio_leaf_weight && r->blkio_leaf_weight;
        bool bfq = (weight || r->weight_device_count) && cgroup_has(top(), l->path, "io.bfq.weight");
        const char *file = bfq ? "io.bfq.weight" : "io.weight";
        limit_u64(l, "blockIO.weight", top(), file, weight, weight_of(r->blkio_weight, bfq));
        for (size_t i = 0; i < r->weight_device_count; i++) {
                const struct oci_weight_device *d = &r->weight_devices[i];
                leaf = leaf || d->leaf_weight;
                if (d->weight)
                        limit_textf(l, "blockIO.weightDevice", top(), file, "%" PRId64 ":%" PRId64 " %u", d->major, d->minor,
                                    weight_of(d->weight, bfq));
        }
        refuse(l, "blockIO.leafWeight", leaf);
        set_throttles(l, "blockIO.throttleReadBpsDevice", "rbps", r->read_bps, r->read_bps_count);
        set_throttles(l, "blockIO.throttleWriteBpsDevice", "wbps", r->write_bps, r->write_bps_count);
        set_throttles(l, "blockIO.throttleReadIOPSDevice", "riops", r->read_iops, r->read_iops_count);
        set_throttles(l, "blockIO.throttleWriteIOPSDevice", "wiops", r->write_iops, r->write_iops_count);
}

/* ---- the rest ---- */

static void set_others(struct cgroup_limits *l, const struct oci_resources *r)
{
        /* "unlimited" is what a group without the controller has anyway */
        if (r->has_pids_limit && (r->pids_limit > 0 || cgroup_has(top(), l->path, "pids.max")))
                set_number(l, "pids.limit", "pids.max", true, r->pids_limit > 0 ? r->pids_limit : -1);
        refuse(l, "network.classID", r->has_class_id && r->class_id);
        refuse(l, "network.priorities", r->net_prio_count > 0);
        limit_hugepages(l, top(), "max", r);
        limit_rdma(l, top(), r);
}

/* "memory.high=1000": files of v2 as they are; a file of lines takes one a write. */
static void set_unified(struct cgroup_limits *l, char *const *entries)
{
        STRV_FOREACH (entry, entries) {
                size_t len = strcspn(*entry, "=");
                if (!(*entry)[len] || !memchr(*entry, '.', len) || memchr(*entry, '/', len) || (*entry)[0] == '.') {
                        limit_refuse(l, ERR_INVALID, "unified", "names no file of cgroup v2");
                        return;
                }
                _cleanup_free_ char *file = xstrndup(*entry, len), *field = xasprintf("unified.%s", file);
                _cleanup_strv_ char **lines = strv_split(*entry + len + 1, "\n", false);
                STRV_FOREACH (line, lines)
                        set_text(l, field, file, *line);
        }
}

int cgroup_v2_limit(const char *path, const struct oci_resources *r, struct err *err)
{
        struct cgroup_limits l = { path, err, false };
        set_memory(&l, r);
        set_cpu(&l, r);
        set_io(&l, r);
        set_others(&l, r);
        set_unified(&l, r->unified);
        return l.failed ? -1 : 0;
}
