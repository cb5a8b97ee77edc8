/* system metrics */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/command.h"
#include "cli/metrics-internal.h"
#include "cli/output.h"

struct metrics_options { char *listen; };

static int print_once(struct stats_collector *c, struct err *err)
{
        _cleanup_buf_ struct buf out = BUF_INIT(METRICS_MAX);
        return metrics_collect(c, &out, err) < 0 ? -1 : out_write(out.data, out.len, err);
}

static void told_ready(const char *address)
{
        printf("tare metrics: listening on %s\n", address);
        fflush(stdout);
}

static int stop_signals(struct err *err)
{
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        signal(SIGPIPE, SIG_IGN);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return err_sys(err, "signals");
        int fd = signalfd(-1, &set, SFD_CLOEXEC);
        return fd < 0 ? err_sys(err, "signalfd") : fd;
}

static int metrics_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct metrics_options *o = options;
        struct engine *e;
        struct stats_options how = { .all = true, .metering = true };
        _cleanup_(stats_closep) struct stats_collector *c = NULL;
        if (cli_engine(cli, &e, err) < 0 || stats_open(e, &how, &c, err) < 0)
                return -1;
        if (str_empty(o->listen))
                return print_once(c, err);
        _cleanup_close_ int stop = stop_signals(err);
        struct metrics_server server = { .address = o->listen, .stop_fd = stop, .on_ready = told_ready };
        return stop < 0 ? -1 : metrics_serve(c, &server, err);
}

static const struct option_row option_rows[] = {
        { 0, "listen", OPT_STRING, offsetof(struct metrics_options, listen), "address",
          "Serve them at a loopback address (127.0.0.1:9323) or a unix socket (/path)" },
        {},
};

const struct command command_system_metrics = {
        .options = option_rows,
        .options_size = sizeof(struct metrics_options),
        .max_args = 0,
        .args = "",
        .description =
                "Prints what containers use in the text format of Prometheus: for those that run under the names that cAdvisor gives "
                "(container_cpu_usage_seconds_total, ...; of this run, pressure on cgroup v2 alone), and for all of them, under names that begin with "
                "tare_container_, what all runs have used together, as tare-stats(1) tells of --metering. The label id is the path of the control "
                "group.\n\n"
                "With --listen it serves them by HTTP at /metrics until SIGTERM or ^C. Containers are looked at once a second at most, however many "
                "ask. Every minute what runs have used so far is written down, so that a crash of the machine takes no more than a minute of it. "
                "Whoever can connect can read names and figures of all containers: only loopback addresses are taken, and a socket that is for its "
                "owner and group.",
        .examples = "tare system metrics -- print them\ntare system metrics --listen 127.0.0.1:9323 -- for Prometheus on this machine\n",
        .run = metrics_run,
};
