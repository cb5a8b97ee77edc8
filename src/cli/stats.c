/* stats: a table of what containers use, once or again every second; or what they have used in all their runs. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"
#include "engine/stats.h"

#define FIRST_MS 500 /* between the two looks of --no-stream */
#define EVERY_MS 1000

struct stats_words { bool all, no_stream, no_trunc, metering; char *format; };

static const struct table_column columns[] = {
        { "Container", "CONTAINER" }, { "ID", "CONTAINER ID" }, { "Name", "NAME" }, { "CPUPerc", "CPU %" }, { "MemUsage", "MEM USAGE / LIMIT" },
        { "MemPerc", "MEM %" }, { "NetIO", "NET I/O" }, { "BlockIO", "BLOCK I/O" }, { "PIDs", "PIDS" }, {},
};
static const char *const shown[] = { "ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs", NULL };

static const struct table_column meter_columns[] = {
        { "Container", "CONTAINER" }, { "ID", "CONTAINER ID" }, { "Name", "NAME" }, { "Image", "IMAGE" }, { "State", "STATE" }, { "Runs", "RUNS" },
        { "RunSeconds", "RUN S" }, { "CPUSeconds", "CPU S" }, { "CPUUserSeconds", "USER S" }, { "CPUSystemSeconds", "SYSTEM S" },
        { "MemoryByteSeconds", "MEM BYTE S" }, { "MemoryPeakBytes", "MEM PEAK" }, { "BlockReadBytes", "BLOCK READ" },
        { "BlockWriteBytes", "BLOCK WRITTEN" }, { "BlockReads", "READS" }, { "BlockWrites", "WRITES" }, { "NetworkReceivedBytes", "NET RECEIVED" },
        { "NetworkSentBytes", "NET SENT" }, { "OOMKills", "OOM KILLS" }, { "CPUWaitingSeconds", "CPU WAIT S" }, { "MemoryWaitingSeconds", "MEM WAIT S" },
        { "MemoryStalledSeconds", "MEM STALL S" }, { "IOWaitingSeconds", "IO WAIT S" }, { "IOStalledSeconds", "IO STALL S" }, {},
};
static const char *const meter_shown[] = { "ID", "Name", "Runs", "RunSeconds", "CPUSeconds", "MemoryByteSeconds", "BlockReadBytes", "BlockWriteBytes",
                                           "NetworkReceivedBytes", "NetworkSentBytes", NULL };

static void set(json_t *row, const char *key, char *heap)
{
        json_object_set_new(row, key, json_string(heap));
        free(heap);
}

static void set_pair(json_t *row, const char *key, char *a, char *b)
{
        set(row, key, xasprintf("%s / %s", a, b));
        free(a);
        free(b);
}

/* before: of the pass before, NULL: it was not there. */
static json_t *row_make(const struct stats_sample *s, const struct stats_sample *before, bool whole)
{
        json_t *row = json_object();
        uint64_t host = stats_memory_total(), limit = s->now.memory_limit < host ? s->now.memory_limit : host, used = stats_memory(&s->now);
        if (!s->running)
                limit = 0;
        int width = whole ? 64 : 12;
        set(row, "Container", xasprintf("%.*s", width, s->id));
        set(row, "ID", xasprintf("%.*s", width, s->id));
        set(row, "Name", xstrdup(s->name));
        set(row, "CPUPerc", before || !s->running ? xasprintf("%.2f%%", before ? stats_cpu_percent(before, s) : 0) : xstrdup("--"));
        set_pair(row, "MemUsage", format_size_binary(used), format_size_binary(limit));
        set(row, "MemPerc", xasprintf("%.2f%%", limit ? (double)used / (double)limit * 100 : 0));
        set_pair(row, "NetIO", format_size(s->received), format_size(s->sent));
        set_pair(row, "BlockIO", format_size(s->now.io_read_bytes), format_size(s->now.io_write_bytes));
        set(row, "PIDs", xasprintf("%llu", (unsigned long long)s->now.pids_current));
        return row;
}

/* Rounded where digits end that a microsecond has: 0.1 is not shown as 0.1000000000000001. */
static json_t *seconds(uint64_t value, double unit)
{
        return json_real((double)(uint64_t)((double)value / unit * 1e6 + 0.5) / 1e6);
}

static json_t *meter_row_make(const struct stats_sample *s, bool whole)
{
        const struct container_meter *m = &s->total;
        const struct { const char *key; uint64_t value; } counts[] = {
                { "Runs", m->runs }, { "MemoryByteSeconds", m->memory_byte_ms / 1000 }, { "MemoryPeakBytes", m->memory_peak },
                { "BlockReadBytes", m->io_read_bytes }, { "BlockWriteBytes", m->io_write_bytes }, { "BlockReads", m->io_read_ops },
                { "BlockWrites", m->io_write_ops }, { "NetworkReceivedBytes", m->received }, { "NetworkSentBytes", m->sent }, { "OOMKills", m->oom_kills },
        };
        const struct { const char *key; uint64_t value; double unit; } times[] = {
                { "RunSeconds", m->run_ms, 1e3 }, { "CPUSeconds", m->cpu_ns, 1e9 }, { "CPUUserSeconds", m->cpu_user_ns, 1e9 },
                { "CPUSystemSeconds", m->cpu_system_ns, 1e9 }, { "CPUWaitingSeconds", m->cpu_waiting_us, 1e6 },
                { "MemoryWaitingSeconds", m->memory_waiting_us, 1e6 }, { "MemoryStalledSeconds", m->memory_stalled_us, 1e6 },
                { "IOWaitingSeconds", m->io_waiting_us, 1e6 }, { "IOStalledSeconds", m->io_stalled_us, 1e6 },
        };
        json_t *row = json_object();
        set(row, "Container", xasprintf("%.*s", whole ? 64 : 12, s->id));
        set(row, "ID", xasprintf("%.*s", whole ? 64 : 12, s->id));
        set(row, "Name", xstrdup(s->name));
        set(row, "Image", xstrdup(s->image));
        set(row, "State", xstrdup(container_state_name(s->state)));
        for (size_t i = 0; i < ELEMENTS(counts); i++)
                json_object_set_new(row, counts[i].key, json_integer((json_int_t)counts[i].value));
        for (size_t i = 0; i < ELEMENTS(times); i++)
                json_object_set_new(row, times[i].key, seconds(times[i].value, times[i].unit));
        return row;
}

/* The pass before, without its strings: passes are in the same order. */
struct last { struct seen { char id[65]; struct stats_sample sample; } *list; size_t count; };

static const struct stats_sample *last_find(const struct last *l, size_t *cursor, const char *id)
{
        for (size_t i = *cursor; i < l->count; i++)
                if (str_eq(l->list[i].id, id)) {
                        *cursor = i + 1;
                        return &l->list[i].sample;
                }
        return NULL;
}

static void last_keep(struct last *l, const struct stats_sample *s, size_t count)
{
        l->list = xreallocarray(l->list, count + 1, sizeof(*l->list));
        l->count = count;
        for (size_t i = 0; i < count; i++) {
                snprintf(l->list[i].id, sizeof(l->list[i].id), "%s", s[i].id);
                l->list[i].sample = s[i];
        }
}

static void last_done(struct last *l) { free(l->list); }

/* A screen is written over in place, so that nothing flickers; the rest of what stood there is cleared. */
static int screen_write(const struct buf *text, bool first, struct err *err)
{
        _cleanup_buf_ struct buf out = { 0 };
        if (buf_addf(&out, err, "%s\033[H", first ? "\033[2J" : "") < 0)
                return -1;
        for (size_t i = 0; i < text->len; i++)
                if ((text->data[i] == '\n' && buf_addf(&out, err, "\033[K") < 0) || buf_addc(&out, text->data[i], err) < 0)
                        return -1;
        return buf_addf(&out, err, "\033[J") < 0 ? -1 : out_write(out.data, out.len, err);
}

static int print(const struct stats_words *o, const struct stats_sample *s, size_t count, const struct last *last, bool first, struct err *err)
{
        _cleanup_json_ json_t *rows = json_array();
        _cleanup_buf_ struct buf text = { 0 };
        size_t cursor = 0;
        for (size_t i = 0; i < count; i++)
                json_array_append_new(rows, o->metering ? meter_row_make(&s[i], o->no_trunc)
                                                        : row_make(&s[i], last_find(last, &cursor, s[i].id), o->no_trunc));
        if (table_rows_format(rows, o->metering ? meter_columns : columns, o->metering ? meter_shown : shown, o->format, &text, err) < 0)
                return -1;
        bool live = !o->no_stream && !o->metering && isatty(STDOUT_FILENO);
        return live ? screen_write(&text, first, err) : out_write(text.len ? text.data : "", text.len, err);
}

static void sleep_ms(long ms) { nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL); }

static int stats_once(struct stats_collector *c, const struct stats_words *o, struct err *err)
{
        _cleanup_(last_done) struct last last = { 0 };
        const struct stats_sample *s;
        size_t count;
        if (stats_collect(c, &s, &count, err) < 0)
                return -1;
        if (!o->metering && count > 0) {
                last_keep(&last, s, count);
                sleep_ms(FIRST_MS);
                if (stats_collect(c, &s, &count, err) < 0)
                        return -1;
        }
        return print(o, s, count, &last, true, err);
}

/* With names: until none of those containers is there any more. */
static int stats_live(struct stats_collector *c, const struct stats_words *o, bool named, struct err *err)
{
        _cleanup_(last_done) struct last last = { 0 };
        for (bool first = true;; first = false) {
                const struct stats_sample *s;
                size_t count;
                if (stats_collect(c, &s, &count, err) < 0 || print(o, s, count, &last, first, err) < 0)
                        return -1;
                if (named && count == 0)
                        return 0;
                last_keep(&last, s, count);
                sleep_ms(EVERY_MS);
        }
}

static int stats_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct stats_words *o = options;
        struct engine *e;
        bool named = args[0] != NULL;
        struct stats_options how = { .names = named ? args : NULL, .all = o->all || o->metering, .metering = o->metering };
        _cleanup_(stats_closep) struct stats_collector *c = NULL;
        if (cli_engine(cli, &e, err) < 0 || stats_open(e, &how, &c, err) < 0)
                return -1;
        return o->no_stream || o->metering ? stats_once(c, o, err) : stats_live(c, o, named, err);
}

#define W(member) offsetof(struct stats_words, member)
static const struct option_row option_rows[] = {
        { 'a', "all", OPT_BOOL, W(all), NULL, "Show all containers (default shows just running)" },
        { 0, "format", OPT_STRING, W(format), "string", "Format output using 'table', 'table TEMPLATE', 'json' or a Go template" },
        { 0, "metering", OPT_BOOL, W(metering), NULL, "Show what containers have used in all their runs, once" },
        { 0, "no-stream", OPT_BOOL, W(no_stream), NULL, "Disable streaming stats and only pull the first result" },
        { 0, "no-trunc", OPT_BOOL, W(no_trunc), NULL, "Do not truncate output" },
        {},
};

const struct command command_stats = {
        .options = option_rows,
        .options_size = sizeof(struct stats_words),
        .max_args = -1,
        .args = "[CONTAINER...]",
        .description =
                "Shows every second what running containers use, or those named. CPU is a share of one processor, so that two busy ones are 200%. "
                "Memory is what the control group holds without file pages that have not been used for a while, beside its limit or the host's "
                "memory. Network is what the container's own interfaces received and sent, block IO what was read from and written to devices. "
                "Placeholders of a format: .Container .ID .Name .CPUPerc .MemUsage .MemPerc .NetIO .BlockIO .PIDs.\n\n"
                "With --metering the totals of all runs since the container was made, stopped containers included, for bills. CPU, block IO, OOM "
                "kills and pressure (the time in which some, or all, of its tasks stood still for want of a resource; cgroup v2 alone) are the "
                "kernel's counters, taken at the end of each run. Byte-seconds of memory are a sum of samples, as the kernel has no counter "
                "for it: the container's monitor looks 1/4 second after the start, then after twice as long each time, every minute in the end; "
                "between two looks memory is taken to have changed evenly, and the last holds to the end. A run that ended before the first look "
                "counts with its peak for as long as it ran. Network bytes are those of a network of its own: who shares another's counts none. "
                "Of a run that a crash of the machine ended only what `tare system metrics --listen` has written down each minute is known. "
                "Totals go with the container; the event \"die\" has those of the run that ended.\n\n"
                "Placeholders with --metering: .Container .ID .Name .Image .State .Runs .RunSeconds .CPUSeconds .CPUUserSeconds .CPUSystemSeconds "
                ".MemoryByteSeconds .MemoryPeakBytes .BlockReadBytes .BlockWriteBytes .BlockReads .BlockWrites .NetworkReceivedBytes "
                ".NetworkSentBytes .OOMKills .CPUWaitingSeconds .MemoryWaitingSeconds .MemoryStalledSeconds .IOWaitingSeconds "
                ".IOStalledSeconds.",
        .examples = "tare stats -- all that run, until interrupted\ntare stats --no-stream --format '{{.Name}} {{.CPUPerc}}' web -- one line of one container\n"
                    "tare stats --metering --format json -- totals for a bill\n",
        .run = stats_run,
};
