/* The pipeline behind layer_unpack and tree_from_tar:
 *
 *     caller --compressed--> ring --> thread: decompress --> ring --> thread: hash, parse, place
 *
 * The first error of any stage stops the others and is what the caller gets. */
#ifndef TARE_STORAGE_UNPACK_INTERNAL_H
#define TARE_STORAGE_UNPACK_INTERNAL_H

#include "storage/layer.h"
#include "storage/place-internal.h"
#include "storage/ring-internal.h"

struct unpack_options {
        struct placer_options place;
        enum compression compression;
        const char *diff_id; /* or NULL */
        bool foreign; /* also what libarchive alone decompresses (xz, bzip2) */
};
int unpack_begin(const struct unpack_options *options, struct layer_unpack **ret, struct err *err);
/* Everything from a descriptor. */
int unpack_pump(struct layer_unpack *u, int fd, struct err *err);

/* What becomes of an archive: a tree of files (place-internal.h) or an index (erofs-layer-internal.h). */
struct tar_sink {
        void *data;
        int (*bytes)(void *data, const void *bytes, size_t len, struct err *err); /* the archive itself, all of it; may be NULL */
        int (*entry)(void *data, struct archive_entry *e, bool *ret_wants_data, struct err *err);
        /* A piece of the entry's content: where in the file, and where in the archive. */
        int (*content)(void *data, const void *bytes, size_t len, uint64_t offset, uint64_t at, struct err *err);
        int (*close)(void *data, struct err *err);
        int (*finish)(void *data, struct err *err); /* there are no more entries */
};

/* --- tarread.c: the parsing stage. Reads until the archive and the ring end. --- */
int tar_parse(struct ring *from, struct digest *digest, bool foreign, const struct tar_sink *sink, struct err *err);

#endif
