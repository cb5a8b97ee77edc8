#include <string.h>

#include "base/json.h"
#include "base/timefmt.h"
#include "cli/ps-internal.h"
#include "cli/template-internal.h"
#include "image/images.h"

static void set(json_t *row, const char *key, char *heap)
{
        json_t *text = json_string(heap ? heap : "");
        json_object_set_new(row, key, text ? text : json_string("?"));
        free(heap);
}

static char *quoted(const char *text)
{
        struct buf b = { 0 };
        struct err ignored = ERR_INIT; /* a command is far below a buffer's maximum */
        string_show_quoted(text, strlen(text), &b, &ignored);
        return buf_take(&b);
}

static char *mounts_text(const struct container *c, bool truncate)
{
        _cleanup_strv_ char **names = NULL;
        for (size_t i = 0; i < c->config.mount_count; i++) {
                const struct mount_request *m = &c->config.mounts[i];
                if (m->kind != MOUNT_TMPFS && m->source)
                        strv_push_take(&names, truncate ? text_ellipsis(m->source, 15) : xstrdup(m->source));
        }
        return strv_join(names, ",");
}

static char *local_volumes(const struct container *c)
{
        unsigned count = 0;
        for (size_t i = 0; i < c->config.mount_count; i++)
                count += c->config.mounts[i].kind == MOUNT_VOLUME;
        return xasprintf("%u", count);
}

/* What the container has written, and that with its image. */
static int row_set_size(struct engine *e, const struct container *c, json_t *row, struct err *err)
{
        _cleanup_image_ struct image image = { 0 };
        struct err gone = ERR_INIT; /* the image may have been forced away */
        struct storage *st;
        uint64_t own = 0;
        if (engine_storage(e, &st, err) < 0 || (root_usage(st->snapshots, c->id, &own, err) < 0 && err->kind != ERR_NOT_FOUND))
                return -1;             /* not found: it is just being made or removed */
        _cleanup_free_ char *own_text = format_size(own);
        if (image_find(engine_db(e), c->image_id, NULL, &image, &gone) < 0) {
                set(row, "Size", TAKE_PTR(own_text));
                return 0;
        }
        _cleanup_free_ char *all_text = format_size(own + image.size);
        set(row, "Size", xasprintf("%s (virtual %s)", own_text, all_text));
        return 0;
}

static void row_set_labels(const struct container *c, json_t *row)
{
        _cleanup_strv_ char **sorted = strv_dup(c->config.labels);
        strv_sort(sorted);
        set(row, "Labels", strv_join(sorted, ","));
        json_object_set_new(row, "Label", json_from_map(c->config.labels));
}

static void row_set_times(const struct container *c, json_t *row)
{
        int64_t now = time_now();
        char text[TIME_TEXT_SIZE];
        _cleanup_free_ char *age = format_age((now - c->created) / 1000000000);
        set(row, "CreatedAt", xstrdup(time_format_docker(c->created, text)));
        set(row, "RunningFor", xasprintf("%s ago", age));
        set(row, "Status", container_status_text(c, now));
}

int container_row(struct engine *e, const struct container *c, bool truncate, bool size, json_t **ret, struct err *err)
{
        _cleanup_json_ json_t *row = json_object();
        _cleanup_free_ char *command = truncate ? text_ellipsis(c->command, 20) : xstrdup(c->command);
        set(row, "ID", xasprintf("%.*s", truncate ? 12 : 64, c->id));
        set(row, "Names", xstrdup(c->name));
        set(row, "Image", xstrdup(c->config.image));
        set(row, "Command", quoted(command));
        set(row, "Ports", container_ports_text(c));
        set(row, "State", xstrdup(container_state_name(c->status.state)));
        set(row, "Networks", xstrdup(str_empty(c->config.network_mode) ? "bridge" : c->config.network_mode));
        set(row, "Mounts", mounts_text(c, truncate));
        set(row, "LocalVolumes", local_volumes(c));
        set(row, "Platform", xstrdup(c->config.platform ? c->config.platform : ""));
        set(row, "Size", xstrdup("0B"));
        row_set_labels(c, row);
        row_set_times(c, row);
        if (size && row_set_size(e, c, row, err) < 0)
                return -1;
        *ret = TAKE_PTR(row);
        return 0;
}
