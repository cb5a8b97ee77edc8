#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"
#include "engine/volumes.h"

struct volume_ls_options {
        bool quiet;
        char **filters;
        char *format;
};

static const struct table_column columns[] = {
        { "Driver", "DRIVER" },
        { "Name", "VOLUME NAME" },
        { "Scope", "SCOPE" },
        { "Mountpoint", "MOUNTPOINT" },
        { "Labels", "LABELS" },
        { "Links", "LINKS" },
        { "Size", "SIZE" },
        { "Availability", "AVAILABILITY" },
        { "Group", "GROUP" },
        { "Status", "STATUS" },
        { 0 },
};

static void set(json_t *row, const char *key, const char *text)
{
        json_object_set_new(row, key, json_string(text ? text : ""));
}

static json_t *volume_row(const struct volume *v)
{
        static const char *const unknown[] = { "Links", "Size", "Availability", "Group", "Status" };
        _cleanup_free_ char *labels = strv_join(v->labels, ",");
        json_t *row = json_object();
        set(row, "Driver", v->driver);
        set(row, "Name", v->name);
        set(row, "Scope", "local");
        set(row, "Mountpoint", v->mountpoint);
        set(row, "Labels", labels);
        json_object_set_new(row, "Label", json_from_map(v->labels));
        for (size_t i = 0; i < ELEMENTS(unknown); i++)
                set(row, unknown[i], "N/A");
        return row;
}

static int volume_ls_run(struct cli *cli, void *options, char **args, struct err *err)
{
        static const char *const shown[] = { "Driver", "Name", NULL };
        const struct volume_ls_options *o = options;
        struct volume *list = NULL;
        struct engine *e;
        size_t count = 0;
        if (cli_engine(cli, &e, err) < 0 || volume_list(e, o->filters, &list, &count, err) < 0)
                return -1;
        _cleanup_json_ json_t *rows = json_array();
        for (size_t i = 0; i < count; i++)
                json_array_append_new(rows, volume_row(&list[i]));
        volumes_free(list, count);
        return table_print(rows, columns, shown, o->quiet && str_empty(o->format) ? "{{.Name}}" : o->format, err);
}

static const struct option_row rows_of_options[] = {
        { 'f', "filter", OPT_STRV, offsetof(struct volume_ls_options, filters), "filter",
          "Provide filter values (e.g. \"dangling=true\")" },
        { 0, "format", OPT_STRING, offsetof(struct volume_ls_options, format), NULL,
          "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'" },
        { 'q', "quiet", OPT_BOOL, offsetof(struct volume_ls_options, quiet), NULL, "Only display volume names" },
        { 0 },
};

const struct command command_volume_ls = {
        .options = rows_of_options,
        .options_size = sizeof(struct volume_ls_options),
        .description = "Lists volumes. Placeholders of a format: .Name .Driver .Scope .Mountpoint .Labels .Label.",
        .run = volume_ls_run,
};
