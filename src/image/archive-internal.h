/* What the readers and writers of archives share. */
#ifndef TARE_IMAGE_ARCHIVE_INTERNAL_H
#define TARE_IMAGE_ARCHIVE_INTERNAL_H

#include <pthread.h>
#include "image/archive.h"
#include "image/images-internal.h"

#define ANNOTATION_REF_NAME "org.opencontainers.image.ref.name" /* image-spec annotations.md */
#define ANNOTATION_IMAGE_NAME "io.containerd.image.name" /* the whole name, as docker and containerd write it */

/* --- members.c: the files of an archive, spooled into the blob store as they come past --- */
struct member {
        char *name; /* cleaned; a key only, never a path */
        char *digest; /* of its content, a blob; NULL for a link */
        char *link; /* name of the member meant, cleaned; NULL for a file */
        uint64_t size;
        size_t order;
};
struct members {
        struct member *list; /* sorted by name once read */
        size_t count, cap;
        char **added; /* blobs that were not here before */
        struct buf manifest, index; /* manifest.json and index.json, empty when absent */
};
void members_done(struct members *m);
#define _cleanup_members_ _cleanup_(members_done)
int members_read(struct storage *st, int fd, const struct layer_limits *limits, struct members *ret, struct err *err);
/* Through links; NULL when there is none. */
const struct member *members_find(const struct members *m, const char *name);

/* --- plain.c: a stream without the compressions storage/ does not know (xz, bzip2); gzip and zstd pass as they are --- */
struct plain;
/* *ret_fd: read end; stays the plain's. */
int plain_open(int fd, struct plain **ret, int *ret_fd, struct err *err);
/* After the reader is done: what went wrong on the way in, if anything did. */
int plain_finish(struct plain *p, struct err *err);
void plain_free(struct plain *p);
DEFINE_CLEANUP(struct plain *, plain_free)

/* "media type" and compression of a layer blob by its first bytes. */
int layer_media_type(struct storage *st, const char *digest, const char **ret, struct err *err);
/* A configuration gets "created now" in the form documents use. */
void config_set_created(struct image_config *config, int64_t now);

#endif
