/* Content in storage becomes an image: everything is read and checked first, then all rows are written in one durable transaction. */
#include "base/timefmt.h"
#include "image/images-internal.h"
#include "storage/layer.h"

struct documents {
        struct manifest manifest;
        struct image_config config;
        char **chain;
        char *platform;
        char *media_type;
        int64_t created;
        uint64_t size;
};

static void documents_done(struct documents *d)
{
        manifest_done(&d->manifest);
        image_config_done(&d->config);
        strv_free(d->chain);
        free(d->platform);
        free(d->media_type);
}

static int documents_read(struct storage *st, const struct image_record *record, struct documents *d, struct err *err)
{
        struct image at = { .manifest = (char *)record->manifest, .media_type = (char *)record->media_type };
        if (image_read_manifest(st, &at, &d->manifest, err) < 0)
                return -1;
        at.id = d->manifest.config.digest;
        if (image_read_config(st, &at, &d->config, err) < 0)
                return -1;
        if (strv_len(d->config.diff_ids) != d->manifest.layer_count)
                return err_set(err, ERR_CORRUPT, "manifest %s has %zu layers and its configuration %zu diff ids",
                               record->manifest, d->manifest.layer_count, strv_len(d->config.diff_ids));
        d->chain = image_chain_ids(d->config.diff_ids);
        d->platform = platform_format(&d->config.platform);
        d->media_type = xstrdup(record->media_type ? record->media_type : d->manifest.media_type);
        struct err ignored = ERR_INIT;
        if (!str_empty(d->config.created))
                time_parse(d->config.created, &d->created, &ignored);
        return 0;
}

/* A row promises that all of it is here; layers that nothing of late has used may have to be made again. */
static int documents_check(struct storage *st, struct documents *d, struct err *err)
{
        for (size_t n = 0; n < d->manifest.layer_count; n++) {
                uint64_t size = 0;
                if (!blob_exists(st->blobs, d->manifest.layers[n].digest, NULL))
                        return err_set(err, ERR_NOT_FOUND, "layer blob %s is missing", d->manifest.layers[n].digest);
                if (layer_ensure(st->blobs, st->snapshots, n ? d->chain[n - 1] : NULL, d->chain[n], &d->manifest.layers[n],
                                 d->config.diff_ids[n], err) < 0 ||
                    layer_size(st->snapshots, d->chain[n], &size, err) < 0)
                        return -1;
                d->size += size;
        }
        return 0;
}

static int put_image(struct db *db, const struct image_record *record, const struct documents *d, struct err *err)
{
        _cleanup_free_ char *chain = strv_join(d->chain, "\n");
        return db_exec(db, NULL, err,
                       "INSERT INTO images (manifest, id, media_type, platform, chain, created, added, size, parent, "
                       "intermediate) "
                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (manifest) DO UPDATE SET "
                       "removed = 0, intermediate = min(intermediate, excluded.intermediate), parent = "
                       "coalesce(parent, excluded.parent)",
                       "sssssiiisi", record->manifest, d->manifest.config.digest, d->media_type, d->platform,
                       chain ? chain : "", d->created, time_now(), (int64_t)d->size, record->parent,
                       (int64_t)record->intermediate);
}

static int put_blob(struct db *db, const char *manifest, const char *digest, struct err *err)
{
        return db_exec(db, NULL, err, "INSERT OR IGNORE INTO image_blobs (manifest, digest) VALUES (?1, ?2)", "ss",
                       manifest, digest);
}

static int put_edges(struct db *db, const struct image_record *record, const struct documents *d, struct err *err)
{
        if (put_blob(db, record->manifest, record->manifest, err) < 0 ||
            put_blob(db, record->manifest, d->manifest.config.digest, err) < 0)
                return -1;
        for (size_t n = 0; n < d->manifest.layer_count; n++)
                if (put_blob(db, record->manifest, d->manifest.layers[n].digest, err) < 0 ||
                    db_exec(db, NULL, err,
                            "INSERT OR IGNORE INTO image_layers (manifest, position, chain) VALUES (?1, ?2, ?3)", "sis",
                            record->manifest, (int64_t)n, d->chain[n]) < 0)
                        return -1;
        if (!record->index)
                return 0;
        return db_exec(db, NULL, err, "INSERT OR IGNORE INTO image_index (digest, manifest) VALUES (?1, ?2)", "ss",
                       record->index, record->manifest);
}

static int put_name(struct db *db, const struct image_record *record, const struct documents *d, struct err *err)
{
        const struct reference *name = record->name;
        const char *target = record->index ? record->index : record->manifest;
        if (!name)
                return 0;
        if (name_put(db, name, target, record->manifest, record->digest_known ? 0 : time_now(), err) < 0)
                return -1;
        if (!record->digest_known)
                return 0;
        /* The registry that told the digest has all its blobs: a later push to it can mount them. */
        for (size_t n = 0; n < d->manifest.layer_count; n++)
                if (db_exec(db, NULL, err,
                            "INSERT OR IGNORE INTO blob_repositories (digest, domain, path) VALUES (?1, ?2, ?3)", "sss",
                            d->manifest.layers[n].digest, name->domain, name->path) < 0)
                        return -1;
        return digest_put(db, name, target, record->manifest, err);
}

int image_record(struct db *db, struct storage *st, const struct image_record *record, struct image *ret,
                 struct err *err)
{
        _cleanup_(documents_done) struct documents d = { 0 };
        if (documents_read(st, record, &d, err) < 0 || documents_check(st, &d, err) < 0)
                return -1;
        if (db_begin(db, true, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *open = db;
        if (put_image(db, record, &d, err) < 0 || put_edges(db, record, &d, err) < 0 ||
            put_name(db, record, &d, err) < 0 || db_commit(db, err) < 0)
                return -1;
        return ret ? image_by_manifest(db, record->manifest, ret, err) : 0;
}
