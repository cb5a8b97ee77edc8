#include "base/str.h"
#include "build/build.h"
#include "cli/command.h"
#include "cli/network-internal.h"
#include "cli/prune-internal.h"
#include "engine/containers.h"
#include "engine/volumes.h"
#include "image/images.h"

struct system_prune_options {
        bool all, force, volumes;
        char **filters;
};

enum { CONTAINERS, NETWORKS, VOLUMES, IMAGES };
static struct prune_told told[] = {
        { .heading = "Deleted Containers:" },
        { .heading = "Deleted Networks:" },
        { .heading = "Deleted Volumes:" },
        { .heading = "Deleted Images:", .lower = true },
};

static void image_told(void *data, const char *line)
{
        prune_tell(&told[IMAGES], line);
}

static int prune_all(struct engine *e, const struct system_prune_options *o, uint64_t *ret_bytes, struct err *err)
{
        uint64_t containers = 0, volumes = 0, images = 0;
        unsigned steps;
        struct storage *st;
        struct selection only;
        if (selection_parse(o->filters, true, &only, err) < 0)
                return -1;
        if (o->volumes && only.until)
                return err_set(err, ERR_INVALID, "the \"until\" filter is not supported with \"--volumes\"");
        const struct image_remove how = { .in_use = container_uses_image, .told = image_told, .data = e, .only = &only };
        if (container_prune(e, o->filters, prune_tell, &told[CONTAINERS], &containers, err) < 0 ||
            network_prune(e, o->filters, &told[NETWORKS], err) < 0 ||
            (o->volumes && volume_prune(e, false, only.labels ? o->filters : NULL, prune_tell, &told[VOLUMES], &volumes, err) < 0) ||
            engine_storage(e, &st, err) < 0 || image_prune(engine_db(e), st, o->all, &how, &images, err) < 0 ||
            (!o->filters && build_prune(engine_db(e), o->all, &steps, err) < 0))
                return -1;
        *ret_bytes = containers + volumes + images;
        return 0;
}

static int system_prune_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct system_prune_options *o = options;
        uint64_t bytes = 0;
        struct engine *e;
        _cleanup_free_ char *warning =
                xasprintf("This will remove:\n  - all stopped containers\n  - all networks not used by at least one "
                          "container\n%s  - all %s\n  - unused build cache\n",
                          o->volumes ? "  - all anonymous volumes not used by at least one container\n" : "",
                          o->all ? "images without at least one container associated to them" : "dangling images");
        if (!prune_confirm(o->force, warning))
                return 0;
        if (cli_engine(cli, &e, err) < 0 || prune_all(e, o, &bytes, err) < 0)
                return -1;
        return prune_total(told, ELEMENTS(told), bytes, err);
}

static const struct option_row rows[] = {
        { 'a', "all", OPT_BOOL, offsetof(struct system_prune_options, all), NULL,
          "Remove all unused images not just dangling ones" },
        { 0, "filter", OPT_STRV, offsetof(struct system_prune_options, filters), "filter",
          "Provide filter values (e.g. \"label=<key>=<value>\")" },
        { 'f', "force", OPT_BOOL, offsetof(struct system_prune_options, force), NULL,
          "Do not prompt for confirmation" },
        { 0, "volumes", OPT_BOOL, offsetof(struct system_prune_options, volumes), NULL, "Prune anonymous volumes" },
        { 0 },
};

const struct command command_system_prune = {
        .options = rows,
        .options_size = sizeof(struct system_prune_options),
        .description = "Removes stopped containers, networks without containers and dangling images; with --all every unused image, with --volumes "
                       "also unused anonymous volumes. Filters: label, label!, until; with one the build "
                       "cache is left alone.",
        .run = system_prune_run,
};
