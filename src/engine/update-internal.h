/* The parts of container_update(). */
#ifndef TARE_ENGINE_UPDATE_INTERNAL_H
#define TARE_ENGINE_UPDATE_INTERNAL_H

#include "engine/engine-internal.h"
#include "engine/update.h"

/* update_config.c: changes the definition. ERR_NOT_FOUND for what is to be removed and is not there. *ret_limits: limits changed. */
int update_config(struct container_config *c, const struct container_update *u, bool *ret_limits, struct err *err);
/* As if made anew, but for what only looked right at the time it was made. */
int update_check(struct container_config *c, struct err *err);

/* update_live.c: brings one thing into a running container. */
/* memory: its limits too, and none where there is none. */
int update_limits(const struct container *c, bool memory, struct err *err);
int update_hosts(struct engine *e, const struct container *c, char *const *added, struct err *err);
/* The container's lock is held; m is one of its definition. */
int update_mount(struct engine *e, const struct container *c, const struct mount_request *m, struct err *err);
int update_unmount(const struct container *c, const char *target, struct err *err);

#endif
