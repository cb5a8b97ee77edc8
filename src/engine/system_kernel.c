/* What system_check() knows of control groups, builds and networks. */
#include "base/str.h"
#include "build/build.h"
#include "engine/build_host.h"
#include "engine/system-internal.h"
#include "runtime/cgroup.h"

/* --- control groups --- */

static int group_remove(const char *path, struct err *err)
{
        struct err missing = ERR_INIT;
        _cleanup_(cgroup_freep) struct cgroup *group = NULL;
        return cgroup_open(path, &group, &missing) < 0 ? 0 : cgroup_remove(group, err);
}

/* Groups of all data roots lie side by side, so one is touched only when a row or a root of ours has its id (ids are random). That it is empty says
 * nothing: another's container is just being made, or has just ended. */
static int group_is_left(struct check *k, const char *name, bool *ret, struct err *err)
{
        enum container_state state = STATE_CREATED;
        bool build = str_starts(name, "build-");
        *ret = false;
        if (!build && !check_is_id(name))
                return 0;
        int known = build ? build_alive(k->storage, name) : check_row(k, name, &state, err);
        if (known < 0)
                return -1;
        if (known)
                *ret = !build && state != STATE_RUNNING && !container_is_locked(k->engine, name);
        else
                *ret = root_exists(k->storage->snapshots, name);
        return 0;
}

int check_cgroups(struct check *k, struct err *err)
{
        _cleanup_strv_ char **names = NULL;
        if (cgroup_children("/tare", &names, err) < 0)
                return -1;
        STRV_FOREACH (name, names) {
                bool is_left;
                struct err problem = ERR_INIT;
                _cleanup_free_ char *path = xasprintf("/tare/%s", *name);
                if (group_is_left(k, *name, &is_left, err) < 0)
                        return -1;
                if (is_left && check_found(k, "control group of %.30s: left behind", *name) && group_remove(path, &problem) < 0)
                        check_failed(k, &problem);
        }
        return 0;
}

/* --- builds --- */

static void build_found(void *data, const char *id) { check_found(data, "build %s: it was killed", id); }

static void step_done(void *data, const char *step_id)
{
        struct check *k = data;
        struct build_host host = { .engine = k->engine };
        build_host_done(&host, step_id);
}

int check_builds(struct check *k, struct err *err)
{
        struct build_sweep how = { .repair = k->repair, .found = build_found, .step_done = step_done, .data = k };
        return build_sweep(k->storage, &how, err);
}

/* --- networks --- */

/* The row says running from before the lease is taken until after it is given back. */
static bool lease_is_wanted(void *data, const char *container)
{
        struct check *k = data;
        struct err ignored = ERR_INIT;
        enum container_state state = STATE_CREATED;
        if (str_starts(container, "build-"))
                return build_alive(k->storage, container);
        int known = check_row(k, container, &state, &ignored);
        return known < 0 || (known && state == STATE_RUNNING);
}

static int leases_check(struct check *k, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(engine_db(k->engine), &stmt, err, "SELECT DISTINCT container FROM leases ORDER BY container", "") < 0)
                return -1;
        while ((more = db_step(stmt, err)) == 1)
                if (!lease_is_wanted(k, db_str(stmt, 0)))
                        check_found(k, "address of %.30s: it does not run", db_str(stmt, 0));
        return more;
}

/* Counted before: what the sweep itself counts are idle bridges too, which are no mismatch. */
int check_networks(struct check *k, struct err *err)
{
        unsigned removed;
        struct err problem = ERR_INIT;
        if (leases_check(k, err) < 0)
                return -1;
        if (!k->repair)
                return 0;
        if (db_begin(engine_db(k->engine), false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = engine_db(k->engine);
        if (network_sweep(tx, lease_is_wanted, k, &removed, &problem) < 0 || db_commit(tx, &problem) < 0)
                check_failed(k, &problem);
        return 0;
}
