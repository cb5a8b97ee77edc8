/* What a container is doing now: its row, its run directory and its monitor's lock put together. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/engine-internal.h"

char *container_cgroup_path(const struct container *c)
{
        const char *parent = str_empty(c->config.cgroup_parent) ? "/tare" : c->config.cgroup_parent;
        return xasprintf("%s%s/%s", parent[0] == '/' ? "" : "/", parent, c->id);
}

/* Taking the lock makes the folder, so that it is there says nothing; a start soon puts name files into it. */
static bool start_began(int run_dir)
{
        int fd = run_dir < 0 ? -1 : openat(run_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        for (struct dirent *e; dir && (e = readdir(dir));)
                if (e->d_name[0] != '.')
                        return true;
        return false;
}

/* A row that says "running" with nobody caring for it: what its end must have been. */
static void state_of_abandoned(struct container *c, bool began, bool status)
{
        if (began && !status) {        /* its start was cut short before the process existed */
                c->status.state = STATE_CREATED;
                return;
        }
        if (began && c->status.state == STATE_RESTARTING) {    /* who was to start it again was killed: the last word is the one before */
                c->status.state = STATE_EXITED;
                c->death_told = true;
        } else if (!began || c->status.state != STATE_EXITED) {
                c->status.state = STATE_EXITED;
                c->status.exit_code = began ? 137 : 255;
                snprintf(c->status.error, sizeof(c->status.error), "%s", began ? "its monitor was killed" : "the machine was restarted");
        }
        if (!c->status.finished)
                c->status.finished = time_now();
}

int container_state_refresh(struct engine *e, struct container *c, bool *ret_stale, struct err *err)
{
        *ret_stale = false;
        if (c->status.state != STATE_RUNNING) {
                c->health = health_now(c, -1);
                return 0;
        }
        struct err ignored = ERR_INIT;
        _cleanup_close_ int run_dir = run_dir_open(e, c->id, &ignored);
        struct container_status now = { 0 };
        bool status = run_dir >= 0 && container_status_read(run_dir, &now, &ignored) == 0;
        if (status)
                c->status = now;
        c->health = health_now(c, run_dir);
        if (run_dir >= 0 && monitor_alive(run_dir)) {
                if (!status)
                        c->status.state = STATE_CREATED;
                else if (now.state == STATE_RUNNING && faccessat(run_dir, "paused", F_OK, 0) == 0)
                        c->status.state = STATE_PAUSED;
                return 0;
        }
        *ret_stale = true;
        state_of_abandoned(c, start_began(run_dir), status);
        return 0;
}

/* It has ended, and its monitor, client or successor, who still holds monitor.pid, had not come to finishing it. With another file there the
 * next monitor gets a lock, and theirs says nothing any more. */
static int take_over_end(struct engine *e, const struct container *c, struct err *err)
{
        if (c->config.auto_remove)
                return err_set(err, ERR_NOT_FOUND, "No such container: %.12s", c->id);
        _cleanup_close_ int run_dir = run_dir_open(e, c->id, err);
        if (run_dir < 0)
                return -1;
        return unlinkat(run_dir, "monitor.pid", 0) == 0 || errno == ENOENT ? 0 : err_sys(err, "monitor.pid");
}

static int load_locked(struct engine *e, const char *id, bool take_over, struct container *ret, struct err *err)
{
        bool stale;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_row_load(e, id, &c, err) < 0)
                return -1;
        bool owed = c.status.state == STATE_RUNNING;
        if (container_state_refresh(e, &c, &stale, err) < 0)
                return -1;
        owed = owed && !stale && take_over && c.status.state == STATE_EXITED;
        if ((stale || owed) && container_finish_locked(e, &c, err) < 0)
                return -1;
        if (owed && take_over_end(e, &c, err) < 0)
                return -1;
        *ret = c;
        c = (struct container){ 0 };
        container_config_init(&c.config);
        return 0;
}

int container_load_locked(struct engine *e, const char *id, struct container *ret, struct err *err)
{
        return load_locked(e, id, true, ret, err);
}

bool container_is_locked(struct engine *e, const char *id)
{
        struct err ignored = ERR_INIT;
        _cleanup_close_ int fd = run_dir_open(e, id, &ignored);
        return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int container_repair(struct engine *e, struct container *c, struct err *err)
{
        bool stale;
        if (container_state_refresh(e, c, &stale, err) < 0)
                return -1;
        if (!stale || container_is_locked(e, c->id))
                return 0;
        _cleanup_close_ int lock = container_lock(e, c->id, err);
        if (lock < 0)
                return -1;
        char id[65];
        snprintf(id, sizeof(id), "%s", c->id);
        container_done(c);
        container_config_init(&c->config);
        if (load_locked(e, id, false, c, err) < 0)
                return -1;
        return container_is_running(c) || monitor_alive(lock) ? 0 : run_dir_remove(e, id, err);
}

int container_load(struct engine *e, const char *name, struct container *ret, struct err *err)
{
        char id[65];
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_resolve(e, name, id, err) < 0 || container_row_load(e, id, &c, err) < 0 || container_repair(e, &c, err) < 0)
                return -1;
        *ret = c;
        c = (struct container){ 0 };
        container_config_init(&c.config);
        return 0;
}
