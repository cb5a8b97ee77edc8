/* What system_check() knows of control groups, builds and networks. */
#include <unistd.h>

#include "base/str.h"
#include "build/build.h"
#include "engine/build_host.h"
#include "engine/system-internal.h"
#include "runtime/cgroup.h"

/* How often, and every how many us, an interface without a lease is looked for. */
#define STRAY_TRIES 20
#define STRAY_PAUSE 50000

/* --- control groups --- */

int check_group_remove(const char *path, struct err *err)
{
        struct err missing = ERR_INIT;
        _cleanup_(cgroup_freep) struct cgroup *group = NULL;
        return cgroup_open(path, &group, &missing) < 0 ? 0 : cgroup_remove(group, err);
}

/* Groups of all data roots lie side by side, so one is touched only when a row, a root or an event of ours has its id (ids are random). That it is
 * empty says nothing: another's container is just being made, or has just ended. */
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
                *ret = check_was_ours(k, name);
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
                if (is_left && check_found(k, "control group of %.30s: left behind", *name) && check_group_remove(path, &problem) < 0)
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

static int port_rows_check(struct check *k, struct err *err)
{
        static const char *const names[] = { "tcp", "udp", "sctp" };
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(engine_db(k->engine), &stmt, err,
                     "SELECT protocol, host_port, container FROM ports WHERE container NOT IN (SELECT container FROM leases)", "") < 0)
                return -1;
        while ((more = db_step(stmt, err)) == 1)
                check_found(k, "port %s %u of %.30s: it has no address", names[db_i64(stmt, 0) % 3], (unsigned)db_i64(stmt, 1), db_str(stmt, 2));
        if (more < 0 || !k->repair)
                return more;
        return db_exec(engine_db(k->engine), NULL, err, "DELETE FROM ports WHERE container NOT IN (SELECT container FROM leases)", "");
}

/* An interface goes with its namespace, which takes a moment: only what stays is a mismatch. */
static int strays_check(struct check *k, struct err *err)
{
        _cleanup_strv_ char **interfaces = NULL;
        _cleanup_strv_ char **ports = NULL;
        if (network_strays(engine_db(k->engine), &interfaces, &ports, err) < 0)
                return -1;
        STRV_FOREACH (port, ports)
                check_found(k, "published port %s: no container has it", *port); /* taken down by the sweep */
        for (int wait = 0; interfaces && wait < STRAY_TRIES; wait++) {
                _cleanup_strv_ char **again = NULL;
                usleep(STRAY_PAUSE);
                strv_free(TAKE_PTR(interfaces));
                if (network_strays(engine_db(k->engine), &interfaces, &again, err) < 0)
                        return -1;
        }
        STRV_FOREACH (name, interfaces) {
                struct err problem = ERR_INIT;
                if (check_found(k, "interface %s: no container has it", *name) && network_stray_remove(*name, &problem) < 0)
                        check_failed(k, &problem);
        }
        return 0;
}

/* Counted before: what the sweep itself counts are idle bridges too, which are no mismatch. */
int check_networks(struct check *k, struct err *err)
{
        unsigned removed;
        struct err problem = ERR_INIT;
        if (leases_check(k, err) < 0 || port_rows_check(k, err) < 0 || strays_check(k, err) < 0)
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
