/* Forgetting cached steps. Apart from cache.c, whose keys are digests: `tare system prune` would draw libcrypto into every start. */
#include "base/str.h"
#include "build/build.h"

static int images_of_steps(struct db *db, char ***ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err, "SELECT DISTINCT image FROM build_step WHERE image IS NOT NULL", "") < 0)
                return -1;
        int r;
        while ((r = db_step(q, err)) > 0)
                strv_push(ret, db_str(q, 0));
        return r;
}

static int forget_image(struct db *db, const char *id, unsigned *count, struct err *err)
{
        _cleanup_image_ struct image image = { 0 };
        int64_t changes = 0;
        struct err why = ERR_INIT;
        if (image_find_brief(db, id, &image, &why) == 0)
                return 0;
        if (why.kind != ERR_NOT_FOUND) {
                *err = why;
                return -1;
        }
        if (db_exec(db, &changes, err, "DELETE FROM build_step WHERE image = ?", "s", id) < 0)
                return -1;
        *count += (unsigned)changes;
        return 0;
}

static int forget_where(struct db *db, bool all, unsigned *count, struct err *err)
{
        int64_t changes = 0;
        int r = all ? db_exec(db, &changes, err, "DELETE FROM build_step", "")
                    : db_exec(db, &changes, err, "DELETE FROM build_step WHERE image IS NULL", "");
        *count += (unsigned)changes;
        return r;
}

int build_prune(struct db *db, bool all, unsigned *ret_count, struct err *err)
{
        _cleanup_strv_ char **images = NULL;
        unsigned count = 0;
        if (!all && images_of_steps(db, &images, err) < 0)
                return -1;
        STRV_FOREACH (id, images)
                if (forget_image(db, *id, &count, err) < 0)
                        return -1;
        if (forget_where(db, all, &count, err) < 0)
                return -1;
        *ret_count = count;
        return 0;
}
