#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "cli/image-internal.h"
#include "cli/output.h"
#include "cli/ps-internal.h"

struct history_options {
        bool human, no_trunc, quiet;
        char *format;
};

static void history_init(void *options)
{
        ((struct history_options *)options)->human = true;
}

static const struct table_column columns[] = {
        { "ID", "IMAGE" },
        { "CreatedSince", "CREATED" },
        { "CreatedAt", "CREATED AT" },
        { "CreatedBy", "CREATED BY" },
        { "Size", "SIZE" },
        { "Comment", "COMMENT" },
        { 0 },
};

static void set(json_t *row, const char *key, char *heap)
{
        json_t *text = json_string(heap);
        json_object_set_new(row, key, text ? text : json_string("?"));
        free(heap);
}

/* Tabs and newlines of an instruction would tear the table. */
static char *created_by(const char *text, bool whole)
{
        _cleanup_free_ char *flat = xstrdup(text ? text : "");
        for (char *s = flat; *s; s++)
                if (*s == '\t' || *s == '\n')
                        *s = ' ';
        return whole ? TAKE_PTR(flat) : text_ellipsis(flat, 45);
}

static json_t *history_row(const struct image_history_row *h, const struct history_options *o)
{
        json_t *row = json_object();
        char text[TIME_TEXT_SIZE] = "";
        _cleanup_free_ char *age = format_age((time_now() - h->created) / 1000000000);
        bool missing = str_eq(h->id, "<missing>");
        if (h->created)
                o->human ? time_format_docker(h->created, text) : time_format(h->created, text);
        set(row, "ID", missing || o->no_trunc ? xstrdup(h->id) : image_short_id(h->id));
        set(row, "CreatedAt", xstrdup(text));
        set(row, "CreatedSince", !h->created ? xstrdup("N/A") : o->human ? xasprintf("%s ago", age) : xstrdup(text));
        set(row, "CreatedBy", created_by(h->created_by, o->no_trunc));
        set(row, "Size", o->human ? format_size(h->size) : xasprintf("%llu", (unsigned long long)h->size));
        set(row, "Comment", xstrdup(h->comment ? h->comment : ""));
        return row;
}

static int history_run(struct cli *cli, void *options, char **args, struct err *err)
{
        static const char *const shown[] = { "ID", "CreatedSince", "CreatedBy", "Size", "Comment", NULL };
        const struct history_options *o = options;
        struct image_history_row *list = NULL;
        struct storage *st;
        struct engine *e;
        size_t count = 0;
        if (cli_engine(cli, &e, err) < 0 || engine_storage(e, &st, err) < 0 ||
            image_history(engine_db(e), st, args[0], &list, &count, err) < 0)
                return -1;
        _cleanup_json_ json_t *rows = json_array();
        for (size_t i = 0; i < count; i++)
                json_array_append_new(rows, history_row(&list[i], o));
        image_history_free(list, count);
        return table_print(rows, columns, shown, o->quiet && str_empty(o->format) ? "{{.ID}}" : o->format, err);
}

static const struct option_row rows_of_options[] = {
        { 0, "format", OPT_STRING, offsetof(struct history_options, format), NULL,
          "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'" },
        { 'H', "human", OPT_BOOL, offsetof(struct history_options, human), NULL,
          "Print sizes and dates in human readable format (default true)" },
        { 0, "no-trunc", OPT_BOOL, offsetof(struct history_options, no_trunc), NULL, "Don't truncate output" },
        { 'q', "quiet", OPT_BOOL, offsetof(struct history_options, quiet), NULL, "Only show image IDs" },
        { 0 },
};

const struct command command_history = {
        .options = rows_of_options,
        .options_size = sizeof(struct history_options),
        .init = history_init,
        .min_args = 1,
        .max_args = 1,
        .args = "IMAGE",
        .description = "Shows the steps an image was made of, newest first, with the bytes each added.",
        .run = history_run,
};
