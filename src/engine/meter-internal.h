/* Rows of the table `meters`; see engine/stats.h. */
#ifndef TARE_ENGINE_METER_INTERNAL_H
#define TARE_ENGINE_METER_INTERNAL_H

#include "engine/engine-internal.h"
#include "engine/stats.h"

/* One number after the other, for sums and SQL: the members of a container_meter in their order. */
#define METER_NUMBERS (sizeof(struct container_meter) / sizeof(uint64_t))
void meter_add(struct container_meter *to, const struct container_meter *more);
/* The figures of a run that goes on or has just ended: its group must still be there, else false. file: what its monitor has noted. */
bool meter_of_group(const struct cgroup_stats *s, int run_dir_fd, bool running, struct container_meter *ret);
bool meter_of_run(struct engine *e, const struct container *c, struct container_meter *ret);
/* In the caller's transaction; the run's row again is put right. */
int meter_row_write(struct engine *e, const char *id, int64_t started, const struct container_meter *m, struct err *err);
/* Sum of all runs but the one given (0: of all). */
int meter_row_sum(struct engine *e, const char *id, int64_t but_started, struct container_meter *ret, struct err *err);
/* "cpuSeconds=0.15" and its like, for the event. strv. */
char **meter_attributes(const struct container_meter *m);
/* stats_host.c: time all processors have passed. */
uint64_t stats_host_ns(void);

#endif
