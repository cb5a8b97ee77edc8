#include "oci/image.h"
#include "oci/image-internal.h"

#include "base/str.h"

static const struct layer_media {
        const char *type;
        enum compression compression;
} layer_media[] = {
        { MEDIA_OCI_LAYER, COMPRESSION_NONE },
        { MEDIA_OCI_LAYER_GZIP, COMPRESSION_GZIP },
        { MEDIA_OCI_LAYER_ZSTD, COMPRESSION_ZSTD },
        { MEDIA_DOCKER_LAYER, COMPRESSION_NONE },
        { MEDIA_DOCKER_LAYER_GZIP, COMPRESSION_GZIP },
        { MEDIA_DOCKER_LAYER ".zstd", COMPRESSION_ZSTD },
        { MEDIA_DOCKER_FOREIGN, COMPRESSION_GZIP },
        /* Deprecated by image-spec 1.1 and still found in old Windows images. */
        { "application/vnd.oci.image.layer.nondistributable.v1.tar", COMPRESSION_NONE },
        { "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", COMPRESSION_GZIP },
        { "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", COMPRESSION_ZSTD },
};

/* What a server says when it has nothing to say. */
static const char *const generic_types[] = { "application/json", "application/octet-stream", "text/plain",
                                             "text/json" };

enum compression media_layer_compression(const char *media_type)
{
        for (size_t i = 0; i < ELEMENTS(layer_media); i++)
                if (str_eq(media_type, layer_media[i].type))
                        return layer_media[i].compression;
        return COMPRESSION_UNKNOWN;
}

bool media_is_manifest(const char *media_type)
{
        return str_eq(media_type, MEDIA_OCI_MANIFEST) || str_eq(media_type, MEDIA_DOCKER_MANIFEST);
}

bool media_is_index(const char *media_type)
{
        return str_eq(media_type, MEDIA_OCI_INDEX) || str_eq(media_type, MEDIA_DOCKER_LIST);
}

/* The bare type of a Content-Type, NULL when it tells nothing. */
static char *hint_clean(const char *hint)
{
        _cleanup_free_ char *text = NULL;

        if (str_empty(hint))
                return NULL;
        text = xstrndup(hint, strcspn(hint, "; \t"));
        for (size_t i = 0; i < ELEMENTS(generic_types); i++)
                if (str_eq(text, generic_types[i]))
                        return NULL;
        return *text ? TAKE_PTR(text) : NULL;
}

static bool type_is_schema1(const char *type)
{
        return str_starts(type, "application/vnd.docker.distribution.manifest.v1+");
}

int media_settle(const struct media_rule *rule, const json_t *o, const struct jpath *path, const char *hint, char **ret,
                 struct err *err)
{
        _cleanup_free_ char *own = NULL, *told = hint_clean(hint);

        if (told && type_is_schema1(told))
                return err_set(err, ERR_UNSUPPORTED, "%s: Docker schema 1 manifests are not supported", path->key);
        if (json_get_string(o, path, "mediaType", false, &own, err) < 0)
                return -1;
        if (own && *own == '\0')
                str_replace(&own, NULL);
        if (own && told && strcmp(own, told) != 0)
                return json_err(path, "mediaType", err, "\"%.100s\" was announced as \"%.100s\"", own, told);
        if (!own)
                own = told ? TAKE_PTR(told) : xstrdup(rule->fallback);
        if (!rule->accepts(own))
                return json_err(path, "mediaType", err, "\"%.100s\" is not %s", own, rule->noun);
        /* A document that reads as both could show one face to a checker and another to us (CVE-2021-41190). */
        for (const char *const *key = rule->foreign; *key; key++)
                if (json_object_get(o, *key))
                        return json_err(path, *key, err, "has no place in %s", rule->noun);
        *ret = TAKE_PTR(own);
        return 0;
}

int schema_version_check(const json_t *o, const struct jpath *path, struct err *err)
{
        int64_t version = 0;

        if (json_get_i64(o, path, "schemaVersion", true, &version, err) < 0)
                return -1;
        if (version == 1)
                return err_set(err, ERR_UNSUPPORTED, "%s: Docker schema 1 manifests are not supported", path->key);
        if (version != 2)
                return json_err(path, "schemaVersion", err, "expected 2");
        return 0;
}

static bool has_array(const json_t *o, const char *key) { return json_is_array(json_object_get(o, key)); }

/* The type a document has by its shape: the media types of what it points to tell Docker's from OCI's. */
static const char *type_by_shape(const json_t *o)
{
        const json_t *config = json_object_get(o, "config"), *first;
        bool manifest = json_is_object(config) && has_array(o, "layers"), index = has_array(o, "manifests");

        if (manifest == index)
                return NULL;
        if (manifest)
                return str_eq(json_string_value(json_object_get(config, "mediaType")), MEDIA_DOCKER_CONFIG) ?
                               MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST;
        first = json_array_get(json_object_get(o, "manifests"), 0);
        return str_eq(json_string_value(json_object_get(first, "mediaType")), MEDIA_DOCKER_MANIFEST) ?
                       MEDIA_DOCKER_LIST : MEDIA_OCI_INDEX;
}

const char *image_document_type(const char *text, size_t len)
{
        static const char *const known[] = { MEDIA_OCI_MANIFEST, MEDIA_OCI_INDEX, MEDIA_DOCKER_MANIFEST,
                                             MEDIA_DOCKER_LIST };
        struct err ignored = ERR_INIT;
        _cleanup_json_ json_t *o = json_parse(text, len, IMAGE_DOCUMENT_MAX, "document", &ignored);
        const json_t *own = json_object_get(o, "mediaType");

        if (!json_is_object(o))
                return NULL;
        if (!own || json_is_null(own))
                return type_by_shape(o);
        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (str_eq(json_string_value(own), known[i]))
                        return known[i];
        return NULL;
}
