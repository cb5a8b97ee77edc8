/* Waiting for a container to end, or to come into some state. */
#include <poll.h>
#include <unistd.h>

#include "base/str.h"
#include "engine/engine-internal.h"

#define PATIENCE 1000 /* ms: what a wake-up that is lost costs */

/* Until nobody cares for the container any more: its cleanup is done or owed; or until it is to be started again. */
static void wait_cleaned(struct engine *e, const char *id)
{
        struct err ignored = ERR_INIT;
        for (unsigned tries = 0; tries < 2000; tries++) {
                _cleanup_close_ int run_dir = run_dir_open(e, id, &ignored);
                struct container_status now = { .state = STATE_EXITED };
                if (run_dir < 0 || !monitor_alive(run_dir) ||
                    (container_status_read(run_dir, &now, &ignored) == 0 && now.state != STATE_EXITED))
                        return;
                poll(NULL, 0, 5);
        }
}

static int wait_removed(struct engine *e, const char *id, struct err *err)
{
        for (;;) {
                char found[65];
                struct err missing = ERR_INIT;
                if (container_resolve(e, id, found, &missing) < 0)
                        return missing.kind == ERR_NOT_FOUND ? 0 : err_set(err, missing.kind, "%s", missing.msg);
                poll(NULL, 0, 20);
        }
}

static bool is_running(const struct container *c) { return c->status.state == STATE_RUNNING; }
static bool is_paused(const struct container *c) { return c->status.state == STATE_PAUSED; }
static bool is_created(const struct container *c) { return c->status.state == STATE_CREATED; }
static bool is_healthy(const struct container *c) { return container_is_running(c) && c->health == HEALTH_HEALTHY; }
static bool is_unhealthy(const struct container *c) { return container_is_running(c) && c->health == HEALTH_UNHEALTHY; }

/* podman's names. */
static const struct wait_state {
        const char *name;
        bool (*holds)(const struct container *c);
        bool health;
} wait_states[] = {
        { "running", is_running, false }, { "paused", is_paused, false },      { "created", is_created, false },
        { "healthy", is_healthy, true },  { "unhealthy", is_unhealthy, true },
};

/* 1: it has come to that; 0: not yet. */
static int state_look(struct engine *e, const char *id, const struct wait_state *s, struct err *err)
{
        struct health_plan plan;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_load(e, id, &c, err) < 0)
                return -1;
        if (s->health && !health_plan(&c.config, &plan))
                return err_set(err, ERR_INVALID, "container %s has no health check", c.name);
        if (s->holds(&c))
                return 1;
        if (c.status.state == STATE_EXITED)
                return err_set(err, ERR_CONFLICT, "container %s has exited (%d) and is not %s", c.name, (int)c.status.exit_code, s->name);
        return 0;
}

static int wait_for_state(struct engine *e, const char *id, const struct wait_state *s, struct err *err)
{
        for (;;) {
                _cleanup_close_ int watch = run_dir_watch(e, id);
                int met = state_look(e, id, s, err);
                if (met != 0)
                        return met < 0 ? -1 : 0;
                run_dir_wait(watch, watch < 0 ? 50 : PATIENCE);
        }
}

static int wait_for_end(struct engine *e, const char *id, bool next, bool removed, int32_t *ret_status, struct err *err)
{
        for (;;) {
                struct err ignored = ERR_INIT;
                int32_t status = 0;
                int seen = 0;
                _cleanup_close_ int watch = run_dir_watch(e, id);
                _cleanup_close_ int fd = session_open(e, id, false, false, &ignored);
                if (fd >= 0 && (seen = session_exit_read(fd, &status, err)) < 0)
                        return -1;
                _cleanup_container_ struct container c = { 0 };
                container_config_init(&c.config);
                if (!seen && container_load(e, id, &c, err) < 0)
                        return -1;
                if (seen || (!container_is_running(&c) && !next)) {
                        *ret_status = seen ? status : c.status.exit_code;
                        if (removed)
                                return wait_removed(e, id, err);
                        wait_cleaned(e, id);
                        return 0;
                }
                run_dir_wait(watch, watch < 0 ? 20 : PATIENCE);
        }
}

int container_wait(struct engine *e, const char *name, const char *condition, int32_t *ret_status, struct err *err)
{
        static const char *const ends[] = { "not-running", "next-exit", "removed", "exited", "stopped", NULL };
        char id[65];
        if (container_resolve(e, name, id, err) < 0)
                return -1;
        for (size_t i = 0; i < ELEMENTS(wait_states); i++) {
                if (!str_eq(condition, wait_states[i].name))
                        continue;
                *ret_status = -1;
                return wait_for_state(e, id, &wait_states[i], err);
        }
        if (!str_empty(condition) && !strv_has((char *const *)(uintptr_t)ends, condition))
                return err_set(err, ERR_INVALID, "invalid condition: \"%s\"", condition);
        return wait_for_end(e, id, str_eq(condition, "next-exit"), str_eq(condition, "removed"), ret_status, err);
}
