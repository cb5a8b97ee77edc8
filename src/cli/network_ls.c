#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "cli/network-internal.h"
#include "cli/output.h"

struct network_ls_options {
        bool no_trunc, quiet;
        char **filters;
        char *format;
};

static const struct table_column columns[] = {
        { "ID", "NETWORK ID" },
        { "Name", "NAME" },
        { "Driver", "DRIVER" },
        { "Scope", "SCOPE" },
        { "IPv4", "IPV4" },
        { "IPv6", "IPV6" },
        { "Internal", "INTERNAL" },
        { "Labels", "LABELS" },
        { "CreatedAt", "CREATED AT" },
        { 0 },
};

static int ensure_in(struct db *db, void *data, struct err *err)
{
        _cleanup_network_ struct network n = { 0 };
        return network_default(db, &n, err);
}

int network_default_ensure(struct engine *e, struct err *err)
{
        _cleanup_network_ struct network n = { 0 };
        struct err missing = ERR_INIT;
        if (network_find(engine_db(e), "bridge", &n, &missing) == 0)
                return 0;
        return network_transaction(e, ensure_in, NULL, err);
}

static bool want_name(const struct network *n, const char *value)
{
        return strstr(n->name, value) != NULL;
}
static bool want_id(const struct network *n, const char *value)
{
        return str_starts(n->id, value);
}
static bool want_driver(const struct network *n, const char *value)
{
        return str_eq(n->driver, value);
}
static bool want_scope(const struct network *n, const char *value)
{
        return str_eq(value, "local");
}
static bool want_type(const struct network *n, const char *value)
{
        static const char *const predefined[] = { "bridge", "host", "none", NULL };
        return strv_has((char *const *)(uintptr_t)predefined, n->name) == str_eq(value, "builtin");
}

static bool want_label(const struct network *n, const char *value)
{
        const char *equals = strchr(value, '=');
        _cleanup_free_ char *key = equals ? xstrndup(value, (size_t)(equals - value)) : xstrdup(value);
        const char *have = strv_env_get(n->labels, key);
        return have && (!equals || str_eq(have, equals + 1));
}

static const struct {
        const char *key;
        bool (*want)(const struct network *n, const char *value);
} filter_rows[] = {
        { "name=", want_name },   { "id=", want_id },     { "driver=", want_driver },
        { "scope=", want_scope }, { "type=", want_type }, { "label=", want_label },
};

/* Filters of one key are alternatives, keys restrict one another; labels all have to be there. */
static int matches(const struct network *n, char *const *filters, bool *ret, struct err *err)
{
        bool all = true;
        STRV_FOREACH (text, filters) {
                size_t i = 0;
                while (i < ELEMENTS(filter_rows) && !str_starts(*text, filter_rows[i].key))
                        i++;
                if (i == ELEMENTS(filter_rows))
                        return err_set(err, ERR_INVALID, "invalid filter '%s'", *text);
                bool any = filter_rows[i].want(n, str_after(*text, filter_rows[i].key));
                STRV_FOREACH (other, filters)
                        if (filter_rows[i].want != want_label && str_starts(*other, filter_rows[i].key))
                                any = any || filter_rows[i].want(n, str_after(*other, filter_rows[i].key));
                all = all && any;
        }
        *ret = all;
        return 0;
}

static void set(json_t *row, const char *key, const char *text)
{
        json_object_set_new(row, key, json_string(text ? text : ""));
}

static json_t *network_row(const struct network *n, bool whole)
{
        char created[TIME_TEXT_SIZE];
        _cleanup_free_ char *id = whole ? xstrdup(n->id) : xasprintf("%.12s", n->id),
                            *labels = strv_join(n->labels, ",");
        json_t *row = json_object();
        set(row, "ID", id);
        set(row, "Name", n->name);
        set(row, "Driver", str_eq(n->name, "none") ? "null" : n->driver);
        set(row, "Scope", "local");
        set(row, "IPv4", "true");
        set(row, "IPv6", "false");
        set(row, "Internal", n->internal ? "true" : "false");
        set(row, "CreatedAt", time_format_docker(n->created, created));
        set(row, "Labels", labels);
        json_object_set_new(row, "Label", json_from_map(n->labels));
        return row;
}

static int by_name(const void *a, const void *b)
{
        return strcmp(((const struct network *)a)->name, ((const struct network *)b)->name);
}

static int rows_of(const struct network *list, size_t count, const struct network_ls_options *o, json_t *rows,
                   struct err *err)
{
        for (size_t i = 0; i < count; i++) {
                bool wanted = false;
                if (matches(&list[i], o->filters, &wanted, err) < 0)
                        return -1;
                if (wanted)
                        json_array_append_new(rows, network_row(&list[i], o->no_trunc));
        }
        return 0;
}

static int network_ls_run(struct cli *cli, void *options, char **args, struct err *err)
{
        static const char *const shown[] = { "ID", "Name", "Driver", "Scope", NULL };
        const struct network_ls_options *o = options;
        _cleanup_free_ struct network *list = NULL;
        struct engine *e;
        size_t count = 0;
        if (cli_engine(cli, &e, err) < 0 || network_default_ensure(e, err) < 0 ||
            network_list(engine_db(e), &list, &count, err) < 0)
                return -1;
        if (count > 0)
                qsort(list, count, sizeof(*list), by_name);
        _cleanup_json_ json_t *rows = json_array();
        int r = rows_of(list, count, o, rows, err);
        for (size_t i = 0; i < count; i++)
                network_done(&list[i]);
        return r < 0 ? -1
                     : table_print(rows, columns, shown, o->quiet && str_empty(o->format) ? "{{.ID}}" : o->format, err);
}

static const struct option_row rows_of_options[] = {
        { 'f', "filter", OPT_STRV, offsetof(struct network_ls_options, filters), "filter",
          "Provide filter values (e.g. \"driver=bridge\")" },
        { 0, "format", OPT_STRING, offsetof(struct network_ls_options, format), NULL,
          "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'" },
        { 0, "no-trunc", OPT_BOOL, offsetof(struct network_ls_options, no_trunc), NULL, "Do not truncate the output" },
        { 'q', "quiet", OPT_BOOL, offsetof(struct network_ls_options, quiet), NULL, "Only display network IDs" },
        { 0 },
};

const struct command command_network_ls = {
        .options = rows_of_options,
        .options_size = sizeof(struct network_ls_options),
        .description = "Lists networks. Filters: driver, id, label, name, scope, type. Placeholders of a format: .ID "
                       ".Name .Driver .Scope .IPv4 .IPv6 "
                       ".Internal .Labels .Label .CreatedAt.",
        .run = network_ls_run,
};
