/* The numbers cgroup v1 keeps of a group. */
#include <inttypes.h>
#include <stdio.h>
#include "base/file.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

/* Calls of fn for the lines "8:0 Read 123" of a blkio file. */
typedef void (*block_fn)(void *data, unsigned major, unsigned minor, const char *kind, uint64_t value);
static void read_block(const char *top, const char *path, const char *file, block_fn fn, void *data)
{
        _cleanup_free_ char *full = cgroup_file(top, path, file);
        _cleanup_fclose_ FILE *f = fopen(full, "re");
        char kind[16], line[128];
        unsigned major, minor;
        uint64_t value;
        while (f && fgets(line, sizeof(line), f)) {
                if (sscanf(line, "%u:%u %15s %" SCNu64, &major, &minor, kind, &value) == 4)
                        fn(data, major, minor, kind, value);
                else if (sscanf(line, "%u:%u %" SCNu64, &major, &minor, &value) == 3)
                        fn(data, major, minor, "", value);
        }
}

static void cpu_usage(const char *path, json_t *usage)
{
        const char *cpu = cgroup_top_of("cpu"), *acct = cgroup_top_of("cpuacct");
        json_t *o = usage_object(usage, "cpu"), *used = usage_object(o, "usage"), *throttling = usage_object(o, "throttling");
        if (acct) {
                usage_u64(used, "total", acct, path, "cpuacct.usage");
                json_object_set_new(used, "percpu", usage_numbers(acct, path, "cpuacct.usage_percpu"));
                json_object_set_new(used, "percpu_kernel", usage_numbers(acct, path, "cpuacct.usage_percpu_sys"));
                json_object_set_new(used, "percpu_user", usage_numbers(acct, path, "cpuacct.usage_percpu_user"));
                usage_u64(used, "kernel", acct, path, "cpuacct.usage_sys");
                usage_u64(used, "user", acct, path, "cpuacct.usage_user");
        }
        if (cpu) {
                _cleanup_json_ json_t *stat = usage_keys(cpu, path, "cpu.stat");
                json_object_set(throttling, "periods", json_object_get(stat, "nr_periods"));
                json_object_set(throttling, "throttledPeriods", json_object_get(stat, "nr_throttled"));
                json_object_set(throttling, "throttledTime", json_object_get(stat, "throttled_time"));
        }
}

static void cpuset_usage(const char *path, json_t *usage)
{
        static const char *const flags[] = { "cpu_exclusive",      "mem_hardwall",    "mem_exclusive",      "memory_migrate",
                                             "memory_spread_page", "memory_spread_slab", "memory_pressure", "sched_load_balance",
                                             "sched_relax_domain_level" };
        const char *top = cgroup_top_of("cpuset");
        if (!top)
                return;
        json_t *o = usage_object(usage, "cpuset");
        json_object_set_new(o, "cpus", usage_set(top, path, "cpuset.cpus"));
        json_object_set_new(o, "mems", usage_set(top, path, "cpuset.mems"));
        for (size_t i = 0; i < ELEMENTS(flags); i++) {
                char file[64];
                snprintf(file, sizeof(file), "cpuset.%s", flags[i]);
                usage_u64(o, flags[i], top, path, file);
        }
}

static void memory_entry(json_t *memory, const char *key, const char *top, const char *path, const char *prefix)
{
        static const char *const files[][2] = {
                { "limit", "limit_in_bytes" }, { "usage", "usage_in_bytes" }, { "max", "max_usage_in_bytes" }, { "failcnt", "failcnt" }
        };
        char file[80];
        snprintf(file, sizeof(file), "%s.limit_in_bytes", prefix);
        if (!cgroup_has(top, path, file))
                return;
        json_t *o = usage_object(memory, key);
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                snprintf(file, sizeof(file), "%s.%s", prefix, files[i][1]);
                usage_u64(o, files[i][0], top, path, file);
        }
}

static void memory_usage(const char *path, json_t *usage)
{
        const char *top = cgroup_top_of("memory");
        if (!top)
                return;
        json_t *o = usage_object(usage, "memory"), *raw = usage_keys(top, path, "memory.stat");
        json_object_set(o, "cache", json_object_get(raw, "total_cache"));
        memory_entry(o, "usage", top, path, "memory");
        memory_entry(o, "swap", top, path, "memory.memsw");
        memory_entry(o, "kernel", top, path, "memory.kmem");
        memory_entry(o, "kernelTCP", top, path, "memory.kmem.tcp");
        json_object_set_new(o, "raw", raw);
}

static void block_entry(void *data, unsigned major, unsigned minor, const char *kind, uint64_t value)
{
        json_t *o = json_object();
        json_object_set_new(o, "major", json_integer(major));
        json_object_set_new(o, "minor", json_integer(minor));
        json_set_string(o, "op", kind);
        json_object_set_new(o, "value", json_integer((json_int_t)value));
        json_array_append_new(data, o);
}

/* BFQ's files count what it scheduled; without it those of the throttle count everything. */
static void block_usage(const char *path, json_t *usage)
{
        static const char *const files[][3] = {
                { "ioServiceBytesRecursive", "blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive" },
                { "ioServicedRecursive", "blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive" },
                { "ioQueueRecursive", "blkio.bfq.io_queued_recursive", "blkio.io_queued_recursive" },
                { "ioServiceTimeRecursive", "blkio.bfq.io_service_time_recursive", "blkio.io_service_time_recursive" },
                { "ioWaitTimeRecursive", "blkio.bfq.io_wait_time_recursive", "blkio.io_wait_time_recursive" },
                { "ioMergedRecursive", "blkio.bfq.io_merged_recursive", "blkio.io_merged_recursive" },
                { "ioTimeRecursive", "blkio.bfq.time_recursive", "blkio.time_recursive" },
                { "sectorsRecursive", "blkio.bfq.sectors_recursive", "blkio.sectors_recursive" },
        };
        const char *top = cgroup_top_of("blkio");
        json_t *o = top ? usage_object(usage, "blkio") : NULL;
        for (size_t i = 0; o && i < ELEMENTS(files); i++) {
                _cleanup_json_ json_t *list = json_array();
                for (size_t j = 1; j < 3 && json_array_size(list) == 0; j++)
                        read_block(top, path, files[i][j], block_entry, list);
                if (json_array_size(list))
                        json_object_set(o, files[i][0], list);
        }
}

void cgroup_v1_usage(const char *path, json_t *usage)
{
        const char *pids = cgroup_top_of("pids"), *hugetlb = cgroup_top_of("hugetlb");
        if (cgroup_top_of("cpu") || cgroup_top_of("cpuacct"))
                cpu_usage(path, usage);
        cpuset_usage(path, usage);
        memory_usage(path, usage);
        if (pids) {
                json_t *o = usage_object(usage, "pids");
                usage_u64(o, "current", pids, path, "pids.current");
                usage_u64(o, "limit", pids, path, "pids.max");
        }
        block_usage(path, usage);
        if (hugetlb)
                usage_hugetlb(usage, hugetlb, path, "usage_in_bytes", "max_usage_in_bytes", "failcnt");
}
