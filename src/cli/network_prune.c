#include "base/selection.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/network-internal.h"
#include "cli/prune-internal.h"

static int prune_one(struct engine *e, struct network *n, struct prune_told *told, struct err *err)
{
        struct err kept = ERR_INIT;
        if (network_drop(e, n, &kept) == 0)
                prune_tell(told, n->name);
        else if (kept.kind != ERR_CONFLICT && kept.kind != ERR_DENIED && kept.kind != ERR_NOT_FOUND) /* in use, ours, gone meanwhile */
                return err_set(err, kept.kind, "%s", kept.msg);
        return 0;
}

int network_prune(struct engine *e, char *const *filters, struct prune_told *told, struct err *err)
{
        struct selection only;
        struct network *list = NULL;
        size_t count = 0;
        if (selection_parse(filters, true, &only, err) < 0 || network_list(engine_db(e), &list, &count, err) < 0)
                return -1;
        int result = 0;
        for (size_t i = 0; i < count; i++) {
                if (result == 0 && selection_wants(&only, list[i].created, list[i].labels))
                        result = prune_one(e, &list[i], told, err);
                network_done(&list[i]);
        }
        free(list);
        return result;
}

struct network_prune_options {
        bool force;
        char **filters;
};

static int network_prune_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct network_prune_options *o = options;
        struct prune_told told = { .heading = "Deleted Networks:" };
        struct engine *e;
        if (!prune_confirm(o->force, "This will remove all custom networks not used by at least one container."))
                return 0;
        return cli_engine(cli, &e, err) < 0 ? -1 : network_prune(e, o->filters, &told, err);
}

static const struct option_row rows[] = {
        { 0, "filter", OPT_STRV, offsetof(struct network_prune_options, filters), "filter",
          "Provide filter values (e.g. \"until=<timestamp>\")" },
        { 'f', "force", OPT_BOOL, offsetof(struct network_prune_options, force), NULL,
          "Do not prompt for confirmation" },
        { 0 },
};

const struct command command_network_prune = {
        .options = rows,
        .options_size = sizeof(struct network_prune_options),
        .description = "Removes networks that no running container is in. Filters: label, label!, until.",
        .run = network_prune_run,
};
