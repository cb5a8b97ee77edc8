#include "cli/command.h"
#include "engine/containers.h"
#include "runtime/attach.h"

static int container_probe_run(struct cli *cli, void *options, char **args, struct err *err)
{
        static const int codes[] = { [HEALTH_STARTING] = PROBE_STARTING, [HEALTH_HEALTHY] = PROBE_HEALTHY, [HEALTH_UNHEALTHY] = PROBE_UNHEALTHY };
        enum container_health health;
        struct engine *e;
        return cli_engine(cli, &e, err) < 0 || container_probe(e, args[0], &health, err) < 0 ? -1 : codes[health];
}

const struct command command_container_probe = {
        .min_args = 1,
        .max_args = 1,
        .args = "CONTAINER",
        .description = "Called by a container's monitor when a check of its health is due.",
        .run = container_probe_run,
        .error_code = 3,
};

static int container_oom_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct engine *e;
        return cli_engine(cli, &e, err) < 0 ? -1 : container_oom(e, args[0], err);
}

const struct command command_container_oom = {
        .min_args = 1,
        .max_args = 1,
        .args = "CONTAINER",
        .description = "Called by a container's monitor when one of its processes died for want of memory.",
        .run = container_oom_run,
};
