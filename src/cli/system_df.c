#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/df-internal.h"
#include "cli/output.h"
#include "engine/system.h"

struct df_options {
        bool verbose;
        char *format;
};

static const struct table_column columns[] = {
        { "Type", "TYPE" }, { "TotalCount", "TOTAL" },        { "Active", "ACTIVE" },
        { "Size", "SIZE" }, { "Reclaimable", "RECLAIMABLE" }, { 0 },
};

/* One line of the table. */
struct usage {
        uint64_t total, active, size, reclaimable;
};

static uint64_t number(const json_t *o, const char *key)
{
        json_int_t n = json_integer_value(json_object_get(o, key));
        return n > 0 ? (uint64_t)n : 0;
}

static void count_image(const json_t *o, struct usage *u)
{
        bool used = number(o, "Containers") > 0;
        uint64_t own = number(o, "Size") - (number(o, "SharedSize") < number(o, "Size") ? number(o, "SharedSize") : 0);
        u->active += used;
        u->size += number(o, "Size");
        u->reclaimable += used ? 0 : own;
}

static void count_container(const json_t *o, struct usage *u)
{
        const char *state = json_string_value(json_object_get(o, "State"));
        bool active = str_eq(state, "running") || str_eq(state, "paused") || str_eq(state, "restarting");
        u->active += active;
        u->size += number(o, "SizeRw");
        u->reclaimable += active ? 0 : number(o, "SizeRw");
}

static void count_volume(const json_t *o, struct usage *u)
{
        const json_t *data = json_object_get(o, "UsageData");
        bool used = number(data, "RefCount") > 0;
        u->active += used;
        u->size += number(data, "Size");
        u->reclaimable += used ? 0 : number(data, "Size");
}

static void count_cache(const json_t *o, struct usage *u)
{
        bool used = json_is_true(json_object_get(o, "InUse"));
        u->active += used;
        u->size += number(o, "Size");
        u->reclaimable += used ? 0 : number(o, "Size");
}

static const struct {
        const char *type, *key;
        void (*count)(const json_t *o, struct usage *u);
} kinds[] = {
        { "Images", "Images", count_image },
        { "Containers", "Containers", count_container },
        { "Local Volumes", "Volumes", count_volume },
        { "Build Cache", "BuildCache", count_cache },
};

static json_t *usage_row(const char *type, const struct usage *u)
{
        _cleanup_free_ char *size = format_size(u->size), *reclaimable = format_size(u->reclaimable);
        _cleanup_free_ char *shown = u->size > 0 ? xasprintf("%s (%llu%%)", reclaimable,
                                                             (unsigned long long)(u->reclaimable * 100 / u->size))
                                                 : xstrdup(reclaimable);
        _cleanup_free_ char *total = xasprintf("%llu", (unsigned long long)u->total),
                            *active = xasprintf("%llu", (unsigned long long)u->active);
        return json_pack("{s:s,s:s,s:s,s:s,s:s}", "Type", type, "TotalCount", total, "Active", active, "Size", size,
                         "Reclaimable", shown);
}

static json_t *summary(const json_t *document)
{
        json_t *rows = json_array();
        for (size_t k = 0; k < ELEMENTS(kinds); k++) {
                const json_t *list = json_object_get(document, kinds[k].key);
                struct usage u = { .total = json_array_size(list) };
                size_t i;
                json_t *one;
                json_array_foreach (list, i, one)
                        kinds[k].count(one, &u);
                /* Layers that images share are there once. */
                const json_t *layers = json_object_get(document, "LayersSize");
                if (k == 0 && json_is_integer(layers))
                        u.size = number(document, "LayersSize");
                if (u.reclaimable > u.size)
                        u.reclaimable = u.size;
                json_array_append_new(rows, usage_row(kinds[k].type, &u));
        }
        return rows;
}

static int system_df_run(struct cli *cli, void *options, char **args, struct err *err)
{
        static const char *const shown[] = { "Type", "TotalCount", "Active", "Size", "Reclaimable", NULL };
        const struct df_options *o = options;
        _cleanup_json_ json_t *document = NULL;
        struct engine *e;
        if (cli_engine(cli, &e, err) < 0 || system_df(e, &document, err) < 0)
                return -1;
        if (o->verbose)
                return df_print_verbose(document, err);
        _cleanup_json_ json_t *rows = summary(document);
        return table_print(rows, columns, shown, o->format, err);
}

static const struct option_row rows_of_options[] = {
        { 0, "format", OPT_STRING, offsetof(struct df_options, format), NULL,
          "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'" },
        { 'v', "verbose", OPT_BOOL, offsetof(struct df_options, verbose), NULL,
          "Show detailed information on space usage" },
        { 0 },
};

const struct command command_system_df = {
        .options = rows_of_options,
        .options_size = sizeof(struct df_options),
        .description = "Shows how much disk images, containers, volumes and the build cache take, and how much of that "
                       "a prune would give back.",
        .run = system_df_run,
};
