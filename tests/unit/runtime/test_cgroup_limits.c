/* Every field of linux.resources, by what the kernel then says or does: for v1, hybrid and v2, where each is mounted. net_cls and
 * net_prio are mounted for the test, in a mount namespace of its own, where nobody else has them. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

static struct cgroup_layout real;
static struct cgroup_hierarchy *found; /* kept: it is of the layout that real replaces */
static char path[64];

static int clean(void **state)
{
        struct err err = ERR_INIT;
        struct cgroup *cg;
        char *top = xstrndup(path, strcspn(path + 1, "/") + 1);
        if (cgroup_open(top, &cg, &err) == 0) {
                assert_int_equal(cgroup_remove(cg, &err), 0);
                cgroup_free(cg);
        }
        free(top);
        return 0;
}

/* The controller's own hierarchy, or the v2 mount. */
static void expect(const char *controller, const char *file, const char *wanted)
{
        struct err err = ERR_INIT;
        const char *top = *controller ? cgroup_top_of(controller) : cgroup_layout()->unified;
        _cleanup_free_ char *full = cgroup_file(top, path, file);
        _cleanup_buf_ struct buf b = BUF_INIT(65536);
        assert_int_equal(file_read_at(AT_FDCWD, full, &b, &err), 0);
        if (!strstr(b.data ? b.data : "", wanted))
                fail_msg("%s: \"%s\" and not \"%s\"", file, b.data, wanted);
}

static bool is_v1(void)
{
        return cgroup_layout()->count > 0;
}

struct row {
        struct oci_resources r;
        const char *v1[3], *v2[3];     /* controller, file, value; v2: "" as controller; NULL: refused */
        const char *field;             /* that a refusal names */
};

#define MEMORY .has_memory_limit = true, .memory_limit = 64 << 20
static const struct row rows[] = {
        { { MEMORY }, { "memory", "memory.limit_in_bytes", "67108864" }, { "", "memory.max", "67108864" }, NULL },
        { { MEMORY, .has_memory_swap = true, .memory_swap = 96 << 20 }, { "memory", "memory.memsw.limit_in_bytes", "100663296" },
          { "", "memory.swap.max", "33554432" }, NULL },
        { { .has_memory_reservation = true, .memory_reservation = 32 << 20 }, { "memory", "memory.soft_limit_in_bytes", "33554432" },
          { "", "memory.low", "33554432" }, NULL },
        { { .has_memory_kernel_tcp = true, .memory_kernel_tcp = 16 << 20 }, { "memory", "memory.kmem.tcp.limit_in_bytes", "16777216" },
          { NULL }, "memory.kernelTCP" },
        { { .has_swappiness = true, .swappiness = 33 }, { "memory", "memory.swappiness", "33" }, { NULL }, "memory.swappiness" },
        { { .has_disable_oom_killer = true, .disable_oom_killer = true }, { "memory", "memory.oom_control", "oom_kill_disable 1" }, { NULL },
          "memory.disableOOMKiller" },
        { { .has_disable_oom_killer = true }, { "memory", "memory.oom_control", "oom_kill_disable 0" }, { "", "memory.max", "max" }, NULL },
        { { .has_cpu_shares = true, .cpu_shares = 512 }, { "cpu", "cpu.shares", "512" }, { "", "cpu.weight", "20" }, NULL },
        { { .has_cpu_quota = true, .cpu_quota = 25000, .has_cpu_period = true, .cpu_period = 50000, .has_cpu_burst = true, .cpu_burst = 10000 },
          { "cpu", "cpu.cfs_burst_us", "10000" }, { "", "cpu.max", "25000 50000" }, NULL },
        { { .has_cpu_quota = true, .cpu_quota = 25000 }, { "cpu", "cpu.cfs_quota_us", "25000" }, { "", "cpu.max", "25000 100000" }, NULL },
        { { .has_cpu_period = true, .cpu_period = 50000 }, { "cpu", "cpu.cfs_period_us", "50000" }, { "", "cpu.max", "max 50000" }, NULL },
        { { .has_cpu_idle = true, .cpu_idle = 1, .has_cpu_shares = true, .cpu_shares = 512 }, { "cpu", "cpu.idle", "1" }, { "", "cpu.idle", "1" }, NULL },
        { { .cpuset_cpus = (char *)"0", .cpuset_mems = (char *)"0" }, { "cpuset", "cpuset.cpus", "0\n" }, { "", "cpuset.cpus", "0\n" }, NULL },
        { { .has_pids_limit = true, .pids_limit = 9 }, { "pids", "pids.max", "9\n" }, { "", "pids.max", "9\n" }, NULL },
        { { .has_pids_limit = true, .pids_limit = -1 }, { "pids", "pids.max", "max" }, { "", "pids.max", "max" }, NULL },
        { { .has_class_id = true, .class_id = 0x100001 }, { "net_cls", "net_cls.classid", "1048577" }, { NULL }, "network.classID" },
        { { .net_prios = &(struct oci_net_prio){ (char *)"lo", 3 }, .net_prio_count = 1 }, { "net_prio", "net_prio.ifpriomap", "lo 3" }, { NULL },
          "network.priorities" },
        { { .has_blkio_leaf_weight = true, .blkio_leaf_weight = 100 }, { NULL }, { NULL }, "blockIO.leafWeight" },
        { { .hugepages = &(struct oci_hugepage){ (char *)"../x", 1 }, .hugepage_count = 1 }, { NULL }, { NULL }, "hugepageLimits" },
        { { .rdma = &(struct oci_rdma){ .device = (char *)"no0", .has_handles = true, .handles = 1 }, .rdma_count = 1 }, { NULL }, { NULL }, "rdma" },
};

static void every_field(void **state)
{
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct err err = ERR_INIT;
                struct cgroup *cg = NULL;
                const struct row *row = &rows[i];
                const char *const *want = is_v1() ? row->v1 : row->v2;
                int r = cgroup_create(path, &row->r, &cg, &err);
                if (r == 0 && !want[0])
                        fail_msg("row %zu was taken", i);
                if (r < 0 && (want[0] || !strstr(err.msg, row->field) || !strstr(err.msg, "linux.resources.")))
                        fail_msg("row %zu: %s", i, err.msg);
                if (r < 0) {
                        assert_int_equal(cgroup_open(path, &cg, &err), -1); /* nothing is left */
                        continue;
                }
                expect(want[0], want[1], want[2]);
                assert_int_equal(cgroup_remove(cg, &err), 0);
                cgroup_free(cg);
        }
}

/* Changes whose parts are valid only together, in both directions. */
static void updates(void **state)
{
        static const struct oci_resources steps[] = {
                { MEMORY, .has_memory_swap = true, .memory_swap = 64 << 20, .has_cpu_quota = true, .cpu_quota = 50000, .has_cpu_burst = true, .cpu_burst = 50000 },
                { .has_memory_limit = true, .memory_limit = 256 << 20, .has_memory_swap = true, .memory_swap = 512 << 20, .has_cpu_quota = true,
                  .cpu_quota = 900000, .has_cpu_period = true, .cpu_period = 1000000, .has_cpu_burst = true, .cpu_burst = 900000 },
                { .has_memory_limit = true, .memory_limit = 32 << 20, .has_memory_swap = true, .memory_swap = 48 << 20, .has_cpu_burst = true,
                  .cpu_burst = 0, .has_cpu_quota = true, .cpu_quota = 10000, .has_cpu_period = true, .cpu_period = 10000 },
                { .has_memory_limit = true, .memory_limit = -1, .has_cpu_quota = true, .cpu_quota = -1 },
        };
        static const uint64_t limits[] = { 64 << 20, 256 << 20, 32 << 20, UINT64_MAX };
        struct err err = ERR_INIT;
        struct cgroup *cg = NULL;
        struct cgroup_stats s;
        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                int r = cg ? cgroup_update(cg, &steps[i], &err) : cgroup_create(path, &steps[i], &cg, &err);
                if (r < 0)
                        fail_msg("step %zu: %s", i, err.msg);
                assert_int_equal(cgroup_stats(cg, &s, &err), 0);
                assert_true(s.memory_limit == limits[i]);
        }
        cgroup_free(cg);
}

static void hugepages_and_unified_of_a_hybrid(void **state)
{
        struct err err = ERR_INIT;
        struct cgroup *cg = NULL;
        struct oci_hugepage page = { (char *)"2MB", 4 << 20 };
        struct oci_resources none = { 0 }, r = { .hugepages = &page, .hugepage_count = 1 };
        if (cgroup_create(path, &none, &cg, &err) < 0)
                fail_msg("%s", err.msg);
        if (cgroup_update(cg, &r, &err) < 0) /* the group on v2 comes with the first limit of v2 */
                fail_msg("%s", err.msg);
        expect("", "hugetlb.2MB.max", "4194304");
        _cleanup_json_ json_t *usage = NULL;
        assert_int_equal(cgroup_usage(cg, &usage, &err), 0);
        json_t *two = json_object_get(json_object_get(usage, "hugetlb"), "2MB");
        assert_non_null(json_object_get(two, "failcnt"));
        cgroup_free(cg);
}

static int spend(void)
{
        for (volatile long i = 0; i < 20000000; i++)
                ;
        return 0;
}

static void usage_has_runcs_keys(void **state)
{
        struct err err = ERR_INIT;
        struct cgroup *cg = NULL;
        struct oci_resources r = { MEMORY, .has_pids_limit = true, .pids_limit = 9, .has_cpu_quota = true, .cpu_quota = 5000 };
        if (cgroup_create(path, &r, &cg, &err) < 0)
                fail_msg("%s", err.msg);
        pid_t pid = fork();
        if (pid == 0)
                _exit(cgroup_join(cg, getpid(), &err) < 0 ? 1 : spend());
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        _cleanup_json_ json_t *u = NULL;
        assert_int_equal(cgroup_usage(cg, &u, &err), 0);
        json_t *cpu = json_object_get(u, "cpu"), *memory = json_object_get(u, "memory");
        assert_true(json_integer_value(json_object_get(json_object_get(cpu, "usage"), "total")) > 1000000);
        assert_true(json_integer_value(json_object_get(json_object_get(cpu, "throttling"), "throttledPeriods")) > 0);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(memory, "usage"), "limit")), 64 << 20);
        assert_true(json_object_size(json_object_get(memory, "raw")) > 10);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(u, "pids"), "limit")), 9);
        assert_non_null(json_object_get(u, "blkio"));
        if (is_v1())
                assert_true(json_array_size(json_object_get(json_object_get(cpu, "usage"), "percpu")) > 0);
        else
                assert_non_null(json_object_get(json_object_get(json_object_get(cpu, "psi"), "some"), "avg10"));
        cgroup_free(cg);
}

static void holes_of_v1(void **state)
{
        struct err err = ERR_INIT;
        struct cgroup *cg = NULL;
        struct oci_device_rule rules[] = { { false, 'a', -1, -1, "rwm" }, { true, 'c', 1, -1, "rwm" }, { false, 'c', 1, 5, "rwm" } };
        struct oci_resources r = { .devices = rules, .device_count = 3 };
        int result = cgroup_create(path, &r, &cg, &err);
        assert_int_equal(result, is_v1() ? -1 : 0); /* v2 can; v1 would leave the device open */
        assert_int_equal(err.kind, is_v1() ? ERR_UNSUPPORTED : ERR_NONE);
        cgroup_free(cg);
}

/* v1 controllers that nobody mounts here; kept from others by the namespace. */
static char tops[2][64];
static void mount_more(void)
{
        static const char *const names[] = { "net_cls", "net_prio" };
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return;
        real.list = memcpy(xcalloc(real.count + 2, sizeof(*real.list)), found, real.count * sizeof(*real.list));
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                snprintf(tops[i], sizeof(tops[i]), "/tmp/tare-cg-XXXXXX");
                if (cgroup_top_of(names[i]) || !mkdtemp(tops[i]))
                        continue;
                if (mount("none", tops[i], "cgroup", 0, names[i]) == 0)
                        real.list[real.count++] = (struct cgroup_hierarchy){ (char *)names[i], tops[i] };
                else
                        fprintf(stderr, "# %s cannot be mounted: %s\n", names[i], strerrordesc_np(errno));
        }
        cgroup_layout_set(&real);
}

static bool is_registered(const char *name)
{
        char line[128], word[32];
        int hierarchy = 0;
        _cleanup_fclose_ FILE *f = fopen("/proc/cgroups", "re");
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "%31s %d", word, &hierarchy) == 2 && str_eq(word, name))
                        return hierarchy != 0;
        return false;
}

static void unmount_more(void)
{
        static const char *const names[] = { "net_cls", "net_prio" };
        for (size_t i = 0; i < 2; i++) {
                if (!*tops[i])
                        continue;
                (void)umount(tops[i]);
                /* Just after the end of a group a hierarchy stays registered; the next unmount takes it away. */
                for (int round = 0; round < 10 && is_registered(names[i]); round++) {
                        usleep(200000);
                        if (mount("none", tops[i], "cgroup", 0, names[i]) == 0)
                                (void)umount(tops[i]);
                        usleep(100000);
                }
                (void)rmdir(tops[i]);
        }
}

int main(void)
{
        if (geteuid() != 0)
                return 77;
        real = *cgroup_layout();
        found = real.list;
        snprintf(path, sizeof(path), "/tare-cglimit-%d/one", (int)getpid());
        if (real.count)
                mount_more();
#define ROW(name) cmocka_unit_test_setup_teardown(name, NULL, clean)
        const struct CMUnitTest all[] = { ROW(every_field), ROW(updates), ROW(usage_has_runcs_keys), ROW(holes_of_v1) };
        const struct CMUnitTest hybrid[] = { ROW(hugepages_and_unified_of_a_hybrid) };
        int failed = cmocka_run_group_tests_name("limits", all, NULL, NULL);
        if (cgroup_supports("hugetlb", "none", "hugetlb") && cgroup_layout()->unified)
                failed += cmocka_run_group_tests_name("hybrid", hybrid, NULL, NULL);
        unmount_more();
        return failed;
}
