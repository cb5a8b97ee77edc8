#include "cli/command.h"
#include "cli/output.h"
#include "engine/containers.h"

static int wait_one(struct engine *e, const char *name, void *data, struct err *err)
{
        int32_t status;
        if (container_wait(e, name, NULL, &status, err) < 0)
                return -1;
        return out_line(err, "%d", status);
}

static int wait_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return cli_each(cli, args, wait_one, NULL, err);
}

const struct command command_wait = {
        .min_args = 1,
        .max_args = -1,
        .args = "CONTAINER [CONTAINER...]",
        .description = "Blocks until each container has stopped and prints its exit code, one a line.",
        .run = wait_run,
};
