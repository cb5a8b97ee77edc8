/* What system_check() knows of containers: rows, run directories, roots, folders. */
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "build/build.h"
#include "engine/system-internal.h"
#include "runtime/cgroup.h"

/* Younger than this its creator may still be at it, ns. */
#define FRESH ((int64_t)60 * 1000000000)

static int ids(struct check *k, char ***ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(engine_db(k->engine), &stmt, err, "SELECT id FROM containers ORDER BY id", "") < 0)
                return -1;
        while ((more = db_step(stmt, err)) == 1)
                strv_push(ret, db_str(stmt, 0));
        return more;
}

static void row_check(struct check *k, const char *id)
{
        bool stale;
        struct err problem = ERR_INIT;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_row_load(k->engine, id, &c, &problem) < 0 || container_state_refresh(k->engine, &c, &stale, &problem) < 0) {
                if (problem.kind != ERR_NOT_FOUND)
                        check_found(k, "container %.12s: its definition cannot be read: %s", id, problem.msg);
                return;
        }
        if (container_is_locked(k->engine, id))
                return;
        if (stale && check_found(k, "container %.12s (%s): it has ended and nobody cleaned up", id, c.name) &&
            container_finish(k->engine, id, &problem) < 0)
                check_failed(k, &problem);
        if (root_exists(k->storage->snapshots, id) || c.created > time_now() - FRESH || c.config.auto_remove)
                return;
        if (check_found(k, "container %.12s (%s): its files are missing; it starts with those of its image", id, c.name) &&
            (engine_layers(k->engine, c.chain, &problem) < 0 || root_create(k->storage->snapshots, id, c.chain, &problem) < 0))
                check_failed(k, &problem);
}

int check_containers(struct check *k, struct err *err)
{
        _cleanup_strv_ char **all = NULL;
        if (ids(k, &all, err) < 0)
                return -1;
        STRV_FOREACH (id, all)
                row_check(k, *id);
        return 0;
}

/* --- run directories --- */

/* Ids are random, so a root or a folder of that name says that the container was one of this data root. */
static bool was_ours(struct check *k, const char *id)
{
        _cleanup_free_ char *dir = container_dir_path(k->engine, id);
        return root_exists(k->storage->snapshots, id) || access(dir, F_OK) == 0;
}

static int unknown_end(const char *id, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("/tare/%s", id);
        _cleanup_(cgroup_freep) struct cgroup *group = NULL;
        struct err missing = ERR_INIT;
        return cgroup_open(path, &group, &missing) < 0 ? 0 : cgroup_remove(group, err);
}

static int run_dir_check(struct check *k, const char *id, struct err *err)
{
        struct err problem = ERR_INIT;
        enum container_state state = STATE_CREATED;
        _cleanup_close_ int fd = run_dir_open(k->engine, id, &problem);
        bool alive = fd >= 0 && monitor_alive(fd);
        int known = fd < 0 ? 1 : check_row(k, id, &state, err);
        if (known < 0)
                return -1;
        if (fd < 0 || (known && state == STATE_RUNNING) || container_is_locked(k->engine, id))
                return 0;
        if (known && alive)
                return 0;              /* its monitor waits for a restart, or for its client */
        if (alive && !was_ours(k, id))
                return 0;              /* another data root's */
        if (!check_found(k, alive ? "container %.12s: it runs and is not in the database" : "run directory of %.12s: left behind", id))
                return 0;
        err_clear(&problem);
        if ((alive && unknown_end(id, &problem) < 0) || container_finish(k->engine, id, &problem) < 0)
                check_failed(k, &problem);
        return 0;
}

int check_run_dirs(struct check *k, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("%s/containers", engine_run(k->engine));
        _cleanup_strv_ char **names = NULL;
        if (check_names(path, &names, err) < 0)
                return -1;
        STRV_FOREACH (name, names)
                if (check_is_id(*name) && run_dir_check(k, *name, err) < 0)
                        return -1;
        return 0;
}

/* --- roots and folders --- */

static int root_name(void *data, const char *id, struct err *err)
{
        strv_push(data, id);
        return 0;
}

static int root_check(struct check *k, const char *id, struct err *err)
{
        struct err problem = ERR_INIT;
        int known = str_starts(id, "build-") ? build_alive(k->storage, id) : check_row(k, id, NULL, err);
        if (known)
                return known < 0 ? -1 : 0;
        if (check_found(k, "files of %.30s: no container or build has them", id) && root_remove(k->storage->snapshots, id, &problem) < 0)
                check_failed(k, &problem);
        return 0;
}

int check_roots(struct check *k, struct err *err)
{
        _cleanup_strv_ char **roots = NULL;
        if (roots_walk(k->storage->snapshots, root_name, &roots, err) < 0)
                return -1;
        STRV_FOREACH (id, roots)
                if (root_check(k, *id, err) < 0)
                        return -1;
        return 0;
}

int check_container_dirs(struct check *k, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("%s/containers", engine_root(k->engine));
        _cleanup_strv_ char **names = NULL;
        if (check_names(path, &names, err) < 0)
                return -1;
        STRV_FOREACH (name, names) {
                struct err problem = ERR_INIT;
                int known = check_is_id(*name) ? check_row(k, *name, NULL, err) : 1;
                if (known < 0)
                        return -1;
                _cleanup_free_ char *dir = container_dir_path(k->engine, *name);
                if (!known && check_found(k, "folder of container %.12s: left behind", *name) && tree_remove_at(AT_FDCWD, dir, &problem) < 0)
                        check_failed(k, &problem);
        }
        return 0;
}
