/* --storage-opt size=, and volumes of a limited size: who has which project of the file system (storage/quota.h). The number is leased in
 * the transaction that makes its owner known and given back in the one that forgets it. */
#include <string.h>

#include "base/str.h"
#include "engine/engine-internal.h"
#include "storage/quota.h"

#define PROJECT_FIRST UINT32_C(0x40000000) /* far from those that administrators give out */
#define PROJECT_TRIES 4096

/* Several engines may share a file system: each begins elsewhere. */
static uint32_t project_start(const char *root)
{
        uint32_t hash = 2166136261u;
        for (; *root; root++)
                hash = (hash ^ (uint8_t)*root) * 16777619u;
        return PROJECT_FIRST + (hash & 0x3ffff) * PROJECT_TRIES;
}

static int project_find(struct engine *e, const char *owner, uint32_t *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(engine_db(e), &stmt, err, "SELECT project FROM projects WHERE owner = ?", "s", owner) < 0)
                return -1;
        int more = db_step(stmt, err);
        if (more == 1)
                *ret = (uint32_t)db_i64(stmt, 0);
        return more;
}

static int project_next(struct engine *e, int64_t *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(engine_db(e), &stmt, err, "SELECT max(project) + 1 FROM projects", "") < 0 || db_step(stmt, err) < 0)
                return -1;
        int64_t next = db_i64(stmt, 0);
        *ret = next > PROJECT_FIRST ? next : project_start(engine_root(e));
        return 0;
}

/* A number nobody on the file system uses: what a killed command or another engine limited, or what still lies in trash/, is passed over. */
static int project_lease(struct engine *e, const char *owner, const char *folder, uint32_t *ret, struct err *err)
{
        int64_t project;
        int known = project_find(e, owner, ret, err);
        if (known != 0)
                return known < 0 ? -1 : 0;
        if (project_next(e, &project, err) < 0)
                return -1;
        for (int tries = 0; tries < PROJECT_TRIES && project < UINT32_MAX; tries++, project++) {
                bool is_free = false;
                if (quota_project_free(folder, (uint32_t)project, &is_free, err) < 0)
                        return -1;
                if (!is_free)
                        continue;
                *ret = (uint32_t)project;
                return db_exec(engine_db(e), NULL, err, "INSERT INTO projects (owner, project) VALUES (?, ?)", "si", owner, project);
        }
        return err_set(err, ERR_CONFLICT, "no project of the file system is free for a limit of size");
}

static int project_release(struct engine *e, const char *owner, const char *folder, struct err *err)
{
        uint32_t project;
        int known = project_find(e, owner, &project, err);
        if (known <= 0)
                return known;
        if (quota_clear(folder, project, err) < 0)
                return -1;
        return db_exec(engine_db(e), NULL, err, "DELETE FROM projects WHERE owner = ?", "s", owner);
}

/* --- what a container writes --- */

static char *snapshots_folder(struct engine *e, struct storage *st)
{
        return xasprintf("%s/%s", engine_root(e), snapshots_driver(st->snapshots));
}

int storage_opt_parse(char *const *options, struct quota_limit *ret, struct err *err)
{
        STRV_FOREACH (option, options) {
                int known = quota_option_parse(*option, ret, err);
                if (known < 0)
                        return err_add(err, "--storage-opt %s", *option);
                if (known == 0)
                        return err_set(err, ERR_INVALID, "--storage-opt %s: unknown option (size=, inodes=)", *option);
        }
        return 0;
}

int container_quota_check(struct engine *e, const struct container_config *c, struct err *err)
{
        struct storage *st;
        struct quota_limit limit = { 0 };
        if (!c->storage_opt)
                return 0;
        if (storage_opt_parse(c->storage_opt, &limit, err) < 0 || engine_storage(e, &st, err) < 0)
                return -1;
        return root_limit_probe(st->snapshots, err) < 0 ? err_add(err, "--storage-opt") : 0;
}

int container_quota_lease(struct engine *e, const struct container *c, struct err *err)
{
        struct storage *st;
        uint32_t project;
        if (!c->config.storage_opt)
                return 0;
        if (engine_storage(e, &st, err) < 0)
                return -1;
        _cleanup_free_ char *folder = snapshots_folder(e, st);
        return project_lease(e, c->id, folder, &project, err);
}

int container_quota_apply(struct engine *e, const struct container *c, struct err *err)
{
        struct storage *st;
        struct quota_limit limit = { 0 };
        uint32_t project = 0;
        if (!c->config.storage_opt)
                return 0;
        if (storage_opt_parse(c->config.storage_opt, &limit, err) < 0 || engine_storage(e, &st, err) < 0)
                return -1;
        int known = project_find(e, c->id, &project, err);
        if (known <= 0)
                return known < 0 ? -1 : err_set(err, ERR_CORRUPT, "container %.12s has a limit of size and no project", c->id);
        return root_limit(st->snapshots, c->id, project, &limit, err);
}

int container_quota_release(struct engine *e, const struct container *c, struct err *err)
{
        struct storage *st;
        if (!c->config.storage_opt)
                return 0;
        if (engine_storage(e, &st, err) < 0)
                return -1;
        _cleanup_free_ char *folder = snapshots_folder(e, st);
        return project_release(e, c->id, folder, err);
}

/* --- volumes --- */

static char *volume_owner(const char *name) { return xasprintf("volume:%s", name); }

int volume_quota_parse(char *const *options, struct quota_limit *ret, struct err *err)
{
        STRV_FOREACH (option, options) {
                int known = quota_option_parse(*option, ret, err);
                if (known < 0)
                        return err_add(err, "--opt %s", *option);
                if (known == 0)
                        return err_set(err, ERR_UNSUPPORTED, "the local volume driver has no option %s (size=, inodes=)", *option);
        }
        return 0;
}

int volume_quota_apply(struct engine *e, const char *name, const struct quota_limit *limit, struct err *err)
{
        uint32_t project = 0;
        _cleanup_free_ char *owner = volume_owner(name), *path = volume_path(e, name);
        if (quota_probe(path, err) < 0 || project_lease(e, owner, path, &project, err) < 0)
                return err_add(err, "volume %s", name);
        return quota_apply(path, project, limit, err);
}

int volume_quota_release(struct engine *e, const char *name, struct err *err)
{
        _cleanup_free_ char *owner = volume_owner(name), *folder = xasprintf("%s/volumes", engine_root(e));
        return project_release(e, owner, folder, err);
}

int quota_binds(struct engine *e, const struct container_config *c, bool *ret, struct err *err)
{
        *ret = c->storage_opt != NULL;
        for (size_t i = 0; i < c->mount_count && !*ret; i++) {
                uint32_t project;
                if (c->mounts[i].kind != MOUNT_VOLUME || str_empty(c->mounts[i].source))
                        continue;
                _cleanup_free_ char *owner = volume_owner(c->mounts[i].source);
                int known = project_find(e, owner, &project, err);
                if (known < 0)
                        return -1;
                *ret = known == 1;
        }
        return 0;
}

int quota_forget_lost(struct engine *e, bool repair, unsigned *ret_found, struct err *err)
{
#define LOST " FROM projects WHERE owner NOT IN (SELECT id FROM containers) AND owner NOT IN (SELECT 'volume:' || name FROM volumes)"
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(engine_db(e), &stmt, err, "SELECT count(*)" LOST, "") < 0 || db_step(stmt, err) < 0)
                return -1;
        *ret_found = (unsigned)db_i64(stmt, 0);
        return *ret_found && repair ? db_exec(engine_db(e), NULL, err, "DELETE" LOST, "") : 0;
#undef LOST
}
