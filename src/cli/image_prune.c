#include "cli/command.h"
#include "cli/prune-internal.h"
#include "engine/containers.h"
#include "image/images.h"

struct image_prune_options {
        bool all, force;
        char **filters;
};

/* The hooks of image_remove share one data pointer: the engine for in_use, what is told goes to a list of its own. */
static struct prune_told told = { .heading = "Deleted Images:", .lower = true };

static void image_told(void *data, const char *line)
{
        prune_tell(&told, line);
}

static int image_prune_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct image_prune_options *o = options;
        struct storage *st;
        uint64_t bytes = 0;
        struct engine *e;
        struct selection only;
        if (selection_parse(o->filters, true, &only, err) < 0)
                return -1;
        if (!prune_confirm(o->force,
                           o->all ? "This will remove all images without at least one container associated to them."
                                  : "This will remove all dangling images."))
                return 0;
        if (cli_engine(cli, &e, err) < 0 || engine_storage(e, &st, err) < 0)
                return -1;
        const struct image_remove how = { .in_use = container_uses_image, .told = image_told, .data = e, .only = &only };
        if (image_prune(engine_db(e), st, o->all, &how, &bytes, err) < 0)
                return -1;
        return prune_total(&told, 1, bytes, err);
}

static const struct option_row rows[] = {
        { 'a', "all", OPT_BOOL, offsetof(struct image_prune_options, all), NULL,
          "Remove all unused images, not just dangling ones" },
        { 0, "filter", OPT_STRV, offsetof(struct image_prune_options, filters), "filter",
          "Provide filter values (e.g. \"until=<timestamp>\")" },
        { 'f', "force", OPT_BOOL, offsetof(struct image_prune_options, force), NULL, "Do not prompt for confirmation" },
        { 0 },
};

const struct command command_image_prune = {
        .options = rows,
        .options_size = sizeof(struct image_prune_options),
        .description = "Removes dangling images, those without a name; with --all every image that no container uses. "
                       "Filters: label, label!, until (when the image was made).",
        .run = image_prune_run,
};
