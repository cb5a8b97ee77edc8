/* What remains to be done when a container's process has ended: cgroup, network, leases, the last word; or everything, for --rm.
 * Every step may have been done before by somebody who was killed in between. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/engine-internal.h"
#include "engine/foreign-internal.h"
#include "engine/log-internal.h"
#include "engine/meter-internal.h"
#include "runtime/cgroup.h"

/* An init whose monitor was killed lives on until here. */
static void init_end(const struct container *c)
{
        struct err ignored = ERR_INIT;
        if (c->status.pid <= 0)
                return;
        _cleanup_close_ int pidfd = proc_open(c->status.pid, c->status.start_ticks, &ignored);
        if (pidfd >= 0 && proc_signal(pidfd, 9, &ignored) == 0)
                proc_wait_gone(pidfd, 10000, &ignored);
}

static int processes_end(struct engine *e, struct container *c, struct err *err)
{
        struct err ignored = ERR_INIT;
        _cleanup_free_ char *path = container_cgroup_path(c);
        _cleanup_(cgroup_freep) struct cgroup *group = NULL;
        if (runtime_is_foreign(c->config.runtime)) /* where it fails, or is not installed any more, what follows does */
                foreign_delete(e, c, &ignored);
        if (cgroup_open(path, &group, &ignored) < 0)
                return 0;
        return cgroup_remove(group, err);
}

static int network_end(struct engine *e, const struct container *c, struct err *err)
{
        _cleanup_network_ struct network network = { 0 };
        struct err ignored = ERR_INIT;
        if (!c->endpoint.container[0])
                return 0;
        const char *mode = c->config.network_mode;
        bool standard = str_empty(mode) || str_eq(mode, "bridge") || str_eq(mode, "default");
        if ((standard ? network_default(engine_db(e), &network, &ignored) : network_find(engine_db(e), mode, &network, &ignored)) < 0)
                return 0;
        if (c->endpoint.port_count > 0 && network_detach(&network, &c->endpoint, err) < 0)
                return -1;
        container_tell_network(e, c, &network, "disconnect");
        return 0;
}

/* used: NULL where it was not seen any more */
static int row_end(struct engine *e, const struct container *c, const struct container_meter *used, struct err *err)
{
        if (db_begin(engine_db(e), false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = engine_db(e);
        if (c->endpoint.container[0] && network_release(tx, c->id, err) < 0)
                return -1;
        if (container_row_finish(e, c->id, &c->status, err) < 0 ||
            (used && c->status.started && meter_row_write(e, c->id, c->status.started, used, err) < 0))
                return -1;
        return db_commit(tx, err);
}

/* Whoever was killed between the root and the row has removed it already; or it was never made. Its monitor, where it still waits for our
 * word, takes the files away: nobody need wait for that. */
static int root_end(struct engine *e, const char *id, bool monitor_waits, struct err *err)
{
        struct storage *st;
        struct err gone = ERR_INIT;
        if (engine_storage(e, &st, err) < 0)
                return -1;
        if ((monitor_waits ? root_discard(st->snapshots, id, &gone) : root_remove(st->snapshots, id, &gone)) == 0 || gone.kind == ERR_NOT_FOUND)
                return 0;
        *err = gone;
        return -1;
}

static int destroy(struct engine *e, struct container *c, bool volumes, bool monitor_waits, struct err *err)
{
        _cleanup_free_ char *dir = container_dir_path(e, c->id);
        _cleanup_close_ int log_lock = log_folder_lock(dir, c);
        if (log_is_kept(&c->config) && log_keep(e, c, err) < 0)
                return -1;
        if (root_end(e, c->id, monitor_waits, err) < 0 || tree_remove_at(AT_FDCWD, dir, err) < 0 ||
            run_dir_remove(e, c->id, err) < 0 || db_begin(engine_db(e), false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = engine_db(e);
        if ((c->endpoint.container[0] && network_release(tx, c->id, err) < 0) || container_row_delete(e, c->id, err) < 0 ||
            container_quota_release(e, c, err) < 0 || volumes_unclaim(e, c, volumes, err) < 0)
                return -1;
        if (db_commit(tx, err) < 0)
                return -1;
        container_tell(e, c, "destroy", NULL);
        return 0;
}

int container_destroy(struct engine *e, struct container *c, bool volumes, struct err *err)
{
        return destroy(e, c, volumes, false, err);
}

static int finish(struct engine *e, struct container *c, bool monitor_waits, struct err *err)
{
        struct container_meter used;
        init_end(c);
        bool metered = meter_of_run(e, c, &used);
        if (processes_end(e, c, err) < 0)
                return err_add(err, "container %.12s", c->id);
        if (c->status.state == STATE_EXITED && !c->death_told)
                container_tell_died(e, c, metered ? &used : NULL);
        health_keep(e, c);
        if (network_end(e, c, err) < 0)
                return err_add(err, "container %.12s", c->id);
        if (c->config.auto_remove)
                return destroy(e, c, true, monitor_waits, err);
        c->status.pid = 0;
        return row_end(e, c, metered ? &used : NULL, err);
}

int container_finish_locked(struct engine *e, struct container *c, struct err *err)
{
        return finish(e, c, false, err);
}

static int finish_unlocked(struct engine *e, const char *id, bool monitor_waits, struct err *err)
{
        bool stale;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        _cleanup_close_ int lock = container_lock(e, id, err);
        if (lock < 0)
                return -1;
        struct err missing = ERR_INIT;
        if (container_row_load(e, id, &c, &missing) < 0) {
                if (missing.kind != ERR_NOT_FOUND)
                        return err_set(err, missing.kind, "%s", missing.msg);
                return run_dir_remove(e, id, err);      /* somebody was faster */
        }
        if (c.status.state != STATE_RUNNING)
                return run_dir_remove(e, id, err);
        if (container_state_refresh(e, &c, &stale, err) < 0)
                return -1;
        /* its monitor may still be waiting for our word; its init may not be running */
        if (!stale && c.status.state != STATE_EXITED)
                return 0;
        if (finish(e, &c, monitor_waits && !stale, err) < 0)
                return -1;
        return c.config.auto_remove ? 0 : run_dir_remove(e, id, err);
}

int container_finish(struct engine *e, const char *id, struct err *err)
{
        return finish_unlocked(e, id, false, err);
}

int container_finish_session(struct engine *e, const char *id, struct err *err)
{
        return finish_unlocked(e, id, true, err);
}

/* Milliseconds before the next restart: 100 ms, doubled each time, at most a minute, and 100 again once it ran for ten seconds, as docker does.
 * The last one is in the run directory, which an ordinary stop and start make anew. */
static int64_t back_off(const struct container *c, int run_dir)
{
        _cleanup_free_ char *line = NULL;
        struct err none = ERR_INIT;
        int64_t last = 0, next;
        char text[24];
        if (c->status.finished - c->status.started < 10000000000 && file_line_at(run_dir, "backoff", &line, &none) == 0)
                (void)parse_i64(line, &last, &none);
        next = last <= 0 ? 100 : last >= 30000 ? 60000 : last * 2;
        int length = snprintf(text, sizeof(text), "%lld\n", (long long)next);
        file_write_at(run_dir, "backoff", text, (size_t)length, 0600, false, &none);
        return next;
}

static bool restart_wanted(const struct container *c, int run_dir)
{
        enum restart_kind kind;
        uint32_t max = 0;
        struct err ignored = ERR_INIT;
        if (restart_policy_parse(c->config.restart_policy, &kind, &max, &ignored) < 0 || c->stopped_by_user || stop_is_marked(run_dir))
                return false;
        if (kind == RESTART_ON_FAILURE)
                return (c->status.exit_code != 0 || faccessat(run_dir, UNHEALTHY_MARK, F_OK, 0) == 0) && (max == 0 || c->status.restarts < max);
        return kind != RESTART_NO || faccessat(run_dir, UNHEALTHY_MARK, F_OK, 0) == 0;
}

/* Under the container's lock: whether it is to be started again, which it then says. Else it is finished, or
 * somebody else has taken it over. */
static int exited_act(struct engine *e, const char *id, int care, struct container *c, bool *ret_again, struct err *err)
{
        bool stale;
        struct err gone = ERR_INIT;
        *ret_again = false;
        _cleanup_close_ int run_dir = container_lock(e, id, err);
        if (run_dir < 0)
                return -1;
        bool ours = monitor_lock_is(run_dir, care);
        if (!ours || container_row_load(e, id, c, &gone) < 0 || c->status.state != STATE_RUNNING) {
                close(TAKE_FD(run_dir));
                return container_finish(e, id, err);
        }
        if (container_state_refresh(e, c, &stale, err) < 0)
                return -1;
        if (c->status.state != STATE_EXITED || !restart_wanted(c, run_dir)) {
                close(TAKE_FD(run_dir));
                return container_finish(e, id, err);
        }
        struct container_status status = c->status;
        status.state = STATE_RESTARTING;
        status.pid = 0;
        *ret_again = true;
        struct container_meter used;
        container_tell_died(e, c, meter_of_run(e, c, &used) ? &used : NULL);
        return container_status_write(run_dir, &status, err);
}

/* Until the time has come, or the container was stopped. */
static void restart_wait(struct engine *e, const struct container *c)
{
        struct err ignored = ERR_INIT;
        _cleanup_close_ int run_dir = run_dir_open(e, c->id, &ignored);
        _cleanup_close_ int watch = run_dir_watch(e, c->id);
        if (run_dir < 0)
                return;
        int64_t now = time_monotonic(), end = now + back_off(c, run_dir) * 1000000;
        for (; now < end && !stop_is_marked(run_dir); now = time_monotonic())
                run_dir_wait(watch, (int)((end - now + 999999) / 1000000));
}

int container_exited(struct engine *e, const char *id, int lock, struct err *err)
{
        _cleanup_close_ int care = lock;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        bool again;
        if (care >= 0)
                fd_set_cloexec(care, true);
        if (exited_act(e, id, care, &c, &again, err) < 0)
                return -1;
        if (!again)
                return 0;
        restart_wait(e, &c);
        return container_start_again(e, id, &care, err);
}
