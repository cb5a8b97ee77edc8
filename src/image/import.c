/* docker import: a root file system as an image of one layer. */
#include "base/timefmt.h"
#include "image/archive-internal.h"

void config_set_created(struct image_config *config, int64_t now)
{
        char text[TIME_TEXT_SIZE];
        str_replace(&config->created, time_format(now, text));
}

static int import_layer(struct storage *st, int in_fd, const struct layer_limits *limits, struct layer_made *ret,
                        struct err *err)
{
        _cleanup_(plain_freep) struct plain *plain = NULL;
        _cleanup_(layer_abortp) struct layer_staging *staging = NULL;
        int fd = -1;
        if (layer_begin(st->snapshots, NULL, &staging, err) < 0 || plain_open(in_fd, &plain, &fd, err) < 0)
                return -1;
        layer_derived(staging); /* its blob is committed first */
        struct err inner = ERR_INIT, outer = ERR_INIT;
        int r = layer_import_fd(st->blobs, staging, fd, limits, ret, &inner);
        /* A stream that broke on its way in is the better explanation of a damaged tar. */
        if (plain_finish(plain, &outer) < 0 || r < 0) {
                *err = outer.kind != ERR_NONE ? outer : inner;
                return -1;
        }
        /* The chain id of a lowest layer is its diff id. */
        return layer_commit(staging, ret->diff_id, ret->unpacked_size, err);
}

static void import_config(const struct image_import *i, const char *diff_id, struct image_config *ret)
{
        image_config_init(ret);
        platform_done(&ret->platform);
        if (i->platform)
                platform_copy(i->platform, &ret->platform);
        else
                platform_host(&ret->platform);
        config_set_created(ret, time_now());
        if (i->exec) {
                image_exec_done(&ret->exec);
                image_exec_copy(i->exec, &ret->exec);
        }
        strv_push(&ret->diff_ids, diff_id);
        image_config_add_history(ret, ret->created, NULL, NULL, i->message ? i->message : "Imported from -", false);
}

int image_import(struct db *db, struct storage *st, int in_fd, const struct image_import *i, struct image *ret,
                 struct err *err)
{
        _cleanup_image_config_ struct image_config config = { 0 };
        struct layer_made made = { 0 };
        _cleanup_close_ int lock = storage_lock(st, false, true, err);
        if (lock < 0 || import_layer(st, in_fd, &i->limits, &made, err) < 0)
                return err_add(err, "import");
        import_config(i, made.diff_id, &config);
        const struct descriptor layer = { .media_type = (char *)made.media_type,
                                          .digest = made.digest,
                                          .size = (int64_t)made.size };
        const struct image_make make = { .config = &config, .layers = &layer, .layer_count = 1, .name = i->name };
        if (image_make(db, st, &make, ret, err) < 0)
                return err_add(err, "import");
        image_tell(db, "import", ret->id, NULL);
        return 0;
}
