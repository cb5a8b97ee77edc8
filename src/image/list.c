/* docker images: all rows, filtered as docker filters. */
#include <fnmatch.h>
#include "image/images-internal.h"

struct listing {
        struct image *list;
        size_t count, cap;
};

static void listing_done(struct listing *l)
{
        images_free(l->list, l->count);
}

static void listing_add(struct listing *l, struct image *i)
{
        if (l->count == l->cap) {
                l->cap = l->cap ? l->cap * 2 : 32;
                l->list = xreallocarray(l->list, l->cap, sizeof(*l->list));
        }
        l->list[l->count++] = *i;
        *i = (struct image){ 0 };
}

static bool last_is(const struct listing *l, const char *id)
{
        return l->count > 0 && str_eq(l->list[l->count - 1].id, id);
}

/* One entry an id: several manifests of one configuration are one image to the user. */
static int read_rows(struct db *db, struct listing *all, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(db, &stmt, err,
                     "SELECT " IMAGE_COLUMNS
                     " FROM images i WHERE i.removed = 0 ORDER BY i.created DESC, i.id, i.added DESC",
                     "") < 0)
                return -1;
        while ((more = db_step(stmt, err)) > 0) {
                if (last_is(all, db_str(stmt, 0)))
                        continue;
                _cleanup_image_ struct image i = { 0 };
                image_from_row(stmt, &i);
                listing_add(all, &i);
        }
        return more;
}

static int has_children(struct db *db, const char *id, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(db, &stmt, err, "SELECT 1 FROM images WHERE parent = ?1 AND removed = 0 LIMIT 1", "s", id) < 0)
                return -1;
        return db_step(stmt, err);
}

static int is_intermediate(struct db *db, const char *id, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(db, &stmt, err, "SELECT min(intermediate) FROM images WHERE id = ?1 AND removed = 0", "s", id) < 0)
                return -1;
        int more = db_step(stmt, err);
        return more <= 0 ? more : (db_i64(stmt, 0) != 0);
}

/* Go's path.Match on what is shown, then on its repository, then on both in full. */
static bool name_matches(const char *pattern, const char *familiar)
{
        _cleanup_reference_ struct reference r = { 0 };
        struct err ignored = ERR_INIT;
        if (fnmatch(pattern, familiar, FNM_PATHNAME) == 0)
                return true;
        if (reference_parse(familiar, &r, &ignored) < 0)
                return false;
        _cleanup_free_ char *name = reference_familiar_name(&r), *repository = reference_repository(&r),
                            *full = reference_canonical(&r);
        return fnmatch(pattern, name, FNM_PATHNAME) == 0 || str_eq(pattern, repository) || str_eq(pattern, full);
}

static void keep_matching(char ***names, const char *pattern)
{
        char **kept = NULL;
        STRV_FOREACH (name, *names)
                if (name_matches(pattern, *name))
                        strv_push(&kept, *name);
        strv_free(*names);
        *names = kept;
}

static bool has_label(char *const *labels, const char *wanted)
{
        const char *equals = strchr(wanted, '=');
        _cleanup_free_ char *key = equals ? xstrndup(wanted, (size_t)(equals - wanted)) : xstrdup(wanted);
        const char *value = strv_env_get(labels, key);
        return value && (!equals || str_eq(value, equals + 1));
}

static int labels_match(struct storage *st, const struct image *i, char *const *labels, struct err *err)
{
        _cleanup_image_config_ struct image_config config = { 0 };
        if (!labels || !*labels)
                return 1;
        if (image_read_config(st, i, &config, err) < 0)
                return -1;
        STRV_FOREACH (label, labels)
                if (!has_label(config.exec.labels, *label))
                        return 0;
        return 1;
}

struct bounds {
        int64_t before, since;
};

/* 1 shown, 0 not, -1 error. */
static int shown(struct db *db, struct storage *st, const struct image_filter *f, const struct bounds *b,
                 struct image *i, struct err *err)
{
        if ((f->before && i->created >= b->before) || (f->since && i->created <= b->since))
                return 0;
        if (image_load_names(db, i, err) < 0)
                return -1;
        bool unnamed = !i->names && !i->digests;
        if (f->reference) {
                keep_matching(&i->names, f->reference);
                keep_matching(&i->digests, f->reference);
                if (!i->names && !i->digests)
                        return 0;
        }
        if (f->dangling >= 0 && (f->dangling != 0) != !i->names)
                return 0;
        if (unnamed && !f->all) {
                int hidden = is_intermediate(db, i->id, err);
                if (hidden == 0)
                        hidden = has_children(db, i->id, err);
                if (hidden != 0)
                        return hidden < 0 ? -1 : 0;
        }
        return labels_match(st, i, f->labels, err);
}

static int read_bounds(struct db *db, const struct image_filter *f, struct bounds *ret, struct err *err)
{
        _cleanup_image_ struct image before = { 0 }, since = { 0 };
        if (f->before && image_find_brief(db, f->before, &before, err) < 0)
                return -1;
        if (f->since && image_find_brief(db, f->since, &since, err) < 0)
                return -1;
        *ret = (struct bounds){ before.created, since.created };
        return 0;
}

int image_list(struct db *db, struct storage *st, const struct image_filter *f, struct image **ret, size_t *ret_count,
               struct err *err)
{
        static const struct image_filter everything = { .dangling = -1 };
        _cleanup_(listing_done) struct listing all = { 0 }, kept = { 0 };
        struct bounds bounds = { 0 };
        f = f ? f : &everything;
        if (read_bounds(db, f, &bounds, err) < 0 || read_rows(db, &all, err) < 0)
                return -1;
        for (size_t n = 0; n < all.count; n++) {
                int keep = shown(db, st, f, &bounds, &all.list[n], err);
                if (keep < 0)
                        return -1;
                if (keep)
                        listing_add(&kept, &all.list[n]);
        }
        *ret = TAKE_PTR(kept.list);
        *ret_count = kept.count;
        kept.count = 0;
        return 0;
}
