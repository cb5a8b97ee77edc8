/* Signals to a container's init: kill, stop, pause; and what ends it for good. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/file.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/foreign-internal.h"
#include "runtime/cgroup.h"

static int load(struct engine *e, const char *name, struct container *c, struct err *err)
{
        container_config_init(&c->config);
        return container_load(e, name, c, err);
}

static int freeze(struct engine *e, const struct container *c, bool frozen, struct err *err)
{
        _cleanup_free_ char *path = container_cgroup_path(c);
        _cleanup_(cgroup_freep) struct cgroup *group = NULL;
        if (runtime_is_foreign(c->config.runtime))
                return foreign_pause(e, c, frozen, err);
        return cgroup_open(path, &group, err) < 0 ? -1 : cgroup_freeze(group, frozen, err);
}

static int thaw(struct engine *e, const struct container *c, struct err *err) { return freeze(e, c, false, err); }

/* A v1-frozen task takes SIGKILL only once it is thawed. */
static int init_signal(struct engine *e, struct container *c, int signo, struct err *err)
{
        _cleanup_close_ int pidfd = proc_open(c->status.pid, c->status.start_ticks, err);
        if (pidfd < 0)
                return err->kind == ERR_NOT_FOUND ? 0 : -1;
        if (runtime_is_foreign(c->config.runtime)) {
                if (foreign_kill(e, c, signo, err) < 0)
                        return -1;
        } else if (proc_signal(pidfd, signo, err) < 0) {
                return err->sys == ESRCH ? 0 : -1;
        }
        return signo == SIGKILL && c->status.state == STATE_PAUSED ? thaw(e, c, err) : 0;
}

static void tell_signal(struct engine *e, const struct container *c, int signo)
{
        char number[12];
        snprintf(number, sizeof(number), "%d", signo);
        container_tell_one(e, c, "kill", "signal", number);
}

int container_kill(struct engine *e, const char *name, const char *signal, struct err *err)
{
        _cleanup_container_ struct container c = { 0 };
        int signo = signal_parse(str_empty(signal) ? "KILL" : signal, err);
        if (signo < 0 || load(e, name, &c, err) < 0)
                return -1;
        if (!container_is_running(&c))
                return err_set(err, ERR_CONFLICT, "Cannot kill container: %s: Container %s is not running", name, c.id);
        if (signo == SIGKILL && container_row_set_stopped(e, c.id, true, err) < 0)
                return -1;
        if (init_signal(e, &c, signo, err) < 0)
                return -1;
        tell_signal(e, &c, signo);
        return 0;
}

/* The marker ends a restart's back-off. */
static void stop_mark(struct engine *e, const char *id)
{
        struct err ignored = ERR_INIT;
        _cleanup_close_ int run_dir = run_dir_open(e, id, &ignored);
        _cleanup_close_ int fd = run_dir >= 0 ? openat(run_dir, "stop", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
}

static int init_wait(struct container *c, int64_t timeout_ms, struct err *err)
{
        if (c->status.pid <= 0)
                return 0;
        _cleanup_close_ int pidfd = proc_open(c->status.pid, c->status.start_ticks, err);
        if (pidfd < 0)
                return err->kind == ERR_NOT_FOUND ? 0 : -1;
        return proc_wait_gone(pidfd, timeout_ms > INT32_MAX ? -1 : (int)timeout_ms, err);
}

static int init_end(struct engine *e, struct container *c, int64_t timeout, int signo, struct err *err)
{
        if (c->status.state == STATE_RESTARTING)
                return 0;
        if (c->status.state == STATE_PAUSED && thaw(e, c, err) < 0)
                return -1;
        if (init_signal(e, c, signo, err) < 0)
                return -1;
        tell_signal(e, c, signo);
        struct err late = ERR_INIT;
        if (timeout < 0) {
                if (init_wait(c, INT64_MAX, err) < 0)
                        return -1;
        } else if (init_wait(c, timeout * 1000, &late) == 0) {
                return 0;
        }
        if (init_signal(e, c, SIGKILL, err) < 0)
                return -1;
        tell_signal(e, c, SIGKILL);
        return init_wait(c, INT64_MAX, err);
}

int container_end_unhealthy(struct engine *e, struct container *c, struct err *err)
{
        const char *action = c->config.health_on_failure;
        int signo = signal_parse(str_empty(c->config.stop_signal) ? "TERM" : c->config.stop_signal, err);
        if (signo < 0)
                return -1;
        if (str_eq(action, "stop"))
                return container_stop(e, c->id, CONTAINER_STOP_DEFAULT, NULL, err);
        if (str_eq(action, "kill"))
                return init_end(e, c, -1, SIGKILL, err);
        if (!str_eq(action, "restart"))
                return 0;
        _cleanup_close_ int run_dir = run_dir_open(e, c->id, err);
        if (run_dir < 0 || file_write_at(run_dir, UNHEALTHY_MARK, "", 0, 0600, false, err) < 0)
                return -1;
        return init_end(e, c, c->config.stop_timeout >= 0 ? c->config.stop_timeout : 10, signo, err);
}

/* Under the container's lock, so that it meets no start half way: one that a policy asks for either sees our word, or we see what it started. */
static int stop_begin(struct engine *e, const char *id, bool by_user, struct container *c, bool *ret_running, struct err *err)
{
        struct err gone = ERR_INIT;
        *ret_running = false;
        _cleanup_close_ int lock = container_lock(e, id, err);
        if (lock < 0)
                return -1;
        if (container_load_locked(e, id, c, &gone) < 0 && gone.kind != ERR_NOT_FOUND)
                return err_set(err, gone.kind, "%s", gone.msg);
        if (gone.kind == ERR_NOT_FOUND || !container_is_running(c))
                return run_dir_remove(e, id, err);
        if (by_user && container_row_set_stopped(e, id, true, err) < 0)
                return -1;
        stop_mark(e, id);
        *ret_running = true;
        return 0;
}

/* Its end is known to us or to its monitor, which finishes it meanwhile. */
static int stop_finish(struct engine *e, const struct container *c, int session, struct err *err)
{
        int32_t status;
        struct err gone = ERR_INIT;
        if (session >= 0 && session_exit_read(session, &status, &gone) == 1) {
                if (container_finish(e, c->id, err) < 0)
                        return -1;
                session_cleaned(session);
                return 0;
        }
        if (container_wait(e, c->id, NULL, &status, &gone) < 0)
                return gone.kind == ERR_NOT_FOUND ? 0 : err_set(err, gone.kind, "%s", gone.msg);
        return container_finish(e, c->id, err);
}

static int stop(struct engine *e, const char *name, bool by_user, int64_t timeout, const char *signal, struct err *err)
{
        char id[65];
        bool running;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        int signo = str_empty(signal) ? 0 : signal_parse(signal, err);
        if (signo < 0 || container_resolve(e, name, id, err) < 0 || stop_begin(e, id, by_user, &c, &running, err) < 0)
                return -1;
        if (!running)
                return 0;
        if (signo == 0 && (signo = signal_parse(str_empty(c.config.stop_signal) ? "TERM" : c.config.stop_signal, err)) < 0)
                return -1;
        /* We clean up, so its monitor need not start a program for that. */
        _cleanup_close_ int session = session_promise(e, c.id);
        int64_t grace = timeout != CONTAINER_STOP_DEFAULT ? timeout : c.config.stop_timeout >= 0 ? c.config.stop_timeout : 10;
        if (init_end(e, &c, grace, signo, err) < 0)
                return err_add(err, "Cannot stop container %s", name);
        if (stop_finish(e, &c, session, err) < 0)
                return -1;
        container_tell(e, &c, "stop", NULL);
        return 0;
}

int container_stop(struct engine *e, const char *name, int64_t timeout, const char *signal, struct err *err)
{
        return stop(e, name, true, timeout, signal, err);
}

int container_shut_down(struct engine *e, const char *name, struct err *err)
{
        return stop(e, name, false, CONTAINER_STOP_DEFAULT, NULL, err);
}

int container_restart(struct engine *e, const char *name, int64_t timeout, struct err *err)
{
        struct container_start how = { 0 };
        char id[65];
        if (container_resolve(e, name, id, err) < 0 || container_stop(e, id, timeout, NULL, err) < 0)
                return -1;
        if (container_start(e, id, &how, NULL, err) < 0)
                return -1;
        _cleanup_container_ struct container c = { 0 };
        struct err ended = ERR_INIT;
        if (load(e, id, &c, &ended) == 0)
                container_tell(e, &c, "restart", NULL);
        return 0;
}

int container_pause(struct engine *e, const char *name, bool pause, struct err *err)
{
        _cleanup_container_ struct container c = { 0 };
        if (load(e, name, &c, err) < 0)
                return -1;
        if (!container_is_running(&c))
                return err_set(err, ERR_CONFLICT, "Container %s is not running", c.id);
        if (pause == (c.status.state == STATE_PAUSED))
                return err_set(err, ERR_CONFLICT, "Container %s is %s paused", c.id, pause ? "already" : "not");
        _cleanup_close_ int run_dir = run_dir_open(e, c.id, err);
        /* The marker is there from before it is frozen until after it is thawed: without it nobody would thaw it. */
        if (run_dir < 0 || (pause && file_write_at(run_dir, "paused", "", 0, 0600, false, err) < 0))
                return -1;
        int done = freeze(e, &c, pause, err);
        if (pause == (done < 0))
                unlinkat(run_dir, "paused", 0);
        if (done < 0)
                return -1;
        container_tell(e, &c, pause ? "pause" : "unpause", NULL);
        return 0;
}
