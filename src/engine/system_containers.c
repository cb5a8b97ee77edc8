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

/* Frozen and not said to be so nobody would thaw it; said to be and not frozen nobody minds but who reads it. */
static void paused_check(struct check *k, const struct container *c)
{
        struct err problem = ERR_INIT;
        _cleanup_free_ char *path = container_cgroup_path(c);
        _cleanup_(cgroup_freep) struct cgroup *group = NULL;
        bool said = c->status.state == STATE_PAUSED;
        if ((!said && c->status.state != STATE_RUNNING) || cgroup_open(path, &group, &problem) < 0 || cgroup_frozen(group) == said)
                return;
        _cleanup_close_ int run_dir = run_dir_open(k->engine, c->id, &problem);
        if (run_dir < 0 || (faccessat(run_dir, "paused", F_OK, 0) == 0) != said)
                return;                /* somebody is just pausing it */
        if (!check_found(k, said ? "container %.12s (%s): said to be paused, and runs" : "container %.12s (%s): frozen, and said to run", c->id, c->name))
                return;
        if (said)
                unlinkat(run_dir, "paused", 0);
        else if (cgroup_freeze(group, false, &problem) < 0)
                check_failed(k, &problem);
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
        if (!stale)
                paused_check(k, &c);
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

static int unknown_end(const char *id, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("/tare/%s", id);
        return check_group_remove(path, err);
}

/* Waits a second at most for the monitor of a container without a row to end. */
static bool check_passes(struct check *k, const char *id)
{
        for (int wait = 0; wait < 20; wait++) {
                struct err gone = ERR_INIT;
                _cleanup_close_ int fd = run_dir_open(k->engine, id, &gone);
                if (fd < 0 || !monitor_alive(fd))
                        return fd < 0;
                usleep(50000);
        }
        return false;
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
        if (alive && !check_was_ours(k, id))
                return 0;              /* another data root's */
        /* the monitor of one that removed itself says goodbye after its row is gone */
        if (alive && check_passes(k, id))
                return 0;
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
        /* by name: one whose maker was killed half-way too */
        _cleanup_free_ char *folder = xasprintf("%s/%s/roots", engine_root(k->engine), snapshots_driver(k->storage->snapshots));
        _cleanup_strv_ char **roots = NULL;
        if (check_names(folder, &roots, err) < 0)
                return -1;
        STRV_FOREACH (id, roots)
                if ((check_is_id(*id) || str_starts(*id, "build-")) && root_check(k, *id, err) < 0)
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
