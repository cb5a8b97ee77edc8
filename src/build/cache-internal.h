/* The step cache: what a step made of a state, found again by a digest of all that went into it.
 *
 * A row is a promise about content, not a claim on it: garbage collection does not look here. So a hit counts only
 * while the layer's blob is still stored; else the row is deleted and the step runs again. */
#ifndef TARE_BUILD_CACHE_INTERNAL_H
#define TARE_BUILD_CACHE_INTERNAL_H

#include <stdbool.h>
#include "base/db.h"
#include "base/digest.h"
#include "base/err.h"
#include "oci/image.h"
#include "storage/storage.h"

struct cache_entry {
        char *config; /* the configuration after the step, as text */
        struct descriptor layer; /* digest NULL: the step made none */
        char *chain; /* chain id of that layer */
};
void cache_entry_done(struct cache_entry *e);
#define _cleanup_cache_entry_ _cleanup_(cache_entry_done)

/* A key from its parts; each counts with its length, so that no two lists of parts give the same. */
struct cache_key;
struct cache_key *cache_key_new(void);
void cache_key_add(struct cache_key *k, const char *part); /* NULL allowed, and not the same as "" */
void cache_key_add_list(struct cache_key *k, char *const *parts);
void cache_key_final(struct cache_key *k, char ret_key[DIGEST_SIZE]); /* frees k */

/* 1: found; 0: not; -1. */
int cache_find(struct db *db, struct storage *st, const char *key, struct cache_entry *ret, struct err *err);
int cache_store(struct db *db, const char *key, const struct cache_entry *e, struct err *err);
/* Says that these steps led to that image, now. */
int cache_mark(struct db *db, char *const *keys, const char *image_id, struct err *err);

#endif
