/* ps: one query for all rows, run-time state only for those that say they run. */
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "engine/engine-internal.h"

/* What the filters compare with, found once. */
struct list_context {
        struct engine *engine;
        int64_t before, since;         /* ns, 0: none */
};

static bool match_text(const char *have, const char *want) { return have && strstr(have, want); }

static bool want_id(const struct list_context *x, const struct container *c, const char *v) { return str_starts(c->id, v); }
static bool want_name(const struct list_context *x, const struct container *c, const char *v)
{
        /* docker matches a part of the name, with or without its slash, "^name$" anchors both ends */
        _cleanup_free_ char *slashed = xasprintf("/%s", c->name);
        size_t len = strlen(v);
        bool from = v[0] == '^', to = len && v[len - 1] == '$';
        _cleanup_free_ char *bare = xstrndup(v + from, len - from - (to && len > from));
        const char *have = bare[0] == '/' ? slashed : c->name;
        if (from && to)
                return str_eq(have, bare);
        if (from)
                return str_starts(have, bare);
        return to ? str_ends(have, bare) : match_text(slashed, bare);
}
static bool want_label(const struct list_context *x, const struct container *c, const char *v)
{
        const char *equals = strchr(v, '=');
        _cleanup_free_ char *key = equals ? xstrndup(v, (size_t)(equals - v)) : xstrdup(v);
        const char *have = strv_env_get(c->config.labels, key);
        return have && (!equals || str_eq(have, equals + 1));
}
static bool want_status(const struct list_context *x, const struct container *c, const char *v)
{
        return str_eq(container_state_name(c->status.state), v);
}
static bool want_exited(const struct list_context *x, const struct container *c, const char *v)
{
        _cleanup_free_ char *code = xasprintf("%d", (int)c->status.exit_code);
        return c->status.state == STATE_EXITED && str_eq(code, v);
}
static bool want_ancestor(const struct list_context *x, const struct container *c, const char *v)
{
        const char *hex = strchr(c->image_id, ':') ? strchr(c->image_id, ':') + 1 : c->image_id;
        _cleanup_free_ char *tagged = xasprintf("%s:latest", v);
        return str_eq(c->config.image, v) || str_eq(c->config.image, tagged) || str_eq(c->image_id, v) ||
               (strlen(v) >= 12 && str_starts(hex, v));
}
static bool want_network(const struct list_context *x, const struct container *c, const char *v)
{
        return str_eq(str_empty(c->config.network_mode) ? "bridge" : c->config.network_mode, v);
}
static bool want_volume(const struct list_context *x, const struct container *c, const char *v)
{
        for (size_t i = 0; i < c->config.mount_count; i++)
                if (str_eq(c->config.mounts[i].source, v) || str_eq(c->config.mounts[i].target, v))
                        return true;
        return false;
}
static bool want_publish(const struct list_context *x, const struct container *c, const char *v)
{
        unsigned port = (unsigned)strtoul(v, NULL, 10);
        for (size_t i = 0; i < c->endpoint.port_count; i++)
                if (c->endpoint.ports[i].host_port == port || c->endpoint.ports[i].container_port == port)
                        return true;
        return false;
}
static bool want_health(const struct list_context *x, const struct container *c, const char *v) 
{
        return str_eq(container_health_name(c->health), v);
}
static bool want_before(const struct list_context *x, const struct container *c, const char *v) { return c->created < x->before; }
static bool want_since(const struct list_context *x, const struct container *c, const char *v) { return c->created > x->since; }
static bool want_task(const struct list_context *x, const struct container *c, const char *v) { return str_eq(v, "false"); }

static const struct {
        const char *key;
        bool (*wants)(const struct list_context *x, const struct container *c, const char *value);
} filter_rows[] = {
        { "id=", want_id },           { "name=", want_name },       { "label=", want_label },   { "status=", want_status },
        { "exited=", want_exited },   { "ancestor=", want_ancestor }, { "network=", want_network }, { "volume=", want_volume },
        { "publish=", want_publish }, { "expose=", want_publish },  { "health=", want_health }, { "before=", want_before },
        { "since=", want_since },     { "is-task=", want_task },
};

static int filter_row(const char *filter)
{
        for (size_t i = 0; i < ELEMENTS(filter_rows); i++)
                if (str_starts(filter, filter_rows[i].key))
                        return (int)i;
        return -1;
}

/* Of several filters with one key any may hold (labels: all); all keys must. */
static bool wanted(const struct list_context *x, const struct container *c, char *const *filters)
{
        for (size_t row = 0; row < ELEMENTS(filter_rows); row++) {
                bool any = false, seen = false;
                bool all = filter_rows[row].wants == want_label;
                STRV_FOREACH (filter, filters) {
                        const char *value = str_after(*filter, filter_rows[row].key);
                        if (!value)
                                continue;
                        bool holds = filter_rows[row].wants(x, c, value);
                        any = all && seen ? any && holds : any || holds;
                        seen = true;
                }
                if (seen && !any)
                        return false;
        }
        return true;
}

static int filters_check(struct engine *e, char *const *filters, struct list_context *ret, bool *ret_all, struct err *err)
{
        enum container_state state;
        STRV_FOREACH (filter, filters) {
                const char *value;
                char id[65];
                struct container c = { 0 };
                if (filter_row(*filter) < 0)
                        return err_set(err, ERR_INVALID, "invalid filter '%s'", *filter);
                if ((value = str_after(*filter, "status=")) && container_state_parse(value, &state, err) < 0)
                        return err_set(err, ERR_INVALID, "invalid filter 'status=%s'", value);
                if (str_starts(*filter, "status=") || str_starts(*filter, "exited="))
                        *ret_all = true;
                if (!(value = str_after(*filter, "before=")) && !(value = str_after(*filter, "since=")))
                        continue;
                if (container_resolve(e, value, id, err) < 0 || container_row_load(e, id, &c, err) < 0)
                        return -1;
                *((*filter)[0] == 'b' ? &ret->before : &ret->since) = c.created;
                container_done(&c);
        }
        return 0;
}

static int ids_newest_first(struct engine *e, char ***ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(engine_db(e), &stmt, err, "SELECT id FROM containers ORDER BY created DESC", "") < 0)
                return -1;
        while ((more = db_step(stmt, err)) == 1)
                strv_push(ret, db_str(stmt, 0));
        return more;
}

/* 1 when it belongs into the list; a container that vanished meanwhile does not. */
static int consider(struct list_context *x, const char *id, const struct container_filter *f, bool all, struct container *c, struct err *err)
{
        struct err gone = ERR_INIT;
        container_config_init(&c->config);
        if (container_row_load(x->engine, id, c, &gone) < 0 || container_repair(x->engine, c, &gone) < 0)
                return gone.kind == ERR_NOT_FOUND ? 0 : err_set(err, gone.kind, "%s", gone.msg);
        return (all || container_is_running(c)) && wanted(x, c, f->filters);
}

int container_list(struct engine *e, const struct container_filter *f, struct container **ret, size_t *ret_count, struct err *err)
{
        struct list_context x = { .engine = e };
        bool all = f->all || f->last > 0;
        _cleanup_strv_ char **ids = NULL;
        if (filters_check(e, f->filters, &x, &all, err) < 0 || ids_newest_first(e, &ids, err) < 0)
                return -1;
        struct container *list = xcalloc(strv_len(ids) + 1, sizeof(*list));
        size_t count = 0;
        STRV_FOREACH (id, ids) {
                if (f->last > 0 && count == (size_t)f->last)
                        break;
                int keep = consider(&x, *id, f, all, &list[count], err);
                if (keep < 0) {
                        containers_free(list, count + 1);
                        return -1;
                }
                if (keep)
                        count++;
                else
                        container_done(&list[count]);
        }
        *ret = list;
        *ret_count = count;
        return 0;
}
