#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "cli/image-internal.h"
#include "cli/output.h"

struct images_options {
        bool all, digests, no_trunc, quiet;
        char **filters;
        char *format;
};

static const struct table_column columns[] = {
        { "ID", "IMAGE ID" },
        { "Repository", "REPOSITORY" },
        { "Tag", "TAG" },
        { "Digest", "DIGEST" },
        { "CreatedSince", "CREATED" },
        { "CreatedAt", "CREATED AT" },
        { "Size", "SIZE" },
        { "VirtualSize", "SIZE" },
        { "Containers", "CONTAINERS" },
        { "SharedSize", "SHARED SIZE" },
        { "UniqueSize", "UNIQUE SIZE" },
        { 0 },
};

char *image_short_id(const char *id)
{
        const char *hex = strchr(id, ':');
        return xasprintf("%.12s", hex ? hex + 1 : id);
}

static char *age_text(int64_t created)
{
        if (created == 0)
                return xstrdup("N/A");
        _cleanup_free_ char *age = format_age((time_now() - created) / 1000000000);
        return xasprintf("%s ago", age);
}

static void set(json_t *row, const char *key, const char *text)
{
        json_object_set_new(row, key, json_string(text));
}

static void add_row(json_t *rows, const struct image *i, const char *repository, const char *tag, const char *digest,
                    bool whole_id)
{
        char created[TIME_TEXT_SIZE] = "N/A";
        _cleanup_free_ char *id = whole_id ? xstrdup(i->id) : image_short_id(i->id), *age = age_text(i->created),
                            *size = format_size(i->size);
        if (i->created != 0)
                time_format_docker(i->created, created);
        json_t *row = json_object();
        set(row, "ID", id);
        set(row, "Repository", repository);
        set(row, "Tag", tag);
        set(row, "Digest", digest);
        set(row, "CreatedSince", age);
        set(row, "CreatedAt", created);
        set(row, "Size", size);
        set(row, "VirtualSize", size);
        set(row, "Containers", "N/A");
        set(row, "SharedSize", "N/A");
        set(row, "UniqueSize", "N/A");
        json_array_append_new(rows, row);
}

/* Repository of "name:tag" or "name@digest" (heap), *ret_rest what follows the mark. */
static char *split_name(const char *name, char mark, const char **ret_rest)
{
        const char *at = mark == '@' ? strchr(name, '@') : strrchr(name, ':');
        *ret_rest = at ? at + 1 : "";
        return at ? xstrndup(name, (size_t)(at - name)) : xstrdup(name);
}

static const char *digest_of_repository(const struct image *i, const char *repository)
{
        size_t len = strlen(repository);
        STRV_FOREACH (digest, i->digests)
                if (strncmp(*digest, repository, len) == 0 && (*digest)[len] == '@')
                        return *digest + len + 1;
        return "<none>";
}

static bool repository_named(const struct image *i, const char *repository)
{
        STRV_FOREACH (name, i->names) {
                const char *tag;
                _cleanup_free_ char *have = split_name(*name, ':', &tag);
                if (str_eq(have, repository))
                        return true;
        }
        return false;
}

/* One row a name; one a repository known by digest alone; else one without any. */
static void add_image(json_t *rows, const struct image *i, bool whole_id)
{
        size_t before = json_array_size(rows);
        STRV_FOREACH (name, i->names) {
                const char *tag;
                _cleanup_free_ char *repository = split_name(*name, ':', &tag);
                add_row(rows, i, repository, tag, digest_of_repository(i, repository), whole_id);
        }
        STRV_FOREACH (name, i->digests) {
                const char *digest;
                _cleanup_free_ char *repository = split_name(*name, '@', &digest);
                if (!repository_named(i, repository))
                        add_row(rows, i, repository, "<none>", digest, whole_id);
        }
        if (json_array_size(rows) == before)
                add_row(rows, i, "<none>", "<none>", "<none>", whole_id);
}

/* dangling=, label=, before=, since=, reference= */
static int filters_read(char *const *filters, struct image_filter *f, char ***labels, struct err *err)
{
        STRV_FOREACH (text, filters) {
                const char *value;
                bool dangling;
                if ((value = str_after(*text, "dangling="))) {
                        if (parse_bool(value, &dangling, err) < 0)
                                return err_add(err, "invalid filter 'dangling=%s'", value);
                        f->dangling = dangling;
                } else if ((value = str_after(*text, "label="))) {
                        strv_push(labels, value);
                } else if ((value = str_after(*text, "before="))) {
                        f->before = value;
                } else if ((value = str_after(*text, "since="))) {
                        f->since = value;
                } else if ((value = str_after(*text, "reference="))) {
                        if (f->reference)
                                return err_set(err, ERR_UNSUPPORTED,
                                               "one reference can be given, as an argument or a filter");
                        f->reference = value;
                } else {
                        return err_set(err, ERR_INVALID, "invalid filter '%s'", *text);
                }
        }
        f->labels = *labels;
        return 0;
}

static int print_ids(const struct image *list, size_t count, bool whole, struct err *err)
{
        _cleanup_buf_ struct buf out = { 0 };
        _cleanup_json_ json_t *rows = json_array();
        size_t n;
        json_t *row;
        for (size_t i = 0; i < count; i++)
                add_image(rows, &list[i], whole);
        json_array_foreach (rows, n, row)
                if (buf_addf(&out, err, "%s\n", json_string_value(json_object_get(row, "ID"))) < 0)
                        return -1;
        return out_write(out.len ? out.data : "", out.len, err);
}

static int print_rows(const struct images_options *o, const struct image *list, size_t count, struct err *err)
{
        static const char *const shown[] = { "Repository", "Tag", "ID", "CreatedSince", "Size", NULL };
        static const char *const with_digests[] = { "Repository", "Tag", "Digest", "ID", "CreatedSince", "Size", NULL };
        _cleanup_json_ json_t *rows = json_array();
        for (size_t i = 0; i < count; i++)
                add_image(rows, &list[i], o->no_trunc);
        return table_print(rows, columns, o->digests ? with_digests : shown, o->format, err);
}

static int images_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct images_options *o = options;
        struct image_filter filter = { .all = o->all, .reference = args[0], .dangling = -1 };
        _cleanup_strv_ char **labels = NULL;
        struct image *list = NULL;
        struct storage *st;
        struct engine *e;
        size_t count = 0;
        if (filters_read(o->filters, &filter, &labels, err) < 0 || cli_engine(cli, &e, err) < 0 ||
            engine_storage(e, &st, err) < 0 || image_list(engine_db(e), st, &filter, &list, &count, err) < 0)
                return -1;
        int r = o->quiet && str_empty(o->format) ? print_ids(list, count, o->no_trunc, err)
                                                 : print_rows(o, list, count, err);
        images_free(list, count);
        return r;
}

#define ROW(letter, name, kind, member, metavar, help)                                                                 \
        {                                                                                                              \
                letter, name, kind, offsetof(struct images_options, member), metavar, help                             \
        }
static const struct option_row rows_of_options[] = {
        ROW('a', "all", OPT_BOOL, all, NULL, "Show all images (default hides intermediate images)"),
        ROW(0, "digests", OPT_BOOL, digests, NULL, "Show digests"),
        ROW('f', "filter", OPT_STRV, filters, "filter", "Filter output based on conditions provided"),
        ROW(0, "format", OPT_STRING, format, NULL,
            "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'"),
        ROW(0, "no-trunc", OPT_BOOL, no_trunc, NULL, "Don't truncate output"),
        ROW('q', "quiet", OPT_BOOL, quiet, NULL, "Only show image IDs"),
        { 0 },
};

const struct command command_images = {
        .options = rows_of_options,
        .options_size = sizeof(struct images_options),
        .max_args = 1,
        .args = "[REPOSITORY[:TAG]]",
        .description = "Lists images, newest first, one row a name. Filters: dangling, label, before, since, "
                       "reference. Placeholders of a format: "
                       ".ID .Repository .Tag .Digest .CreatedSince .CreatedAt .Size.",
        .examples = "tare images -- all named images\ntare images -q -f dangling=true -- ids of those without a name\n",
        .run = images_run,
};
