/* The halves of container_create() that container_run() puts into a transaction of its own. */
#ifndef TARE_ENGINE_CREATE_INTERNAL_H
#define TARE_ENGINE_CREATE_INTERNAL_H

#include "engine/containers.h"

/* No row yet: image found, config merged and checked (taken over: *config is left empty), id and name chosen. */
int container_prepare(struct engine *e, struct container_config *config, const char *name, struct container *ret, struct err *err);
/* In the caller's transaction. */
int container_insert(struct engine *e, struct container *c, bool name_given, struct err *err);
/* Takes an address and ports as the definition asks, in the caller's transaction. */
int container_reserve(struct engine *e, struct container *c, struct network *ret_network, struct err *err);
/* Starts a container whose row says running, whose lock is held and whose endpoint is reserved. */
int container_launch(struct engine *e, struct container *c, const struct network *network, int run_dir, const struct container_start *how,
                     int *ret_client, struct err *err);

#endif
