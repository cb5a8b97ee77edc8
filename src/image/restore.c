/* Layers made again from their blobs: after a power cut that came before they were on disk, or because somebody removed them. */
#include "image/images-internal.h"
#include "storage/layer.h"

struct restore {
        struct manifest manifest;
        struct image_config config;
        char **chain;
        size_t count; /* layers of the manifest up to the one wanted */
};

static void restore_done(struct restore *r)
{
        manifest_done(&r->manifest);
        image_config_done(&r->config);
        strv_free(r->chain);
}

/* Any image that has the layer will do: a chain id says what is below. */
static int image_with(struct db *db, const char *chain_id, struct image *ret, size_t *ret_count, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(db, &stmt, err, "SELECT manifest, position FROM image_layers WHERE chain = ?1 LIMIT 1", "s", chain_id) < 0)
                return -1;
        int more = db_step(stmt, err);
        if (more < 0)
                return -1;
        if (more == 0)
                return err_set(err, ERR_NOT_FOUND, "layer %s is missing, and no image here has it", chain_id);
        *ret_count = (size_t)db_i64(stmt, 1) + 1;
        return image_by_manifest(db, db_str(stmt, 0), ret, err);
}

static int restore_plan(struct db *db, struct storage *st, const char *chain_id, struct restore *r, struct err *err)
{
        _cleanup_image_ struct image image = { 0 };
        if (image_with(db, chain_id, &image, &r->count, err) < 0 || image_read_manifest(st, &image, &r->manifest, err) < 0 ||
            image_read_config(st, &image, &r->config, err) < 0)
                return -1;
        r->chain = image_chain_ids(r->config.diff_ids);
        if (r->manifest.layer_count != strv_len(r->chain) || r->manifest.layer_count < r->count)
                return err_set(err, ERR_CORRUPT, "image %s: %zu layers for %zu diff ids", image.id, r->manifest.layer_count, strv_len(r->chain));
        return 0;
}

int image_layers_restore(struct db *db, struct storage *st, const char *chain_id, struct err *err)
{
        _cleanup_(restore_done) struct restore r = { 0 };
        _cleanup_close_ int lock = storage_lock(st, false, true, err);
        if (lock < 0 || restore_plan(db, st, chain_id, &r, err) < 0 || layers_expect(st->snapshots, r.chain, r.count, err) < 0)
                return -1;
        for (size_t n = 0; n < r.count; n++)
                if (layer_ensure(st->blobs, st->snapshots, n ? r.chain[n - 1] : NULL, r.chain[n], &r.manifest.layers[n],
                                 r.config.diff_ids[n], err) < 0)
                        return err_add(err, "make layer %s again", r.chain[n]);
        return 0;
}
