/* What the commands on networks share. */
#ifndef TARE_CLI_NETWORK_INTERNAL_H
#define TARE_CLI_NETWORK_INTERNAL_H

#include "base/db.h"
#include "cli/prune-internal.h"
#include "engine/engine.h"
#include "net/network.h"

/* fn in one durable transaction. */
int network_transaction(struct engine *e, int (*fn)(struct db *db, void *data, struct err *err), void *data,
                        struct err *err);
/* Removes the networks nobody is in that the filters (base/selection.h) name. */
int network_prune(struct engine *e, char *const *filters, struct prune_told *told, struct err *err);
void network_tell(struct engine *e, const struct network *n, const char *action);
int network_drop(struct engine *e, struct network *n, struct err *err);
/* The default network, which the first container makes, is listed and inspected before that too. */
int network_default_ensure(struct engine *e, struct err *err);

#endif
