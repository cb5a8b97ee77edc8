/* From what a user writes to an image row. Docker's order: a whole id, a name, a unique prefix of an id. */
#include "image/images-internal.h"

void image_done(struct image *i)
{
        free(i->id);
        free(i->manifest);
        free(i->media_type);
        free(i->platform);
        strv_free(i->chain);
        strv_free(i->names);
        strv_free(i->digests);
        free(i->parent);
        *i = (struct image){ 0 };
}

void images_free(struct image *list, size_t count)
{
        for (size_t n = 0; n < count; n++)
                image_done(&list[n]);
        free(list);
}

static char *column_dup(struct db_stmt *stmt, int column)
{
        const char *s = db_str(stmt, column);
        return s ? xstrdup(s) : NULL;
}

void image_from_row(struct db_stmt *stmt, struct image *ret)
{
        const char *chain = db_str(stmt, 4);
        *ret = (struct image){
                .id = column_dup(stmt, 0),
                .manifest = column_dup(stmt, 1),
                .media_type = column_dup(stmt, 2),
                .platform = column_dup(stmt, 3),
                .chain = str_empty(chain) ? NULL : strv_split(chain, "\n", false),
                .created = db_i64(stmt, 5),
                .added = db_i64(stmt, 6),
                .size = (uint64_t)db_i64(stmt, 7),
                .parent = column_dup(stmt, 8),
        };
}

static int load_column(struct db *db, const char *sql, const char *id, char ***ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        _cleanup_strv_ char **list = NULL;
        int more;

        if (db_query(db, &stmt, err, sql, "s", id) < 0)
                return -1;
        while ((more = db_step(stmt, err)) > 0)
                strv_push(&list, db_str(stmt, 0));
        if (more < 0)
                return -1;
        strv_free(*ret);
        *ret = TAKE_PTR(list);
        return 0;
}

int image_load_names(struct db *db, struct image *i, struct err *err)
{
        /* A name whose target is an index names every image chosen from it. */
        if (load_column(db,
                        "SELECT n.familiar FROM images i JOIN image_names n ON n.manifest = i.manifest WHERE i.id = ?1 "
                        "UNION "
                        "SELECT n.familiar FROM images i JOIN image_index x ON x.manifest = i.manifest "
                        "JOIN image_names n ON n.target = x.digest WHERE i.id = ?1 ORDER BY 1",
                        i->id, &i->names, err) < 0)
                return -1;
        return load_column(db,
                           "SELECT DISTINCT d.familiar FROM images i JOIN image_digests d ON d.manifest = i.manifest "
                           "WHERE i.id = ?1 ORDER BY 1",
                           i->id, &i->digests, err);
}

char *reference_repository(const struct reference *r)
{
        return xasprintf("%s/%s", r->domain, r->path);
}

char *reference_name_key(const struct reference *r)
{
        if (!r->tag || r->digest)
                return NULL;
        return reference_canonical(r);
}

int image_no_such(const char *text, struct err *err)
{
        _cleanup_reference_ struct reference r = { 0 };
        _cleanup_free_ char *familiar = NULL;
        struct err ignored = ERR_INIT;

        if (reference_parse(text, &r, &ignored) == 0)
                familiar = reference_familiar(&r);
        return err_set(err, ERR_NOT_FOUND, "No such image: %s", familiar ? familiar : text);
}

/* Takes the one row of a statement. 1 found, 0 none, -1 error. */
static int take_row(struct db_stmt *stmt, struct image *ret, struct err *err)
{
        int found = db_step(stmt, err);
        if (found > 0)
                image_from_row(stmt, ret);
        return found;
}

static int by_name(struct db *db, const char *key, struct image *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(db, &stmt, err,
                     "SELECT " IMAGE_COLUMNS
                     " FROM image_names n JOIN images i ON i.manifest = n.manifest WHERE n.reference = ?1",
                     "s", key) < 0)
                return -1;
        return take_row(stmt, ret, err);
}

static int by_digest(struct db *db, const struct reference *r, struct image *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        _cleanup_free_ char *repository = reference_repository(r);
        if (db_query(db, &stmt, err,
                     "SELECT " IMAGE_COLUMNS " FROM image_digests d JOIN images i ON i.manifest = d.manifest "
                     "WHERE d.repository = ?1 AND d.digest = ?2 AND i.removed = 0 ORDER BY i.added DESC LIMIT 1",
                     "ss", repository, r->digest) < 0)
                return -1;
        return take_row(stmt, ret, err);
}

/* A whole digest: an id, or a manifest's, as those who keep images by manifest print. */
static int by_whole_id(struct db *db, const char *id, struct image *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(db, &stmt, err,
                     "SELECT " IMAGE_COLUMNS " FROM images i WHERE (i.id = ?1 OR i.manifest = ?1) AND i.removed = 0 "
                     "ORDER BY i.id = ?1 DESC, i.added DESC LIMIT 1",
                     "s", id) < 0)
                return -1;
        return take_row(stmt, ret, err);
}

static int by_prefix(struct db *db, const char *text, struct image *ret, struct err *err)
{
        const char *hex = str_after(text, "sha256:");
        hex = hex ? hex : text;
        if (strlen(hex) > 64 || !str_only(hex, "0123456789abcdef"))
                return 0;
        _cleanup_free_ char *from = xasprintf("sha256:%s", hex);
        _cleanup_free_ char *to = xasprintf("sha256:%sg", hex);
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(db, &stmt, err,
                     "SELECT " IMAGE_COLUMNS " FROM images i WHERE i.id >= ?1 AND i.id < ?2 AND i.removed = 0 "
                     "ORDER BY i.id, i.added DESC",
                     "ss", from, to) < 0)
                return -1;
        _cleanup_image_ struct image first = { 0 };
        int more = take_row(stmt, &first, err);
        if (more <= 0)
                return more;
        while ((more = db_step(stmt, err)) > 0)
                if (!str_eq(db_str(stmt, 0), first.id))
                        return err_set(err, ERR_INVALID, "image id prefix %s is ambiguous: give more digits", text);
        if (more < 0)
                return -1;
        *ret = first;
        first = (struct image){ 0 };
        return 1;
}

static bool is_whole_id(const char *text, char ret_id[DIGEST_SIZE])
{
        if (!digest_valid(text) && (strlen(text) != 64 || !str_only(text, "0123456789abcdef")))
                return false;
        snprintf(ret_id, DIGEST_SIZE, "%s%s", digest_valid(text) ? "" : "sha256:", text);
        return true;
}

/* 1 found, 0 none, -1 error; names are not loaded. */
static int lookup(struct db *db, const char *text, struct image *ret, enum image_text *ret_how, struct reference *r,
                  struct err *err)
{
        char id[DIGEST_SIZE];
        *ret_how = IMAGE_TEXT_ID;
        if (is_whole_id(text, id))
                return by_whole_id(db, id, ret, err);
        struct err bad = ERR_INIT;
        if (reference_parse(text, r, &bad) == 0) {
                _cleanup_free_ char *key = reference_name_key(r);
                int found = key ? by_name(db, key, ret, err) : by_digest(db, r, ret, err);
                if (found != 0) {
                        *ret_how = key ? IMAGE_TEXT_NAME : IMAGE_TEXT_DIGEST;
                        return found;
                }
        }
        int found = by_prefix(db, text, ret, err);
        if (found == 0 && bad.kind != ERR_NONE && !str_only(text, "0123456789abcdef")) {
                *err = bad;
                return -1;
        }
        return found;
}

/* Of the images chosen from the same index (or the one found), that which serves the wanted platform best. */
static int choose_platform(struct db *db, const struct reference *r, const struct platform *want, struct image *found,
                           const char *text, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        _cleanup_free_ char *key = r && r->path ? reference_name_key(r) : NULL;
        if (db_query(db, &stmt, err,
                     "SELECT " IMAGE_COLUMNS " FROM images i WHERE i.manifest = ?1 UNION "
                     "SELECT " IMAGE_COLUMNS " FROM image_names n JOIN image_index x ON x.digest = n.target "
                     "JOIN images i ON i.manifest = x.manifest WHERE n.reference = ?2",
                     "ss", found->manifest, key) < 0)
                return -1;
        _cleanup_image_ struct image best = { 0 };
        int score = 0, more;
        while ((more = db_step(stmt, err)) > 0) {
                _cleanup_platform_ struct platform have = { 0 };
                struct err ignored = ERR_INIT;
                if (platform_parse(db_str(stmt, 3), &have, &ignored) < 0 || platform_match(want, &have) <= score)
                        continue;
                score = platform_match(want, &have);
                image_done(&best);
                image_from_row(stmt, &best);
        }
        if (more < 0)
                return -1;
        if (score == 0) {
                _cleanup_free_ char *wanted = platform_format(want);
                return err_set(err, ERR_NOT_FOUND,
                               "image with reference %s was found but does not match the specified platform: wanted "
                               "%s, actual: %s",
                               text, wanted, found->platform);
        }
        image_done(found);
        *found = best;
        best = (struct image){ 0 };
        return 0;
}

int image_resolve(struct db *db, const char *text, const struct platform *platform, struct image *ret,
                  enum image_text *ret_how, struct reference *ret_reference, struct err *err)
{
        _cleanup_image_ struct image i = { 0 };
        _cleanup_reference_ struct reference r = { 0 };
        enum image_text how;
        int found = lookup(db, text, &i, &how, &r, err);

        if (found < 0)
                return -1;
        if (found == 0)
                return image_no_such(text, err);
        if (platform && choose_platform(db, how == IMAGE_TEXT_NAME ? &r : NULL, platform, &i, text, err) < 0)
                return -1;
        *ret = i;
        i = (struct image){ 0 };
        if (ret_how)
                *ret_how = how;
        if (ret_reference) {
                *ret_reference = r;
                r = (struct reference){ 0 };
        }
        return 0;
}

int image_find(struct db *db, const char *text, const struct platform *platform, struct image *ret, struct err *err)
{
        _cleanup_image_ struct image i = { 0 };
        if (image_resolve(db, text, platform, &i, NULL, NULL, err) < 0 || image_load_names(db, &i, err) < 0)
                return -1;
        *ret = i;
        i = (struct image){ 0 };
        return 0;
}

int image_find_brief(struct db *db, const char *text, struct image *ret, struct err *err)
{
        return image_resolve(db, text, NULL, ret, NULL, NULL, err);
}

int image_by_manifest(struct db *db, const char *manifest, struct image *ret, struct err *err)
{
        _cleanup_image_ struct image i = { 0 };
        {
                _cleanup_stmt_ struct db_stmt *stmt = NULL;
                if (db_query(db, &stmt, err,
                             "SELECT " IMAGE_COLUMNS " FROM images i WHERE i.manifest = ?1 AND i.removed = 0", "s",
                             manifest) < 0)
                        return -1;
                int found = take_row(stmt, &i, err);
                if (found <= 0)
                        return found < 0 ? -1 : image_no_such(manifest, err);
        }
        if (image_load_names(db, &i, err) < 0)
                return -1;
        *ret = i;
        i = (struct image){ 0 };
        return 0;
}

int image_read_config(struct storage *st, const struct image *i, struct image_config *ret, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(IMAGE_DOCUMENT_MAX);
        if (blob_load(st->blobs, i->id, IMAGE_DOCUMENT_MAX, &b, err) < 0 ||
            image_config_parse(b.data ? b.data : "", b.len, ret, err) < 0)
                return err_add(err, "configuration %s", i->id);
        return 0;
}

int image_read_manifest(struct storage *st, const struct image *i, struct manifest *ret, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(IMAGE_DOCUMENT_MAX);
        if (blob_load(st->blobs, i->manifest, IMAGE_DOCUMENT_MAX, &b, err) < 0 ||
            manifest_parse(b.data ? b.data : "", b.len, i->media_type, ret, err) < 0)
                return err_add(err, "manifest %s", i->manifest);
        return 0;
}
