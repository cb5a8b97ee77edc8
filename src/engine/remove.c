/* rm and prune. */
#include <signal.h>
#include <unistd.h>

#include "base/selection.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/engine-internal.h"
#include "engine/log-internal.h"

/* Ends it as `kill` would and waits until its monitor has gone. */
static int force_end(struct engine *e, const char *id, struct err *err)
{
        struct err gone = ERR_INIT;
        if (container_stop(e, id, 0, "KILL", &gone) == 0 || gone.kind == ERR_NOT_FOUND)
                return 0;
        return err_set(err, gone.kind, "%s", gone.msg);
}

static int refuse_running(const struct container *c, struct err *err)
{
        const char *what = c->status.state == STATE_PAUSED ? "paused" : c->status.state == STATE_RESTARTING ? "restarting" : "running";
        return err_set(err, ERR_CONFLICT, "You cannot remove a %s container %s. Stop the container before attempting removal or force remove",
                       what, c->id);
}

int container_remove(struct engine *e, const char *name, const struct container_remove *how, struct err *err)
{
        char id[65];
        struct err gone = ERR_INIT;
        if (container_resolve(e, name, id, err) < 0)
                return -1;
        for (;;) {
                _cleanup_container_ struct container c = { 0 };
                container_config_init(&c.config);
                _cleanup_close_ int lock = container_lock(e, id, err);
                if (lock < 0)
                        return -1;
                if (container_load_locked(e, id, &c, &gone) < 0) {
                        if (gone.kind != ERR_NOT_FOUND)
                                return err_set(err, gone.kind, "%s", gone.msg);
                        return run_dir_remove(e, id, err);      /* its own --rm was faster */
                }
                if (!container_is_running(&c))
                        return container_destroy(e, &c, how->volumes, err);
                if (!how->force)
                        return refuse_running(&c, err);
                close(TAKE_FD(lock));
                if (force_end(e, id, err) < 0)
                        return -1;
        }
}

int container_prune(struct engine *e, char *const *filters, void (*told)(void *data, const char *id), void *data, uint64_t *ret_bytes,
                    struct err *err)
{
        struct storage *st;
        struct container *list = NULL;
        size_t count = 0;
        struct selection only;
        uint64_t bytes = 0;
        if (selection_parse(filters, true, &only, err) < 0 || engine_storage(e, &st, err) < 0 ||
            container_list(e, &(struct container_filter){ .all = true }, &list, &count, err) < 0)
                return -1;
        int result = 0;
        for (size_t i = 0; i < count && result == 0; i++) {
                uint64_t used = 0;
                struct err ignored = ERR_INIT;
                if (container_is_running(&list[i]) || !selection_wants(&only, list[i].created, list[i].config.labels))
                        continue;
                root_usage(st->snapshots, list[i].id, &used, &ignored);
                struct err changed = ERR_INIT;
                if (container_remove(e, list[i].id, &(struct container_remove){ .volumes = false }, &changed) == 0) {
                        if (told)
                                told(data, list[i].id);
                        bytes += used;
                } else if (changed.kind != ERR_NOT_FOUND && changed.kind != ERR_CONFLICT) { /* removed or started since the list was made */
                        result = err_set(err, changed.kind, "%s", changed.msg);
                }
        }
        containers_free(list, count);
        if (result == 0 && !only.labels) /* what a removed container left has no labels to ask for */
                result = log_kept_prune(e, only.until, &bytes, err);
        *ret_bytes = bytes;
        return result;
}
