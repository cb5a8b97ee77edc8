#include "base/str.h"
#include "cli/command.h"
#include "engine/containers.h"

static int rename_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct engine *e;
        if (str_empty(args[0]) || str_empty(args[1]))
                return err_set(err, ERR_INVALID, "Error: Neither old nor new names may be empty");
        return cli_engine(cli, &e, err) < 0 ? -1 : container_rename(e, args[0], args[1], err);
}

const struct command command_rename = {
        .min_args = 2,
        .max_args = 2,
        .args = "CONTAINER NEW_NAME",
        .description = "Gives a container another name, running or not.",
        .run = rename_run,
};
