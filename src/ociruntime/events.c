/* events: one JSON document a line, with the fields of runc's. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include "base/json.h"
#include "base/proc.h"
#include "base/timefmt.h"
#include "ociruntime/lifecycle-internal.h"
#include "runtime/cgroup.h"

#define OOM_MS 200 /* between two looks at the counter of OOM kills */

static void set_u64(json_t *o, const char *name, uint64_t value)
{
        json_object_set_new(o, name, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

static json_t *cpu_json(const struct cgroup_stats *s)
{
        json_t *usage = json_object(), *throttling = json_object();
        set_u64(usage, "total", s->cpu_usage_ns);
        set_u64(usage, "kernel", s->cpu_system_ns);
        set_u64(usage, "user", s->cpu_user_ns);
        set_u64(throttling, "throttledPeriods", s->throttled_periods);
        set_u64(throttling, "throttledTime", s->throttled_ns);
        return json_pack("{s:o, s:o}", "usage", usage, "throttling", throttling);
}

static json_t *memory_json(const struct cgroup_stats *s)
{
        json_t *usage = json_object(), *swap = json_object(), *raw = json_object();
        set_u64(usage, "limit", s->memory_limit);
        set_u64(usage, "usage", s->memory_usage);
        set_u64(usage, "max", s->memory_max_usage);
        set_u64(swap, "usage", s->memory_swap);
        set_u64(raw, "inactive_file", s->memory_inactive_file);
        return json_pack("{s:o, s:o, s:o}", "usage", usage, "swap", swap, "raw", raw);
}

static json_t *block_json(const struct cgroup_stats *s)
{
        const struct { const char *list, *op; uint64_t value; } rows[] = {
                { "ioServiceBytesRecursive", "Read", s->io_read_bytes }, { "ioServiceBytesRecursive", "Write", s->io_write_bytes },
                { "ioServicedRecursive", "Read", s->io_read_ops },       { "ioServicedRecursive", "Write", s->io_write_ops },
        };
        json_t *o = json_object();
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                json_t *list = json_object_get(o, rows[i].list), *row = json_pack("{s:s}", "op", rows[i].op);
                if (!list)
                        json_object_set_new(o, rows[i].list, list = json_array());
                set_u64(row, "value", rows[i].value);
                json_array_append_new(list, row);
        }
        return o;
}

static void print_event(const char *type, const char *id, json_t *data)
{
        _cleanup_json_ json_t *o = json_object();
        json_object_set_new(o, "type", json_string(type));
        json_object_set_new(o, "id", json_string(id));
        if (data)
                json_object_set_new(o, "data", data);
        _cleanup_free_ char *text = json_text(o);
        puts(text);
        fflush(stdout);
}

static int print_stats(const char *id, struct cgroup *cg, struct err *err)
{
        struct cgroup_stats s;
        if (cgroup_stats(cg, &s, err) < 0)
                return -1;
        json_t *data = json_object(), *pids = json_object();
        set_u64(pids, "current", s.pids_current);
        if (s.pids_limit != UINT64_MAX)
                set_u64(pids, "limit", s.pids_limit);
        json_object_set_new(data, "cpu", cpu_json(&s));
        json_object_set_new(data, "memory", memory_json(&s));
        json_object_set_new(data, "pids", pids);
        json_object_set_new(data, "blkio", block_json(&s));
        print_event("stats", id, data);
        return 0;
}

static int follow(const struct container *c, struct cgroup *cg, int64_t interval, struct err *err)
{
        _cleanup_close_ int fd = proc_open(c->state.pid, c->state.start_time, err);
        if (fd < 0)
                return -1;
        uint64_t kills = cgroup_oom_kills(cg);
        for (int64_t next = time_monotonic() + interval;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                int n = poll(&p, 1, OOM_MS);
                uint64_t now = cgroup_oom_kills(cg);
                for (; kills < now; kills++)
                        print_event("oom", c->state.id, NULL);
                if (n > 0 || ferror(stdout))
                        return 0; /* it has ended, or nobody listens */
                if (time_monotonic() < next)
                        continue;
                next += interval;
                if (print_stats(c->state.id, cg, err) < 0)
                        return -1;
        }
}

int verb_events(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        _cleanup_container_ struct container c = CONTAINER_INIT;
        _cleanup_(cgroup_freep) struct cgroup *cg = NULL;
        int64_t interval = (int64_t)5 * 1000000000;
        if (o->interval && parse_duration(o->interval, &interval, err) < 0)
                return -1;
        if (interval <= 0)
                return err_set(err, ERR_INVALID, "duration interval must be greater than 0");
        if (container_open(p->root, args[0], false, &c, err) < 0)
                return -1;
        if (container_status(&c) == CONTAINER_STOPPED)
                return err_set(err, ERR_CONFLICT, "container with id %s is not running", args[0]);
        if (container_cgroup(&c, &cg, err) < 0)
                return -1;
        if (!cg)
                return err_set(err, ERR_UNSUPPORTED, "the container has no control group");
        return o->stats ? print_stats(c.state.id, cg, err) : follow(&c, cg, interval, err);
}
