#include <errno.h>
#include <fcntl.h>
#include "ociruntime/lifecycle-internal.h"
#include "runtime/cgroup.h"

/* ---- what the options say ---- */

static int set_i64(const char *name, const char *text, bool *has, int64_t *value, struct err *err)
{
        if (!text)
                return 0;
        if (parse_i64(text, value, err) < 0)
                return err_add(err, "invalid value for %s", name);
        *has = true;
        return 0;
}

static int set_u64(const char *name, const char *text, bool *has, uint64_t *value, struct err *err)
{
        if (!text)
                return 0;
        if (parse_u64(text, value, err) < 0)
                return err_add(err, "invalid value for %s", name);
        *has = true;
        return 0;
}

/* "64m", or -1 for no limit. */
static int set_bytes(const char *name, const char *text, bool *has, int64_t *value, struct err *err)
{
        uint64_t bytes = 0;
        if (!text)
                return 0;
        bool unlimited = str_eq(text, "-1");
        if (!unlimited && (parse_size(text, &bytes, err) < 0 || bytes > INT64_MAX))
                return err_set(err, ERR_INVALID, "invalid value for %s: \"%s\"", name, text);
        *value = unlimited ? -1 : (int64_t)bytes;
        *has = true;
        return 0;
}

static int memory_from_options(const struct verb_options *o, struct oci_resources *r, struct err *err)
{
        if (set_bytes("memory", o->memory, &r->has_memory_limit, &r->memory_limit, err) < 0 ||
            set_bytes("memory-reservation", o->memory_reservation, &r->has_memory_reservation, &r->memory_reservation, err) < 0)
                return -1;
        return set_bytes("memory-swap", o->memory_swap, &r->has_memory_swap, &r->memory_swap, err);
}

static int cpu_from_options(const struct verb_options *o, struct oci_resources *r, struct err *err)
{
        if (set_u64("cpu-period", o->cpu_period, &r->has_cpu_period, &r->cpu_period, err) < 0 ||
            set_i64("cpu-quota", o->cpu_quota, &r->has_cpu_quota, &r->cpu_quota, err) < 0 ||
            set_u64("cpu-burst", o->cpu_burst, &r->has_cpu_burst, &r->cpu_burst, err) < 0 ||
            set_u64("cpu-share", o->cpu_share, &r->has_cpu_shares, &r->cpu_shares, err) < 0 ||
            set_u64("cpu-rt-period", o->cpu_rt_period, &r->has_rt_period, &r->rt_period, err) < 0 ||
            set_i64("cpu-rt-runtime", o->cpu_rt_runtime, &r->has_rt_runtime, &r->rt_runtime, err) < 0)
                return -1;
        if (o->cpuset_cpus)
                str_replace(&r->cpuset_cpus, o->cpuset_cpus);
        if (o->cpuset_mems)
                str_replace(&r->cpuset_mems, o->cpuset_mems);
        return set_i64("cpu-idle", o->cpu_idle, &r->has_cpu_idle, &r->cpu_idle, err);
}

int resources_from_options(const struct verb_options *o, struct oci_resources *r, struct err *err)
{
        uint64_t weight = 0;
        bool has_weight = false;
        if (!str_empty(o->l3_cache_schema))
                return err_set(err, ERR_UNSUPPORTED, "Intel RDT/CAT: l3 cache schema is not enabled");
        if (!str_empty(o->mem_bw_schema))
                return err_set(err, ERR_UNSUPPORTED, "Intel RDT/MBA: memory bandwidth schema is not enabled");
        if (memory_from_options(o, r, err) < 0 || cpu_from_options(o, r, err) < 0 ||
            set_i64("pids-limit", o->pids_limit, &r->has_pids_limit, &r->pids_limit, err) < 0 ||
            set_u64("blkio-weight", o->blkio_weight, &has_weight, &weight, err) < 0)
                return -1;
        if (has_weight && (weight > 1000 || (weight && weight < 10)))
                return err_set(err, ERR_INVALID, "invalid value for blkio-weight: %s", o->blkio_weight);
        r->has_blkio_weight = has_weight && weight;
        r->blkio_weight = (uint16_t)weight;
        return 0;
}

static int resources_from_file(const char *path, struct oci_resources *r, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(OCIRUNTIME_CONFIG_MAX);
        if (file_text(AT_FDCWD, path, &b, err) < 0 || oci_resources_parse(b.data, b.len, r, err) < 0)
                return err_add(err, "%s", path);
        return 0;
}

int verb_update(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        _cleanup_container_ struct container c = CONTAINER_INIT;
        _cleanup_(cgroup_freep) struct cgroup *cg = NULL;
        _cleanup_(oci_resources_done) struct oci_resources r = { 0 };
        if (container_open(p->root, args[0], true, &c, err) < 0)
                return -1;
        if ((o->resources ? resources_from_file(o->resources, &r, err) : resources_from_options(o, &r, err)) < 0)
                return -1;
        r.device_count = 0; /* the rules of devices are those of the create */
        if (container_status(&c) == CONTAINER_STOPPED)
                return err_set(err, ERR_CONFLICT, "container not running");
        if (container_cgroup(&c, &cg, err) < 0)
                return -1;
        return cg ? cgroup_update(cg, &r, err) : err_set(err, ERR_UNSUPPORTED, "the container has no control group");
}
