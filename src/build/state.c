#include "build/state-internal.h"

#include "base/str.h"
#include "base/timefmt.h"

void state_done(struct stage_state *s)
{
        image_config_done(&s->config);
        for (size_t i = 0; i < s->layer_count; i++)
                descriptor_done(&s->layers[i]);
        free(s->layers);
        strv_free(s->chain);
        free(s->base);
        arg_scope_done(&s->args);
        *s = (struct stage_state){ 0 };
}

const char *short_id(const char *id, char text[13])
{
        size_t len = strnlen(digest_hex(id), 12);
        *(char *)mempcpy(text, digest_hex(id), len) = '\0';
        return text;
}

void state_identify(struct stage_state *s)
{
        _cleanup_free_ char *text = image_config_format(&s->config);
        digest_of(text, strlen(text), s->id);
}

const char *state_top(const struct stage_state *s)
{
        return s->chain ? s->chain[strv_len(s->chain) - 1] : NULL;
}

void state_scratch(struct stage_state *s, const struct platform *platform)
{
        image_config_init(&s->config);
        platform_copy(platform, &s->config.platform);
        state_identify(s);
}

/* What is built here is an OCI image: docker's media types of the same compression become OCI's. */
static const char *oci_media_type(const char *type)
{
        static const char *const types[] = { [COMPRESSION_NONE] = MEDIA_OCI_LAYER,
                                             [COMPRESSION_GZIP] = MEDIA_OCI_LAYER_GZIP,
                                             [COMPRESSION_ZSTD] = MEDIA_OCI_LAYER_ZSTD };
        enum compression c = media_layer_compression(type);
        return c < ELEMENTS(types) ? types[c] : type;
}

static struct descriptor *layer_push(struct stage_state *s)
{
        s->layers = xreallocarray(s->layers, s->layer_count + 1, sizeof(*s->layers));
        s->layers[s->layer_count] = (struct descriptor){ 0 };
        return &s->layers[s->layer_count++];
}

int state_from_image(struct stage_state *s, struct storage *st, const struct image *image, struct err *err)
{
        _cleanup_manifest_ struct manifest m = { 0 };
        image_config_init(&s->config);
        if (image_read_config(st, image, &s->config, err) < 0 || image_read_manifest(st, image, &m, err) < 0)
                return -1;
        if (m.layer_count != strv_len(s->config.diff_ids) || m.layer_count != strv_len(image->chain))
                return err_set(err, ERR_CORRUPT, "image %s: %zu layers for %zu diff ids", image->id, m.layer_count,
                               strv_len(s->config.diff_ids));
        for (size_t i = 0; i < m.layer_count; i++) {
                struct descriptor *d = layer_push(s);
                descriptor_copy(&m.layers[i], d);
                str_replace(&d->media_type, oci_media_type(m.layers[i].media_type));
        }
        s->chain = strv_dup(image->chain);
        s->base = xstrdup(image->id);
        *(char *)mempcpy(s->id, image->id, strnlen(image->id, DIGEST_SIZE - 1)) = '\0';
        return 0;
}

void state_from_state(struct stage_state *s, const struct stage_state *from)
{
        image_config_init(&s->config);
        image_config_copy(&from->config, &s->config);
        for (size_t i = 0; i < from->layer_count; i++)
                descriptor_copy(&from->layers[i], layer_push(s));
        s->chain = strv_dup(from->chain);
        s->base = from->base ? xstrdup(from->base) : NULL;
        s->changed = from->changed;
        memcpy(s->id, from->id, sizeof(s->id));
}

void state_commit(struct stage_state *s, int64_t created, const char *created_by, const struct step_layer *made)
{
        char text[TIME_TEXT_SIZE];
        time_format(created, text);
        if (made) {
                struct descriptor *d = layer_push(s);
                d->media_type = xstrdup(made->media_type);
                d->digest = xstrdup(made->digest);
                d->size = (int64_t)made->size;
                strv_push(&s->config.diff_ids, made->diff_id);
                strv_push(&s->chain, made->chain);
        }
        image_config_add_history(&s->config, text, created_by, s->config.author, NULL, !made);
        str_replace(&s->config.created, text);
        s->changed = true;
        state_identify(s);
}

int state_restore(struct stage_state *s, const struct cache_entry *e, struct err *err)
{
        struct image_config config;
        image_config_init(&config);
        if (image_config_parse(e->config, strlen(e->config), &config, err) < 0)
                return err_add(err, "cached step");
        size_t layers = s->layer_count + (e->layer.digest ? 1 : 0);
        if (strv_len(config.diff_ids) != layers) {
                image_config_done(&config);
                return err_set(err, ERR_CORRUPT, "cached step: its layers do not follow from the step before");
        }
        image_config_done(&s->config);
        s->config = config;
        if (e->layer.digest) {
                descriptor_copy(&e->layer, layer_push(s));
                strv_push(&s->chain, e->chain);
        }
        s->changed = true;
        state_identify(s);
        return 0;
}

int state_ensure(const struct stage_state *s, struct storage *st, struct err *err)
{
        for (size_t i = 0; i < s->layer_count; i++) {
                if (layer_exists(st->snapshots, s->chain[i]))
                        continue;
                if (layer_ensure(st->blobs, st->snapshots, i ? s->chain[i - 1] : NULL, s->chain[i], &s->layers[i],
                                 s->config.diff_ids[i], err) < 0)
                        return err_add(err, "layer %s", s->layers[i].digest);
        }
        return 0;
}
