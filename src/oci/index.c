#include "oci/image.h"
#include "oci/image-internal.h"

#include "base/str.h"

static const char *const manifest_members[] = { "config", "layers", "fsLayers", NULL };
static const struct media_rule index_rule = { "an image index", media_is_index, MEDIA_OCI_INDEX, manifest_members };

void image_index_done(struct image_index *x)
{
        free(x->media_type);
        free(x->artifact_type);
        descriptor_list_free(x->manifests, x->count);
        descriptor_done(&x->subject);
        strv_free(x->annotations);
        *x = (struct image_index){ 0 };
}

static int index_from_json(const json_t *o, const struct jpath *path, struct image_index *x, struct err *err)
{
        if (schema_version_check(o, path, err) < 0 ||
            json_get_string(o, path, "artifactType", false, &x->artifact_type, err) < 0 ||
            descriptor_list_get(o, path, "manifests", IMAGE_INDEX_MAX, &x->manifests, &x->count, err) < 0 ||
            descriptor_get(o, path, "subject", false, &x->subject, err) < 0 ||
            json_get_map(o, path, "annotations", false, &x->annotations, err) < 0)
                return -1;
        return 0;
}

int image_index_parse(const char *text, size_t len, const char *media_type_hint, struct image_index *ret,
                      struct err *err)
{
        _cleanup_image_index_ struct image_index x = { 0 };
        _cleanup_json_ json_t *o = json_parse(text, len, IMAGE_DOCUMENT_MAX, "index", err);
        struct jpath root = JPATH("index");

        if (!o)
                return -1;
        if (!json_is_object(o))
                return json_err(&root, NULL, err, "expected an object");
        if (media_settle(&index_rule, o, &root, media_type_hint, &x.media_type, err) < 0 ||
            index_from_json(o, &root, &x, err) < 0)
                return -1;
        *ret = x;
        x = (struct image_index){ 0 };
        return 0;
}

char *image_index_format(const struct image_index *x)
{
        _cleanup_json_ json_t *o = json_object();

        json_object_set_new(o, "schemaVersion", json_integer(2));
        json_set_string(o, "mediaType", x->media_type);
        json_set_string(o, "artifactType", x->artifact_type);
        json_object_set_new(o, "manifests", descriptor_list_to_json(x->manifests, x->count));
        if (x->subject.digest)
                json_object_set_new(o, "subject", descriptor_to_json(&x->subject));
        json_set_map(o, "annotations", x->annotations);
        return json_text(o);
}

/* Attestations and other companions lie in an index beside the images they speak of. */
static bool is_companion(const struct descriptor *d)
{
        if (!str_empty(d->artifact_type) || strv_env_get(d->annotations, "vnd.docker.reference.type"))
                return true;
        return str_eq(d->platform.os, "unknown") || str_eq(d->platform.architecture, "unknown");
}

static bool names_platform(const struct descriptor *d) { return d->platform.os || d->platform.architecture; }

/* Layouts of one image often name no platform at all; then the first image is the image. */
static const struct descriptor *choose_unnamed(const struct image_index *x)
{
        for (size_t i = 0; i < x->count; i++)
                if (names_platform(&x->manifests[i]) && !is_companion(&x->manifests[i]))
                        return NULL;
        for (size_t i = 0; i < x->count; i++)
                if (!is_companion(&x->manifests[i]))
                        return &x->manifests[i];
        return NULL;
}

const struct descriptor *image_index_choose(const struct image_index *x, const struct platform *want)
{
        const struct descriptor *best = NULL;
        int best_score = 0;

        for (size_t i = 0; i < x->count; i++) {
                const struct descriptor *d = &x->manifests[i];
                int score = is_companion(d) ? 0 : platform_match(want, &d->platform);

                if (score > best_score) {
                        best = d;
                        best_score = score;
                }
        }
        return best ? best : choose_unnamed(x);
}
