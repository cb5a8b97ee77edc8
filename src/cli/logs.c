/* logs. */
#include <stdio.h>

#include "base/str.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "engine/containers.h"

struct logs_options { bool follow, timestamps, details; char *since, *until, *tail; };

static int logs_line(void *data, const struct log_line *line, struct err *err)
{
        const struct logs_options *o = data;
        FILE *out = line->is_stderr ? stderr : stdout;
        char text[TIME_TEXT_SIZE];
        /* who follows sees each line at once; else only the order between the two streams must hold, and a write a line would cost most of the time */
        if (line->is_stderr && fflush(stdout) != 0)
                return err_set(err, ERR_SYSTEM, "cannot write the log to the output");
        if (o->timestamps)
                fprintf(out, "%s ", time_format(line->time, text));
        if (line->details)
                fputs(line->details, out);
        if (fwrite(line->bytes, 1, line->len, out) != line->len || (o->follow && fflush(out) != 0))
                return err_set(err, ERR_SYSTEM, "cannot write the log to the output");
        return 0;
}

static int logs_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct logs_options *o = options;
        struct log_options l = { .follow = o->follow, .timestamps = o->timestamps, .details = o->details, .out = true, .err_ = true, .tail = -1 };
        struct engine *e;
        if (o->since && time_parse(o->since, &l.since, err) < 0)
                return err_add(err, "invalid value for \"since\"");
        if (o->until && time_parse(o->until, &l.until, err) < 0)
                return err_add(err, "invalid value for \"until\"");
        struct err ignored = ERR_INIT;
        if (o->tail && !str_eq(o->tail, "all") && (parse_i64(o->tail, &l.tail, &ignored) < 0 || l.tail < 0))
                l.tail = -1;
        if (cli_engine(cli, &e, err) < 0 || container_logs(e, args[0], &l, logs_line, o, err) < 0)
                return -1;
        return fflush(stdout) == 0 ? 0 : err_set(err, ERR_SYSTEM, "cannot write the log to the output");
}

static const struct option_row logs_rows[] = {
        { 0, "details", OPT_BOOL, offsetof(struct logs_options, details), NULL, "Show extra details provided to logs" },
        { 'f', "follow", OPT_BOOL, offsetof(struct logs_options, follow), NULL, "Follow log output" },
        { 0, "since", OPT_STRING, offsetof(struct logs_options, since), "string", "Show logs since timestamp or relative (e.g. 42m for 42 minutes)" },
        { 'n', "tail", OPT_STRING, offsetof(struct logs_options, tail), "string", "Number of lines to show from the end of the logs (default \"all\")" },
        { 't', "timestamps", OPT_BOOL, offsetof(struct logs_options, timestamps), NULL, "Show timestamps" },
        { 0, "until", OPT_STRING, offsetof(struct logs_options, until), "string", "Show logs before a timestamp or relative (e.g. 42m for 42 minutes)" },
        {},
};
const struct command command_logs = {
        .options = logs_rows, .options_size = sizeof(struct logs_options), .min_args = 1, .max_args = 1, .args = "CONTAINER", .run = logs_run,
        .description = "Shows what a container wrote, each stream on its own. Containers with the log drivers local, json-file, k8s-file and journald (by "
                       "journalctl) can be asked; see tare-run(1) for --log-driver. --tail counts records: a line of more than 16 kB is several. With "
                       "--since and --tail only the part of the log that is wanted is read. --details shows before each line the labels, environment "
                       "and tag that --log-opt chose. A container that was removed and had --log-opt keep=true is still found, by name or ID.",
        .examples = "tare logs -f --tail 10 web -- the last lines and whatever comes\n"
                    "tare logs -t --since 10m --until 5m web -- five minutes of the past, with times",
};
