#include "cli/command.h"
#include "engine/containers.h"

struct exited_options { int64_t lock; };

static void exited_init(void *options) { ((struct exited_options *)options)->lock = -1; }

static int container_exited_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct exited_options *o = options;
        struct engine *e;
        if (o->lock != -1 && (o->lock < 3 || o->lock > INT32_MAX))
                return err_set(err, ERR_INVALID, "--lock: not a descriptor that can be inherited");
        return cli_engine(cli, &e, err) < 0 ? -1 : container_exited(e, args[0], (int)o->lock, err);
}

static const struct option_row rows[] = {
        { 0, "lock", OPT_I64, offsetof(struct exited_options, lock), "int", "Descriptor that holds the monitor's lock", .hidden = true },
        { 0 },
};

const struct command command_container_exited = {
        .options = rows,
        .options_size = sizeof(struct exited_options),
        .init = exited_init,
        .min_args = 1,
        .max_args = 1,
        .args = "CONTAINER",
        .description = "Called by a container's monitor after its end: starts it again as its policy says, or takes "
                       "down what is left of it.",
        .run = container_exited_run,
};
