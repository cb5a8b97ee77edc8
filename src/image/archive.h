/* Images as files: docker save/load (docker-archive and OCI layout in one tar, as docker >= 25 writes), import of a root file
 * system, export is engine's (a container's). */
#ifndef TARE_IMAGE_ARCHIVE_H
#define TARE_IMAGE_ARCHIVE_H

#include "image/images.h"
#include "storage/layer.h"

enum archive_format { ARCHIVE_DOCKER, ARCHIVE_OCI };   /* DOCKER also holds index.json/oci-layout, readable as both */
int image_save(struct db *db, struct storage *st, char *const *names, enum archive_format format, int out_fd, struct err *err);
/* Reads either kind (also compressed, also docker's old layout with layer.tar per id). told: "Loaded image: x". */
int image_load(struct db *db, struct storage *st, int in_fd, const struct layer_limits *limits, void (*told)(void *data, const char *line),
               void *data, struct err *err);
/* docker import: a tar (any compression) as a single-layer image. changes: Dockerfile instructions already applied in exec. */
struct image_import { const struct reference *name; const char *message; const struct image_exec *exec; const struct platform *platform;
                      struct layer_limits limits; };
int image_import(struct db *db, struct storage *st, int in_fd, const struct image_import *i, struct image *ret, struct err *err);
/* docker commit: root's changes as a layer upon image `base` (NULL: scratch). */
struct image_commit { const char *root_id; const struct image *base; const struct image_exec *exec; const char *author, *message, *created_by;
                      const struct reference *name; };
int image_commit(struct db *db, struct storage *st, const struct image_commit *c, struct image *ret, struct err *err);

#endif
