#include "oci/image.h"
#include "oci/image-internal.h"

#include "base/str.h"

static const char *const index_members[] = { "manifests", NULL };
static const struct media_rule manifest_rule = { "an image manifest", media_is_manifest, MEDIA_OCI_MANIFEST,
                                                 index_members };

void manifest_done(struct manifest *m)
{
        free(m->media_type);
        free(m->artifact_type);
        descriptor_done(&m->config);
        descriptor_list_free(m->layers, m->layer_count);
        descriptor_done(&m->subject);
        strv_free(m->annotations);
        *m = (struct manifest){ 0 };
}

static int manifest_from_json(const json_t *o, const struct jpath *path, struct manifest *m, struct err *err)
{
        if (schema_version_check(o, path, err) < 0 ||
            json_get_string(o, path, "artifactType", false, &m->artifact_type, err) < 0 ||
            descriptor_get(o, path, "config", true, &m->config, err) < 0 ||
            descriptor_list_get(o, path, "layers", IMAGE_LAYERS_MAX, &m->layers, &m->layer_count, err) < 0 ||
            descriptor_get(o, path, "subject", false, &m->subject, err) < 0 ||
            json_get_map(o, path, "annotations", false, &m->annotations, err) < 0)
                return -1;
        return 0;
}

int manifest_parse(const char *text, size_t len, const char *media_type_hint, struct manifest *ret, struct err *err)
{
        _cleanup_manifest_ struct manifest m = { 0 };
        _cleanup_json_ json_t *o = json_parse(text, len, IMAGE_DOCUMENT_MAX, "manifest", err);
        struct jpath root = JPATH("manifest");

        if (!o)
                return -1;
        if (!json_is_object(o))
                return json_err(&root, NULL, err, "expected an object");
        if (media_settle(&manifest_rule, o, &root, media_type_hint, &m.media_type, err) < 0 ||
            manifest_from_json(o, &root, &m, err) < 0)
                return -1;
        *ret = m;
        m = (struct manifest){ 0 };
        return 0;
}

char *manifest_format(const struct manifest *m)
{
        _cleanup_json_ json_t *o = json_object();

        json_object_set_new(o, "schemaVersion", json_integer(2));
        json_set_string(o, "mediaType", m->media_type);
        json_set_string(o, "artifactType", m->artifact_type);
        json_object_set_new(o, "config", descriptor_to_json(&m->config));
        json_object_set_new(o, "layers", descriptor_list_to_json(m->layers, m->layer_count));
        if (m->subject.digest)
                json_object_set_new(o, "subject", descriptor_to_json(&m->subject));
        json_set_map(o, "annotations", m->annotations);
        return json_text(o);
}
