#include "oci/image.h"
#include "oci/image-internal.h"

#include "base/str.h"

void descriptor_done(struct descriptor *d)
{
        free(d->media_type);
        free(d->digest);
        strv_free(d->urls);
        strv_free(d->annotations);
        free(d->artifact_type);
        platform_done(&d->platform);
        *d = (struct descriptor){ 0 };
}

void descriptor_copy(const struct descriptor *from, struct descriptor *ret)
{
        struct descriptor d = { .size = from->size };

        str_replace(&d.media_type, from->media_type);
        str_replace(&d.digest, from->digest);
        str_replace(&d.artifact_type, from->artifact_type);
        d.urls = strv_dup(from->urls);
        d.annotations = strv_dup(from->annotations);
        platform_copy(&from->platform, &d.platform);
        *ret = d;
}

static int platform_get(const json_t *o, const struct jpath *path, struct platform *ret, struct err *err)
{
        struct jpath here = jpath_key(path, "platform");
        json_t *platform = NULL;

        if (json_get_object(o, path, "platform", false, &platform, err) < 0)
                return -1;
        return platform ? platform_from_json(platform, &here, ret, err) : 0;
}

int descriptor_from_json(const json_t *o, const struct jpath *path, struct descriptor *ret, struct err *err)
{
        _cleanup_descriptor_ struct descriptor d = { 0 };

        if (!json_is_object(o))
                return json_err(path, NULL, err, "expected an object");
        if (json_get_string(o, path, "mediaType", true, &d.media_type, err) < 0 ||
            json_get_string(o, path, "digest", true, &d.digest, err) < 0 ||
            json_get_i64(o, path, "size", true, &d.size, err) < 0 ||
            json_get_strv(o, path, "urls", false, &d.urls, err) < 0 ||
            json_get_map(o, path, "annotations", false, &d.annotations, err) < 0 ||
            json_get_string(o, path, "artifactType", false, &d.artifact_type, err) < 0 ||
            platform_get(o, path, &d.platform, err) < 0)
                return -1;
        if (*d.media_type == '\0')
                return json_err(path, "mediaType", err, "is empty");
        if (!digest_valid(d.digest))
                return json_err(path, "digest", err, "\"%.140s\" is no sha256 or sha512 digest", d.digest);
        if (d.size < 0)
                return json_err(path, "size", err, "expected a non-negative integer");
        *ret = d;
        d = (struct descriptor){ 0 };
        return 0;
}

static bool platform_empty(const struct platform *p)
{
        return !p->os && !p->architecture && !p->variant && !p->os_version;
}

json_t *descriptor_to_json(const struct descriptor *d)
{
        json_t *o = json_object();

        json_set_string(o, "mediaType", d->media_type);
        json_set_string(o, "digest", d->digest);
        json_object_set_new(o, "size", json_integer(d->size));
        json_set_strv(o, "urls", d->urls);
        json_set_map(o, "annotations", d->annotations);
        if (!platform_empty(&d->platform))
                json_object_set_new(o, "platform", platform_to_json(&d->platform));
        json_set_string(o, "artifactType", d->artifact_type);
        return o;
}

int descriptor_get(const json_t *o, const struct jpath *path, const char *key, bool required, struct descriptor *ret,
                   struct err *err)
{
        struct jpath here = jpath_key(path, key);
        json_t *member = NULL;

        if (json_get_object(o, path, key, required, &member, err) < 0)
                return -1;
        return member ? descriptor_from_json(member, &here, ret, err) : 0;
}

void descriptor_list_free(struct descriptor *list, size_t count)
{
        for (size_t i = 0; i < count; i++)
                descriptor_done(&list[i]);
        free(list);
}

int descriptor_list_get(const json_t *o, const struct jpath *path, const char *key, size_t max, struct descriptor **ret,
                        size_t *ret_count, struct err *err)
{
        struct jpath list_path = jpath_key(path, key);
        struct descriptor *list = NULL;
        json_t *array = NULL;
        size_t count;

        /* Go writes an empty list of its own as null; only a list that is not there at all is wrong. */
        if (json_get_array(o, path, key, !json_object_get(o, key), &array, err) < 0)
                return -1;
        count = json_array_size(array);
        if (count > max)
                return json_err(path, key, err, "%zu entries, at most %zu are allowed", count, max);
        list = xcalloc(count + 1, sizeof(*list));
        for (size_t i = 0; i < count; i++) {
                struct jpath here = jpath_index(&list_path, i);

                if (descriptor_from_json(json_array_get(array, i), &here, &list[i], err) < 0) {
                        descriptor_list_free(list, i);
                        return -1;
                }
        }
        *ret = list;
        *ret_count = count;
        return 0;
}

json_t *descriptor_list_to_json(const struct descriptor *list, size_t count)
{
        json_t *array = json_array();

        for (size_t i = 0; i < count; i++)
                json_array_append_new(array, descriptor_to_json(&list[i]));
        return array;
}
