/* The whole system: consistency, disk use, information, boot. */
#ifndef TARE_ENGINE_SYSTEM_H
#define TARE_ENGINE_SYSTEM_H

#include "base/err.h"
#include "base/json.h"
#include "engine/engine.h"

/* Finds and repairs mismatches between database, disk, kernel objects and processes; told gets one line for each thing done (repair) or to
 * be done (!repair). *ret_found counts them. */
int system_check(struct engine *e, bool repair, void (*told)(void *data, const char *line), void *data, unsigned *ret_found, struct err *err);
int system_df(struct engine *e, json_t **ret, struct err *err);
int system_info(struct engine *e, json_t **ret, struct err *err);

#endif
