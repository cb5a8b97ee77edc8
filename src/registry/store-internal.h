/* The registry server's own files below its root: which repository holds what.
 *
 *   blobs/ ingest/                              storage/blobs.h; manifests are blobs too
 *   repositories/<path>/_manifests/<hex>        a manifest of the repository: its media type
 *                      /_tags/<tag>             a digest
 *                      /_layers/<hex>           empty: the blob may be read through this repository
 *                      /_referrers/<hex>/<hex>  descriptor (JSON) of the second, whose subject is the first
 *   uploads/<id>                                an open upload: its repository
 *   lock, serving                               see below
 *
 * No component of a repository's name begins with "_", so that names and nouns never meet. <hex> of sha256 or, being longer,
 * of sha512. Every name was checked by names-internal.h before it comes here. */
#ifndef TARE_REGISTRY_STORE_INTERNAL_H
#define TARE_REGISTRY_STORE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "storage/blobs.h"

#define MEDIA_TYPE_MAX 255

struct store {
        int root_fd;
        struct blobs *blobs;
};
int store_open(const char *root, struct store *ret, struct err *err);
void store_done(struct store *s);

/* Shared: while something is made that relies on blobs being there. Exclusive: while such things are removed. */
int store_lock(struct store *s, bool exclusive, struct err *err);
/* Held shared as long as a server runs, so that the collector knows whether pushes may be going on. */
int store_serving_lock(struct store *s, bool exclusive, bool wait, struct err *err);

bool repository_exists(struct store *s, const char *name);
/* Names of all repositories that hold a manifest (with_empty: or anything else), sorted. */
int repositories_list(struct store *s, bool with_empty, char ***ret, struct err *err);
/* Entries of one of its folders ("_tags", "_referrers/<hex>"), sorted; a missing folder is empty. */
int repository_entries(struct store *s, const char *name, const char *folder, char ***ret, struct err *err);

/* One entry: its text, which may be empty. put: durable, by rename. */
int entry_get(struct store *s, const char *name, const char *folder, const char *entry, struct buf *ret, struct err *err);
int entry_put(struct store *s, const char *name, const char *folder, const char *entry, const char *text, struct err *err);
int entry_remove(struct store *s, const char *name, const char *folder, const char *entry, struct err *err);
bool entry_exists(struct store *s, const char *name, const char *folder, const char *entry);

/* True when the repository may give this blob and the blob is there. */
bool layer_held(struct store *s, const char *name, const char *digest, uint64_t *ret_size);
/* Makes it so; the blob counts as just used. */
int layer_hold(struct store *s, const char *name, const char *digest, struct err *err);
/* Sets its time to now, which keeps the collector off for a while. */
void blob_touch(struct store *s, const char *digest);

/* "<hex>" -> "sha256:<hex>"; false when it is the hex part of no digest. */
bool digest_from_hex(const char *hex, char ret[DIGEST_SIZE]);

#endif
