/* stop, restart: a signal, a wait, SIGKILL. */
#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"
#include "engine/containers.h"

struct stop_options {
        char *signal;
        int64_t timeout;
};

static void stop_init(void *options)
{
        ((struct stop_options *)options)->timeout = CONTAINER_STOP_DEFAULT;
}

static int timeout_parse(void *options, const char *text, struct err *err)
{
        struct stop_options *o = options;
        if (parse_i64(text, &o->timeout, err) < 0)
                return -1;
        if (o->timeout < 0) /* docker: any negative one waits for ever */
                o->timeout = -1;
        return 0;
}

static int stop_one(struct engine *e, const char *name, void *data, struct err *err)
{
        const struct stop_options *o = data;
        if (container_stop(e, name, o->timeout, o->signal, err) < 0)
                return -1;
        return out_line(err, "%s", name);
}

static int stop_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return cli_each_at_once(cli, args, stop_one, options, err);
}

static int restart_one(struct engine *e, const char *name, void *data, struct err *err)
{
        const struct stop_options *o = data;
        if (o->signal) {
                /* The signal is the stop's alone: a container stopped by it is then started by the restart. */
                if (container_stop(e, name, o->timeout, o->signal, err) < 0)
                        return -1;
        }
        if (container_restart(e, name, o->timeout, err) < 0)
                return -1;
        return out_line(err, "%s", name);
}

static int restart_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return cli_each_at_once(cli, args, restart_one, options, err);
}

static const struct option_row stop_rows[] = {
        { 's', "signal", OPT_STRING, offsetof(struct stop_options, signal), NULL, "Signal to send to the container" },
        { 't', "timeout", OPT_PARSE, 0, "int", "Seconds to wait before killing the container", timeout_parse },
        { 0, "time", OPT_PARSE, 0, "int", "Seconds to wait before killing the container", timeout_parse,
          .hidden = true },
        { 0 },
};

const struct command command_stop = {
        .options = stop_rows,
        .options_size = sizeof(struct stop_options),
        .init = stop_init,
        .min_args = 1,
        .max_args = -1,
        .args = "CONTAINER [CONTAINER...]",
        .description = "Sends the container's stop signal (SIGTERM unless its image or --stop-signal says otherwise) "
                       "to its first process and, when "
                       "it has not ended after the timeout (10 seconds unless --stop-timeout said otherwise; negative: "
                       "never), SIGKILL.",
        .examples = "tare stop web -- stop a container\ntare stop -t 60 db -- give it a minute to end\n",
        .run = stop_run,
};

const struct command command_restart = {
        .options = stop_rows,
        .options_size = sizeof(struct stop_options),
        .init = stop_init,
        .min_args = 1,
        .max_args = -1,
        .args = "CONTAINER [CONTAINER...]",
        .description = "Stops each container as stop does and starts it again.",
        .examples = "tare restart web -- stop and start it\n",
        .run = restart_run,
};
