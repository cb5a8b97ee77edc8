#include "oci/config.h"
#include "oci/config-internal.h"

#include "base/digest.h"
#include "base/str.h"
#include "oci/image.h"

#define HISTORY_MAX 16384 /* entries; every instruction of a build leaves one */

static const char *const config_members[] = { "created", "author", "architecture", "os",     "os.version",
                                              "variant", "config", "rootfs",       "history", NULL };

static void history_done(struct history *h)
{
        free(h->created);
        free(h->created_by);
        free(h->author);
        free(h->comment);
        *h = (struct history){ 0 };
}

void image_config_init(struct image_config *c)
{
        *c = (struct image_config){ 0 };
        image_exec_init(&c->exec);
}

void image_config_done(struct image_config *c)
{
        platform_done(&c->platform);
        free(c->created);
        free(c->author);
        image_exec_done(&c->exec);
        strv_free(c->diff_ids);
        for (size_t i = 0; i < c->history_count; i++)
                history_done(&c->history[i]);
        free(c->history);
        json_decref(c->extra);
        json_decref(c->exec_extra);
        image_config_init(c);
}

void image_config_add_history(struct image_config *c, const char *created, const char *created_by, const char *author,
                              const char *comment, bool empty_layer)
{
        struct history *h;

        c->history = xreallocarray(c->history, c->history_count + 1, sizeof(*c->history));
        h = &c->history[c->history_count++];
        *h = (struct history){ .empty_layer = empty_layer };
        str_replace(&h->created, created);
        str_replace(&h->created_by, created_by);
        str_replace(&h->author, author);
        str_replace(&h->comment, comment);
}

void image_config_copy(const struct image_config *from, struct image_config *ret)
{
        struct image_config c;

        image_config_init(&c);
        platform_copy(&from->platform, &c.platform);
        str_replace(&c.created, from->created);
        str_replace(&c.author, from->author);
        image_exec_copy(&from->exec, &c.exec);
        c.diff_ids = strv_dup(from->diff_ids);
        for (size_t i = 0; i < from->history_count; i++) {
                const struct history *h = &from->history[i];

                image_config_add_history(&c, h->created, h->created_by, h->author, h->comment, h->empty_layer);
        }
        c.extra = json_deep_copy(from->extra);
        c.exec_extra = json_deep_copy(from->exec_extra);
        *ret = c;
}

/* The members that `known` does not name, as a new object; NULL when there are none. */
static json_t *members_unknown(json_t *o, const char *const *known)
{
        json_t *rest = json_copy(o);

        for (; rest && *known; known++)
                json_object_del(rest, *known);
        if (json_object_size(rest) > 0)
                return rest;
        json_decref(rest);
        return NULL;
}

static int history_entry_get(json_t *o, const struct jpath *path, struct image_config *c, struct err *err)
{
        struct history *h;

        if (!json_is_object(o))
                return json_err(path, NULL, err, "expected an object");
        image_config_add_history(c, NULL, NULL, NULL, NULL, false);
        h = &c->history[c->history_count - 1];
        if (json_get_string(o, path, "created", false, &h->created, err) < 0 ||
            json_get_string(o, path, "created_by", false, &h->created_by, err) < 0 ||
            json_get_string(o, path, "author", false, &h->author, err) < 0 ||
            json_get_string(o, path, "comment", false, &h->comment, err) < 0 ||
            json_get_bool(o, path, "empty_layer", false, &h->empty_layer, err) < 0)
                return -1;
        return 0;
}

static int history_get(const json_t *o, const struct jpath *path, struct image_config *c, struct err *err)
{
        struct jpath list_path = jpath_key(path, "history");
        json_t *list = NULL;

        if (json_get_array(o, path, "history", false, &list, err) < 0)
                return -1;
        if (json_array_size(list) > HISTORY_MAX)
                return json_err(path, "history", err, "%zu entries, at most %d are allowed", json_array_size(list),
                                HISTORY_MAX);
        for (size_t i = 0; i < json_array_size(list); i++) {
                struct jpath here = jpath_index(&list_path, i);

                if (history_entry_get(json_array_get(list, i), &here, c, err) < 0)
                        return -1;
        }
        return 0;
}

static int rootfs_get(const json_t *o, const struct jpath *path, struct image_config *c, struct err *err)
{
        struct jpath here = jpath_key(path, "rootfs"), ids = jpath_key(&here, "diff_ids");
        _cleanup_free_ char *type = NULL;
        json_t *rootfs = NULL;
        size_t i = 0;

        if (json_get_object(o, path, "rootfs", true, &rootfs, err) < 0 ||
            json_get_string(rootfs, &here, "type", true, &type, err) < 0 ||
            json_get_strv(rootfs, &here, "diff_ids", false, &c->diff_ids, err) < 0)
                return -1;
        if (strcmp(type, "layers") != 0)
                return json_err(&here, "type", err, "expected \"layers\"");
        if (strv_len(c->diff_ids) > IMAGE_LAYERS_MAX)
                return json_err(&here, "diff_ids", err, "%zu entries, at most %d are allowed", strv_len(c->diff_ids),
                                IMAGE_LAYERS_MAX);
        STRV_FOREACH(id, c->diff_ids) {
                struct jpath entry = jpath_index(&ids, i++);

                if (!digest_valid(*id))
                        return json_err(&entry, NULL, err, "\"%.140s\" is no sha256 or sha512 digest", *id);
        }
        return 0;
}

static int exec_get(const json_t *o, const struct jpath *path, struct image_config *c, struct err *err)
{
        struct jpath here = jpath_key(path, "config");
        json_t *exec = NULL;

        if (json_get_object(o, path, "config", false, &exec, err) < 0)
                return -1;
        if (!exec)
                return 0;
        if (image_exec_from_json(exec, &here, &c->exec, err) < 0)
                return -1;
        c->exec_extra = members_unknown(exec, image_exec_members);
        return 0;
}

static int image_config_fill(const json_t *o, const struct jpath *path, struct image_config *c, struct err *err)
{
        if (platform_from_json(o, path, &c->platform, err) < 0 ||
            json_get_string(o, path, "created", false, &c->created, err) < 0 ||
            json_get_string(o, path, "author", false, &c->author, err) < 0 || exec_get(o, path, c, err) < 0 ||
            rootfs_get(o, path, c, err) < 0 || history_get(o, path, c, err) < 0)
                return -1;
        if (str_empty(c->platform.architecture))
                return json_err(path, "architecture", err, "is missing");
        if (str_empty(c->platform.os))
                return json_err(path, "os", err, "is missing");
        return 0;
}

int image_config_parse(const char *text, size_t len, struct image_config *ret, struct err *err)
{
        _cleanup_json_ json_t *o = json_parse(text, len, IMAGE_DOCUMENT_MAX, "image config", err);
        _cleanup_image_config_ struct image_config c;
        struct jpath root = JPATH("image config");

        image_config_init(&c);
        if (!o)
                return -1;
        if (!json_is_object(o))
                return json_err(&root, NULL, err, "expected an object");
        if (image_config_fill(o, &root, &c, err) < 0)
                return -1;
        c.extra = members_unknown(o, config_members);
        *ret = c;
        image_config_init(&c);
        return 0;
}

static json_t *history_to_json(const struct image_config *c)
{
        json_t *list = json_array();

        for (size_t i = 0; i < c->history_count; i++) {
                const struct history *h = &c->history[i];
                json_t *o = json_object();

                json_set_string(o, "created", h->created);
                json_set_string(o, "created_by", h->created_by);
                json_set_string(o, "author", h->author);
                json_set_string(o, "comment", h->comment);
                if (h->empty_layer)
                        json_object_set_new(o, "empty_layer", json_true());
                json_array_append_new(list, o);
        }
        return list;
}

static json_t *rootfs_to_json(const struct image_config *c)
{
        json_t *rootfs = json_object(), *ids = json_array();

        STRV_FOREACH(id, c->diff_ids)
                json_array_append_new(ids, json_string(*id));
        json_set_string(rootfs, "type", "layers");
        json_object_set_new(rootfs, "diff_ids", ids);
        return rootfs;
}

char *image_config_format(const struct image_config *c)
{
        _cleanup_json_ json_t *o = json_object();
        _cleanup_json_ json_t *platform = platform_to_json(&c->platform);
        json_t *exec = image_exec_to_json(&c->exec);

        json_set_string(o, "created", c->created);
        json_set_string(o, "author", c->author);
        json_object_update(o, platform);
        if (c->exec_extra)
                json_object_update_missing(exec, c->exec_extra);
        json_object_set_new(o, "config", exec);
        json_object_set_new(o, "rootfs", rootfs_to_json(c));
        if (c->history_count > 0)
                json_object_set_new(o, "history", history_to_json(c));
        if (c->extra)
                json_object_update_missing(o, c->extra);
        return json_text(o);
}
