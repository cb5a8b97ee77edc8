/* What is told of a container: docker's attributes, so that its clients' filters work. */
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/meter-internal.h"
#include "events/events.h"

static char **attributes_make(const struct container *c, char *const *more)
{
        char **list = NULL;
        strv_extend(&list, c->config.labels);
        strv_push_take(&list, xasprintf("image=%s", c->config.image ? c->config.image : c->image_id));
        strv_push_take(&list, xasprintf("name=%s", c->name));
        strv_extend(&list, more);
        return list;
}

void container_tell(struct engine *e, const struct container *c, const char *action, char *const *more)
{
        _cleanup_strv_ char **attributes = attributes_make(c, more);
        events_tell(engine_root(e), "container", action, c->id, attributes);
}

void container_tell_one(struct engine *e, const struct container *c, const char *action, const char *key, const char *value)
{
        _cleanup_free_ char *attribute = xasprintf("%s=%s", key, value);
        container_tell(e, c, action, (char *[]){ attribute, NULL });
}

static bool oom_was_told(struct engine *e, const char *id)
{
        struct err ignored = ERR_INIT;
        _cleanup_close_ int run_dir = run_dir_open(e, id, &ignored);
        return run_dir >= 0 && faccessat(run_dir, OOM_MARK, F_OK, 0) == 0;
}

/* Under the container's lock, as the end is told, so that of the two only one tells what killed it. */
int container_oom(struct engine *e, const char *id, struct err *err)
{
        bool stale;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        _cleanup_close_ int run_dir = container_lock(e, id, err);
        if (run_dir < 0)
                return -1;
        if (container_row_load(e, id, &c, err) < 0 || c.status.state != STATE_RUNNING) {
                struct err ignored = ERR_INIT;
                run_dir_remove(e, id, &ignored);
                return err->kind ? -1 : 0;
        }
        if (container_state_refresh(e, &c, &stale, err) < 0)
                return -1;
        if (stale || (c.status.state != STATE_RUNNING && c.status.state != STATE_PAUSED))
                return 0;
        if (file_write_at(run_dir, OOM_MARK, "", 0, 0600, false, err) < 0)
                return -1;
        container_tell(e, &c, "oom", NULL);
        return 0;
}

void container_tell_died(struct engine *e, const struct container *c, const struct container_meter *used)
{
        _cleanup_free_ char *code = xasprintf("exitCode=%d", c->status.exit_code),
                            *duration = xasprintf("execDuration=%lld", (long long)((c->status.finished - c->status.started) / 1000000000));
        if (c->status.oom_killed && !oom_was_told(e, c->id))
                container_tell(e, c, "oom", NULL);
        _cleanup_strv_ char **more = used ? meter_attributes(used) : NULL;
        strv_push(&more, code);
        strv_push(&more, duration);
        if (c->status.log_lost)
                strv_push_take(&more, xasprintf("logRecordsLost=%llu", (unsigned long long)c->status.log_lost));
        container_tell(e, c, "die", more);
}

void container_tell_network(struct engine *e, const struct container *c, const struct network *n, const char *action)
{
        _cleanup_free_ char *container = xasprintf("container=%s", c->id), *name = xasprintf("name=%s", n->name),
                            *type = xasprintf("type=%s", n->driver);
        events_tell(engine_root(e), "network", action, n->id, (char *[]){ container, name, type, NULL });
}
