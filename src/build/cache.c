#include "build/cache-internal.h"

#include "base/str.h"
#include "base/timefmt.h"

void cache_entry_done(struct cache_entry *e)
{
        free(e->config);
        free(e->chain);
        descriptor_done(&e->layer);
        *e = (struct cache_entry){ 0 };
}

struct cache_key *cache_key_new(void)
{
        return (struct cache_key *)digest_new();
}

void cache_key_add(struct cache_key *k, const char *part)
{
        _cleanup_free_ char *head = part ? xasprintf("%zu:", strlen(part)) : xstrdup("-");
        digest_update((struct digest *)k, head, strlen(head));
        if (part)
                digest_update((struct digest *)k, part, strlen(part));
}

void cache_key_add_list(struct cache_key *k, char *const *parts)
{
        _cleanup_free_ char *count = xasprintf("%zu", strv_len(parts));
        cache_key_add(k, count);
        STRV_FOREACH (p, parts)
                cache_key_add(k, *p);
}

void cache_key_final(struct cache_key *k, char ret_key[DIGEST_SIZE])
{
        digest_final((struct digest *)k, ret_key);
        digest_free((struct digest *)k);
}

static int read_row(struct db *db, const char *key, struct cache_entry *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err, "SELECT config, layer, media_type, size, chain FROM build_step WHERE key = ?", "s",
                     key) < 0)
                return -1;
        int found = db_step(q, err);
        if (found <= 0)
                return found;
        ret->config = xstrdup(db_str(q, 0));
        if (db_str(q, 1)) {
                ret->layer.digest = xstrdup(db_str(q, 1));
                ret->layer.media_type = xstrdup(db_str(q, 2) ? db_str(q, 2) : "");
                ret->layer.size = db_i64(q, 3);
                ret->chain = xstrdup(db_str(q, 4) ? db_str(q, 4) : "");
        }
        return 1;
}

int cache_find(struct db *db, struct storage *st, const char *key, struct cache_entry *ret, struct err *err)
{
        _cleanup_cache_entry_ struct cache_entry e = { 0 };
        int found = read_row(db, key, &e, err);
        if (found <= 0)
                return found;
        uint64_t size = 0;
        if (e.layer.digest && (!blob_exists(st->blobs, e.layer.digest, &size) || (int64_t)size != e.layer.size))
                return db_exec(db, NULL, err, "DELETE FROM build_step WHERE key = ?", "s", key) < 0 ? -1 : 0;
        *ret = e;
        e = (struct cache_entry){ 0 };
        return 1;
}

/* Not durable: a row lost in a power cut is a step run again. */
int cache_store(struct db *db, const char *key, const struct cache_entry *e, struct err *err)
{
        return db_exec(db, NULL, err,
                       "INSERT OR REPLACE INTO build_step (key, config, layer, media_type, size, chain, used) VALUES "
                       "(?, ?, ?, ?, ?, ?, ?)",
                       "ssssisi", key, e->config, e->layer.digest, e->layer.media_type, (int64_t)e->layer.size,
                       e->chain, time_now());
}

int cache_mark(struct db *db, char *const *keys, const char *image_id, struct err *err)
{
        int64_t now = time_now();
        if (!keys)
                return 0;
        if (db_begin(db, false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *open_tx = db;
        STRV_FOREACH (k, keys)
                if (db_exec(db, NULL, err, "UPDATE build_step SET image = ?, used = ? WHERE key = ?", "sis", image_id,
                            now, *k) < 0)
                        return -1;
        if (db_commit(db, err) < 0)
                return -1;
        open_tx = NULL;
        return 0;
}
