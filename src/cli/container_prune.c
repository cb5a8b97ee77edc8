#include "cli/command.h"
#include "cli/prune-internal.h"
#include "engine/containers.h"

struct container_prune_options {
        bool force;
        char **filters;
};

static int container_prune_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct container_prune_options *o = options;
        struct prune_told told = { .heading = "Deleted Containers:" };
        uint64_t bytes = 0;
        struct engine *e;
        if (!prune_confirm(o->force, "This will remove all stopped containers."))
                return 0;
        if (cli_engine(cli, &e, err) < 0 || container_prune(e, o->filters, prune_tell, &told, &bytes, err) < 0)
                return -1;
        return prune_total(&told, 1, bytes, err);
}

static const struct option_row rows[] = {
        { 0, "filter", OPT_STRV, offsetof(struct container_prune_options, filters), "filter",
          "Provide filter values (e.g. \"until=<timestamp>\")" },
        { 'f', "force", OPT_BOOL, offsetof(struct container_prune_options, force), NULL,
          "Do not prompt for confirmation" },
        { 0 },
};

const struct command command_container_prune = {
        .options = rows,
        .options_size = sizeof(struct container_prune_options),
        .description = "Removes all stopped containers. Filters: label, label!, until.",
        .run = container_prune_run,
};
