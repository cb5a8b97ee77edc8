/* pause, unpause. */
#include "cli/command.h"
#include "cli/output.h"
#include "engine/containers.h"

static int pause_one(struct engine *e, const char *name, void *data, struct err *err)
{
        if (container_pause(e, name, data != NULL, err) < 0)
                return -1;
        return out_line(err, "%s", name);
}

static int pause_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return cli_each(cli, args, pause_one, cli, err);
}
static int unpause_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return cli_each(cli, args, pause_one, NULL, err);
}

const struct command command_pause = {
        .min_args = 1,
        .max_args = -1,
        .args = "CONTAINER [CONTAINER...]",
        .description = "Freezes every process of each container by the cgroup freezer. They do not notice.",
        .run = pause_run,
};

const struct command command_unpause = {
        .min_args = 1,
        .max_args = -1,
        .args = "CONTAINER [CONTAINER...]",
        .description = "Lets the processes of paused containers go on.",
        .run = unpause_run,
};
