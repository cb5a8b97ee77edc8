/* system boot, system shutdown: containers as the machine comes and goes. */
#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"
#include "engine/containers.h"
#include "engine/system.h"

#define STARTS 16 /* at a time */
#define STOPS 64

static int one(struct engine *e, const char *id, bool up, struct err *err)
{
        struct container_start how = { 0 };
        struct err gone = ERR_INIT;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_load(e, id, &c, &gone) < 0)
                return gone.kind == ERR_NOT_FOUND ? 0 : err_set(err, gone.kind, "%s", gone.msg);
        if ((up ? container_start(e, id, &how, NULL, err) : container_shut_down(e, id, err)) < 0)
                return err_add(err, "container %s", c.name);
        return out_line(err, "%s", c.name);
}

static int start_one(struct engine *e, const char *id, void *data, struct err *err) { return one(e, id, true, err); }
static int stop_one(struct engine *e, const char *id, void *data, struct err *err) { return one(e, id, false, err); }

/* A handle on the database does not survive the forks of the next wave. */
static void engine_let_go(struct cli *cli)
{
        if (cli->engine)
                engine_close(cli->engine);
        cli->engine = NULL;
}

static int waves_run(struct cli *cli, const struct boot_plan *p, bool up, struct err *err)
{
        int code = 0;
        for (unsigned wave = 0; wave < p->wave_count; wave++) {
                _cleanup_strv_ char **ids = NULL;
                for (size_t i = 0; i < p->count; i++)
                        if (p->waves[i] == wave)
                                strv_push(&ids, p->ids[i]);
                engine_let_go(cli);
                int some = cli_each_few(cli, up ? STARTS : STOPS, ids, up ? start_one : stop_one, NULL, err);
                if (some < 0)
                        return -1;
                code |= some;
        }
        return code;
}

/* That some container cannot be started is told and does not make the boot a failure. */
static int system_boot_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct engine *e;
        _cleanup_(boot_plan_done) struct boot_plan p = { 0 };
        if (cli_engine(cli, &e, err) < 0 || system_boot_plan(e, &p, err) < 0)
                return -1;
        return waves_run(cli, &p, true, err) < 0 ? -1 : 0;
}

static int system_shutdown_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct engine *e;
        _cleanup_(boot_plan_done) struct boot_plan p = { 0 };
        if (cli_engine(cli, &e, err) < 0 || system_shutdown_plan(e, &p, err) < 0)
                return -1;
        return waves_run(cli, &p, false, err);
}

const struct command command_system_boot = {
        .description = "Called once after the machine has started, by tare.service. Containers that were running when it went down are recorded as exited "
                       "(255), and those with --restart=always are started, as are those with unless-stopped that the user did not stop: first "
                       "those whose namespaces others join, 16 at a time. Prints the names. One that cannot be started is told of and "
                       "keeps nobody else from it. Running it again does no harm.",
        .run = system_boot_run,
};

const struct command command_system_shutdown = {
        .description = "Stops all running containers, each as stop does with its own signal and timeout, those first that join others' namespaces, "
                       "and prints their names. It is not taken for the user's wish: system boot starts what must be up again. "
                       "tare.service calls it when the machine goes down.",
        .run = system_shutdown_run,
};
