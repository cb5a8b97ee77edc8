#include <stdio.h>

#include "cli/command.h"
#include "cli/output.h"
#include "engine/containers.h"

static int rm_one(struct engine *e, const char *name, void *data, struct err *err)
{
        const struct container_remove *how = data;
        if (container_remove(e, name, how, err) < 0) {
                if (!how->force || err->kind != ERR_NOT_FOUND)
                        return -1;
                /* docker: what -f was to remove and is not there is told, and is no failure */
                fprintf(stderr, "tare: %s\n", err->msg);
                return 0;
        }
        return out_line(err, "%s", name);
}

static int rm_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct container_remove *how = options;
        /* with force it mostly waits for ends; without, a process each would cost more than it saves */
        return (how->force ? cli_each_at_once : cli_each)(cli, args, rm_one, options, err);
}

static const struct option_row rows[] = {
        { 'f', "force", OPT_BOOL, offsetof(struct container_remove, force), NULL,
          "Force the removal of a running container (uses SIGKILL)" },
        { 'v', "volumes", OPT_BOOL, offsetof(struct container_remove, volumes), NULL,
          "Remove anonymous volumes associated with the container" },
        { 0 },
};

const struct command command_rm = {
        .options = rows,
        .options_size = sizeof(struct container_remove),
        .min_args = 1,
        .max_args = -1,
        .args = "CONTAINER [CONTAINER...]",
        .description = "Removes containers with their file systems and logs. A running one is refused unless forced.",
        .examples = "tare rm web -- remove a stopped container\ntare rm -f $(tare ps -aq) -- remove all of them\n",
        .run = rm_run,
};
