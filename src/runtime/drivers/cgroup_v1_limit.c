/* The limits of cgroup v1 (kernel Documentation/admin-guide/cgroup-v1/). */
#include <errno.h>
#include <inttypes.h>
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

/* ---- memory ---- */

#define MEMORY "memory.limit_in_bytes"
#define MEMSW "memory.memsw.limit_in_bytes"

static void set_swap(struct cgroup_limits *l, const char *top, int64_t value)
{
        limit_i64(l, "memory.swap", top, MEMSW, true, value);
}

/* Memory and swap together may never be below memory: the one that grows is written first. */
static void set_memory_pair(struct cgroup_limits *l, const struct oci_resources *r, bool update, const char *top)
{
        bool limit = r->has_memory_limit && r->memory_limit != 0, swap = r->has_memory_swap && r->memory_swap != 0;
        int64_t value = r->memory_swap;
        /* Without a limit on memory none on the pair can be meant. */
        if (update && limit && r->memory_limit < 0 && !swap) {
                swap = true;
                value = -1;
        }
        if (swap && top && !cgroup_has(top, l->path, MEMSW)) {
                log_warning("this kernel does not count swap: the limit of swap is left out");
                swap = false;
        }
        bool first = update && swap && top && (value < 0 || (uint64_t)value > cgroup_read_u64(top, l->path, MEMSW, 0));
        if (first)
                set_swap(l, top, value);
        limit_i64(l, "memory.limit", top, MEMORY, limit, r->memory_limit);
        if (swap && !first)
                set_swap(l, top, value);
}

/* A separate limit of kernel memory ended with Linux 5.11; the spec lets it be ignored. */
static void set_kernel_memory(struct cgroup_limits *l, const struct oci_resources *r, const char *top)
{
        struct err refused = ERR_INIT;
        if (!r->has_memory_kernel || r->memory_kernel == 0 || !top || l->failed)
                return;
        if (cgroup_writef(top, l->path, "memory.kmem.limit_in_bytes", &refused, "%" PRId64, r->memory_kernel) < 0)
                log_warning("linux.resources.memory.kernel is left out: %s", refused.msg);
}

static void set_memory(struct cgroup_limits *l, const struct oci_resources *r, bool update)
{
        const char *top = cgroup_top_of("memory");
        if (r->has_use_hierarchy && r->use_hierarchy)
                limit_text(l, "memory.useHierarchy", top, "memory.use_hierarchy", "1");
        if (r->memory_check_before_update && update && top && r->has_memory_limit && r->memory_limit > 0 &&
            (uint64_t)r->memory_limit < cgroup_read_u64(top, l->path, "memory.usage_in_bytes", 0))
                limit_refuse(l, ERR_CONFLICT, "memory.limit", "the group uses more than that");
        set_memory_pair(l, r, update, top);
        limit_i64(l, "memory.reservation", top, "memory.soft_limit_in_bytes",
                  r->has_memory_reservation && r->memory_reservation != 0, r->memory_reservation);
        set_kernel_memory(l, r, top);
        limit_i64(l, "memory.kernelTCP", top, "memory.kmem.tcp.limit_in_bytes",
                  r->has_memory_kernel_tcp && r->memory_kernel_tcp != 0, r->memory_kernel_tcp);
        /* docker and podman write -1, which is no percentage, for "as it is" */
        if (r->has_swappiness && r->swappiness != UINT64_MAX)
                limit_u64(l, "memory.swappiness", top, "memory.swappiness", true, r->swappiness);
        if (r->has_disable_oom_killer && (r->disable_oom_killer || update))
                limit_text(l, "memory.disableOOMKiller", top, "memory.oom_control", r->disable_oom_killer ? "1" : "0");
}

/* ---- cpu ---- */

/* Writes what may be refused only because of a value that is written next; true: once more, after that. */
static bool try_u64(struct cgroup_limits *l, const char *field, const char *top, const char *file, bool wanted, uint64_t value,
                    bool may_wait)
{
        struct err first = ERR_INIT;
        struct cgroup_limits trial = { l->path, &first, l->failed };
        limit_u64(&trial, field, top, file, wanted, value);
        if (l->failed || !trial.failed)
                return false;
        if (may_wait && first.sys == EINVAL)
                return true;
        l->failed = true;
        *l->err = first;
        return false;
}

/* Period, quota and burst are checked against each other: what does not fit the old two is written again after the new ones. */
static void set_bandwidth(struct cgroup_limits *l, const struct oci_resources *r, const char *top)
{
        bool quota = r->has_cpu_quota && r->cpu_quota;
        bool burst = try_u64(l, "cpu.burst", top, "cpu.cfs_burst_us", r->has_cpu_burst, r->cpu_burst, quota);
        bool period = try_u64(l, "cpu.period", top, "cpu.cfs_period_us", r->has_cpu_period && r->cpu_period, r->cpu_period, quota);
        limit_i64(l, "cpu.quota", top, "cpu.cfs_quota_us", quota, r->cpu_quota);
        limit_u64(l, "cpu.period", top, "cpu.cfs_period_us", period, r->cpu_period);
        limit_u64(l, "cpu.burst", top, "cpu.cfs_burst_us", burst, r->cpu_burst);
}

static void set_cpu(struct cgroup_limits *l, const struct oci_resources *r)
{
        const char *top = cgroup_top_of("cpu"), *cpuset = cgroup_top_of("cpuset");
        limit_i64(l, "cpu.idle", top, "cpu.idle", r->has_cpu_idle, r->cpu_idle);
        /* The idle have no share to set. */
        bool shares = r->has_cpu_shares && r->cpu_shares && !(r->has_cpu_idle && r->cpu_idle);
        limit_u64(l, "cpu.shares", top, "cpu.shares", shares, r->cpu_shares);
        set_bandwidth(l, r, top);
        bool runtime = r->has_rt_runtime && r->rt_runtime;
        bool again = try_u64(l, "cpu.realtimePeriod", top, "cpu.rt_period_us", r->has_rt_period && r->rt_period, r->rt_period, runtime);
        limit_i64(l, "cpu.realtimeRuntime", top, "cpu.rt_runtime_us", runtime, r->rt_runtime);
        limit_u64(l, "cpu.realtimePeriod", top, "cpu.rt_period_us", again, r->rt_period);
        if (!str_empty(r->cpuset_cpus))
                limit_text(l, "cpu.cpus", cpuset, "cpuset.cpus", r->cpuset_cpus);
        if (!str_empty(r->cpuset_mems))
                limit_text(l, "cpu.mems", cpuset, "cpuset.mems", r->cpuset_mems);
}

/* ---- the rest ---- */

static void set_throttles(struct cgroup_limits *l, const char *field, const char *file, const struct oci_throttle *list, size_t count)
{
        for (size_t i = 0; i < count; i++)
                limit_textf(l, field, cgroup_top_of("blkio"), file, "%" PRId64 ":%" PRId64 " %" PRIu64, list[i].major, list[i].minor,
                            list[i].rate);
}

/* The files of CFQ's time, or BFQ's where they are what there is. */
static const char *weight_file(const char *top, const char *path, const char *plain, const char *bfq)
{
        return top && !cgroup_has(top, path, plain) && cgroup_has(top, path, bfq) ? bfq : plain;
}

static void set_block(struct cgroup_limits *l, const struct oci_resources *r)
{
        const char *top = cgroup_top_of("blkio");
        if (r->has_blkio_weight && r->blkio_weight)
                limit_u64(l, "blockIO.weight", top, weight_file(top, l->path, "blkio.weight", "blkio.bfq.weight"), true, r->blkio_weight);
        limit_u64(l, "blockIO.leafWeight", top, "blkio.leaf_weight", r->has_blkio_leaf_weight && r->blkio_leaf_weight, r->blkio_leaf_weight);
        for (size_t i = 0; i < r->weight_device_count; i++) {
                const struct oci_weight_device *d = &r->weight_devices[i];
                if (d->weight)
                        limit_textf(l, "blockIO.weightDevice", top,
                                    weight_file(top, l->path, "blkio.weight_device", "blkio.bfq.weight_device"), "%" PRId64 ":%" PRId64 " %u",
                                    d->major, d->minor, d->weight);
                if (d->leaf_weight)
                        limit_textf(l, "blockIO.weightDevice", top, "blkio.leaf_weight_device", "%" PRId64 ":%" PRId64 " %u", d->major,
                                    d->minor, d->leaf_weight);
        }
        set_throttles(l, "blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device", r->read_bps, r->read_bps_count);
        set_throttles(l, "blockIO.throttleWriteBpsDevice", "blkio.throttle.write_bps_device", r->write_bps, r->write_bps_count);
        set_throttles(l, "blockIO.throttleReadIOPSDevice", "blkio.throttle.read_iops_device", r->read_iops, r->read_iops_count);
        set_throttles(l, "blockIO.throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", r->write_iops, r->write_iops_count);
}

static void set_others(struct cgroup_limits *l, const struct oci_resources *r)
{
        const char *pids = cgroup_top_of("pids");
        if (r->has_pids_limit && r->pids_limit <= 0 && pids)
                limit_text(l, "pids.limit", pids, "pids.max", "max");
        limit_i64(l, "pids.limit", pids, "pids.max", r->has_pids_limit && r->pids_limit > 0, r->pids_limit);
        limit_u64(l, "network.classID", cgroup_top_of("net_cls"), "net_cls.classid", r->has_class_id && r->class_id, r->class_id);
        for (size_t i = 0; i < r->net_prio_count; i++)
                limit_textf(l, "network.priorities", cgroup_top_of("net_prio"), "net_prio.ifpriomap", "%s %u", r->net_prios[i].name,
                            r->net_prios[i].priority);
        limit_hugepages(l, cgroup_top_of("hugetlb"), "limit_in_bytes", r);
        limit_rdma(l, cgroup_top_of("rdma"), r);
}

int cgroup_v1_limit(const char *path, const struct oci_resources *r, bool update, struct err *err)
{
        struct cgroup_limits l = { path, err, false };
        set_memory(&l, r, update);
        set_cpu(&l, r);
        set_block(&l, r);
        set_others(&l, r);
        return l.failed ? -1 : 0;
}
