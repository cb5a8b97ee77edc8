#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/complete-internal.h"
#include "engine/containers.h"
#include "engine/volumes.h"
#include "image/images.h"
#include "net/network.h"

complete_names_fn complete_names;

static void offer(const char *name, const char *prefix)
{
        if (str_starts(name, prefix))
                printf("%s\n", name);
}

static int offer_containers(struct engine *e, const char *prefix, struct err *err)
{
        struct container_filter all = { .all = true };
        struct container *list = NULL;
        size_t count = 0;
        if (container_list(e, &all, &list, &count, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++)
                offer(list[i].name, prefix);
        containers_free(list, count);
        return 0;
}

static int offer_images(struct engine *e, const char *prefix, struct err *err)
{
        struct image_filter all = { .dangling = -1 };
        struct image *list = NULL;
        struct storage *st;
        size_t count = 0;
        if (engine_storage(e, &st, err) < 0 || image_list(engine_db(e), st, &all, &list, &count, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++)
                STRV_FOREACH (name, list[i].names)
                        offer(*name, prefix);
        images_free(list, count);
        return 0;
}

static int offer_volumes(struct engine *e, const char *prefix, struct err *err)
{
        struct volume *list = NULL;
        size_t count = 0;
        if (volume_list(e, NULL, &list, &count, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++)
                offer(list[i].name, prefix);
        volumes_free(list, count);
        return 0;
}

static int offer_networks(struct engine *e, const char *prefix, struct err *err)
{
        _cleanup_free_ struct network *list = NULL;
        size_t count = 0;
        if (network_list(engine_db(e), &list, &count, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++) {
                offer(list[i].name, prefix);
                network_done(&list[i]);
        }
        return 0;
}

int complete_names(struct cli *cli, const char *kind, const char *prefix, struct err *err)
{
        static const struct {
                const char *kind;
                int (*fn)(struct engine *e, const char *prefix, struct err *err);
        } kinds[] = { { "CONTAINER", offer_containers },
                      { "IMAGE", offer_images },
                      { "VOLUME", offer_volumes },
                      { "NETWORK", offer_networks } };
        struct engine *e;
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (str_eq(kind, kinds[i].kind))
                        return cli_engine(cli, &e, err) < 0 ? -1 : kinds[i].fn(e, prefix, err);
        return 0;
}
