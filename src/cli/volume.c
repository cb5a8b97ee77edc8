/* volume create, inspect, rm, prune; the list is volume_ls.c. */
#include <stdio.h>

#include "base/str.h"
#include "cli/command.h"
#include "cli/inspect-internal.h"
#include "cli/output.h"
#include "cli/prune-internal.h"
#include "engine/volumes.h"

struct volume_create_options {
        char *driver, *name;
        char **labels, **driver_options;
};

static int volume_create_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct volume_create_options *o = options;
        _cleanup_volume_ struct volume v = { 0 };
        struct engine *e;
        if (!str_empty(o->driver) && !str_eq(o->driver, "local"))
                return err_set(err, ERR_NOT_FOUND, "create %s: volume driver \"%s\" not found: only \"local\" is here",
                               args[0] ? args[0] : "volume", o->driver);
        if (args[0] && o->name)
                return err_set(err, ERR_INVALID,
                               "conflicting options: cannot specify a volume-name through both --name and as a "
                               "positional arg");
        const char *name = args[0] ? args[0] : o->name;
        if (cli_engine(cli, &e, err) < 0 ||
            volume_create(e, str_empty(name) ? NULL : name, o->labels, o->driver_options, &v, err) < 0)
                return -1;
        return out_line(err, "%s", v.name);
}

static const struct option_row create_rows[] = {
        { 'd', "driver", OPT_STRING, offsetof(struct volume_create_options, driver), NULL,
          "Specify volume driver name (default \"local\")" },
        { 0, "label", OPT_STRV, offsetof(struct volume_create_options, labels), NULL, "Set metadata for a volume" },
        { 0, "name", OPT_STRING, offsetof(struct volume_create_options, name), NULL, "Specify volume name",
          .hidden = true },
        { 'o', "opt", OPT_STRV, offsetof(struct volume_create_options, driver_options), "map",
          "Set driver specific options" },
        { 0 },
};

const struct command command_volume_create = {
        .options = create_rows,
        .options_size = sizeof(struct volume_create_options),
        .max_args = 1,
        .args = "[VOLUME]",
        .description = "Creates a volume and prints its name; without a name one is made up. One that exists already "
                       "is left as it is. The options size (bytes, 10G) and inodes limit what it may hold, where the "
                       "file system counts projects: ext4 mounted with prjquota, XFS with pquota.",
        .examples = "tare volume create data -- for run -v data:/var/lib/data\n"
                    "tare volume create --opt size=10G data -- it can hold 10 GiB\n",
        .run = volume_create_run,
};

int document_of_volume(struct engine *e, const char *name, const struct inspect_options *o, json_t **ret,
                       struct err *err)
{
        _cleanup_volume_ struct volume v = { 0 };
        if (volume_find(e, name, &v, err) < 0)
                return -1;
        *ret = volume_inspect(&v);
        return 0;
}

static int volume_inspect_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return inspect_all(cli, options, args, document_of_volume, err);
}

const struct command command_volume_inspect = {
        .options = inspect_format_rows,
        .options_size = sizeof(struct inspect_options),
        .min_args = 1,
        .max_args = -1,
        .args = "VOLUME [VOLUME...]",
        .description = "Prints what is known of volumes as JSON, or what a Go template picks of it.",
        .run = volume_inspect_run,
};

struct volume_rm_options {
        bool force;
};

static int volume_rm_one(struct engine *e, const char *name, void *data, struct err *err)
{
        const struct volume_rm_options *o = data;
        if (volume_remove(e, name, o->force, err) < 0 && !(o->force && err->kind == ERR_NOT_FOUND))
                return -1;
        return out_line(err, "%s", name);
}

static int volume_rm_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return cli_each(cli, args, volume_rm_one, options, err);
}

static const struct option_row rm_rows[] = {
        { 'f', "force", OPT_BOOL, offsetof(struct volume_rm_options, force), NULL,
          "Force the removal of one or more volumes" },
        { 0 },
};

const struct command command_volume_rm = {
        .options = rm_rows,
        .options_size = sizeof(struct volume_rm_options),
        .min_args = 1,
        .max_args = -1,
        .args = "VOLUME [VOLUME...]",
        .description = "Removes volumes with all that is in them. One that a container uses is refused.",
        .run = volume_rm_run,
};

struct volume_prune_options {
        bool all, force;
        char **filters;
};

static int volume_prune_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct volume_prune_options *o = options;
        struct prune_told told = { .heading = "Deleted Volumes:" };
        uint64_t bytes = 0;
        struct engine *e;
        if (!prune_confirm(o->force,
                           o->all ? "This will remove all local volumes not used by at least one container."
                                  : "This will remove anonymous local volumes not used by at least one container."))
                return 0;
        if (cli_engine(cli, &e, err) < 0 || volume_prune(e, o->all, o->filters, prune_tell, &told, &bytes, err) < 0)
                return -1;
        return prune_total(&told, 1, bytes, err);
}

static const struct option_row prune_rows[] = {
        { 'a', "all", OPT_BOOL, offsetof(struct volume_prune_options, all), NULL,
          "Remove all unused volumes, not just anonymous ones" },
        { 0, "filter", OPT_STRV, offsetof(struct volume_prune_options, filters), "filter",
          "Provide filter values (e.g. \"label=<label>\")" },
        { 'f', "force", OPT_BOOL, offsetof(struct volume_prune_options, force), NULL,
          "Do not prompt for confirmation" },
        { 0 },
};

const struct command command_volume_prune = {
        .options = prune_rows,
        .options_size = sizeof(struct volume_prune_options),
        .description = "Removes volumes that no container uses: anonymous ones, with --all those with a name too.",
        .run = volume_prune_run,
};
