/* What the snapshot drivers and the files that unpack, diff and copy share. A driver is one file in drivers/ and one row of the
 * table in snapshot.c; everything that is alike for directories is done by snapshot.c, layers.c and roots.c:
 *
 *     ROOT/driver                     name of the driver in use
 *     ROOT/<driver>/ready             "trusted" or "user": whose overlay attributes this data root uses; written last
 *     ROOT/<driver>/layers/<hex>/     a committed layer: meta (size, parent), diff/ (what the driver keeps of it), or for erofs the files of
 *                                     erofs-layer-internal.h
 *     ROOT/<driver>/staging/<random>/ a layer being made, flock'd by its maker
 *     ROOT/<driver>/roots/<id>/       a writable root: chain (written last: without it there is no root), and the driver's own
 *     ROOT/<driver>/unsettled/        which layers are not known to be on disk, see settle-internal.h
 *     ROOT/<driver>/trash/<random>    on its way out: whatever lies here is removed by the next sweep
 */
#ifndef TARE_STORAGE_SNAPSHOT_INTERNAL_H
#define TARE_STORAGE_SNAPSHOT_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "base/buf.h"
#include "storage/snapshot.h"
#include "storage/keymap-internal.h"

struct snapshot_driver;
struct erofs_layer;
struct layer_mount;

struct snapshots {
        const struct snapshot_driver *driver;
        struct layer_mount *mounts; /* layers that are mounted for us, by drivers that need it; until the store is closed */
        char *dir; /* ROOT/<driver>, absolute */
        int dir_fd;
        ino_t mark_ino; /* what entries in unsettled/ this process has made durable; 0: none */
        bool settle_due; /* it has published layers that nobody has synced */
        bool user_xattr; /* not the first user namespace's root: user.overlay.* and the mount option userxattr */
};

/* The layers below something, nearest first, as directories. */
struct lowers {
        int *fds;
        size_t count;
};
void lowers_done(struct lowers *l);
#define _cleanup_lowers_ _cleanup_(lowers_done)

struct deferred_link {
        char *path, *target;
};

struct layer_staging {
        struct snapshots *s;
        char name[48]; /* in staging/ */
        int dir_fd; /* staging/<name>, locked */
        int tree_fd; /* staging/<name>/diff: what unpacking fills */
        char *parent; /* chain id or NULL */
        bool root_named; /* the archive said what "/" is like; else the parent's is taken */
        struct namelist implied; /* directories the archive did not name, without leading slash */
        struct deferred_link *links; /* hard links whose target is in no entry of this layer */
        size_t link_count;
        struct erofs_layer *packed; /* for drivers that keep archives; tar_size: once it is finished */
        uint64_t tar_size;
        struct namelist whiteouts, opaques; /* for drivers that keep whole trees: paths without leading slash */
        bool derived; /* can be made again from its blob: published unsynced, see settle-internal.h */
        bool committed;
};

struct snapshot_driver {
        const char *name;
        bool packed; /* a layer is its archive and an index over it (erofs-layer-internal.h), not a tree */
        bool whole_trees; /* a layer's diff/ holds all of its chain, and a root's tree all files */
        const char *writable; /* the directory of a root that holds its files */
        /* Can this kernel and file system serve it: 0, or an error (ERR_UNSUPPORTED). May set s->user_xattr. */
        int (*probe)(struct snapshots *s, struct err *err);
        /* A committed layer ("layers/<hex>") as a directory, and its name for a mount; NULL: its diff/. The name holds while the store is open. */
        int (*layer_open)(struct snapshots *s, const char *name, struct err *err);
        char *(*layer_path)(struct snapshots *s, const char *name, struct err *err);
        /* Owner and mode of its "/". */
        int (*layer_stat)(struct snapshots *s, const char *name, struct stat *ret, struct err *err);
        /* For snapshots_keep_mounts(); NULL: nothing to keep. */
        void (*mounts_hold)(struct snapshots *s);
        /* A name (below parent_fd) or everything in a directory (O_PATH or not) of lower layers is gone. path: from the layer's root. */
        int (*whiteout)(struct layer_staging *l, int parent_fd, const char *name, const char *path, struct err *err);
        int (*opaque)(struct layer_staging *l, int dir_fd, const char *path, struct err *err);
        /* Before a layer is synced: its tree is complete but for what only the driver knows. NULL: nothing to do. */
        int (*layer_finish)(struct layer_staging *l, const struct lowers *parents, struct err *err);
        /* Fills a new root's directory. chain: lowest first. */
        int (*root_prepare)(struct snapshots *s, int root_fd, char *const *chain, struct err *err);
        int (*root_mount)(struct snapshots *s, const char *id, int root_fd, char *const *chain, bool transient,
                          struct oci_mount *ret, struct err *err);
        int (*root_open)(struct snapshots *s, const char *id, int root_fd, char *const *chain, bool writable,
                         struct err *err);
};
extern const struct snapshot_driver snapshot_overlay, snapshot_vfs, snapshot_erofs;

#define LAYER_TREE "diff"
#define CHAIN_MAX 1024 /* layers of one image: IMAGE_LAYERS_MAX */

/* --- layers.c --- */
/* "sha256:ab.." -> "layers/ab.."; ERR_INVALID. */
#define LAYER_NAME_SIZE 192
int layer_name(const char *chain_id, char ret_name[LAYER_NAME_SIZE], struct err *err);
/* The chain that ends in chain_id, lowest first, from the layers' meta files. */
int layer_chain(struct snapshots *s, const char *chain_id, char ***ret, struct err *err);
/* --- erofs-layer.c --- */
void erofs_layer_free(struct erofs_layer *p);
/* --- drivers/erofs.c --- */
void layer_mounts_close(struct snapshots *s);
/* --- lowers.c --- */
/* Directories of a chain as the driver keeps them: all layers nearest first, or the topmost alone for whole trees. */
int lowers_open(struct snapshots *s, char *const *chain, struct lowers *ret, struct err *err);
/* The nearest lower that has `path` (relative, no links followed, whiteouts honoured) as an O_PATH descriptor; -1 with ENOENT. */
int lowers_lookup(const struct snapshots *s, const struct lowers *l, const char *path, size_t *ret_index);
bool overlay_is_whiteout(const struct snapshots *s, uint32_t mode, uint32_t rdev_major, uint32_t rdev_minor);
bool overlay_is_opaque(const struct snapshots *s, int dir_fd);
/* What only the driver may see of extended attributes: its own bookkeeping. */
bool xattr_is_private(const char *name);

/* --- roots.c --- */
/* Opens roots/<id>; with its chain. ERR_NOT_FOUND. */
int root_load(struct snapshots *s, const char *id, int *ret_fd, char ***ret_chain, struct err *err);
/* Id of the boot a root was made or last mounted in, against this one's. */
int boot_id_read(char ret_id[40], struct err *err);
int root_boot_matches(int root_fd, bool *ret_same, struct err *err);
int root_boot_note(int root_fd, struct err *err);

/* --- snapshot.c --- */
/* Renames `name` (in the driver's directory) into trash/ and removes it there. */
int trash_remove(struct snapshots *s, const char *name, struct err *err);
/* Removes what trash/ holds and stagings nobody works on that are older than max_age seconds. */
int snapshots_sweep(struct snapshots *s, int64_t max_age, unsigned *ret_removed, struct err *err);

#endif
