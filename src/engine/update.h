/* Changing a container that may be running. The row is changed first, in one transaction, then the kernel (but for ports that go, which are
 * closed before): a kill in between leaves a container that has the new definition from its next start on. When the kernel refuses a limit or
 * a port, the row is put back. */
#ifndef TARE_ENGINE_UPDATE_H
#define TARE_ENGINE_UPDATE_H

#include "base/err.h"
#include "engine/container_config.h"
#include "engine/engine.h"

/* What is 0, NULL or (memory_swappiness) -1 stays as it is. */
struct container_update {
        /* Limits, restart_policy; and to be added: ports, mounts, labels, env, extra_hosts. memory -1: no limit any more. */
        const struct container_config *config;
        char *const *publish_rm;       /* as published, or "HOSTPORT:PORT[/proto]", "PORT[/proto]" */
        char *const *mount_rm;         /* targets */
        char *const *label_rm, *const *env_rm;         /* names */
};
/* *ret_later: what this run of the container does not see, "environment", "mount at /x: why"; NULL: all is done. Owned by the caller. */
int container_update(struct engine *e, const char *name, const struct container_update *u, char ***ret_later, struct err *err);

#endif
