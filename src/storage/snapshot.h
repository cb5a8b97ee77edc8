/* Layers on disk and the writable roots upon them, behind one driver contract (drivers/overlay.c, drivers/vfs.c, ...).
 *
 * A layer that can be made again from its blob need not be waited for (layer_derived): it is visible at once, a settler syncs it later, and one
 * that the machine went down with before is gone when the store is next opened. So a layer of an image may be missing at any time: who needs it
 * makes it again (layer_ensure, image_layers_restore, engine_layers).
 *
 * A layer is named by its chain id (image-spec config.md), so a driver may store what it likes of the chain: overlay keeps
 * the layer's own files, vfs a whole copy. Layers appear by rename, are read-only for ever, and are removed by the
 * caller who knows reachability. A root is a container's (or build step's) writable top.
 *
 *     layer: layer_begin -> [layer_derived] -> unpack into its directory (see layer.h) -> layer_commit
 *     root:  root_create -> root_mount (the description is given to runtime/, or root_open) -> root_remove
 *
 * Nothing is mounted in the caller's mount namespace: root_mount only describes; root_open makes a detached mount.
 */
#ifndef TARE_STORAGE_SNAPSHOT_H
#define TARE_STORAGE_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/mem.h"
#include "oci/runtime_spec.h"
#include "storage/quota.h"

struct snapshots;                      /* an open driver on ROOT/<driver>/ */
struct layer_staging;                  /* a layer being made; opaque to callers */

/* driver NULL: the one recorded in ROOT/driver, else the best this kernel and file system offers. */
int snapshots_open(const char *root, const char *driver, struct snapshots **ret, struct err *err);
void snapshots_close(struct snapshots *s);
DEFINE_CLEANUP(struct snapshots *, snapshots_close)
const char *snapshots_driver(const struct snapshots *s);

/* --- layers --- */
bool layer_exists(struct snapshots *s, const char *chain_id);
/* parent: chain id or NULL. parent need not exist yet (layers of one pull unpack side by side); it must at commit. */
int layer_begin(struct snapshots *s, const char *parent, struct layer_staging **ret, struct err *err);
/* Makes it visible under its chain id; size: bytes of the files. An existing layer of that id is success (ours is dropped).
 * Hard links to files of lower layers, kept back by unpacking, are resolved here. */
int layer_commit(struct layer_staging *l, const char *chain_id, uint64_t size, struct err *err);
/* Before it is filled: its blob is in the store, or will be before anything names the layer. Its commit does not sync. */
void layer_derived(struct layer_staging *l);
/* Before several such layers are made: what their commits would each wait for is done at once. */
int layers_expect(struct snapshots *s, char *const *chain_ids, size_t count, struct err *err);
/* After one of them failed: of those that did not come nothing is kept. */
void layers_unexpect(struct snapshots *s);
/* This process has committed such layers: somebody should call snapshots_settle(), though nothing is wrong when nobody does. */
bool snapshots_settle_due(const struct snapshots *s);
/* Syncs until every layer is known to be on disk; seconds, maybe. Another who is at it is waited for, or with wait false left alone. */
#define LAYER_SUSPECT "suspect-" /* how names in trash/ begin of what was taken away when the store was opened */
int snapshots_settle(struct snapshots *s, bool wait, struct err *err);
void layer_abort(struct layer_staging *l);             /* frees; removes what was not committed */
DEFINE_CLEANUP(struct layer_staging *, layer_abort)
int layer_remove(struct snapshots *s, const char *chain_id, struct err *err);
int layer_size(struct snapshots *s, const char *chain_id, uint64_t *ret_bytes, struct err *err);
int layers_walk(struct snapshots *s, int (*fn)(void *data, const char *chain_id, struct err *err), void *data, struct err *err);

/* --- roots --- */
/* chain: the chain ids of the image's layers, lowest first (strv, may be empty for scratch). */
int root_create(struct snapshots *s, const char *id, char *const *chain, struct err *err);
/* How to mount it: type, source, options for fsconfig (overlay: "lowerdir+=/abs" lowest last, "upperdir=", "workdir=", flags).
 * transient: the root need not survive a power cut (--rm): overlay adds "volatile". */
int root_mount(struct snapshots *s, const char *id, bool transient, struct oci_mount *ret, struct err *err);
/* A descriptor of the whole tree as the container sees it, through a detached mount of our own. */
int root_open(struct snapshots *s, const char *id, bool writable, struct err *err);
/* For a process that is about to become a container's monitor by exec: mounts that root_mount() made stay open in it, for other containers to
 * share. */
void snapshots_keep_mounts(struct snapshots *s);
bool root_exists(struct snapshots *s, const char *id);
/* What the container writes is counted for that project of the file system, and limited; for a root that was just made, and again before
 * each start. ERR_UNSUPPORTED also for drivers whose roots are whole copies. root_limit_probe(): could it be done? */
int root_limit(struct snapshots *s, const char *id, uint32_t project, const struct quota_limit *limit, struct err *err);
int root_limit_probe(struct snapshots *s, struct err *err);
/* Host path of the directory that holds what the container wrote; heap. To be told, not to be used. */
char *root_writable_path(struct snapshots *s, const char *id);
int root_remove(struct snapshots *s, const char *id, struct err *err);
/* The first half of root_remove(): it is gone for everybody, and what it held lies where root_discarded_path() says until somebody takes
 * it away (snapshots_sweep() would). For who has no time: each directory that goes can cost a wait for the disk. */
int root_discard(struct snapshots *s, const char *id, struct err *err);
char *root_discarded_path(struct snapshots *s, const char *id);
int root_usage(struct snapshots *s, const char *id, uint64_t *ret_bytes, struct err *err);
int roots_walk(struct snapshots *s, int (*fn)(void *data, const char *id, struct err *err), void *data, struct err *err);

/* What changed in a root against its layers: 'A' added, 'C' changed, 'D' deleted; path begins with '/'. Sorted by path. A directory is
 * 'C' when something below it changed, as docker says. */
typedef int (*root_change_fn)(void *data, char kind, const char *path, struct err *err);
int root_changes(struct snapshots *s, const char *id, root_change_fn fn, void *data, struct err *err);

#endif
