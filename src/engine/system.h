/* The whole system: consistency, disk use, information, boot. */
#ifndef TARE_ENGINE_SYSTEM_H
#define TARE_ENGINE_SYSTEM_H

#include "base/err.h"
#include "base/json.h"
#include "engine/engine.h"

/* Finds and repairs mismatches between database, disk, kernel objects and processes; told gets one line for each thing done (repair) or to
 * be done (!repair). *ret_found counts them. */
int system_check(struct engine *e, bool repair, void (*told)(void *data, const char *line), void *data, unsigned *ret_found, struct err *err);
/* Containers in the order in which they are to be started (or stopped): all of a wave at once, then the next. */
struct boot_plan { char **ids; unsigned *waves; size_t count; unsigned wave_count; };
void boot_plan_done(struct boot_plan *p);
/* After the machine has started: repairs what was running when it went down, then names what must be up and is not. Any number of times. */
int system_boot_plan(struct engine *e, struct boot_plan *ret, struct err *err);
/* What runs, those first that others do not depend on; each is then to be given to container_shut_down(). */
int system_shutdown_plan(struct engine *e, struct boot_plan *ret, struct err *err);
int system_df(struct engine *e, json_t **ret, struct err *err);
int system_info(struct engine *e, json_t **ret, struct err *err);

#endif
