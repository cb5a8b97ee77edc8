#include <stdio.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/ps-internal.h"

struct ps_options {
        bool all, latest, quiet, size, no_trunc;
        int64_t last;
        char **filters;
        char *format;
};

static void ps_init(void *options)
{
        ((struct ps_options *)options)->last = -1;
}

static const struct table_column columns[] = {
        { "ID", "CONTAINER ID" },
        { "Image", "IMAGE" },
        { "Command", "COMMAND" },
        { "CreatedAt", "CREATED AT" },
        { "RunningFor", "CREATED" },
        { "Status", "STATUS" },
        { "Ports", "PORTS" },
        { "Names", "NAMES" },
        { "State", "STATE" },
        { "Size", "SIZE" },
        { "Labels", "LABELS" },
        { "Mounts", "MOUNTS" },
        { "LocalVolumes", "LOCAL VOLUMES" },
        { "Networks", "NETWORKS" },
        { "Platform", "PLATFORM" },
        { 0 },
};

static int print_ids(const struct container *list, size_t count, bool whole, struct err *err)
{
        _cleanup_buf_ struct buf out = { 0 };
        for (size_t i = 0; i < count; i++)
                if (buf_addf(&out, err, "%.*s\n", whole ? 64 : 12, list[i].id) < 0)
                        return -1;
        return out_write(out.len ? out.data : "", out.len, err);
}

/* Sizes cost a walk over the container's files: only where they are shown. */
static int print_rows(struct engine *e, const struct ps_options *o, const struct container *list, size_t count,
                      struct err *err)
{
        static const char *const shown[] = { "ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names", NULL };
        static const char *const with_size[] = { "ID",    "Image", "Command", "RunningFor", "Status",
                                                 "Ports", "Names", "Size",    NULL };
        bool plain = str_empty(o->format) || str_eq(o->format, "table");
        bool size = o->size || (!plain && strstr(o->format, ".Size"));
        _cleanup_free_ char *format = o->format && o->size && !plain && str_starts(o->format, "table")
                                              ? xasprintf("%s\t{{.Size}}", o->format)
                                              : xstrdup(plain ? "table" : o->format);
        _cleanup_json_ json_t *rows = json_array();
        for (size_t i = 0; i < count; i++) {
                json_t *row;
                if (container_row(e, &list[i], !o->no_trunc, size, &row, err) < 0)
                        return -1;
                json_array_append_new(rows, row);
        }
        return table_print(rows, columns, o->size ? with_size : shown, format, err);
}

static int ps_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct ps_options *o = options;
        struct container_filter filter = { .all = o->all, .last = o->last > 0 ? o->last : 0, .filters = o->filters };
        if (o->latest && filter.last == 0)
                filter.last = 1;
        struct container *list = NULL;
        struct engine *e;
        size_t count = 0;
        if (cli_engine(cli, &e, err) < 0 || container_list(e, &filter, &list, &count, err) < 0)
                return -1;
        int r = o->quiet && str_empty(o->format) ? print_ids(list, count, o->no_trunc, err)
                                                 : print_rows(e, o, list, count, err);
        containers_free(list, count);
        return r;
}

#define ROW(letter, name, kind, member, help)                                                                          \
        {                                                                                                              \
                letter, name, kind, offsetof(struct ps_options, member), NULL, help                                    \
        }
static const struct option_row option_rows[] = {
        ROW('a', "all", OPT_BOOL, all, "Show all containers (default shows just running)"),
        { 'f', "filter", OPT_STRV, offsetof(struct ps_options, filters), "filter",
          "Filter output based on conditions provided" },
        ROW(0, "format", OPT_STRING, format,
            "Format output using a custom template:\n'table':            Print output in table format with column "
            "headers (default)\n"
            "'table TEMPLATE':   Print output in table format using the given Go template\n'json':             Print "
            "in JSON format\n"
            "'TEMPLATE':         Print output using the given Go template"),
        ROW('n', "last", OPT_I64, last, "Show n last created containers (includes all states) (default -1)"),
        ROW('l', "latest", OPT_BOOL, latest, "Show the latest created container (includes all states)"),
        ROW(0, "no-trunc", OPT_BOOL, no_trunc, "Don't truncate output"),
        ROW('q', "quiet", OPT_BOOL, quiet, "Only display container IDs"),
        ROW('s', "size", OPT_BOOL, size, "Display total file sizes"),
        { 0 },
};

const struct command command_ps = {
        .options = option_rows,
        .options_size = sizeof(struct ps_options),
        .init = ps_init,
        .description = "Lists running containers, or all. Filters: id, name, label, exited, status, ancestor, before, "
                       "since, volume, network, "
                       "publish, health. Placeholders of a format: .ID .Image .Command .CreatedAt .RunningFor .Ports "
                       ".State .Status .Size .Names "
                       ".Labels .Label .Mounts .LocalVolumes .Networks.",
        .examples = "tare ps -a -- all containers\ntare ps -q -f status=exited -- ids of those that ended\n"
                    "tare ps --format 'table {{.Names}}\\t{{.Status}}' -- names and states\n",
        .run = ps_run,
};
