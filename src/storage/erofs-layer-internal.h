/* A layer as its plain tar and an EROFS index over it, while it is made. In the staging directory, later in the layer's:
 *
 *     tar     the archive, byte for byte (padded with zeros to 512; its length is in meta)
 *     extra   content that does not lie in the tar in one piece: sparse files, and files of lower layers that this one links to. Only where
 *             there is such
 *     index   written at commit, when the layers below are there to be asked
 *
 *     erofs_layer_begin -> tar_place() with erofs_layer_sink() (unpack-internal.h) -> erofs_layer_finish -> erofs_layer_done */
#ifndef TARE_STORAGE_EROFS_LAYER_INTERNAL_H
#define TARE_STORAGE_EROFS_LAYER_INTERNAL_H

#include "storage/erofs-tree-internal.h"
#include "storage/place-internal.h"
#include "storage/unpack-internal.h"

#define EROFS_TAR_NAME "tar"
#define EROFS_EXTRA_NAME "extra"
#define EROFS_INDEX_NAME "index"

struct erofs_layer {
        struct layer_staging *staging; /* borrowed */
        struct erofs_tree *tree;
        struct place_count count;
        struct layer_limits limits;
        int tar_fd, extra_fd; /* extra: -1 until it is needed */
        uint64_t tar_size, extra_size;
        /* the regular file whose content comes */
        struct erofs_node *file;
        char file_path[4096];
        uint64_t file_pos;
        bool scattered; /* goes into extra */
};

/* Begins, or begins anew: what was there of an earlier archive goes. */
int erofs_layer_begin(struct layer_staging *l, const struct layer_limits *limits, struct err *err);
DEFINE_CLEANUP(struct erofs_layer *, erofs_layer_free)
/* What the parsing stage is to call. */
struct tar_sink erofs_layer_sink(struct erofs_layer *p);
/* Links to files below, attributes of directories that were not named, the index; then all is on its way to the disk. */
int erofs_layer_finish(struct layer_staging *l, const struct lowers *parents, struct err *err);

/* --- erofs-extra.c --- */
/* Room for a file of that size, aligned to a page; the node is told. Nothing is written: what is not, reads as zeros. */
int erofs_extra_add(struct erofs_layer *p, struct erofs_node *n, uint64_t size, struct err *err);
int erofs_extra_write(struct erofs_layer *p, const struct erofs_node *n, const void *data, size_t len, uint64_t offset, struct err *err);
/* `len` bytes of an open file, to the beginning of the node's room. */
int erofs_extra_copy(struct erofs_layer *p, const struct erofs_node *n, int from, uint64_t from_at, uint64_t len, struct err *err);

/* --- erofs-dirs.c --- */
/* The directory `path` (len bytes); links on the way are resolved inside the layer. make: what is missing is made, as implied and of this
 * time. NULL without err: not there. */
struct erofs_node *erofs_dir_reach(struct erofs_layer *p, const char *path, size_t len, bool make, const struct erofs_node *times, struct err *err);
bool erofs_is_whiteout(const struct erofs_node *n);

#endif
