#include "engine/update.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/create-internal.h"
#include "engine/endpoint-internal.h"
#include "engine/spec-internal.h"
#include "engine/update-internal.h"

struct update {
        struct engine *e;
        struct container *c;
        const struct container_update *u;
        bool limits;
        bool live;                     /* it runs, and has a control group and namespaces to be changed */
        char *before;                  /* the definition as it was */
        struct network network;
        struct endpoint added, gone;   /* our endpoint with the ports that come and go */
        char **later;
};

static void update_done(struct update *x)
{
        free(x->before);
        network_done(&x->network);
        endpoint_done(&x->added);
        endpoint_done(&x->gone);
        strv_free(x->later);
}

/* ---- the row ---- */

static bool port_is_gone(const struct port_map *p, const struct port_map *gone)
{
        bool in_range = p->host_port >= gone->host_port && p->host_port <= (gone->host_port_end ? gone->host_port_end : gone->host_port);
        return p->container_port == gone->container_port && p->protocol == gone->protocol && (gone->host_port == 0 || in_range) &&
               (gone->host_address.s_addr == 0 || gone->host_address.s_addr == p->host_address.s_addr);
}

/* Moves the ports of that text from the endpoint to those that go. */
static int ports_take(struct update *x, const char *text, struct err *err)
{
        _cleanup_free_ struct port_map *maps = NULL;
        struct endpoint *have = &x->c->endpoint;
        size_t count = 0;
        if (port_map_parse(text, &maps, &count, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++)
                for (size_t k = 0; k < have->port_count; k++) {
                        if (!port_is_gone(&have->ports[k], &maps[i]))
                                continue;
                        x->gone.ports = xreallocarray(x->gone.ports, x->gone.port_count + 1, sizeof(*x->gone.ports));
                        x->gone.ports[x->gone.port_count++] = have->ports[k];
                        have->ports[k] = have->ports[--have->port_count];
                        break;
                }
        return 0;
}

static void endpoint_like(const struct endpoint *from, struct endpoint *to)
{
        struct port_map *ports = to->ports;
        size_t count = to->port_count;
        *to = *from;
        to->ports = ports;
        to->port_count = count;
}

/* Which ports come and go. */
static int ports_plan(struct update *x, struct err *err)
{
        struct endpoint *have = &x->c->endpoint;
        const char *mode = x->c->config.network_mode;
        if (!x->live || !have->container[0] || (!x->u->publish_rm && !x->u->config->ports))
                return 0;
        bool standard = str_empty(mode) || str_eq(mode, "bridge") || str_eq(mode, "default");
        struct db *db = engine_db(x->e);
        if ((standard ? network_default(db, &x->network, err) : network_find(db, mode, &x->network, err)) < 0)
                return -1;
        STRV_FOREACH (text, x->u->publish_rm)
                if (ports_take(x, *text, err) < 0)
                        return -1;
        STRV_FOREACH (text, x->u->config->ports)
                if (port_map_parse(*text, &x->added.ports, &x->added.port_count, err) < 0)
                        return -1;
        endpoint_like(have, &x->gone);
        endpoint_like(have, &x->added);
        return 0;
}

/* Leases given back and taken, in the transaction of the row. */
static int ports_row(struct update *x, struct err *err)
{
        struct endpoint *have = &x->c->endpoint;
        struct db *db = engine_db(x->e);
        if (network_ports_release(db, &x->network, &x->gone, err) < 0 || network_ports_reserve(db, &x->network, &x->added, err) < 0)
                return -1;
        for (size_t i = 0; i < x->added.port_count; i++) {
                have->ports = xreallocarray(have->ports, have->port_count + 1, sizeof(*have->ports));
                have->ports[have->port_count++] = x->added.ports[i];
        }
        return 0;
}

static int row_set(struct update *x, const char *config, struct err *err)
{
        _cleanup_free_ char *endpoint = endpoint_to_text(&x->c->endpoint);
        return db_exec(engine_db(x->e), NULL, err, "UPDATE containers SET config = ?, endpoint = ? WHERE id = ?", "sss", config, endpoint, x->c->id);
}

/* Volumes of mounts that are no more are given back with the container, or by nobody's asking for them now. */
static int volumes_row(struct update *x, struct err *err)
{
        if (x->u->mount_rm && db_exec(engine_db(x->e), NULL, err, "DELETE FROM container_volumes WHERE container = ?", "s", x->c->id) < 0)
                return -1;
        return x->u->mount_rm || x->u->config->mount_count ? volumes_claim(x->e, x->c, err) : 0;
}

static int row_write(struct update *x, struct err *err)
{
        if (db_begin(engine_db(x->e), false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = engine_db(x->e);
        if (volumes_row(x, err) < 0 || ports_row(x, err) < 0)
                return -1;
        _cleanup_json_ json_t *config = container_config_to_json(&x->c->config);
        _cleanup_free_ char *text = json_text(config);
        return row_set(x, text, err) < 0 ? -1 : db_commit(tx, err);
}

/* The kernel said no: row and leases as before. */
static void row_undo(struct update *x)
{
        struct err ignored = ERR_INIT;
        struct endpoint *have = &x->c->endpoint;
        if (db_begin(engine_db(x->e), false, &ignored) < 0)
                return;
        _cleanup_rollback_ struct db *tx = engine_db(x->e);
        have->port_count -= x->added.port_count;       /* they were put at the end */
        if (x->added.port_count && network_ports_release(tx, &x->network, &x->added, &ignored) < 0)
                return;
        if (x->gone.port_count) {
                have->ports = xreallocarray(have->ports, have->port_count + x->gone.port_count, sizeof(*have->ports));
                memcpy(have->ports + have->port_count, x->gone.ports, x->gone.port_count * sizeof(*have->ports));
                have->port_count += x->gone.port_count;
                if (network_ports_reserve(tx, &x->network, &x->gone, &ignored) < 0)
                        return;
        }
        if (row_set(x, x->before, &ignored) == 0)
                db_commit(tx, &ignored);
}

/* ---- the kernel ---- */

/* A monitor that cannot leaves the port to whoever binds it, who gets none of its connections. */
static void ports_keep(struct update *x, const struct endpoint *which, bool hold)
{
        static const uint8_t numbers[] = { [PORT_TCP] = IPPROTO_TCP, [PORT_UDP] = IPPROTO_UDP, [PORT_SCTP] = IPPROTO_SCTP };
        for (size_t i = 0; i < which->port_count; i++) {
                const struct port_map *p = &which->ports[i];
                struct attach_port port = { p->host_address.s_addr, htons(p->host_port), numbers[p->protocol], hold };
                session_port(x->e, x->c->id, &port);
        }
}

static int ports_live(struct update *x, struct err *err)
{
        int *fds = NULL;
        size_t count = 0;
        ports_keep(x, &x->gone, false);
        if (x->added.port_count == 0)
                return 0;
        /* a program of the host that listens there would lose its callers */
        int held = network_hold_ports(&x->added, &fds, &count, err);
        for (size_t i = 0; i < count; i++)
                close(fds[i]);
        free(fds);
        if (held < 0)
                return -1;
        ports_keep(x, &x->added, true);
        return network_ports_publish(&x->network, &x->added, err);
}

static bool memory_changes(const struct update *x)
{
        return x->u->config->memory || x->u->config->memory_swap || x->u->config->memory_reservation;
}

static void limits_undo(struct update *x)
{
        struct err ignored = ERR_INIT;
        struct container old = *x->c;
        container_config_init(&old.config);
        _cleanup_json_ json_t *config = json_parse(x->before, strlen(x->before), BUF_DEFAULT_MAX, "container", &ignored);
        if (config && container_config_from_json(config, &old.config, &ignored) == 0)
                update_limits(&old, memory_changes(x), &ignored);
        container_config_done(&old.config);
}

static int kernel_change(struct update *x, struct err *err)
{
        if (x->limits && update_limits(x->c, memory_changes(x), err) < 0) {
                limits_undo(x);        /* some of them may have been written */
                return -1;
        }
        if (ports_live(x, err) < 0) {
                struct err ignored = ERR_INIT;
                if (x->added.port_count)
                        network_ports_unpublish(&x->network, &x->added, &ignored);
                ports_keep(x, &x->added, false);
                if (x->gone.port_count)
                        network_ports_publish(&x->network, &x->gone, &ignored);
                ports_keep(x, &x->gone, true);
                if (x->limits)
                        limits_undo(x);
                return -1;
        }
        return 0;
}

/* What cannot be done now is the next start's; why is told. */
static void later(struct update *x, const char *what, const char *name, const struct err *why)
{
        strv_push_take(&x->later, xasprintf("%s%s%s%s", what, name, why ? ": " : "", why ? why->msg : ""));
}

static void mounts_live(struct update *x)
{
        STRV_FOREACH (target, x->u->mount_rm) {
                struct err why = ERR_INIT;
                if (update_unmount(x->c, *target, &why) < 0)
                        later(x, "unmount of ", *target, &why);
        }
        for (size_t i = x->c->config.mount_count - x->u->config->mount_count; i < x->c->config.mount_count; i++) {
                struct err why = ERR_INIT;
                if (update_mount(x->e, x->c, &x->c->config.mounts[i], &why) < 0)
                        later(x, "mount at ", x->c->config.mounts[i].target, &why);
        }
}

static void rest_live(struct update *x)
{
        struct err why = ERR_INIT;
        const struct container_config *n = x->u->config;
        mounts_live(x);
        if (n->extra_hosts && update_hosts(x->e, x->c, n->extra_hosts, &why) < 0)
                later(x, "hosts", "", &why);
        if (n->env || x->u->env_rm)
                later(x, "environment", "", NULL);
        if ((n->ports || x->u->publish_rm) && !x->c->endpoint.container[0])
                later(x, "ports", "", NULL);
}

/* Folders that are missing, as a start would find them. Volumes are made with the row. */
static int mounts_check(struct update *x, struct err *err)
{
        _cleanup_oci_spec_ struct oci_spec scratch;
        oci_spec_init(&scratch);
        for (size_t i = 0; i < x->u->config->mount_count; i++)
                if (x->u->config->mounts[i].kind != MOUNT_VOLUME && spec_add_mount_request(x->e, &x->u->config->mounts[i], -1, &scratch, err) < 0)
                        return -1;
        return 0;
}

/* What is not to be reached any more is closed before the row forgets it: a kill in between leaves a port that the next start opens again,
 * and not one that leads to whoever has the address next. */
static int row_change(struct update *x, struct err *err)
{
        struct err ignored = ERR_INIT;
        if (x->gone.port_count && network_ports_unpublish(&x->network, &x->gone, err) < 0)
                return -1;
        if (row_write(x, err) == 0)
                return 0;
        if (x->gone.port_count)
                network_ports_publish(&x->network, &x->gone, &ignored);
        return -1;
}

static int update_run(struct update *x, struct err *err)
{
        struct container *c = x->c;
        _cleanup_json_ json_t *config = container_config_to_json(&c->config);
        x->before = json_text(config);
        x->live = container_is_running(c) && c->status.pid > 0;
        if (update_config(&c->config, x->u, &x->limits, err) < 0 || update_check(&c->config, err) < 0 || mounts_check(x, err) < 0 ||
            ports_plan(x, err) < 0 || row_change(x, err) < 0)
                return -1;
        if (x->live && kernel_change(x, err) < 0) {
                row_undo(x);
                return -1;
        }
        if (x->live)
                rest_live(x);
        container_tell(x->e, c, "update", NULL);
        return 0;
}

int container_update(struct engine *e, const char *name, const struct container_update *u, char ***ret_later, struct err *err)
{
        char id[65];
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_resolve(e, name, id, err) < 0)
                return -1;
        _cleanup_close_ int lock = container_lock(e, id, err);
        if (lock < 0 || container_load_locked(e, id, &c, err) < 0)
                return -1;
        bool running = container_is_running(&c);
        _cleanup_(update_done) struct update x = { .e = e, .c = &c, .u = u };
        if (update_run(&x, err) < 0)
                return err_add(err, "Cannot update container %s", name);
        *ret_later = TAKE_PTR(x.later);
        return running || monitor_alive(lock) ? 0 : run_dir_remove(e, id, err);
}
