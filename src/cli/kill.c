#include "cli/command.h"
#include "cli/output.h"
#include "engine/containers.h"

struct kill_options {
        char *signal;
};

static int kill_one(struct engine *e, const char *name, void *data, struct err *err)
{
        const struct kill_options *o = data;
        if (container_kill(e, name, o->signal ? o->signal : "KILL", err) < 0)
                return -1;
        return out_line(err, "%s", name);
}

static int kill_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return cli_each(cli, args, kill_one, options, err);
}

static const struct option_row rows[] = {
        { 's', "signal", OPT_STRING, offsetof(struct kill_options, signal), NULL,
          "Signal to send to the container (default \"KILL\")" },
        { 0 },
};

const struct command command_kill = {
        .options = rows,
        .options_size = sizeof(struct kill_options),
        .min_args = 1,
        .max_args = -1,
        .args = "CONTAINER [CONTAINER...]",
        .description = "Sends a signal, SIGKILL unless another is named, to the first process of each container.",
        .examples = "tare kill web -- end it at once\ntare kill -s HUP web -- have it read its configuration again\n",
        .run = kill_run,
};
