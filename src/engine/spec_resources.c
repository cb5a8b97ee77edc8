/* Limits of a container as runtime-spec resources and rlimits. */
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/spec-internal.h"

static void memory_limits(const struct container_config *c, struct oci_resources *r)
{
        if (c->memory > 0) {
                r->has_memory_limit = true;
                r->memory_limit = c->memory;
                /* docker's rule: as much swap again as memory, unless told */
                r->has_memory_swap = true;
                r->memory_swap = c->memory_swap == 0 ? 2 * c->memory : c->memory_swap;
        }
        if (c->memory_reservation > 0) {
                r->has_memory_reservation = true;
                r->memory_reservation = c->memory_reservation;
        }
        if (c->memory_swappiness >= 0) {
                r->has_swappiness = true;
                r->swappiness = (uint64_t)c->memory_swappiness;
        }
        r->has_disable_oom_killer = r->disable_oom_killer = c->oom_kill_disable;
}

static void cpu_limits(const struct container_config *c, struct oci_resources *r)
{
        int64_t quota = c->cpu_quota, period = c->cpu_period;
        if (c->nano_cpus > 0) {
                period = 100000;
                quota = (c->nano_cpus * period + 999999999) / 1000000000;
        }
        if (c->cpu_shares > 0) {
                r->has_cpu_shares = true;
                r->cpu_shares = (uint64_t)c->cpu_shares;
        }
        if (quota) {
                r->has_cpu_quota = true;
                r->cpu_quota = quota;
        }
        if (period > 0) {
                r->has_cpu_period = true;
                r->cpu_period = (uint64_t)period;
        }
        if (!str_empty(c->cpuset_cpus))
                r->cpuset_cpus = xstrdup(c->cpuset_cpus);
        if (!str_empty(c->cpuset_mems))
                r->cpuset_mems = xstrdup(c->cpuset_mems);
}

/* "/dev/sda:10mb" or "/dev/sda:1000" */
static int throttle_parse(const char *text, bool bytes, struct oci_throttle *ret, struct err *err)
{
        const char *colon = strrchr(text, ':');
        if (!colon || colon == text)
                return err_set(err, ERR_INVALID, "bad format: %s", text);
        _cleanup_free_ char *path = xstrndup(text, (size_t)(colon - text));
        struct stat st;
        if (stat(path, &st) < 0)
                return err_sys(err, "%s", path);
        if (!S_ISBLK(st.st_mode))
                return err_set(err, ERR_INVALID, "%s is not a block device", path);
        ret->major = major(st.st_rdev);
        ret->minor = minor(st.st_rdev);
        return bytes ? parse_size(colon + 1, &ret->rate, err) : parse_u64(colon + 1, &ret->rate, err);
}

static int throttles(char *const *texts, bool bytes, struct oci_throttle **ret, size_t *ret_count, struct err *err)
{
        *ret = xcalloc(strv_len(texts) + 1, sizeof(**ret));
        STRV_FOREACH (text, texts)
                if (throttle_parse(*text, bytes, &(*ret)[(*ret_count)++], err) < 0)
                        return -1;
        return 0;
}

/* "/dev/sda:500" */
static int weights(char *const *texts, struct oci_resources *r, struct err *err)
{
        r->weight_devices = xcalloc(strv_len(texts) + 1, sizeof(*r->weight_devices));
        STRV_FOREACH (text, texts) {
                struct oci_throttle one = { 0 };
                if (throttle_parse(*text, false, &one, err) < 0)
                        return -1;
                if (one.rate < 10 || one.rate > 1000)
                        return err_set(err, ERR_INVALID, "invalid weight for device: %s: range is 10 to 1000", *text);
                r->weight_devices[r->weight_device_count++] =
                        (struct oci_weight_device){ .major = one.major, .minor = one.minor, .weight = (uint16_t)one.rate };
        }
        return 0;
}

/* "2MB=64m" */
static int hugepages(char *const *texts, struct oci_resources *r, struct err *err)
{
        r->hugepages = xcalloc(strv_len(texts) + 1, sizeof(*r->hugepages));
        STRV_FOREACH (text, texts) {
                const char *equals = strchr(*text, '=');
                uint64_t limit;
                if (!equals || equals == *text || parse_size(equals + 1, &limit, err) < 0)
                        return err_set(err, ERR_INVALID, "--hugetlb-limit %s: write the size of a page and a limit (2MB=64m)", *text);
                r->hugepages[r->hugepage_count++] =
                        (struct oci_hugepage){ .page_size = xstrndup(*text, (size_t)(equals - *text)), .limit = limit };
        }
        return 0;
}

/* "0x100001" or 1048577 */
static int class_id(const char *text, struct oci_resources *r, struct err *err)
{
        char *end = NULL;
        errno = 0;
        unsigned long value = strspn(text, "0123456789") ? strtoul(text, &end, 0) : 0;
        if (!end || *end || errno || value == 0 || value > UINT32_MAX)
                return err_set(err, ERR_INVALID, "--net-cls-classid: '%s' is no class (0x100001: class 10:1)", text);
        r->has_class_id = true;
        r->class_id = (uint32_t)value;
        return 0;
}

static int special_limits(const struct container_config *c, struct oci_resources *r, struct err *err)
{
        r->has_rt_runtime = c->cpu_rt_runtime != 0;
        r->rt_runtime = c->cpu_rt_runtime;
        r->has_rt_period = c->cpu_rt_period > 0;
        r->rt_period = c->cpu_rt_period > 0 ? (uint64_t)c->cpu_rt_period : 0;
        r->has_memory_kernel = c->kernel_memory > 0;
        r->memory_kernel = c->kernel_memory;
        if ((c->blkio_weight_device && weights(c->blkio_weight_device, r, err) < 0) || (c->hugetlb_limits && hugepages(c->hugetlb_limits, r, err) < 0) ||
            (c->net_cls_classid && class_id(c->net_cls_classid, r, err) < 0))
                return -1;
        r->unified = strv_dup(c->cgroup_conf);
        return 0;
}

static const struct { const char *name, *type; } rlimits[] = {
        { "core", "RLIMIT_CORE" },       { "cpu", "RLIMIT_CPU" },         { "data", "RLIMIT_DATA" },
        { "fsize", "RLIMIT_FSIZE" },     { "locks", "RLIMIT_LOCKS" },     { "memlock", "RLIMIT_MEMLOCK" },
        { "msgqueue", "RLIMIT_MSGQUEUE" }, { "nice", "RLIMIT_NICE" },     { "nofile", "RLIMIT_NOFILE" },
        { "nproc", "RLIMIT_NPROC" },     { "rss", "RLIMIT_RSS" },         { "rtprio", "RLIMIT_RTPRIO" },
        { "rttime", "RLIMIT_RTTIME" },   { "sigpending", "RLIMIT_SIGPENDING" }, { "stack", "RLIMIT_STACK" },
};

static int rlimit_value(const char *text, uint64_t *ret, struct err *err)
{
        if (str_eq(text, "-1") || str_eq(text, "unlimited")) {
                *ret = UINT64_MAX;
                return 0;
        }
        return parse_u64(text, ret, err);
}

/* "nofile=1024[:2048]" */
static int ulimit_add(const char *text, struct oci_process *process, struct err *err)
{
        const char *equals = strchr(text, '=');
        if (!equals)
                return err_set(err, ERR_INVALID, "invalid ulimit argument: %s", text);
        _cleanup_strv_ char **values = strv_split(equals + 1, ":", true);
        uint64_t soft, hard;
        if (strv_len(values) < 1 || strv_len(values) > 2)
                return err_set(err, ERR_INVALID, "too many limit value arguments - %s, can only have up to two, `soft[:hard]`", equals + 1);
        if (rlimit_value(values[0], &soft, err) < 0 || rlimit_value(values[1] ? values[1] : values[0], &hard, err) < 0)
                return err_add(err, "invalid ulimit argument %s", text);
        for (size_t i = 0; i < ELEMENTS(rlimits); i++)
                if (strncmp(rlimits[i].name, text, (size_t)(equals - text)) == 0 && !rlimits[i].name[equals - text]) {
                        if (soft > hard)
                                return err_set(err, ERR_INVALID, "ulimit soft limit must be less than or equal to hard limit: %s", equals + 1);
                        oci_spec_add_rlimit(process, rlimits[i].type, soft, hard);
                        return 0;
                }
        return err_set(err, ERR_INVALID, "invalid ulimit type: %.*s", (int)(equals - text), text);
}

/* "c 10:200 rwm" */
static int device_rule_add(const char *text, struct oci_resources *r, struct err *err)
{
        char type, major_text[16], minor_text[16], access[4];
        if (sscanf(text, "%c %15[0-9*]:%15[0-9*] %3[rwm]", &type, major_text, minor_text, access) != 4 || !strchr("abc", type))
                return err_set(err, ERR_INVALID, "invalid device cgroup rule format: '%s'", text);
        int64_t numbers[2] = { -1, -1 };
        if ((!str_eq(major_text, "*") && parse_i64(major_text, &numbers[0], err) < 0) ||
            (!str_eq(minor_text, "*") && parse_i64(minor_text, &numbers[1], err) < 0))
                return -1;
        oci_spec_add_device_rule(r, true, type, numbers[0], numbers[1], access);
        return 0;
}

int spec_add_resources(const struct container_config *c, struct oci_spec *spec, struct err *err)
{
        struct oci_resources *r = &spec->resources;
        memory_limits(c, r);
        cpu_limits(c, r);
        if (c->pids_limit) {
                r->has_pids_limit = true;
                r->pids_limit = c->pids_limit;
        }
        if (c->blkio_weight > 0) {
                r->has_blkio_weight = true;
                r->blkio_weight = (uint16_t)c->blkio_weight;
        }
        if (throttles(c->device_read_bps, true, &r->read_bps, &r->read_bps_count, err) < 0 ||
            throttles(c->device_write_bps, true, &r->write_bps, &r->write_bps_count, err) < 0 ||
            throttles(c->device_read_iops, false, &r->read_iops, &r->read_iops_count, err) < 0 ||
            throttles(c->device_write_iops, false, &r->write_iops, &r->write_iops_count, err) < 0)
                return -1;
        if (special_limits(c, r, err) < 0)
                return -1;
        STRV_FOREACH (rule, c->device_cgroup_rules)
                if (device_rule_add(*rule, r, err) < 0)
                        return -1;
        STRV_FOREACH (ulimit, c->ulimits)
                if (ulimit_add(*ulimit, &spec->process, err) < 0)
                        return -1;
        if (c->oom_score_adj) {
                spec->process.has_oom_score_adj = true;
                spec->process.oom_score_adj = (int32_t)c->oom_score_adj;
        }
        return 0;
}
