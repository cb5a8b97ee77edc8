#include "registry/document-internal.h"

#include "base/str.h"
#include "oci/image.h"

#define DESCRIPTOR_TEXT_MAX ((size_t)256 << 10)

static bool is_json_type(const char *media_type)
{
        return str_ends(media_type, "json") || str_ends(media_type, "+prettyjws");
}

static const char *text_of(const json_t *o, const char *key)
{
        return json_string_value(json_object_get(o, key));
}

int document_parse(const struct buf *body, const char *media_type, json_t **ret, struct err *err)
{
        if (!is_json_type(media_type))
                return 0;
        _cleanup_json_ json_t *document =
                json_parse(body->data ? body->data : "", body->len, IMAGE_DOCUMENT_MAX, "manifest", err);
        if (!document)
                return -1;
        if (!json_is_object(document))
                return err_set(err, ERR_INVALID, "manifest: expected an object");
        const char *own = text_of(document, "mediaType");
        if (own && !str_eq(own, media_type))
                return err_set(err, ERR_INVALID, "manifest: its mediaType %.200s is not the Content-Type", own);
        *ret = TAKE_PTR(document);
        return 0;
}

/* Layers that lie elsewhere need not be here. */
static bool is_elsewhere(const json_t *descriptor)
{
        const char *type = text_of(descriptor, "mediaType");

        return json_array_size(json_object_get(descriptor, "urls")) > 0 ||
               (type && (strstr(type, ".foreign.") || strstr(type, ".nondistributable.")));
}

static int blob_check(struct store *s, const char *repository, const json_t *descriptor, struct err *err)
{
        const char *digest = text_of(descriptor, "digest");

        if (!digest || !digest_valid(digest))
                return err_set(err, ERR_INVALID, "manifest: malformed descriptor");
        if (is_elsewhere(descriptor) || layer_held(s, repository, digest, NULL))
                return 0;
        /* An artifact's config or layer may itself be a manifest of this repository. */
        if (entry_exists(s, repository, "_manifests", digest_hex(digest)))
                return 0;
        return err_set(err, ERR_NOT_FOUND, "blob unknown to registry: %s", digest);
}

int document_check(struct store *s, const char *repository, const json_t *document, const char *media_type,
                   struct err *err)
{
        const json_t *layers = json_object_get(document, "layers"), *layer;
        size_t i;

        if (!media_is_manifest(media_type))
                return 0;
        if (json_integer_value(json_object_get(document, "schemaVersion")) != 2)
                return err_set(err, ERR_INVALID, "manifest: schemaVersion is not 2");
        if (!json_is_array(layers))
                return err_set(err, ERR_INVALID, "manifest: layers are missing");
        if (blob_check(s, repository, json_object_get(document, "config"), err) < 0)
                return -1;
        json_array_foreach (layers, i, layer)
                if (blob_check(s, repository, layer, err) < 0)
                        return -1;
        return 0;
}

int document_subject(const json_t *document, const char **ret, struct err *err)
{
        const json_t *subject = json_object_get(document, "subject");
        const char *digest = text_of(subject, "digest");

        if (subject && !json_is_null(subject) && (!digest || !digest_valid(digest)))
                return err_set(err, ERR_INVALID, "manifest: malformed subject");
        *ret = digest;
        return 0;
}

char *document_descriptor(const json_t *document, const char *media_type, const char *digest, size_t size)
{
        const char *artifact = text_of(document, "artifactType");
        json_t *annotations = json_object_get(document, "annotations");
        _cleanup_json_ json_t *d =
                json_pack("{s:s, s:s, s:I}", "mediaType", media_type, "digest", digest, "size", (json_int_t)size);

        /* image-spec: what an image manifest is, its config's type says where nothing else does. */
        if (str_empty(artifact))
                artifact = text_of(json_object_get(document, "config"), "mediaType");
        json_set_string(d, "artifactType", artifact);
        if (json_is_object(annotations) && json_object_size(annotations) > 0)
                json_object_set(d, "annotations", annotations);
        char *text = json_text(d);
        if (strlen(text) <= DESCRIPTOR_TEXT_MAX)
                return text;
        /* A list of referrers must stay readable whatever one of them drags along. */
        free(text);
        json_object_del(d, "annotations");
        return json_text(d);
}

static void value_digests(const json_t *value, void (*fn)(void *data, const char *digest), void *data)
{
        const char *key;
        json_t *member;
        size_t i;

        json_array_foreach (value, i, member)
                value_digests(member, fn, data);
        if (!json_is_object(value))
                return;
        json_object_foreach ((json_t *)value, key, member) {
                const char *text = json_string_value(member);
                if (text && (str_eq(key, "digest") || str_eq(key, "blobSum")) && digest_valid(text))
                        fn(data, text);
                value_digests(member, fn, data);
        }
}

void document_digests(const json_t *document, void (*fn)(void *data, const char *digest), void *data)
{
        const char *key;
        json_t *member;

        json_object_foreach ((json_t *)document, key, member)
                if (!str_eq(key, "subject"))
                        value_digests(member, fn, data);
}
