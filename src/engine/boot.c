/* What runs after the machine has started, and what is to be stopped before it ends; in which order. */
#include <string.h>

#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/system-internal.h"
#include "engine/system.h"

void boot_plan_done(struct boot_plan *p)
{
        strv_free(p->ids);
        free(p->waves);
        *p = (struct boot_plan){ 0 };
}

/* docker's rules: always is started even where the user stopped it; on-failure is about ends, and the machine's is none of its own. One whose
 * start failed last time is tried again; one that was made and never started is not. */
static bool wanted_up(const struct container *c)
{
        enum restart_kind kind;
        uint32_t max;
        struct err ignored = ERR_INIT;
        if (container_is_running(c) || restart_policy_parse(c->config.restart_policy, &kind, &max, &ignored) < 0 ||
            (c->status.state == STATE_CREATED && str_empty(c->status.error)))
                return false;
        return kind == RESTART_ALWAYS || (kind == RESTART_UNLESS_STOPPED && !c->stopped_by_user);
}

static bool wanted_down(const struct container *c) { return container_is_running(c); }

/* Those whose namespaces it joins must run before it does. */
static bool joins(struct engine *e, const struct container *c, const char *other)
{
        const char *const modes[] = { c->config.network_mode, c->config.pid_mode, c->config.ipc_mode, c->config.uts_mode };
        for (size_t i = 0; i < ELEMENTS(modes); i++) {
                const char *name = modes[i] ? str_after(modes[i], "container:") : NULL;
                char id[65];
                struct err gone = ERR_INIT;
                if (name && container_resolve(e, name, id, &gone) == 0 && str_eq(id, other))
                        return true;
        }
        return false;
}

static bool joins_any(const struct container *c)
{
        const char *const modes[] = { c->config.network_mode, c->config.pid_mode, c->config.ipc_mode, c->config.uts_mode };
        for (size_t i = 0; i < ELEMENTS(modes); i++)
                if (modes[i] && str_after(modes[i], "container:"))
                        return true;
        return false;
}

/* Each is one wave after the last of those it joins. Some round changes nothing: who joins came after whom it joined. */
static void waves_find(struct engine *e, const struct container *list, struct boot_plan *p)
{
        bool changed = true;
        for (size_t round = 0; changed && round < p->count; round++) {
                changed = false;
                for (size_t i = 0; i < p->count; i++)
                        for (size_t k = 0; joins_any(&list[i]) && k < p->count; k++)
                                if (k != i && p->waves[i] <= p->waves[k] && joins(e, &list[i], list[k].id)) {
                                        p->waves[i] = p->waves[k] + 1;
                                        changed = true;
                                }
        }
        for (size_t i = 0; i < p->count; i++)
                if (p->waves[i] >= p->wave_count)
                        p->wave_count = p->waves[i] + 1;
}

/* Listing repairs each: what ran when the machine went down has exited now, what was --rm is gone. */
static int plan_make(struct engine *e, bool (*wanted)(const struct container *c), struct boot_plan *ret, struct err *err)
{
        struct container *list = NULL;
        size_t all = 0;
        if (container_list(e, &(struct container_filter){ .all = true }, &list, &all, err) < 0)
                return -1;
        struct boot_plan p = { .waves = xcalloc(all + 1, sizeof(*p.waves)) };
        struct container *chosen = xcalloc(all + 1, sizeof(*chosen));
        for (size_t i = all; i-- > 0;) /* oldest first */
                if (wanted(&list[i])) {
                        strv_push(&p.ids, list[i].id);
                        chosen[p.count++] = list[i];
                }
        waves_find(e, chosen, &p);
        free(chosen); /* their members are the list's */
        containers_free(list, all);
        *ret = p;
        return 0;
}

int system_boot_plan(struct engine *e, struct boot_plan *ret, struct err *err)
{
        struct check k = { .engine = e, .repair = true };
        _cleanup_(boot_plan_done) struct boot_plan p = { 0 };
        if (plan_make(e, wanted_up, &p, err) < 0)
                return -1;
        /* leases of what does not run any more; bridges and rules are made by the first who needs them */
        if (engine_storage(e, &k.storage, err) < 0 || check_networks(&k, err) < 0)
                return -1;
        *ret = p;
        p = (struct boot_plan){ 0 };
        return 0;
}

int system_shutdown_plan(struct engine *e, struct boot_plan *ret, struct err *err)
{
        if (plan_make(e, wanted_down, ret, err) < 0)
                return -1;
        for (size_t i = 0; i < ret->count; i++)
                ret->waves[i] = ret->wave_count - 1 - ret->waves[i];
        return 0;
}
