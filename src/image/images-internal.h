/* What the files of image/ share: reading image rows, finding them, the edges of garbage, storing documents. */
#ifndef TARE_IMAGE_IMAGES_INTERNAL_H
#define TARE_IMAGE_IMAGES_INTERNAL_H

#include "base/str.h"
#include "image/images.h"

#define IMAGE_COLUMNS "i.id, i.manifest, i.media_type, i.platform, i.chain, i.created, i.added, i.size, i.parent"

/* The row a statement stands on, its columns being IMAGE_COLUMNS from 0; names and digests stay empty. */
void image_from_row(struct db_stmt *stmt, struct image *ret);
/* Fills names and digests. */
int image_load_names(struct db *db, struct image *i, struct err *err);
/* By manifest digest, with names. ERR_NOT_FOUND. */
int image_by_manifest(struct db *db, const char *manifest, struct image *ret, struct err *err);

/* "docker.io/library/debian": the key of repositories. Heap. */
char *reference_repository(const struct reference *r);
/* The key of a name: canonical without its digest; NULL when it has no tag, or a digest that wins over the tag. Heap. */
char *reference_name_key(const struct reference *r);
/* How a text found its image: by a name (which may then be untagged) or by an id. */
enum image_text { IMAGE_TEXT_NAME, IMAGE_TEXT_DIGEST, IMAGE_TEXT_ID };
int image_resolve(struct db *db, const char *text, const struct platform *platform, struct image *ret,
                  enum image_text *ret_how, struct reference *ret_reference, struct err *err);
/* ERR_NOT_FOUND in docker's words. */
int image_no_such(const char *text, struct err *err);

/* Tells an event: "tag" of an image's id, "pull" of a name. name NULL: it has none. */
void image_tell(struct db *db, const char *action, const char *id, const char *name);

/* Where a name points: target (index or manifest) and manifest, heap. 1 found, 0 not, -1 error. */
int name_lookup(struct db *db, const char *key, char **ret_target, char **ret_manifest, struct err *err);
/* Inside a transaction. tagged: ns when a user did it here, 0 for a pull. */
int name_put(struct db *db, const struct reference *name, const char *target, const char *manifest, int64_t tagged,
             struct err *err);
int digest_put(struct db *db, const struct reference *name, const char *digest, const char *manifest, struct err *err);

/* Stores a manifest document for a configuration blob in place and layers in place. */
int manifest_store(struct storage *st, const char *config_digest, uint64_t config_size, const struct descriptor *layers,
                   size_t count, char *const *annotations, char ret_digest[DIGEST_SIZE], struct err *err);

/* Blobs and layers that may have lost their last reference: what a removal or a failed load leaves to be looked at. */
struct garbage {
        char **blobs; /* strv of digests */
        char **layers; /* strv of chain ids, lowest first */
};
void garbage_done(struct garbage *g);
#define _cleanup_garbage_ _cleanup_(garbage_done)
/* Adds all that the row of a manifest reaches. */
int garbage_add_image(struct db *db, const char *manifest, struct garbage *g, struct err *err);
/* Removes of it what no row reaches any more, when nobody is writing; else leaves it for prune. told gets "Deleted: <chain id>". */
int garbage_remove(struct db *db, struct storage *st, const struct garbage *g,
                   void (*told)(void *data, const char *line), void *data, uint64_t *ret_bytes, struct err *err);
/* 1 when some row reaches it, 0 not, -1 error. */
int blob_reachable(struct db *db, const char *digest, struct err *err);
int chain_reachable(struct db *db, const char *chain_id, struct err *err);
/* Deletes an image's row and edges inside a transaction; names must be gone. */
int image_delete_row(struct db *db, const char *manifest, struct err *err);

#endif
