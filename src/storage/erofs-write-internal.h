/* A tree as an EROFS image: the same bytes for the same tree. Memory is that of the tree; the image is written from front to back. */
#ifndef TARE_STORAGE_EROFS_WRITE_INTERNAL_H
#define TARE_STORAGE_EROFS_WRITE_INTERNAL_H

#include "storage/erofs-tree-internal.h"

struct erofs_image {
        unsigned block_bits; /* 9: what a tar needs */
        uint64_t sizes[EROFS_BACKINGS]; /* of the backing files; the image names those that are not empty, in this order */
};

/* Writes at the descriptor's position. Uses the tree up: it can only be freed afterwards. ERR_TOO_LARGE: index and backing files
 * together have more blocks than 32 bits count (2 TiB). */
int erofs_write(struct erofs_tree *t, const struct erofs_image *image, int fd, struct err *err);

#endif
