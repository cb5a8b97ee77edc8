/* Content nothing reaches. Reachability is a question to indexes, never the parsing of a document. */
#include "base/log.h"
#include "image/images-internal.h"
#include "storage/layer.h"

void garbage_done(struct garbage *g)
{
        strv_free(g->blobs);
        strv_free(g->layers);
        *g = (struct garbage){ 0 };
}

static int add_column(struct db *db, const char *sql, const char *manifest, char ***list, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(db, &stmt, err, sql, "s", manifest) < 0)
                return -1;
        while ((more = db_step(stmt, err)) > 0)
                if (!strv_has(*list, db_str(stmt, 0)))
                        strv_push(list, db_str(stmt, 0));
        return more;
}

int garbage_add_image(struct db *db, const char *manifest, struct garbage *g, struct err *err)
{
        if (add_column(db,
                       "SELECT digest FROM image_blobs WHERE manifest = ?1 UNION SELECT digest FROM image_index WHERE "
                       "manifest = ?1 "
                       "UNION SELECT digest FROM image_digests WHERE manifest = ?1",
                       manifest, &g->blobs, err) < 0)
                return -1;
        return add_column(db, "SELECT chain FROM image_layers WHERE manifest = ?1 ORDER BY position", manifest,
                          &g->layers, err);
}

static int any_row(struct db *db, const char *sql, const char *key, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(db, &stmt, err, sql, "s", key) < 0)
                return -1;
        return db_step(stmt, err);
}

int blob_reachable(struct db *db, const char *digest, struct err *err)
{
        return any_row(db,
                       "SELECT 1 WHERE EXISTS (SELECT 1 FROM image_blobs WHERE digest = ?1) OR "
                       "EXISTS (SELECT 1 FROM image_names WHERE target = ?1) OR EXISTS (SELECT 1 FROM image_digests "
                       "WHERE digest = ?1)",
                       digest, err);
}

int chain_reachable(struct db *db, const char *chain_id, struct err *err)
{
        return any_row(db, "SELECT 1 FROM image_layers WHERE chain = ?1 LIMIT 1", chain_id, err);
}

int image_delete_row(struct db *db, const char *manifest, struct err *err)
{
        static const char *const deletes[] = {
                "DELETE FROM images WHERE manifest = ?1",        "DELETE FROM image_blobs WHERE manifest = ?1",
                "DELETE FROM image_layers WHERE manifest = ?1",  "DELETE FROM image_index WHERE manifest = ?1",
                "DELETE FROM image_digests WHERE manifest = ?1",
        };
        for (size_t n = 0; n < ELEMENTS(deletes); n++)
                if (db_exec(db, NULL, err, deletes[n], "s", manifest) < 0)
                        return -1;
        return 0;
}

/* Removes a blob and what is known of it; its bytes are added. */
static int drop_blob(struct db *db, struct storage *st, const char *digest, uint64_t *bytes, struct err *err)
{
        uint64_t size = 0;
        if (!blob_exists(st->blobs, digest, &size))
                return 0;
        if (db_exec(db, NULL, err, "DELETE FROM blob_repositories WHERE digest = ?1", "s", digest) < 0 ||
            blob_remove(st->blobs, digest, err) < 0)
                return err_add(err, "remove blob %s", digest);
        *bytes += size;
        return 0;
}

static int drop_layer(struct storage *st, const char *chain_id, uint64_t *bytes, struct err *err)
{
        uint64_t size = 0;
        struct err ignored = ERR_INIT;
        if (!layer_exists(st->snapshots, chain_id))
                return 0;
        layer_size(st->snapshots, chain_id, &size, &ignored);
        if (layer_remove(st->snapshots, chain_id, err) < 0)
                return err_add(err, "remove layer %s", chain_id);
        *bytes += size;
        return 0;
}

static void tell(void (*told)(void *data, const char *line), void *data, const char *what, const char *name)
{
        _cleanup_free_ char *line = xasprintf("%s: %s", what, name);
        if (told)
                told(data, line);
}

static int remove_layers(struct db *db, struct storage *st, char *const *layers,
                         void (*told)(void *data, const char *line), void *data, uint64_t *bytes, struct err *err)
{
        /* The highest first: a driver may keep a layer by those above it. */
        for (size_t n = strv_len(layers); n-- > 0;) {
                int reached = chain_reachable(db, layers[n], err);
                if (reached < 0 || (reached == 0 && drop_layer(st, layers[n], bytes, err) < 0))
                        return -1;
                if (reached == 0)
                        tell(told, data, "Deleted", layers[n]);
        }
        return 0;
}

int garbage_remove(struct db *db, struct storage *st, const struct garbage *g,
                   void (*told)(void *data, const char *line), void *data, uint64_t *ret_bytes, struct err *err)
{
        uint64_t bytes = 0;
        if (!g->blobs && !g->layers)
                return 0;
        struct err busy = ERR_INIT;
        _cleanup_close_ int lock = storage_lock(st, true, false, &busy);
        if (lock < 0 && busy.kind != ERR_CONFLICT) {
                *err = busy;
                return -1;
        }
        if (lock < 0) {
                log_debug("content is left for prune: %s", busy.msg);
                return 0;
        }
        if (remove_layers(db, st, g->layers, told, data, &bytes, err) < 0)
                return -1;
        STRV_FOREACH (digest, g->blobs) {
                int reached = blob_reachable(db, *digest, err);
                if (reached < 0 || (reached == 0 && drop_blob(db, st, *digest, &bytes, err) < 0))
                        return -1;
        }
        if (ret_bytes)
                *ret_bytes += bytes;
        return 0;
}

/* --- everything --- */

struct collection {
        struct db *db;
        bool (*keep_layer)(void *data, const char *chain_id);
        void *data;
        struct garbage found;
};

static int see_blob(void *data, const char *digest, uint64_t size, int64_t mtime, struct err *err)
{
        struct collection *c = data;
        int reached = blob_reachable(c->db, digest, err);
        if (reached == 0)
                strv_push(&c->found.blobs, digest);
        return reached < 0 ? -1 : 0;
}

static int see_layer(void *data, const char *chain_id, struct err *err)
{
        struct collection *c = data;
        int reached = chain_reachable(c->db, chain_id, err);
        if (reached == 0 && !(c->keep_layer && c->keep_layer(c->data, chain_id)))
                strv_push(&c->found.layers, chain_id);
        return reached < 0 ? -1 : 0;
}

int image_collect(struct db *db, struct storage *st, bool (*keep_layer)(void *data, const char *chain_id), void *data,
                  uint64_t *ret_bytes, struct err *err)
{
        uint64_t bytes = 0;
        _cleanup_close_ int lock = storage_lock(st, true, false, err);
        if (lock < 0)
                return -1;
        struct collection c = { .db = db, .keep_layer = keep_layer, .data = data };
        _cleanup_garbage_ struct garbage found = { 0 };
        int r = layers_walk(st->snapshots, see_layer, &c, err);
        if (r == 0)
                r = blobs_walk(st->blobs, see_blob, &c, err);
        found = c.found;
        if (r < 0)
                return -1;
        STRV_FOREACH (chain, found.layers)
                if (drop_layer(st, *chain, &bytes, err) < 0)
                        return -1;
        STRV_FOREACH (digest, found.blobs)
                if (drop_blob(db, st, *digest, &bytes, err) < 0)
                        return -1;
        unsigned swept;
        if (storage_sweep(st, true, &swept, err) < 0)
                return -1;
        if (ret_bytes)
                *ret_bytes = bytes;
        return 0;
}
