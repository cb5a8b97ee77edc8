/* Images by name: the tables of names and images, resolution, tags, removal. Documents and layers are in storage/.
 *
 * An image is known by its id, the digest of its configuration (as docker's IMAGE ID). A name (canonical reference) points at a target digest:
 * the manifest or, when pulled as such, the index it was chosen from, with the manifest of our platform beside it.
 *
 * Rows appear in one durable transaction after all content is in place; deleting the last name of an image deletes its row, and content no
 * row reaches is removed under storage_lock (exclusive, without waiting; what could not be removed then is found by prune).
 */
#ifndef TARE_IMAGE_IMAGES_H
#define TARE_IMAGE_IMAGES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/db.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/selection.h"
#include "oci/config.h"
#include "oci/image.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "storage/storage.h"

extern const struct db_schema image_schema;

struct image {
        char *id;                      /* "sha256:.." of the configuration */
        char *manifest;                /* digest of the manifest */
        char *media_type;              /* of the manifest */
        char *platform;                /* "linux/amd64" */
        char **chain;                  /* chain ids, lowest first: what snapshot roots are made of */
        int64_t created;               /* ns, from the configuration; 0 unknown */
        int64_t added;                 /* ns, when it came here */
        uint64_t size;                 /* bytes of all its layers' files */
        char **names;                  /* familiar references "debian:12", sorted; empty: dangling */
        char **digests;                /* familiar "debian@sha256:.." */
        char *parent;                  /* id of the image it was built upon here, or NULL */
};
void image_done(struct image *i);
#define _cleanup_image_ _cleanup_(image_done)
void images_free(struct image *list, size_t count);

/* Name, name@digest, id or unique id prefix (docker's rules: a name wins). ERR_NOT_FOUND "No such image: X". platform NULL: the host's
 * when the name has several. */
int image_find(struct db *db, const char *text, const struct platform *platform, struct image *ret, struct err *err);
/* Only what the start of a container needs: id, manifest, chain. One indexed query. */
int image_find_brief(struct db *db, const char *text, struct image *ret, struct err *err);
int image_read_config(struct storage *st, const struct image *i, struct image_config *ret, struct err *err);
int image_read_manifest(struct storage *st, const struct image *i, struct manifest *ret, struct err *err);

struct image_filter {
        bool all;                      /* intermediates of builds too */
        const char *reference;         /* "deb*:1?" pattern on familiar names, or a name; NULL: all */
        int dangling;                  /* -1: any */
        char *const *labels;           /* "k" or "k=v" */
        const char *before, *since;    /* image names or ids */
};
int image_list(struct db *db, struct storage *st, const struct image_filter *f, struct image **ret, size_t *ret_count, struct err *err);

/* Records content that is in storage as an image, and names it (name may be NULL). All within one durable transaction. target: digest of the
 * index it was chosen from, or NULL. size: bytes of all layers' files. Moves the name from another image if it had it.
 * digest_known: the registry told this digest under this name, so "name@digest" is listed as a repo digest. */
struct image_record {
        const char *manifest;          /* digest; blob must be stored */
        const char *media_type;
        const struct reference *name;
        const char *index;
        const char *parent;
        bool digest_known;
        bool intermediate;
};
int image_record(struct db *db, struct storage *st, const struct image_record *record, struct image *ret, struct err *err);

int image_tag(struct db *db, const char *source, const struct reference *name, struct err *err);
/* docker rmi: a name is untagged; the last one, or an id, deletes. in_use says whether a container uses the image (id); NULL: none does.
 * ERR_CONFLICT as docker words it. An image forced away under a stopped container is hidden and keeps its content until prune finds that
 * container gone. Each thing done is told: "Untagged: x", "Deleted: sha256:..". */
struct image_remove {
        bool force, no_prune;
        /* Called inside the write transaction on db, so that no container can come to be between the question and the deletion. */
        bool (*in_use)(void *data, const char *image_id, char ret_container[65], bool *ret_running);
        void (*told)(void *data, const char *line);
        void *data;
        const struct selection *only;  /* image_prune: NULL, or which */
};
int image_remove(struct db *db, struct storage *st, const char *text, const struct image_remove *how, struct err *err);
/* dangling images (all: unused ones) and unreachable content. */
int image_prune(struct db *db, struct storage *st, bool all, const struct image_remove *how, uint64_t *ret_bytes, struct err *err);
/* Content unreachable from any row (and not kept by keep()): blobs, layers. Needs the exclusive lock; ERR_CONFLICT when writers are at work. */
int image_collect(struct db *db, struct storage *st, bool (*keep_layer)(void *data, const char *chain_id), void *data,
                  uint64_t *ret_bytes, struct err *err);

/* Builds manifest and configuration blobs for layers made here and records the image. media types OCI. */
struct image_make {
        const struct image_config *config;     /* diff_ids and history final */
        const struct descriptor *layers;       /* one per diff_id */
        size_t layer_count;
        const struct reference *name;          /* or NULL */
        const char *parent;
        bool intermediate;
        char *const *annotations;
};
int image_make(struct db *db, struct storage *st, const struct image_make *m, struct image *ret, struct err *err);

/* Makes a layer of some image here again from its blob, and those below it, where they are missing. */
int image_layers_restore(struct db *db, struct storage *st, const char *chain_id, struct err *err);

struct image_history_row { char *id; int64_t created; char *created_by; char *comment; uint64_t size; };
/* Newest first; id is "<missing>" or the image's for the first row. */
int image_history(struct db *db, struct storage *st, const char *text, struct image_history_row **ret, size_t *ret_count, struct err *err);
void image_history_free(struct image_history_row *rows, size_t count);
/* docker image inspect's document. */
int image_inspect(struct db *db, struct storage *st, const char *text, json_t **ret, struct err *err);

#endif
