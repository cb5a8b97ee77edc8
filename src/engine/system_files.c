/* What system_check() knows of volumes, temporary files, unfinished layers and images. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/system-internal.h"
#include "engine/volumes.h"

/* Older than this a temporary file is nobody's, s. */
#define ABANDONED 60

/* --- volumes; inside a write transaction, so that no volume is just being made --- */

static bool volume_known(struct check *k, const char *name)
{
        struct err ignored = ERR_INIT;
        _cleanup_volume_ struct volume v = { 0 };
        return volume_find(k->engine, name, &v, &ignored) == 0 || ignored.kind != ERR_NOT_FOUND;
}

/* One whose making was cut short is empty and goes; data of a volume nobody knows is kept by knowing it again. */
static int volume_adopt(struct check *k, const char *folder, const char *name, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("%s/%s", folder, name), *data = xasprintf("%s/_data", path);
        if ((rmdir(data) == 0 || errno == ENOENT) && rmdir(path) == 0)
                return 0;
        return db_exec(engine_db(k->engine), NULL, err, "INSERT INTO volumes (name, created, anonymous) VALUES (?, ?, 0)", "si", name, time_now());
}

static int folders_check(struct check *k, struct err *err)
{
        _cleanup_free_ char *folder = xasprintf("%s/volumes", engine_root(k->engine));
        _cleanup_strv_ char **names = NULL;
        if (check_names(folder, &names, err) < 0)
                return -1;
        STRV_FOREACH (name, names) {
                struct err problem = ERR_INIT;
                _cleanup_free_ char *path = xasprintf("%s/%s", folder, *name);
                if (str_starts(*name, VOLUME_REMOVED) && check_found(k, "volume files %s: their volume was removed", *name) &&
                    tree_remove_at(AT_FDCWD, path, &problem) < 0)
                        check_failed(k, &problem);
                if ((*name)[0] == '.' || volume_known(k, *name))
                        continue;
                if (check_found(k, "volume %s: it is not in the database", *name) && volume_adopt(k, folder, *name, &problem) < 0)
                        check_failed(k, &problem);
        }
        return 0;
}

static int rows_check(struct check *k, struct err *err)
{
        struct volume *list = NULL;
        size_t count = 0;
        if (volume_list(k->engine, NULL, &list, &count, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++) {
                struct err problem = ERR_INIT;
                if (access(list[i].mountpoint, F_OK) == 0)
                        continue;
                if (check_found(k, "volume %s: its folder is missing; an empty one is made", list[i].name) &&
                    path_mkdirs(list[i].mountpoint, 0755, &problem) < 0)
                        check_failed(k, &problem);
        }
        volumes_free(list, count);
        return 0;
}

static int claims_check(struct check *k, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(engine_db(k->engine), &stmt, err,
                     "SELECT container, volume FROM container_volumes WHERE container NOT IN (SELECT id FROM containers)", "") < 0)
                return -1;
        while ((more = db_step(stmt, err)) == 1)
                check_found(k, "volume %s: in use by container %.12s, which is gone", db_str(stmt, 1), db_str(stmt, 0));
        if (more < 0 || !k->repair)
                return more;
        return db_exec(engine_db(k->engine), NULL, err, "DELETE FROM container_volumes WHERE container NOT IN (SELECT id FROM containers)", "");
}

int check_volumes(struct check *k, struct err *err)
{
        if (db_begin(engine_db(k->engine), false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = engine_db(k->engine);
        unsigned lost = 0;
        if (quota_forget_lost(k->engine, k->repair, &lost, err) < 0)
                return -1;
        if (lost)
                check_found(k, "limits of size: %u of nobody", lost);
        if (claims_check(k, err) < 0 || folders_check(k, err) < 0 || rows_check(k, err) < 0)
                return -1;
        return db_commit(tx, err);
}

/* --- leftovers --- */

static int temporaries_check(struct check *k, const char *folder, struct err *err)
{
        _cleanup_strv_ char **names = NULL;
        struct stat st;
        if (check_names(folder, &names, err) < 0)
                return -1;
        STRV_FOREACH (name, names) {
                struct err problem = ERR_INIT;
                _cleanup_free_ char *path = xasprintf("%s/%s", folder, *name);
                if (!str_starts(*name, ".tmp-") || lstat(path, &st) < 0 || st.st_mtime > time(NULL) - ABANDONED)
                        continue;
                if (check_found(k, "temporary file %s: left behind", path) && tree_remove_at(AT_FDCWD, path, &problem) < 0)
                        check_failed(k, &problem);
        }
        return 0;
}

/* A folder and every folder in it. */
static int temporaries_below(struct check *k, const char *folder, struct err *err)
{
        _cleanup_strv_ char **names = NULL;
        if (temporaries_check(k, folder, err) < 0 || check_names(folder, &names, err) < 0)
                return -1;
        STRV_FOREACH (name, names) {
                struct err gone = ERR_INIT;
                _cleanup_free_ char *path = xasprintf("%s/%s", folder, *name);
                if (check_is_id(*name) && temporaries_check(k, path, &gone) < 0)
                        return err_set(err, gone.kind, "%s", gone.msg);
        }
        return 0;
}

/* Also what a killed settler left undone; one at work is waited for. */
static void settled_check(struct check *k)
{
        struct err problem = ERR_INIT;
        if (k->repair && snapshots_settle(k->storage->snapshots, true, &problem) < 0)
                check_failed(k, &problem);
}

/* What a killed pull, build or load left. Writers hold the lock shared; while one is at work nothing is swept. */
static int storage_check(struct check *k, struct err *err)
{
        static const char *const parts[] = { "staging", "trash" };
        unsigned removed;
        struct err problem = ERR_INIT;
        _cleanup_close_ int lock = storage_lock(k->storage, true, false, &problem);
        if (lock < 0)
                return problem.kind == ERR_CONFLICT ? 0 : err_set(err, problem.kind, "%s", problem.msg);
        /* Layers that the machine went down with are known, and no news. */
        unsigned before = k->found;
        for (size_t i = 0; i < ELEMENTS(parts); i++) {
                _cleanup_free_ char *folder = xasprintf("%s/%s/%s", engine_root(k->engine), snapshots_driver(k->storage->snapshots), parts[i]);
                _cleanup_strv_ char **names = NULL;
                if (check_names(folder, &names, err) < 0)
                        return -1;
                STRV_FOREACH (name, names)
                        if (!str_starts(*name, LAYER_SUSPECT))
                                check_found(k, "unfinished layer %s: left behind", *name);
        }
        if (k->repair && storage_sweep(k->storage, k->found > before, &removed, &problem) < 0)
                check_failed(k, &problem);
        return 0;
}

int check_leftovers(struct check *k, struct err *err)
{
        _cleanup_free_ char *run = xasprintf("%s/containers", engine_run(k->engine)), *root = xasprintf("%s/containers", engine_root(k->engine));
        if (temporaries_check(k, engine_root(k->engine), err) < 0 || temporaries_below(k, run, err) < 0 || temporaries_below(k, root, err) < 0)
                return -1;
        settled_check(k);
        return storage_check(k, err);
}

/* --- images --- */

/* Whether a layer that is missing can be made again, which whoever needs it does. */
static bool layer_restorable(struct check *k, const struct image *i, size_t n)
{
        struct err ignored = ERR_INIT;
        _cleanup_manifest_ struct manifest m = { 0 };
        return image_read_manifest(k->storage, i, &m, &ignored) == 0 && n < m.layer_count && blob_exists(k->storage->blobs, m.layers[n].digest, NULL);
}

static void image_check(struct check *k, const struct image *i)
{
        const char *name = i->names ? i->names[0] : i->id;
        if (!blob_exists(k->storage->blobs, i->manifest, NULL) || !blob_exists(k->storage->blobs, i->id, NULL))
                check_found(k, "image %s: a document is missing; pull or build it again", name);
        for (size_t n = 0; n < strv_len(i->chain); n++)
                if (!layer_exists(k->storage->snapshots, i->chain[n]) && !layer_restorable(k, i, n)) {
                        check_found(k, "image %s: a layer is missing; pull or build it again", name);
                        return;
                }
}

/* Its content cannot be made here, so this is only told. */
int check_images(struct check *k, struct err *err)
{
        struct image *list = NULL;
        size_t count = 0;
        struct image_filter all = { .all = true, .dangling = -1 };
        if (image_list(engine_db(k->engine), k->storage, &all, &list, &count, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++)
                image_check(k, &list[i]);
        images_free(list, count);
        return 0;
}
