/* A hybrid host: v1 for the controllers mounted so, and the v2 mount beside them for those it has instead. The v2 group is
 * made only for who asks for something of it: a container more than most of them would pay for nothing. */
#include <errno.h>
#include "base/str.h"
#include "runtime/cgroup-internal.h"

/* What of the resources only the v2 mount can hold; the other half is left in *ret_v1. Both borrow. */
static bool split(const struct oci_resources *r, struct oci_resources *ret_v1, struct oci_resources *ret_v2)
{
        struct oci_resources one = *r, two = { 0 };
        if (!cgroup_layout()->unified_controls) {
                *ret_v1 = one;
                *ret_v2 = two;
                return false;
        }
#define MOVE(field) (two.field = one.field, memset(&one.field, 0, sizeof(one.field)))
        MOVE(unified);
        if (!cgroup_top_of("hugetlb"))
                MOVE(hugepages), MOVE(hugepage_count);
        if (!cgroup_top_of("rdma"))
                MOVE(rdma), MOVE(rdma_count);
        if (!cgroup_top_of("pids"))
                MOVE(has_pids_limit), MOVE(pids_limit);
        if (!cgroup_top_of("memory")) {
                MOVE(has_memory_limit), MOVE(memory_limit), MOVE(has_memory_swap), MOVE(memory_swap);
                MOVE(has_memory_reservation), MOVE(memory_reservation);
        }
        if (!cgroup_top_of("cpuset"))
                MOVE(cpuset_cpus), MOVE(cpuset_mems);
        if (!cgroup_top_of("cpu")) {
                MOVE(has_cpu_shares), MOVE(cpu_shares), MOVE(has_cpu_quota), MOVE(cpu_quota), MOVE(has_cpu_period), MOVE(cpu_period);
                MOVE(has_cpu_burst), MOVE(cpu_burst), MOVE(has_cpu_idle), MOVE(cpu_idle);
        }
        if (!cgroup_top_of("blkio")) {
                MOVE(has_blkio_weight), MOVE(blkio_weight), MOVE(weight_devices), MOVE(weight_device_count);
                MOVE(read_bps), MOVE(read_bps_count), MOVE(write_bps), MOVE(write_bps_count);
                MOVE(read_iops), MOVE(read_iops_count), MOVE(write_iops), MOVE(write_iops_count);
        }
#undef MOVE
        *ret_v1 = one;
        *ret_v2 = two;
        return two.unified || two.hugepage_count || two.rdma_count || two.has_pids_limit || two.has_memory_limit || two.has_memory_swap ||
               two.has_memory_reservation || two.cpuset_cpus || two.cpuset_mems || two.has_cpu_shares || two.has_cpu_quota ||
               two.has_cpu_period || two.has_cpu_burst || two.has_cpu_idle || two.has_blkio_weight || two.weight_device_count ||
               two.read_bps_count || two.write_bps_count || two.read_iops_count || two.write_iops_count;
}

static int hybrid_create(const char *path, const struct oci_resources *r, struct err *err)
{
        struct oci_resources one, two;
        if (cgroup_v1.create(path, r, err) < 0)
                return -1;
        return split(r, &one, &two) || cgroup_layout()->unified_joined ? cgroup_v2.create(path, &two, err) : 0;
}

static bool hybrid_exists(const char *path)
{
        return cgroup_v1.exists(path) || cgroup_v2.exists(path);
}

static int hybrid_join(const char *path, pid_t pid, struct err *err)
{
        if (cgroup_v1.join(path, pid, err) < 0)
                return -1;
        return cgroup_v2.exists(path) ? cgroup_v2.join(path, pid, err) : 0;
}

static int hybrid_join_self(const char *path, struct err *err)
{
        if (cgroup_v1.join_self(path, err) < 0)
                return -1;
        if (cgroup_v2.join_self(path, err) < 0) {
                if (err->sys != ENOENT)
                        return -1;
                err_clear(err);
        }
        return 0;
}

/* A group that gets its first limit of v2 by an update takes in who is in it already. */
static int move_in(const char *top, const char *path, void *data, struct err *err)
{
        _cleanup_json_ json_t *pids = usage_numbers(top, path, "cgroup.procs");
        for (size_t i = 0; i < json_array_size(pids); i++) {
                pid_t pid = (pid_t)json_integer_value(json_array_get(pids, i));
                if (pid > 0 && cgroup_v2.join(data, pid, err) < 0) {
                        if (err->sys != ESRCH)
                                return -1;
                        err_clear(err);
                }
        }
        return 0;
}

static int hybrid_apply(const char *path, const struct oci_resources *r, bool update, struct err *err)
{
        struct oci_resources one, two;
        bool unified = split(r, &one, &two);
        if (cgroup_v1.apply(path, &one, update, err) < 0)
                return -1;
        if (!unified)
                return 0;
        if (!cgroup_v2.exists(path)) {
                _cleanup_free_ char *copy = xstrdup(path);
                if (cgroup_v2.create(path, &two, err) < 0 || cgroup_walk(cgroup_v1.procs(), path, move_in, copy, err) < 0)
                        return -1;
        }
        return cgroup_v2.apply(path, &two, update, err);
}

static int hybrid_freeze(const char *path, bool frozen, struct err *err)
{
        return cgroup_v1.freeze(path, frozen, err);
}
static bool hybrid_frozen(const char *path)
{
        return cgroup_v1.frozen(path);
}

static int hybrid_remove(const char *path, struct err *err)
{
        struct err second = ERR_INIT;
        int r = cgroup_v1.remove(path, err);
        if (cgroup_v2.remove(path, &second) == 0)
                return r;
        *err = second;
        return -1;
}

static uint64_t hybrid_oom_kills(const char *path)
{
        return cgroup_top_of("memory") ? cgroup_v1.oom_kills(path) : cgroup_v2.oom_kills(path);
}

static void hybrid_usage(const char *path, json_t *usage)
{
        _cleanup_json_ json_t *two = json_object();
        cgroup_v1.usage(path, usage);
        if (!cgroup_v2.exists(path))
                return;
        cgroup_v2.usage(path, two);
        json_object_update_missing(usage, two);
}

static const char *hybrid_procs(void)
{
        return cgroup_v1.procs();
}

const struct cgroup_driver cgroup_hybrid = {
        .create = hybrid_create,
        .exists = hybrid_exists,
        .join = hybrid_join,
        .join_self = hybrid_join_self,
        .apply = hybrid_apply,
        .freeze = hybrid_freeze,
        .frozen = hybrid_frozen,
        .remove = hybrid_remove,
        .oom_kills = hybrid_oom_kills,
        .usage = hybrid_usage,
        .procs = hybrid_procs,
};
