/* docker history: the configuration's history beside the sizes of the layers. */
#include "base/timefmt.h"
#include "image/images-internal.h"

void image_history_free(struct image_history_row *rows, size_t count)
{
        for (size_t n = 0; n < count; n++) {
                free(rows[n].id);
                free(rows[n].created_by);
                free(rows[n].comment);
        }
        free(rows);
}

static int row_fill(struct storage *st, const struct history *h, const char *chain_id, struct image_history_row *row,
                    struct err *err)
{
        struct err ignored = ERR_INIT;
        row->id = xstrdup("<missing>");
        row->created_by = xstrdup(h->created_by ? h->created_by : "");
        row->comment = xstrdup(h->comment ? h->comment : "");
        if (!str_empty(h->created))
                time_parse(h->created, &row->created, &ignored);
        /* One that is missing now is made again by who needs it. */
        if (!chain_id || !layer_exists(st->snapshots, chain_id))
                return 0;
        return layer_size(st->snapshots, chain_id, &row->size, err);
}

/* Rows are newest first, the history is oldest first. A history shorter than the layers is answered as far as it goes. */
static int rows_fill(struct storage *st, const struct image *i, const struct image_config *config,
                     struct image_history_row *rows, struct err *err)
{
        size_t layer = 0, layers = strv_len(i->chain), count = config->history_count;
        for (size_t n = 0; n < count; n++) {
                const struct history *h = &config->history[n];
                const char *chain_id = NULL;
                if (!h->empty_layer && layer < layers)
                        chain_id = i->chain[layer++];
                if (row_fill(st, h, chain_id, &rows[count - 1 - n], err) < 0)
                        return -1;
        }
        return 0;
}

static void set_id(struct image_history_row *rows, size_t count, size_t at, const char *id)
{
        if (at < count)
                str_replace(&rows[at].id, id);
}

/* Images built here know their parents: the row where a parent's history ends carries its id. */
static int name_parents(struct db *db, struct storage *st, const struct image *i, struct image_history_row *rows,
                        size_t count, struct err *err)
{
        _cleanup_free_ char *parent = i->parent ? xstrdup(i->parent) : NULL;
        for (unsigned depth = 0; parent && depth < IMAGE_LAYERS_MAX; depth++) {
                _cleanup_image_ struct image up = { 0 };
                _cleanup_image_config_ struct image_config config = { 0 };
                struct err gone = ERR_INIT;
                if (image_find_brief(db, parent, &up, &gone) < 0)
                        return 0;
                if (image_read_config(st, &up, &config, err) < 0)
                        return -1;
                if (config.history_count <= count)
                        set_id(rows, count, count - config.history_count, up.id);
                free(parent);
                parent = TAKE_PTR(up.parent);
        }
        return 0;
}

int image_history(struct db *db, struct storage *st, const char *text, struct image_history_row **ret,
                  size_t *ret_count, struct err *err)
{
        _cleanup_image_ struct image i = { 0 };
        _cleanup_image_config_ struct image_config config = { 0 };
        if (image_find_brief(db, text, &i, err) < 0 || image_read_config(st, &i, &config, err) < 0)
                return -1;
        size_t count = config.history_count;
        struct image_history_row *rows = xcalloc(count ? count : 1, sizeof(*rows));
        int r = rows_fill(st, &i, &config, rows, err);
        if (r == 0)
                r = name_parents(db, st, &i, rows, count, err);
        if (r < 0) {
                image_history_free(rows, count);
                return -1;
        }
        set_id(rows, count, 0, i.id);
        *ret = rows;
        *ret_count = count;
        return 0;
}
