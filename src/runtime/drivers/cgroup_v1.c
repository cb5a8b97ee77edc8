/* cgroup v1: controllers mounted one by one (or a few together) below /sys/fs/cgroup. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <time.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

#define FREEZE_MS 10000

/* Where a controller is, NULL: not mounted. */
static const char *top_of(const char *controller)
{
        const struct cgroup_layout *l = cgroup_layout();
        for (size_t i = 0; i < l->count; i++) {
                const char *name = l->list[i].name, *at = strstr(name, controller);
                size_t len = strlen(controller);
                for (; at; at = strstr(at + 1, controller))
                        if ((at == name || at[-1] == ',') && (at[len] == 0 || at[len] == ','))
                                return l->list[i].path;
        }
        return NULL;
}

static const char *v1_procs(void)
{
        static const char *const preferred[] = { "freezer", "pids", "devices", "memory" };
        for (size_t i = 0; i < ELEMENTS(preferred); i++)
                if (top_of(preferred[i]))
                        return top_of(preferred[i]);
        return cgroup_layout()->list[0].path;
}

static bool v1_exists(const char *path)
{
        return cgroup_has(v1_procs(), path, "");
}

/* Gives one level what its parent has, unless it has something. */
static int fill_level(const char *top, const char *level, struct err *err)
{
        static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
        _cleanup_free_ char *parent = xstrndup(level, (size_t)(strrchr(level, '/') - level));
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                _cleanup_free_ char *mine = cgroup_file(top, level, files[i]),
                                    *theirs = cgroup_file(top, parent, files[i]);
                _cleanup_free_ char *have = NULL, *give = NULL;
                if (file_line_at(AT_FDCWD, mine, &have, err) < 0)
                        return -1;
                if (*have)
                        continue;
                if (file_line_at(AT_FDCWD, theirs, &give, err) < 0 || cgroup_write(top, level, files[i], give, err) < 0)
                        return -1;
        }
        return 0;
}

/* A new cpuset is empty and takes nobody in: each level is given what its parent has. Those above ours are told to do so themselves for all
 * that come later: each write here makes the kernel look at all cpusets beside it. */
static int fill_cpuset(const char *top, const char *path, struct err *err)
{
        struct err unused = ERR_INIT;
        _cleanup_free_ char *mine = cgroup_file(top, path, "cpuset.mems"), *have = NULL;
        if (file_line_at(AT_FDCWD, mine, &have, err) < 0)
                return -1;
        if (*have)
                return 0;
        for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                _cleanup_free_ char *level = xstrndup(path, (size_t)(slash - path));
                if (fill_level(top, level, err) < 0)
                        return -1;
                (void)cgroup_write(top, level, "cgroup.clone_children", "1", &unused);
        }
        return fill_level(top, path, err);
}

static int v1_create(const char *path, const struct oci_resources *r, struct err *err)
{
        const struct cgroup_layout *l = cgroup_layout();
        const char *cpuset = top_of("cpuset");
        for (size_t i = 0; i < l->count; i++)
                if (cgroup_make(l->list[i].path, path, err) < 0)
                        return -1;
        return cpuset ? fill_cpuset(cpuset, path, err) : 0;
}

static int v1_join(const char *path, pid_t pid, struct err *err)
{
        const struct cgroup_layout *l = cgroup_layout();
        for (size_t i = 0; i < l->count; i++)
                if (cgroup_writef(l->list[i].path, path, "cgroup.procs", err, "%d", (int)pid) < 0)
                        return -1;
        return 0;
}

static int v1_join_self(const char *path, struct err *err)
{
        const struct cgroup_layout *l = cgroup_layout();
        for (size_t i = 0; i < l->count; i++)
                if (cgroup_write(l->list[i].path, path, "tasks", "0", err) < 0)
                        return -1;
        return 0;
}

/* ---- resources ---- */

struct target {
        const char *path;
        struct err *err;
        bool failed;
};

/* A limit this kernel does not have is told of and left out, as docker does; one it refuses is an error. */
static void set_text(struct target *t, const char *controller, const char *file, const char *text)
{
        const char *top = top_of(controller);
        if (t->failed)
                return;
        if (!top || !cgroup_has(top, t->path, file)) {
                log_warning("this kernel has no %s: limit left out", file);
                return;
        }
        t->failed = cgroup_write(top, t->path, file, text, t->err) < 0;
}

static void set_i64(struct target *t, const char *controller, const char *file, bool wanted, int64_t value)
{
        char text[24];
        if (!wanted)
                return;
        snprintf(text, sizeof(text), "%" PRId64, value);
        set_text(t, controller, file, text);
}

static void set_u64(struct target *t, const char *controller, const char *file, bool wanted, uint64_t value)
{
        char text[24];
        if (!wanted)
                return;
        snprintf(text, sizeof(text), "%" PRIu64, value);
        set_text(t, controller, file, text);
}

/* memsw may never be below memory: the one that grows is written first. */
static void set_memory(struct target *t, const struct oci_resources *r, bool update)
{
        const char *limit = "memory.limit_in_bytes", *swap = "memory.memsw.limit_in_bytes", *top = top_of("memory");
        bool swap_first = false;
        if (update && top && r->has_memory_swap)
                swap_first = r->memory_swap < 0 || (uint64_t)r->memory_swap > cgroup_read_u64(top, t->path, swap, 0);
        if (swap_first)
                set_i64(t, "memory", swap, r->has_memory_swap && r->memory_swap != 0, r->memory_swap);
        set_i64(t, "memory", limit, r->has_memory_limit && r->memory_limit != 0, r->memory_limit);
        if (!swap_first && (!top || cgroup_has(top, t->path, swap)))
                set_i64(t, "memory", swap, r->has_memory_swap && r->memory_swap != 0, r->memory_swap);
        set_i64(t, "memory", "memory.soft_limit_in_bytes", r->has_memory_reservation && r->memory_reservation != 0,
                r->memory_reservation);
        set_i64(t, "memory", "memory.kmem.tcp.limit_in_bytes", r->has_memory_kernel_tcp && r->memory_kernel_tcp != 0,
                r->memory_kernel_tcp);
        set_u64(t, "memory", "memory.swappiness", r->has_swappiness && r->swappiness <= 100, r->swappiness);
        set_u64(t, "memory", "memory.oom_control", r->has_disable_oom_killer && r->disable_oom_killer, 1);
}

/* Period and quota are checked against each other: the pair that was valid before stays so in between. */
static void set_cpu(struct target *t, const struct oci_resources *r)
{
        struct err first = ERR_INIT, *caller = t->err;
        set_u64(t, "cpu", "cpu.shares", r->has_cpu_shares && r->cpu_shares, r->cpu_shares);
        t->err = &first;
        set_u64(t, "cpu", "cpu.cfs_period_us", r->has_cpu_period && r->cpu_period, r->cpu_period);
        t->err = caller;
        bool again = t->failed && r->has_cpu_quota;
        if (t->failed && !again)
                *caller = first;
        if (again)
                t->failed = false;
        set_i64(t, "cpu", "cpu.cfs_quota_us", r->has_cpu_quota && r->cpu_quota, r->cpu_quota);
        if (again)
                set_u64(t, "cpu", "cpu.cfs_period_us", true, r->cpu_period);
        set_u64(t, "cpu", "cpu.cfs_burst_us", r->has_cpu_burst, r->cpu_burst);
        set_u64(t, "cpu", "cpu.rt_period_us", r->has_rt_period && r->rt_period, r->rt_period);
        set_i64(t, "cpu", "cpu.rt_runtime_us", r->has_rt_runtime && r->rt_runtime, r->rt_runtime);
        set_i64(t, "cpu", "cpu.idle", r->has_cpu_idle, r->cpu_idle);
}

static void set_throttles(struct target *t, const char *file, const struct oci_throttle *list, size_t count)
{
        char text[80];
        for (size_t i = 0; i < count; i++) {
                snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %" PRIu64, list[i].major, list[i].minor,
                         list[i].rate);
                set_text(t, "blkio", file, text);
        }
}

static void set_block(struct target *t, const struct oci_resources *r)
{
        const char *top = top_of("blkio");
        bool bfq = top && cgroup_has(top, t->path, "blkio.bfq.weight");
        char text[80];
        set_u64(t, "blkio", bfq ? "blkio.bfq.weight" : "blkio.weight", r->has_blkio_weight && r->blkio_weight,
                r->blkio_weight);
        set_u64(t, "blkio", "blkio.leaf_weight", r->has_blkio_leaf_weight && r->blkio_leaf_weight,
                r->blkio_leaf_weight);
        for (size_t i = 0; i < r->weight_device_count; i++) {
                const struct oci_weight_device *d = &r->weight_devices[i];
                snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %u", d->major, d->minor, d->weight);
                set_text(t, "blkio", bfq ? "blkio.bfq.weight_device" : "blkio.weight_device", text);
        }
        set_throttles(t, "blkio.throttle.read_bps_device", r->read_bps, r->read_bps_count);
        set_throttles(t, "blkio.throttle.write_bps_device", r->write_bps, r->write_bps_count);
        set_throttles(t, "blkio.throttle.read_iops_device", r->read_iops, r->read_iops_count);
        set_throttles(t, "blkio.throttle.write_iops_device", r->write_iops, r->write_iops_count);
}

static void set_others(struct target *t, const struct oci_resources *r)
{
        char text[300];
        if (r->has_pids_limit && r->pids_limit <= 0)
                set_text(t, "pids", "pids.max", "max");
        set_i64(t, "pids", "pids.max", r->has_pids_limit && r->pids_limit > 0, r->pids_limit);
        if (!str_empty(r->cpuset_cpus))
                set_text(t, "cpuset", "cpuset.cpus", r->cpuset_cpus);
        if (!str_empty(r->cpuset_mems))
                set_text(t, "cpuset", "cpuset.mems", r->cpuset_mems);
        set_u64(t, "net_cls", "net_cls.classid", r->has_class_id, r->class_id);
        for (size_t i = 0; i < r->net_prio_count; i++) {
                snprintf(text, sizeof(text), "%s %u", r->net_prios[i].name, r->net_prios[i].priority);
                set_text(t, "net_prio", "net_prio.ifpriomap", text);
        }
        for (size_t i = 0; i < r->hugepage_count; i++) {
                char file[80];
                snprintf(file, sizeof(file), "hugetlb.%.40s.limit_in_bytes", r->hugepages[i].page_size);
                set_u64(t, "hugetlb", file, !strchr(file, '/'), r->hugepages[i].limit);
        }
        for (size_t i = 0; i < r->rdma_count; i++) {
                const struct oci_rdma *d = &r->rdma[i];
                int n = snprintf(text, sizeof(text), "%.100s", d->device);
                if (d->has_handles)
                        n += snprintf(text + n, sizeof(text) - (size_t)n, " hca_handle=%u", d->handles);
                if (d->has_objects)
                        snprintf(text + n, sizeof(text) - (size_t)n, " hca_object=%u", d->objects);
                set_text(t, "rdma", "rdma.max", text);
        }
}

static void format_rule(const struct oci_device_rule *r, char text[64])
{
        char major[24] = "*", minor[24] = "*";
        if (r->type == 'a' || !r->type) {
                snprintf(text, 64, "a");
                return;
        }
        if (r->major >= 0)
                snprintf(major, sizeof(major), "%" PRId64, r->major);
        if (r->minor >= 0)
                snprintf(minor, sizeof(minor), "%" PRId64, r->minor);
        snprintf(text, 64, "%c %.20s:%.20s %.3s", r->type, major, minor, *r->access ? r->access : "rwm");
}

/* Both files stay open over the list: a dozen rules are a dozen writes. */
static int set_devices(const char *path, const struct oci_resources *r, struct err *err)
{
        const char *top = top_of("devices");
        if (!top || !r->device_count)
                return 0;
        _cleanup_free_ char *allow_path = cgroup_file(top, path, "devices.allow"),
                            *deny_path = cgroup_file(top, path, "devices.deny");
        _cleanup_close_ int allow = open(allow_path, O_WRONLY | O_CLOEXEC),
                            deny = open(deny_path, O_WRONLY | O_CLOEXEC);
        if (allow < 0 || deny < 0)
                return err_sys(err, "device rules");
        for (size_t i = 0; i < r->device_count; i++) {
                char text[64];
                format_rule(&r->devices[i], text);
                if (write(r->devices[i].allow ? allow : deny, text, strlen(text)) < 0)
                        return err_sys(err, "device rule %s %s", r->devices[i].allow ? "allow" : "deny", text);
        }
        return 0;
}

static int v1_apply(const char *path, const struct oci_resources *r, bool update, struct err *err)
{
        struct target t = { path, err, false };
        if (set_devices(path, r, err) < 0)
                return -1;
        set_memory(&t, r, update);
        set_cpu(&t, r);
        set_block(&t, r);
        set_others(&t, r);
        return t.failed ? -1 : 0;
}

/* ---- freezer ---- */

static bool state_is(const char *top, const char *path, const char *wanted)
{
        _cleanup_free_ char *file = cgroup_file(top, path, "freezer.state"), *line = NULL;
        struct err unused = ERR_INIT;
        return file_line_at(AT_FDCWD, file, &line, &unused) == 0 && str_eq(line, wanted);
}

static bool v1_frozen(const char *path)
{
        const char *top = top_of("freezer");
        return top && !state_is(top, path, "THAWED") && cgroup_has(top, path, "freezer.state");
}

/* FREEZING may need to be asked for again while somebody forks. */
static int v1_freeze(const char *path, bool frozen, struct err *err)
{
        const char *top = top_of("freezer"), *word = frozen ? "FROZEN" : "THAWED";
        struct timespec pause = { 0, 200000 };
        if (!top)
                return err_set(err, ERR_UNSUPPORTED, "no freezer is mounted");
        for (long waited = 0; waited < FREEZE_MS * 5; waited++) {
                if (cgroup_write(top, path, "freezer.state", word, err) < 0)
                        return -1;
                if (state_is(top, path, word))
                        return 0;
                nanosleep(&pause, NULL);
        }
        struct err unused = ERR_INIT;
        (void)cgroup_write(top, path, "freezer.state", "THAWED", &unused);
        return err_set(err, ERR_TIMEOUT, "the group did not become %s", frozen ? "frozen" : "thawed");
}

/* ---- end, numbers ---- */

static int v1_remove(const char *path, struct err *err)
{
        const struct cgroup_layout *l = cgroup_layout();
        int r = 0;
        for (size_t i = 0; i < l->count; i++) {
                struct err one = ERR_INIT;
                if (cgroup_rmdir(l->list[i].path, path, &one) == 0)
                        continue;
                *err = one;
                r = -1;
        }
        return r;
}

static uint64_t v1_oom_kills(const char *path)
{
        const char *top = top_of("memory");
        return top ? cgroup_read_key(top, path, "memory.oom_control", "oom_kill", 0) : 0;
}

/* Sums the lines "8:0 Read 123" of a blkio file. */
static void sum_block(const char *top, const char *path, const char *file, uint64_t *reads, uint64_t *writes)
{
        _cleanup_free_ char *full = cgroup_file(top, path, file);
        _cleanup_fclose_ FILE *f = fopen(full, "re");
        unsigned maj, min;
        char kind[16], line[128];
        uint64_t value;
        while (f && fgets(line, sizeof(line), f)) {
                if (sscanf(line, "%u:%u %15s %" SCNu64, &maj, &min, kind, &value) != 4)
                        continue;
                if (str_eq(kind, "Read"))
                        *reads += value;
                else if (str_eq(kind, "Write"))
                        *writes += value;
        }
}

static void memory_stats(const char *top, const char *path, struct cgroup_stats *s)
{
        const uint64_t unlimited = UINT64_C(0x7000000000000000);
        s->memory_usage = cgroup_read_u64(top, path, "memory.usage_in_bytes", 0);
        s->memory_max_usage = cgroup_read_u64(top, path, "memory.max_usage_in_bytes", 0);
        s->memory_limit = cgroup_read_u64(top, path, "memory.limit_in_bytes", UINT64_MAX);
        if (s->memory_limit >= unlimited)
                s->memory_limit = UINT64_MAX;
        s->memory_inactive_file = cgroup_read_key(top, path, "memory.stat", "total_inactive_file", 0);
        s->memory_swap = cgroup_read_key(top, path, "memory.stat", "total_swap", 0);
}

static void v1_stats(const char *path, struct cgroup_stats *s)
{
        const char *top;
        if ((top = top_of("cpuacct"))) {
                s->cpu_usage_ns = cgroup_read_u64(top, path, "cpuacct.usage", 0);
                s->cpu_user_ns = cgroup_read_u64(top, path, "cpuacct.usage_user", 0);
                s->cpu_system_ns = cgroup_read_u64(top, path, "cpuacct.usage_sys", 0);
        }
        if ((top = top_of("cpu"))) {
                s->throttled_periods = cgroup_read_key(top, path, "cpu.stat", "nr_throttled", 0);
                s->throttled_ns = cgroup_read_key(top, path, "cpu.stat", "throttled_time", 0);
        }
        if ((top = top_of("memory")))
                memory_stats(top, path, s);
        if ((top = top_of("pids"))) {
                s->pids_current = cgroup_read_u64(top, path, "pids.current", 0);
                s->pids_limit = cgroup_read_u64(top, path, "pids.max", UINT64_MAX);
        }
        if ((top = top_of("blkio"))) {
                sum_block(top, path, "blkio.throttle.io_service_bytes_recursive", &s->io_read_bytes,
                          &s->io_write_bytes);
                sum_block(top, path, "blkio.throttle.io_serviced_recursive", &s->io_read_ops, &s->io_write_ops);
        }
}

const struct cgroup_driver cgroup_v1 = {
        .create = v1_create,
        .exists = v1_exists,
        .join = v1_join,
        .join_self = v1_join_self,
        .apply = v1_apply,
        .freeze = v1_freeze,
        .frozen = v1_frozen,
        .remove = v1_remove,
        .oom_kills = v1_oom_kills,
        .stats = v1_stats,
        .procs = v1_procs,
};
