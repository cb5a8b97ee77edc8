/* Manifest and configuration of layers made here. */
#include "image/images-internal.h"

int manifest_store(struct storage *st, const char *config_digest, uint64_t config_size, const struct descriptor *layers,
                   size_t count, char *const *annotations, char ret_digest[DIGEST_SIZE], struct err *err)
{
        struct manifest m = {
                .media_type = (char *)MEDIA_OCI_MANIFEST,
                .config = { .media_type = (char *)MEDIA_OCI_CONFIG,
                            .digest = (char *)config_digest,
                            .size = (int64_t)config_size },
                .layers = (struct descriptor *)layers,
                .layer_count = count,
                .annotations = (char **)annotations,
        };
        _cleanup_free_ char *text = manifest_format(&m);
        size_t len = strlen(text);
        if (len > IMAGE_DOCUMENT_MAX)
                return err_set(err, ERR_TOO_LARGE, "manifest of %zu bytes: at most %zu are allowed", len,
                               IMAGE_DOCUMENT_MAX);
        return blob_put(st->blobs, text, len, ret_digest, err);
}

int image_make(struct db *db, struct storage *st, const struct image_make *m, struct image *ret, struct err *err)
{
        char config_digest[DIGEST_SIZE], digest[DIGEST_SIZE];
        if (strv_len(m->config->diff_ids) != m->layer_count)
                return err_set(err, ERR_INVALID, "%zu layers for %zu diff ids", m->layer_count,
                               strv_len(m->config->diff_ids));
        _cleanup_close_ int lock = storage_lock(st, false, true, err);
        if (lock < 0)
                return -1;
        _cleanup_free_ char *config = image_config_format(m->config);
        size_t len = strlen(config);
        if (len > IMAGE_DOCUMENT_MAX)
                return err_set(err, ERR_TOO_LARGE, "configuration of %zu bytes: at most %zu are allowed", len,
                               IMAGE_DOCUMENT_MAX);
        if (blob_put(st->blobs, config, len, config_digest, err) < 0 ||
            manifest_store(st, config_digest, len, m->layers, m->layer_count, m->annotations, digest, err) < 0)
                return -1;
        struct image_record record = {
                .manifest = digest,
                .media_type = MEDIA_OCI_MANIFEST,
                .name = m->name,
                .parent = m->parent,
                .intermediate = m->intermediate,
        };
        return image_record(db, st, &record, ret, err);
}
