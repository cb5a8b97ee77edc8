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

/* --- tarread.c: the parsing stage. Reads until the archive and the ring end. --- */
int tar_place(struct ring *from, struct digest *digest, bool foreign, struct placer *p, struct err *err);

#endif
