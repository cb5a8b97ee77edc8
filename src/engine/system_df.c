/* docker's "system df": the Engine API's SystemDataUsageResponse. */
#include <fcntl.h>

#include "base/file.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/inspect-internal.h"
#include "engine/engine-internal.h"
#include "engine/system.h"
#include "engine/volumes.h"

struct usage {
        struct engine *engine;
        struct storage *storage;
        struct image *images;
        size_t image_count;
        struct container *containers;
        size_t container_count;
        json_t *layer_users;           /* chain id: number of images that have it */
        uint64_t layers_size;
};

static void usage_done(struct usage *u)
{
        images_free(u->images, u->image_count);
        containers_free(u->containers, u->container_count);
        json_decref(u->layer_users);
}

static int usage_load(struct usage *u, struct err *err)
{
        struct image_filter all = { .all = true, .dangling = -1 };
        struct container_filter every = { .all = true };
        u->layer_users = json_object();
        if (engine_storage(u->engine, &u->storage, err) < 0 ||
            image_list(engine_db(u->engine), u->storage, &all, &u->images, &u->image_count, err) < 0 ||
            container_list(u->engine, &every, &u->containers, &u->container_count, err) < 0)
                return -1;
        for (size_t i = 0; i < u->image_count; i++)
                STRV_FOREACH (chain_id, u->images[i].chain)
                        json_object_set_new(u->layer_users, *chain_id,
                                            json_integer(json_integer_value(json_object_get(u->layer_users, *chain_id)) + 1));
        return 0;
}

static int layer_add(void *data, const char *chain_id, struct err *err)
{
        struct usage *u = data;
        uint64_t size = 0;
        struct err gone = ERR_INIT;
        if (layer_size(u->storage->snapshots, chain_id, &size, &gone) == 0)
                u->layers_size += size;
        return 0;
}

/* Bytes of the layers that other images have too. */
static uint64_t shared_size(const struct usage *u, const struct image *i)
{
        uint64_t shared = 0, size;
        struct err gone = ERR_INIT;
        STRV_FOREACH (chain_id, i->chain)
                if (json_integer_value(json_object_get(u->layer_users, *chain_id)) > 1 &&
                    layer_size(u->storage->snapshots, *chain_id, &size, &gone) == 0)
                        shared += size;
        return shared;
}

static int containers_of(const struct usage *u, const struct image *i)
{
        int n = 0;
        for (size_t c = 0; c < u->container_count; c++)
                n += str_eq(u->containers[c].image_id, i->id);
        return n;
}

static json_t *image_json(const struct usage *u, const struct image *i)
{
        json_int_t size = (json_int_t)i->size;
        return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:n, s:i}", "Id", inspect_text(i->id), "ParentId", inspect_text(i->parent),
                         "RepoTags", json_from_strv(i->names), "RepoDigests", json_from_strv(i->digests), "Created",
                         (json_int_t)(i->created / 1000000000), "Size", size, "SharedSize", (json_int_t)shared_size(u, i), "VirtualSize", size,
                         "Labels", "Containers", containers_of(u, i));
}

static json_t *container_json(const struct usage *u, const struct container *c)
{
        uint64_t own = 0, all, layer;
        struct err gone = ERR_INIT;
        _cleanup_free_ char *name = xasprintf("/%s", c->name);
        root_usage(u->storage->snapshots, c->id, &own, &gone);
        all = own;
        STRV_FOREACH (chain_id, c->chain)
                if (layer_size(u->storage->snapshots, *chain_id, &layer, &gone) == 0)
                        all += layer;
        return json_pack("{s:s, s:[s], s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:s}", "Id", c->id, "Names", name, "Image", inspect_text(c->config.image),
                         "ImageID", inspect_text(c->image_id), "Command", inspect_text(c->command), "Created", (json_int_t)(c->created / 1000000000),
                         "SizeRw", (json_int_t)own, "SizeRootFs", (json_int_t)all, "Labels", json_from_map(c->config.labels), "State",
                         container_state_name(c->status.state));
}

static int users_of(const struct usage *u, const char *volume)
{
        int n = 0;
        for (size_t c = 0; c < u->container_count; c++) {
                const struct container_config *config = &u->containers[c].config;
                for (size_t i = 0; i < config->mount_count; i++)
                        if (config->mounts[i].kind == MOUNT_VOLUME && str_eq(config->mounts[i].source, volume)) {
                                n++;
                                break;
                        }
        }
        return n;
}

static int volumes_json(const struct usage *u, json_t **ret, struct err *err)
{
        struct volume *list = NULL;
        size_t count = 0;
        if (volume_list(u->engine, NULL, &list, &count, err) < 0)
                return -1;
        *ret = json_array();
        for (size_t i = 0; i < count; i++) {
                uint64_t size = 0;
                struct err gone = ERR_INIT;
                json_t *o = volume_inspect(&list[i]);
                tree_usage_at(AT_FDCWD, list[i].mountpoint, &size, &gone);
                json_object_set_new(o, "UsageData", json_pack("{s:I, s:i}", "Size", (json_int_t)size, "RefCount", users_of(u, list[i].name)));
                json_array_append_new(*ret, o);
        }
        volumes_free(list, count);
        return 0;
}

int system_df(struct engine *e, json_t **ret, struct err *err)
{
        _cleanup_(usage_done) struct usage u = { .engine = e };
        json_t *volumes = NULL;
        if (usage_load(&u, err) < 0 || layers_walk(u.storage->snapshots, layer_add, &u, err) < 0 || volumes_json(&u, &volumes, err) < 0)
                return -1;
        json_t *images = json_array(), *containers = json_array();
        for (size_t i = 0; i < u.image_count; i++)
                json_array_append_new(images, image_json(&u, &u.images[i]));
        for (size_t i = 0; i < u.container_count; i++)
                json_array_append_new(containers, container_json(&u, &u.containers[i]));
        *ret = json_pack("{s:I, s:o, s:o, s:o, s:[]}", "LayersSize", (json_int_t)u.layers_size, "Images", images, "Containers", containers,
                         "Volumes", volumes, "BuildCache");
        return 0;
}
