/* cgroup v2: one hierarchy, controllers handed down level by level. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

#define FREEZE_MS 10000

static const char *v2_procs(void)
{
        return cgroup_layout()->unified;
}
static bool v2_exists(const char *path)
{
        return cgroup_has(v2_procs(), path, "");
}

/* ---- making ---- */

/* Hands every controller a level has down to its children. A level that holds processes cannot (it is not our own, or the
 * root of a container we ourselves run in): its children then have no controllers, which only matters to a limit. */
static void hand_down(const char *level)
{
        const char *top = v2_procs();
        struct err unused = ERR_INIT;
        _cleanup_free_ char *have_file = cgroup_file(top, level, "cgroup.controllers"),
                            *down_file = cgroup_file(top, level, "cgroup.subtree_control");
        _cleanup_free_ char *have = NULL, *down = NULL;
        if (file_line_at(AT_FDCWD, have_file, &have, &unused) < 0 ||
            file_line_at(AT_FDCWD, down_file, &down, &unused) < 0)
                return;
        _cleanup_strv_ char **controllers = strv_split(have, " ", false), **given = strv_split(down, " ", false);
        STRV_FOREACH (c, controllers) {
                if (strv_has(given, *c))
                        continue;
                /* One by one: a controller that cannot be handed down must not keep the others back. */
                if (cgroup_writef(top, level, "cgroup.subtree_control", &unused, "+%s", *c) < 0)
                        log_debug("cgroup %s: controller %s stays here: %s", level, *c, unused.msg);
        }
}

static int v2_create(const char *path, const struct oci_resources *r, struct err *err)
{
        hand_down("");
        for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
                _cleanup_free_ char *level = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(path);
                _cleanup_free_ char *full = cgroup_file(v2_procs(), level, "");
                if (mkdir(full, 0755) < 0 && errno != EEXIST)
                        return err_sys(err, "make cgroup %s", full);
                if (!slash)
                        return 0;
                hand_down(level);
        }
}

static int v2_join(const char *path, pid_t pid, struct err *err)
{
        return cgroup_writef(v2_procs(), path, "cgroup.procs", err, "%d", (int)pid);
}

static int v2_join_self(const char *path, struct err *err)
{
        return cgroup_write(v2_procs(), path, "cgroup.procs", "0", err);
}

/* ---- resources ---- */

struct target {
        const char *path;
        struct err *err;
        bool failed;
};

static void set_text(struct target *t, const char *file, const char *text)
{
        if (t->failed)
                return;
        if (!cgroup_has(v2_procs(), t->path, file)) {
                log_warning("cgroup %s has no %s: limit left out", t->path, file);
                return;
        }
        t->failed = cgroup_write(v2_procs(), t->path, file, text, t->err) < 0;
}

/* A negative number is "max". */
static void set_number(struct target *t, const char *file, bool wanted, int64_t value)
{
        char text[24] = "max";
        if (!wanted)
                return;
        if (value >= 0)
                snprintf(text, sizeof(text), "%" PRId64, value);
        set_text(t, file, text);
}

/* v1 words it as memory and swap together, v2 as swap alone. */
static void set_swap(struct target *t, const struct oci_resources *r)
{
        if (!r->has_memory_swap || r->memory_swap == 0)
                return;
        int64_t swap = r->memory_swap;
        if (swap > 0 && (!r->has_memory_limit || r->memory_limit <= 0 || swap < r->memory_limit)) {
                t->failed = err_set(t->err, ERR_INVALID, "memory.swap must be at least memory.limit") < 0;
                return;
        }
        if (swap > 0)
                swap -= r->memory_limit;
        if (swap == 0 && !cgroup_has(v2_procs(), t->path, "memory.swap.max"))
                return; /* no swap accounting: none is used either way */
        set_number(t, "memory.swap.max", true, swap);
}

static void set_memory(struct target *t, const struct oci_resources *r)
{
        bool limit = r->has_memory_limit && r->memory_limit != 0;
        if (limit && r->memory_check_before_update && r->memory_limit > 0 &&
            (uint64_t)r->memory_limit < cgroup_read_u64(v2_procs(), t->path, "memory.current", 0)) {
                t->failed = err_set(t->err, ERR_CONFLICT, "the group uses more memory than the new limit") < 0;
                return;
        }
        set_swap(t, r);
        set_number(t, "memory.max", limit, r->memory_limit);
        set_number(t, "memory.low", r->has_memory_reservation && r->memory_reservation != 0, r->memory_reservation);
}

static void set_cpu(struct target *t, const struct oci_resources *r)
{
        char text[64], quota[24] = "max";
        /* 2..262144 shares to 1..10000 */
        if (r->has_cpu_shares && r->cpu_shares) {
                uint64_t shares = r->cpu_shares < 2 ? 2 : r->cpu_shares > 262144 ? 262144 : r->cpu_shares;
                set_number(t, "cpu.weight", !(r->has_cpu_idle && r->cpu_idle),
                           (int64_t)(1 + (shares - 2) * 9999 / 262142));
        }
        set_number(t, "cpu.idle", r->has_cpu_idle, r->cpu_idle);
        if ((r->has_cpu_quota && r->cpu_quota) || (r->has_cpu_period && r->cpu_period)) {
                if (r->has_cpu_quota && r->cpu_quota > 0)
                        snprintf(quota, sizeof(quota), "%" PRId64, r->cpu_quota);
                snprintf(text, sizeof(text), "%s %" PRIu64, quota,
                         r->has_cpu_period && r->cpu_period ? r->cpu_period : 100000);
                set_text(t, "cpu.max", text);
        }
        set_number(t, "cpu.max.burst", r->has_cpu_burst, (int64_t)r->cpu_burst);
}

static void set_throttles(struct target *t, const char *key, const struct oci_throttle *list, size_t count)
{
        char text[96];
        for (size_t i = 0; i < count; i++) {
                snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %s=%" PRIu64, list[i].major, list[i].minor, key,
                         list[i].rate);
                set_text(t, "io.max", text);
        }
}

static void set_io(struct target *t, const struct oci_resources *r)
{
        char text[80];
        if (r->has_blkio_weight && r->blkio_weight) {
                bool bfq = cgroup_has(v2_procs(), t->path, "io.bfq.weight");
                /* 10..1000 to 1..10000 where no BFQ takes it as it is */
                unsigned weight = r->blkio_weight < 10 ? 10 : r->blkio_weight;
                set_number(t, bfq ? "io.bfq.weight" : "io.weight", true, bfq ? weight : 1 + (weight - 10) * 9999 / 990);
        }
        for (size_t i = 0; i < r->weight_device_count; i++) {
                snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %u", r->weight_devices[i].major,
                         r->weight_devices[i].minor, r->weight_devices[i].weight);
                set_text(t, "io.bfq.weight", text);
        }
        set_throttles(t, "rbps", r->read_bps, r->read_bps_count);
        set_throttles(t, "wbps", r->write_bps, r->write_bps_count);
        set_throttles(t, "riops", r->read_iops, r->read_iops_count);
        set_throttles(t, "wiops", r->write_iops, r->write_iops_count);
}

static void set_others(struct target *t, const struct oci_resources *r)
{
        set_number(t, "pids.max", r->has_pids_limit, r->pids_limit > 0 ? r->pids_limit : -1);
        if (!str_empty(r->cpuset_cpus))
                set_text(t, "cpuset.cpus", r->cpuset_cpus);
        if (!str_empty(r->cpuset_mems))
                set_text(t, "cpuset.mems", r->cpuset_mems);
        for (size_t i = 0; i < r->hugepage_count; i++) {
                char file[80];
                snprintf(file, sizeof(file), "hugetlb.%.40s.max", r->hugepages[i].page_size);
                set_number(t, file, !strchr(file, '/'), (int64_t)(r->hugepages[i].limit & INT64_MAX));
        }
        for (size_t i = 0; i < r->rdma_count; i++) {
                const struct oci_rdma *d = &r->rdma[i];
                char text[200];
                int n = snprintf(text, sizeof(text), "%.100s", d->device);
                if (d->has_handles)
                        n += snprintf(text + n, sizeof(text) - (size_t)n, " hca_handle=%u", d->handles);
                if (d->has_objects)
                        snprintf(text + n, sizeof(text) - (size_t)n, " hca_object=%u", d->objects);
                set_text(t, "rdma.max", text);
        }
}

/* "memory.high=1000": files of v2 as they are. */
static void set_unified(struct target *t, char *const *entries)
{
        STRV_FOREACH (entry, entries) {
                const char *equals = strchr(*entry, '=');
                if (!equals || equals == *entry || memchr(*entry, '/', (size_t)(equals - *entry)) ||
                    !memchr(*entry, '.', (size_t)(equals - *entry))) {
                        t->failed = err_set(t->err, ERR_INVALID, "linux.resources.unified: \"%s\"", *entry) < 0;
                        return;
                }
                _cleanup_free_ char *file = xstrndup(*entry, (size_t)(equals - *entry));
                if (!t->failed)
                        t->failed = cgroup_write(v2_procs(), t->path, file, equals + 1, t->err) < 0;
        }
}

/* Only the first user namespace may load such programs; in another one devices cannot be made anyway. */
static bool in_user_namespace(void)
{
        _cleanup_free_ char *line = NULL;
        struct err unused = ERR_INIT;
        unsigned a, b, c;
        return file_line_at(AT_FDCWD, "/proc/self/uid_map", &line, &unused) == 0 &&
               sscanf(line, "%u %u %u", &a, &b, &c) == 3 && (a || b || c != UINT32_MAX);
}

static int set_devices(const char *path, const struct oci_resources *r, struct err *err)
{
        if (!r->device_count)
                return 0;
        _cleanup_free_ char *full = cgroup_file(v2_procs(), path, "");
        _cleanup_close_ int fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "open cgroup %s", full);
        if (device_filter_attach(fd, r->devices, r->device_count, err) == 0)
                return 0;
        if (err->sys != EPERM || (geteuid() == 0 && !in_user_namespace()))
                return -1;
        err_clear(err);
        return 0;
}

static int v2_apply(const char *path, const struct oci_resources *r, bool update, struct err *err)
{
        struct target t = { path, err, false };
        if (set_devices(path, r, err) < 0)
                return -1;
        set_memory(&t, r);
        set_cpu(&t, r);
        set_io(&t, r);
        set_others(&t, r);
        set_unified(&t, r->unified);
        return t.failed ? -1 : 0;
}

/* ---- freezer ---- */

static bool v2_frozen(const char *path)
{
        return cgroup_read_u64(v2_procs(), path, "cgroup.freeze", 0) == 1;
}

/* cgroup.events tells by POLLPRI when the state has been reached. */
static int v2_freeze(const char *path, bool frozen, struct err *err)
{
        _cleanup_free_ char *events = cgroup_file(v2_procs(), path, "cgroup.events");
        _cleanup_close_ int fd = open(events, O_RDONLY | O_CLOEXEC);
        char text[256];
        if (fd < 0)
                return err_sys(err, "%s", events);
        if (cgroup_write(v2_procs(), path, "cgroup.freeze", frozen ? "1" : "0", err) < 0)
                return -1;
        for (;;) {
                ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
                if (n < 0)
                        return err_sys(err, "%s", events);
                text[n] = 0;
                if (strstr(text, frozen ? "frozen 1" : "frozen 0"))
                        return 0;
                struct pollfd p = { .fd = fd, .events = POLLPRI };
                if (poll(&p, 1, FREEZE_MS) == 0)
                        return err_set(err, ERR_TIMEOUT, "the group did not become %s", frozen ? "frozen" : "thawed");
        }
}

/* ---- end, numbers ---- */

static int v2_remove(const char *path, struct err *err)
{
        return cgroup_rmdir(v2_procs(), path, err);
}
static uint64_t v2_oom_kills(const char *path)
{
        return cgroup_read_key(v2_procs(), path, "memory.events", "oom_kill", 0);
}

/* Adds up "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ..." over the devices. */
static void io_stats(const char *path, struct cgroup_stats *s)
{
        _cleanup_free_ char *full = cgroup_file(v2_procs(), path, "io.stat");
        _cleanup_fclose_ FILE *f = fopen(full, "re");
        char line[512];
        while (f && fgets(line, sizeof(line), f)) {
                uint64_t v[4];
                const char *at = strstr(line, "rbytes=");
                if (!at || sscanf(at, "rbytes=%" SCNu64 " wbytes=%" SCNu64 " rios=%" SCNu64 " wios=%" SCNu64, &v[0],
                                  &v[1], &v[2], &v[3]) != 4)
                        continue;
                s->io_read_bytes += v[0];
                s->io_write_bytes += v[1];
                s->io_read_ops += v[2];
                s->io_write_ops += v[3];
        }
}

static void v2_stats(const char *path, struct cgroup_stats *s)
{
        const char *top = v2_procs();
        s->cpu_usage_ns = cgroup_read_key(top, path, "cpu.stat", "usage_usec", 0) * 1000;
        s->cpu_user_ns = cgroup_read_key(top, path, "cpu.stat", "user_usec", 0) * 1000;
        s->cpu_system_ns = cgroup_read_key(top, path, "cpu.stat", "system_usec", 0) * 1000;
        s->throttled_periods = cgroup_read_key(top, path, "cpu.stat", "nr_throttled", 0);
        s->throttled_ns = cgroup_read_key(top, path, "cpu.stat", "throttled_usec", 0) * 1000;
        s->memory_usage = cgroup_read_u64(top, path, "memory.current", 0);
        s->memory_limit = cgroup_read_u64(top, path, "memory.max", UINT64_MAX);
        s->memory_max_usage = cgroup_read_u64(top, path, "memory.peak", 0);
        s->memory_inactive_file = cgroup_read_key(top, path, "memory.stat", "inactive_file", 0);
        s->memory_swap = cgroup_read_u64(top, path, "memory.swap.current", 0);
        s->pids_current = cgroup_read_u64(top, path, "pids.current", 0);
        s->pids_limit = cgroup_read_u64(top, path, "pids.max", UINT64_MAX);
        io_stats(path, s);
}

const struct cgroup_driver cgroup_v2 = {
        .create = v2_create,
        .exists = v2_exists,
        .join = v2_join,
        .join_self = v2_join_self,
        .apply = v2_apply,
        .freeze = v2_freeze,
        .frozen = v2_frozen,
        .remove = v2_remove,
        .oom_kills = v2_oom_kills,
        .stats = v2_stats,
        .procs = v2_procs,
};
