#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/df-internal.h"
#include "cli/output.h"

static uint64_t number(const json_t *o, const char *key)
{
        json_int_t n = json_integer_value(json_object_get(o, key));
        return n > 0 ? (uint64_t)n : 0;
}

static const char *text(const json_t *o, const char *key)
{
        const char *s = json_string_value(json_object_get(o, key));
        return s ? s : "";
}

static void set(json_t *row, const char *key, char *heap)
{
        json_object_set_new(row, key, json_string(heap));
        free(heap);
}

/* Created is a unix time (images, containers) or RFC 3339. */
static char *age(const json_t *created)
{
        int64_t then = json_is_integer(created) ? json_integer_value(created) * 1000000000 : 0;
        struct err ignored = ERR_INIT;
        if (json_is_string(created))
                time_parse(json_string_value(created), &then, &ignored);
        _cleanup_free_ char *shown = format_age((time_now() - then) / 1000000000);
        return then ? xasprintf("%s ago", shown) : xstrdup("N/A");
}

static json_t *image_row(const json_t *o)
{
        const char *name = json_string_value(json_array_get(json_object_get(o, "RepoTags"), 0));
        const char *colon = name ? strrchr(name, ':') : NULL, *id = str_after(text(o, "Id"), "sha256:");
        uint64_t size = number(o, "Size"), shared = number(o, "SharedSize");
        json_t *row = json_object();
        set(row, "Repository", colon ? xstrndup(name, (size_t)(colon - name)) : xstrdup("<none>"));
        set(row, "Tag", xstrdup(colon ? colon + 1 : "<none>"));
        set(row, "ID", xasprintf("%.12s", id ? id : text(o, "Id")));
        set(row, "Created", age(json_object_get(o, "Created")));
        set(row, "Size", format_size(size));
        set(row, "Shared", format_size(shared));
        set(row, "Unique", format_size(size > shared ? size - shared : 0));
        set(row, "Containers", xasprintf("%llu", (unsigned long long)number(o, "Containers")));
        return row;
}

static json_t *container_row_of(const json_t *o)
{
        const char *name = json_string_value(json_array_get(json_object_get(o, "Names"), 0));
        json_t *row = json_object();
        set(row, "ID", xasprintf("%.12s", text(o, "Id")));
        set(row, "Image", xstrdup(text(o, "Image")));
        set(row, "Command", xasprintf("\"%s\"", text(o, "Command")));
        set(row, "Volumes", xasprintf("%zu", json_array_size(json_object_get(o, "Mounts"))));
        set(row, "Size", format_size(number(o, "SizeRw")));
        set(row, "Created", age(json_object_get(o, "Created")));
        set(row, "Status", xstrdup(*text(o, "Status") ? text(o, "Status") : text(o, "State")));
        set(row, "Name", xstrdup(name ? name + (*name == '/') : text(o, "Name")));
        return row;
}

static json_t *volume_row_of(const json_t *o)
{
        const json_t *data = json_object_get(o, "UsageData");
        json_t *row = json_object();
        set(row, "Name", xstrdup(text(o, "Name")));
        set(row, "Links", xasprintf("%llu", (unsigned long long)number(data, "RefCount")));
        set(row, "Size", format_size(number(data, "Size")));
        return row;
}

static const struct table_column image_columns[] = {
        { "Repository", "REPOSITORY" },
        { "Tag", "TAG" },
        { "ID", "IMAGE ID" },
        { "Created", "CREATED" },
        { "Size", "SIZE" },
        { "Shared", "SHARED SIZE" },
        { "Unique", "UNIQUE SIZE" },
        { "Containers", "CONTAINERS" },
        { 0 },
};
static const char *const image_keys[] = { "Repository", "Tag",    "ID",         "Created", "Size",
                                          "Shared",     "Unique", "Containers", NULL };
static const struct table_column container_columns[] = {
        { "ID", "CONTAINER ID" },       { "Image", "IMAGE" }, { "Command", "COMMAND" },
        { "Volumes", "LOCAL VOLUMES" }, { "Size", "SIZE" },   { "Created", "CREATED" },
        { "Status", "STATUS" },         { "Name", "NAMES" },  { 0 },
};
static const char *const container_keys[] = { "ID",      "Image",  "Command", "Volumes", "Size",
                                              "Created", "Status", "Name",    NULL };
static const struct table_column volume_columns[] = {
        { "Name", "VOLUME NAME" }, { "Links", "LINKS" }, { "Size", "SIZE" }, { 0 }
};
static const char *const volume_keys[] = { "Name", "Links", "Size", NULL };

static const struct section {
        const char *title, *key;
        json_t *(*row)(const json_t *o);
        const struct table_column *columns;
        const char *const *keys;
} sections[] = {
        { "Images space usage:\n", "Images", image_row, image_columns, image_keys },
        { "\nContainers space usage:\n", "Containers", container_row_of, container_columns, container_keys },
        { "\nLocal Volumes space usage:\n", "Volumes", volume_row_of, volume_columns, volume_keys },
};

int df_print_verbose(const json_t *document, struct err *err)
{
        for (size_t s = 0; s < ELEMENTS(sections); s++) {
                _cleanup_json_ json_t *rows = json_array();
                size_t i;
                json_t *one;
                json_array_foreach (json_object_get(document, sections[s].key), i, one)
                        json_array_append_new(rows, sections[s].row(one));
                if (out_line(err, "%s", sections[s].title) < 0 ||
                    table_print(rows, sections[s].columns, sections[s].keys, NULL, err) < 0)
                        return -1;
        }
        return 0;
}
