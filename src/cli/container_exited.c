#include "cli/command.h"
#include "engine/containers.h"

static int container_exited_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct engine *e;
        return cli_engine(cli, &e, err) < 0 ? -1 : container_exited(e, args[0], err);
}

const struct command command_container_exited = {
        .min_args = 1,
        .max_args = 1,
        .args = "CONTAINER",
        .description = "Called by a container's monitor after its end: starts it again as its policy says, or takes "
                       "down what is left of it.",
        .run = container_exited_run,
};
