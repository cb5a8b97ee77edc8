/* The parts of one data root together, and the lock between writers and garbage collection. */
#ifndef TARE_STORAGE_STORAGE_H
#define TARE_STORAGE_STORAGE_H

#include "base/err.h"
#include "base/mem.h"
#include "storage/blobs.h"
#include "storage/snapshot.h"

struct storage {
        char *root;                    /* absolute data root */
        struct blobs *blobs;
        struct snapshots *snapshots;
};
/* driver NULL: as recorded or the best. */
int storage_open(const char *root, const char *driver, struct storage **ret, struct err *err);
void storage_close(struct storage *s);
DEFINE_CLEANUP(struct storage *, storage_close)
/* Whoever adds content that no name in the database reaches yet (pull, build, import, load) holds the lock shared until the name is
 * written; whoever removes unreachable content holds it exclusively. wait false: ERR_CONFLICT instead of waiting. Returns a
 * descriptor to close. The kernel drops it with the process. */
int storage_lock(struct storage *s, bool exclusive, bool wait, struct err *err);
/* Removes abandoned stagings and ingests older than a day, or all when `all` (exclusive lock held). */
int storage_sweep(struct storage *s, bool all, unsigned *ret_removed, struct err *err);

#endif
