/* What containers use: now, for `stats` and metrics, and added up over all runs, for bills.
 *
 * A collector looks at all running containers (or those named) in one pass; it keeps what does not change, so that a pass costs a few
 * reads a container. One collector is for one thread.
 *
 * Metering: at the end of a run its figures are taken from the control group, before that is removed, and from the file of its monitor
 * (runtime/meter_file.h), and written into the table `meters` in the transaction that ends the run: (container, started) is a run, started 0 the
 * sum of those before the last two. They go with the container; the event "die" has those of its run. A run that the machine took down with
 * it is what was last written by stats_checkpoint(), or nothing. */
#ifndef TARE_ENGINE_STATS_H
#define TARE_ENGINE_STATS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/mem.h"
#include "engine/containers.h"
#include "runtime/cgroup.h"

struct container_meter {
        uint64_t runs;
        uint64_t run_ms;
        uint64_t cpu_ns, cpu_user_ns, cpu_system_ns;
        uint64_t memory_byte_ms;       /* without inactive file pages */
        uint64_t memory_peak;          /* the highest of all runs */
        uint64_t io_read_bytes, io_write_bytes, io_read_ops, io_write_ops;
        uint64_t received, sent;       /* bytes of a network of its own */
        uint64_t oom_kills;
        uint64_t cpu_waiting_us, memory_waiting_us, memory_stalled_us, io_waiting_us, io_stalled_us;   /* cgroup v2 */
};

/* Strings are the collector's. */
struct stats_sample {
        const char *id, *name, *image, *group;         /* group: path of the control group */
        enum container_state state;
        bool running;                  /* has a group to be measured; else the numbers of now are 0 */
        int64_t started;               /* ns since the epoch */
        int64_t at;                    /* monotonic ns */
        uint64_t host_ns;              /* time all processors of the host have passed so far, idle or not */
        struct cgroup_stats now;
        uint64_t working_set;          /* stats_memory() */
        uint64_t received, sent;
        struct container_meter run, total;     /* this run; and with those before; only with `metering` */
};

struct stats_options {
        char *const *names;            /* NULL: whoever runs */
        bool all;                      /* without names: stopped ones too */
        bool metering;                 /* `total`, and every number of `now` */
};
struct stats_collector;
/* ERR_NOT_FOUND for a name that there is not. */
int stats_open(struct engine *e, const struct stats_options *o, struct stats_collector **ret, struct err *err);
void stats_close(struct stats_collector *c);
DEFINE_CLEANUP(struct stats_collector *, stats_close)
/* One pass: newest first, or as named; valid until the next. Containers that came or went in between are in it or not. */
int stats_collect(struct stats_collector *c, const struct stats_sample **ret, size_t *ret_count, struct err *err);
/* Writes the last pass's totals down, so that a machine that goes down takes no more than what came after. Needs `metering`. */
int stats_checkpoint(struct stats_collector *c, struct err *err);
unsigned stats_processors(void);       /* online */
/* Percent of one processor between two passes, docker's way: of the time the host's processors passed. */
double stats_cpu_percent(const struct stats_sample *before, const struct stats_sample *now);
/* Memory as docker counts it: inactive file pages do not count. */
uint64_t stats_memory(const struct cgroup_stats *s);
uint64_t stats_memory_total(void);     /* of the host */

#endif
