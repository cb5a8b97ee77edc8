/* Rows of names and repo digests. */
#include "base/timefmt.h"
#include "image/images-internal.h"

int name_lookup(struct db *db, const char *key, char **ret_target, char **ret_manifest, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(db, &stmt, err, "SELECT target, manifest FROM image_names WHERE reference = ?1", "s", key) < 0)
                return -1;
        int found = db_step(stmt, err);
        if (found > 0) {
                *ret_target = xstrdup(db_str(stmt, 0));
                *ret_manifest = xstrdup(db_str(stmt, 1));
        }
        return found;
}

/* 1: under the same index the name has an image of the host's platform already, and the new one serves it less. */
static int host_prefers(struct db *db, const char *have_manifest, const char *new_manifest, struct err *err)
{
        _cleanup_platform_ struct platform host = { 0 };
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int have_score = 0, new_score = 0, more;

        platform_host(&host);
        if (db_query(db, &stmt, err, "SELECT manifest, platform FROM images WHERE manifest IN (?1, ?2)", "ss",
                     have_manifest, new_manifest) < 0)
                return -1;
        while ((more = db_step(stmt, err)) > 0) {
                _cleanup_platform_ struct platform p = { 0 };
                struct err ignored = ERR_INIT;
                if (platform_parse(db_str(stmt, 1), &p, &ignored) == 0)
                        *(str_eq(db_str(stmt, 0), new_manifest) ? &new_score : &have_score) = platform_match(&host, &p);
        }
        return more < 0 ? -1 : have_score > new_score;
}

int name_put(struct db *db, const struct reference *name, const char *target, const char *manifest, int64_t tagged,
             struct err *err)
{
        _cleanup_free_ char *key = reference_name_key(name), *had_target = NULL, *had_manifest = NULL;
        if (!key)
                return 0;
        int had = name_lookup(db, key, &had_target, &had_manifest, err);
        if (had < 0)
                return -1;
        if (had > 0 && !str_eq(target, manifest) && str_eq(had_target, target) && !str_eq(had_manifest, manifest)) {
                int keep = host_prefers(db, had_manifest, manifest, err);
                if (keep != 0)
                        return keep < 0 ? -1 : 0;
        }
        _cleanup_free_ char *familiar = reference_familiar(name), *repository = reference_repository(name);
        return db_exec(db, NULL, err,
                       "INSERT INTO image_names (reference, familiar, repository, target, manifest, tagged) "
                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (reference) DO UPDATE SET "
                       "target = excluded.target, manifest = excluded.manifest, tagged = excluded.tagged",
                       "sssssi", key, familiar, repository, target, manifest, tagged);
}

int digest_put(struct db *db, const struct reference *name, const char *digest, const char *manifest, struct err *err)
{
        struct reference shown = { .domain = name->domain, .path = name->path, .digest = (char *)digest };
        _cleanup_free_ char *familiar = reference_familiar(&shown), *repository = reference_repository(name);
        return db_exec(
                db, NULL, err,
                "INSERT OR IGNORE INTO image_digests (repository, digest, manifest, familiar) VALUES (?1, ?2, ?3, ?4)",
                "ssss", repository, digest, manifest, familiar);
}

int image_tag(struct db *db, const char *source, const struct reference *name, struct err *err)
{
        if (!name->tag || name->digest)
                return err_set(err, ERR_INVALID, "refusing to create a tag with a digest reference");
        if (db_begin(db, true, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *open = db;
        _cleanup_image_ struct image i = { 0 };
        _cleanup_reference_ struct reference r = { 0 };
        _cleanup_free_ char *target = NULL, *manifest = NULL;
        enum image_text how;

        if (image_resolve(db, source, NULL, &i, &how, &r, err) < 0)
                return -1;
        if (how == IMAGE_TEXT_NAME) {
                _cleanup_free_ char *key = reference_name_key(&r);
                if (name_lookup(db, key, &target, &manifest, err) < 0)
                        return -1;
        } else if (how == IMAGE_TEXT_DIGEST) {
                target = xstrdup(r.digest);
        }
        if (name_put(db, name, target ? target : i.manifest, i.manifest, time_now(), err) < 0 || db_commit(db, err) < 0)
                return -1;
        _cleanup_free_ char *familiar = reference_familiar(name);
        image_tell(db, "tag", i.id, familiar);
        return 0;
}
