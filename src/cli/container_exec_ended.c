#include "cli/command.h"
#include "engine/containers.h"

struct ended_options { char *exec; int64_t status; };

static int exec_ended_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct ended_options *o = options;
        struct engine *e;
        if (!o->exec || o->status < 0 || o->status > 255)
                return err_set(err, ERR_INVALID, "--exec and --status are needed");
        if (cli_engine(cli, &e, err) < 0)
                return -1;
        container_exec_ended(e, args[0], o->exec, (int32_t)o->status);
        return 0;
}

static const struct option_row rows[] = {
        { 0, "exec", OPT_STRING, offsetof(struct ended_options, exec), "string", "ID of the exec", .hidden = true },
        { 0, "status", OPT_I64, offsetof(struct ended_options, status), "int", "Its exit code", .hidden = true },
        { 0 },
};

const struct command command_container_exec_ended = {
        .options = rows,
        .options_size = sizeof(struct ended_options),
        .min_args = 1,
        .max_args = 1,
        .args = "CONTAINER",
        .description = "Called when the process of a detached exec has ended.",
        .run = exec_ended_run,
};
