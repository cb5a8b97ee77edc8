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
        if (!began || c->status.state != STATE_EXITED) {
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
        if (c->status.state != STATE_RUNNING)
                return 0;
        struct err ignored = ERR_INIT;
        _cleanup_close_ int run_dir = run_dir_open(e, c->id, &ignored);
        struct container_status now = { 0 };
        bool status = run_dir >= 0 && container_status_read(run_dir, &now, &ignored) == 0;
        if (status)
                c->status = now;
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

int container_load_locked(struct engine *e, const char *id, struct container *ret, struct err *err)
{
        bool stale;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_row_load(e, id, &c, err) < 0 || container_state_refresh(e, &c, &stale, err) < 0)
                return -1;
        if (stale && container_finish_locked(e, &c, err) < 0)
                return -1;
        *ret = c;
        c = (struct container){ 0 };
        container_config_init(&c.config);
        return 0;
}

bool container_is_locked(struct engine *e, const char *id)
{
        struct err ignored = ERR_INIT;
        _cleanup_close_ int fd = run_dir_open(e, id, &ignored);
        return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* Its monitor saw the end and has let go; the program that it called to act on the end (restart, clean up) is on its way and must not find
 * that we were faster. If it does not come, a later look repairs. */
static bool successor_is_due(const struct container *c)
{
        return c->status.state == STATE_EXITED && !c->status.error[0] && time_now() - c->status.finished < (int64_t)5 * 1000000000;
}

int container_repair(struct engine *e, struct container *c, struct err *err)
{
        bool stale;
        if (container_state_refresh(e, c, &stale, err) < 0)
                return -1;
        if (!stale || container_is_locked(e, c->id) || successor_is_due(c))
                return 0;
        _cleanup_close_ int lock = container_lock(e, c->id, err);
        if (lock < 0)
                return -1;
        char id[65];
        snprintf(id, sizeof(id), "%s", c->id);
        container_done(c);
        container_config_init(&c->config);
        if (container_load_locked(e, id, c, err) < 0)
                return -1;
        return container_is_running(c) ? 0 : run_dir_remove(e, id, err);
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
