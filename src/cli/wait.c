#include "cli/command.h"
#include "cli/output.h"
#include "engine/containers.h"

struct wait_options {
        char *condition;
};

static int wait_one(struct engine *e, const char *name, void *data, struct err *err)
{
        const struct wait_options *o = data;
        int32_t status;
        if (container_wait(e, name, o->condition, &status, err) < 0)
                return -1;
        return out_line(err, "%d", status);
}

static int wait_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return cli_each(cli, args, wait_one, options, err);
}

static const struct option_row rows[] = {
        { 0, "condition", OPT_STRING, offsetof(struct wait_options, condition), "string",
          "What to wait for: not-running, next-exit, removed, created, running, paused, healthy or unhealthy" },
        { 0 },
};

const struct command command_wait = {
        .options = rows,
        .options_size = sizeof(struct wait_options),
        .min_args = 1,
        .max_args = -1,
        .args = "CONTAINER [CONTAINER...]",
        .description = "Blocks until each container has stopped and prints its exit code, one a line. --condition=next-exit waits "
                       "for an end after now, removed until it is gone. created, running, paused, healthy and unhealthy wait for "
                       "that state, and print -1; a container that has exited by then is an error.",
        .examples = "tare wait --condition=healthy db -- until its health check says so\n",
        .run = wait_run,
};
