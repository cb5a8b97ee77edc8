/* Layers that are here but not yet known to be on the disk.
 *
 * A layer that can be made again from its blob is not waited for: it is published as it stands in memory, and an entry tells so. The entry is
 * durable before the layer is published, and goes after a sync of the file system that began after that:
 *
 *     ROOT/<driver>/unsettled/<hex>           holds the boot id; the layer of that name is not known to be on disk
 *     ROOT/<driver>/unsettled/<hex>.settling  the same, while its sync is on the way
 *     ROOT/<driver>/layers/                   flock'd by whoever changes entries or publishes a layer that has one
 *     ROOT/<driver>/trash/                    flock'd by the settler for as long as it lives
 *
 * An entry that does not hold this boot's id (also: that cannot be read) was left by a machine that went down: its layer is suspect. An entry
 * without a layer says nothing. The folder is gone when nothing is unsettled.
 *
 * A settler claims an entry by renaming it when its layer is there; whoever publishes a layer looks for the plain name under the lock, and makes
 * it when it is not there. So an entry that goes never stands for a layer that came after the sync began. */
#ifndef TARE_STORAGE_SETTLE_INTERNAL_H
#define TARE_STORAGE_SETTLE_INTERNAL_H

#include "storage/snapshot-internal.h"

/* What snapshots_open() does: layers that a machine took down with it are moved to trash. One system call when nothing is unsettled. */
int unsettled_recover(struct snapshots *s, struct err *err);
/* The lock to hold from unsettled_ensure() until the layer is renamed. */
int unsettled_lock(struct snapshots *s, struct err *err);
/* The layer, which is not there, has a durable entry that no settler has claimed. Cheap when layers_expect() was called with it. */
int unsettled_ensure(struct snapshots *s, const char *chain_id, struct err *err);
/* The layer, which is not there, has no entry: one that comes now is synced. With the lock held. */
int unsettled_clear(struct snapshots *s, const char *chain_id, struct err *err);
/* Entries whose layer is not there and, max_age seconds old, will hardly come; a folder that is empty. */
int unsettled_sweep(struct snapshots *s, int64_t max_age, struct err *err);

#endif
