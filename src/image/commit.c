/* docker commit: what a container changed, as a layer upon its image. */
#include "base/timefmt.h"
#include "image/archive-internal.h"

static int base_read(struct storage *st, const struct image *base, struct image_config *config,
                     struct manifest *manifest, struct err *err)
{
        if (base)
                return image_read_config(st, base, config, err) < 0 ? -1 : image_read_manifest(st, base, manifest, err);
        image_config_init(config);
        platform_done(&config->platform);
        platform_host(&config->platform);
        return 0;
}

static void config_extend(struct image_config *config, const struct image_commit *c, const char *diff_id)
{
        config_set_created(config, time_now());
        str_replace(&config->author, c->author);
        if (c->exec) {
                image_exec_done(&config->exec);
                image_exec_copy(c->exec, &config->exec);
        }
        if (diff_id)
                strv_push(&config->diff_ids, diff_id);
        image_config_add_history(config, config->created, c->created_by, c->author, c->message, !diff_id);
}

static int commit_layer(struct storage *st, const struct image_commit *c, struct layer_made *made, bool *empty,
                        struct err *err)
{
        size_t below = c->base ? strv_len(c->base->chain) : 0;
        _cleanup_free_ char *chain = NULL;
        if (below >= IMAGE_LAYERS_MAX)
                return err_set(err, ERR_TOO_LARGE, "the image has %zu layers already", below);
        return layer_from_root(st->blobs, st->snapshots, c->root_id, below ? c->base->chain[below - 1] : NULL, -1, made,
                               &chain, empty, err);
}

int image_commit(struct db *db, struct storage *st, const struct image_commit *c, struct image *ret, struct err *err)
{
        _cleanup_image_config_ struct image_config config = { 0 };
        _cleanup_manifest_ struct manifest manifest = { 0 };
        struct layer_made made = { 0 };
        bool empty = false;
        _cleanup_close_ int lock = storage_lock(st, false, true, err);
        if (lock < 0 || base_read(st, c->base, &config, &manifest, err) < 0 ||
            commit_layer(st, c, &made, &empty, err) < 0)
                return err_add(err, "commit");
        config_extend(&config, c, empty ? NULL : made.diff_id);
        _cleanup_free_ struct descriptor *layers = xcalloc(manifest.layer_count + 1, sizeof(*layers));
        for (size_t n = 0; n < manifest.layer_count; n++)
                layers[n] = manifest.layers[n]; /* borrowed */
        layers[manifest.layer_count] = (struct descriptor){ .media_type = (char *)made.media_type,
                                                            .digest = made.digest,
                                                            .size = (int64_t)made.size };
        const struct image_make make = { .config = &config,
                                         .layers = layers,
                                         .layer_count = manifest.layer_count + !empty,
                                         .name = c->name,
                                         .parent = c->base ? c->base->id : NULL };
        return image_make(db, st, &make, ret, err) < 0 ? err_add(err, "commit") : 0;
}
