/* events: one JSON document a line, with the fields of runc's. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include "base/json.h"
#include "base/proc.h"
#include "base/timefmt.h"
#include "ociruntime/lifecycle-internal.h"
#include "runtime/cgroup.h"

#define NO_LIMIT "9223372036854775807" /* in what cgroup_usage() tells */
#define OOM_MS 200 /* between two looks at the counter of OOM kills */

/* "No limit" is the largest number of 64 bits for who reads this, and jansson has only 63. */
static void print_data(const json_t *data)
{
        _cleanup_free_ char *text = json_text(data);
        const char *at = text;
        for (const char *limit; (limit = strstr(at, ":" NO_LIMIT)); at = limit + strlen(":" NO_LIMIT))
                printf("%.*s:18446744073709551615", (int)(limit - at), at);
        fputs(at, stdout);
}

static void print_event(const char *type, const char *id, const json_t *data)
{
        _cleanup_json_ json_t *o = json_pack("{s:s, s:s}", "type", type, "id", id);
        _cleanup_free_ char *head = json_text(o);
        printf("%.*s%s", (int)strlen(head) - 1, head, data ? ",\"data\":" : "");
        if (data)
                print_data(data);
        puts("}");
        fflush(stdout);
}

/* What runc's line has even where the kernel has no number for it: who decodes it may count on that. */
static json_t *always(void)
{
        static const char *const cpuset[] = { "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
                                              "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level" };
        static const char *const memory[] = { "usage", "swap", "kernel", "kernelTCP" };
        json_t *o = json_pack("{s:{s:{s:i, s:i}, s:{}}, s:{}, s:{s:{}}, s:{}, s:{}, s:{}, s:{}, s:n}", "cpu", "usage", "kernel", 0, "user", 0,
                              "throttling", "cpuset", "memory", "raw", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces");
        for (size_t i = 0; i < ELEMENTS(cpuset); i++)
                json_object_set_new(json_object_get(o, "cpuset"), cpuset[i], json_integer(0));
        for (size_t i = 0; i < ELEMENTS(memory); i++)
                json_object_set_new(json_object_get(o, "memory"), memory[i], json_pack("{s:i, s:i}", "limit", 0, "failcnt", 0));
        return o;
}

static int print_stats(const char *id, struct cgroup *cg, struct err *err)
{
        json_t *data = NULL;
        if (cgroup_usage(cg, &data, err) < 0)
                return -1;
        _cleanup_json_ json_t *all = always();
        json_object_update_recursive(all, data);
        json_decref(data);
        print_event("stats", id, all);
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
