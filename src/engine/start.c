/* start and run: lock, address and ports, launch; what a failed start leaves is taken back. */
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/timefmt.h"
#include "engine/create-internal.h"
#include "engine/endpoint-internal.h"
#include "engine/engine-internal.h"

static bool wants_bridge(const struct container_config *c)
{
        const char *mode = c->network_mode;
        return str_empty(mode) || (!str_eq(mode, "none") && !str_eq(mode, "host") && !str_starts(mode, "container:") && !str_starts(mode, "ns:"));
}

/* -P: every exposed port gets one of the host's. */
static int ports_of(const struct container_config *c, struct port_map **ret, size_t *ret_count, struct err *err)
{
        STRV_FOREACH (text, c->ports)
                if (port_map_parse(*text, ret, ret_count, err) < 0)
                        return -1;
        if (!c->publish_all)
                return 0;
        size_t named = *ret_count;
        STRV_FOREACH (exposed, c->exposed_ports) {
                size_t before = *ret_count;
                if (port_map_parse(*exposed, ret, ret_count, err) < 0)
                        return -1;
                for (size_t i = 0; i < named; i++)
                        if ((*ret)[i].container_port == (*ret)[before].container_port && (*ret)[i].protocol == (*ret)[before].protocol) {
                                *ret_count = before;
                                break;
                        }
        }
        return 0;
}

int container_reserve(struct engine *e, struct container *c, struct network *ret_network, struct err *err)
{
        struct container_config *config = &c->config;
        struct in_addr wanted = { 0 };
        _cleanup_free_ struct port_map *ports = NULL;
        size_t count = 0;
        if (!wants_bridge(config))
                return 0;
        if (!str_empty(config->ip_address) && inet_pton(AF_INET, config->ip_address, &wanted) != 1)
                return err_set(err, ERR_INVALID, "invalid IPv4 address: %s", config->ip_address);
        bool standard = str_empty(config->network_mode) || str_eq(config->network_mode, "bridge") || str_eq(config->network_mode, "default");
        if ((standard ? network_default(engine_db(e), ret_network, err) : network_find(engine_db(e), config->network_mode, ret_network, err)) < 0 ||
            ports_of(config, &ports, &count, err) < 0)
                return -1;
        if (network_reserve(engine_db(e), ret_network, c->id, wanted, ports, count, &c->endpoint, err) < 0)
                return -1;
        return str_empty(config->mac_address) ? 0 : mac_parse(config->mac_address, c->endpoint.mac, err);
}

/* docker keeps a container whose command could not be run as "created", with the exit code of the shell's custom. */
static void start_failed(struct engine *e, struct container *c, const struct err *why)
{
        struct err ignored = ERR_INIT;
        c->status.state = STATE_CREATED;
        c->status.exit_code = why->kind == ERR_NO_COMMAND ? 127 : why->kind == ERR_CANNOT_RUN ? 126 : 128;
        snprintf(c->status.error, sizeof(c->status.error), "%.*s", (int)sizeof(c->status.error) - 1, why->msg);
        container_finish_locked(e, c, &ignored);
}

static int launch_or_undo(struct engine *e, struct container *c, const struct network *network, int run_dir, const struct container_start *how,
                          int *ret_client, struct err *err)
{
        if (container_launch(e, c, network, run_dir, how, ret_client, err) == 0) {
                if (how->attach)
                        container_tell(e, c, "attach", NULL);
                if (c->endpoint.container[0])
                        container_tell_network(e, c, network, "connect");
                container_tell(e, c, "start", NULL);
                return 0;
        }
        start_failed(e, c, err);
        return -1;
}

int container_run(struct engine *e, struct container_config *config, const char *name, const struct container_start *how, char ret_id[65],
                  bool *ret_created, int *ret_client, struct err *err)
{
        _cleanup_network_ struct network network = { 0 };
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_prepare(e, config, name, &c, err) < 0)
                return -1;
        _cleanup_close_ int run_dir = container_lock(e, c.id, err);
        if (run_dir < 0)
                return -1;
        c.status.state = STATE_RUNNING;
        if (db_begin(engine_db(e), false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = engine_db(e);
        if (container_reserve(e, &c, &network, err) < 0 || container_insert(e, &c, name != NULL, err) < 0 || db_commit(tx, err) < 0) {
                struct err ignored = ERR_INIT;
                run_dir_remove(e, c.id, &ignored);
                return -1;
        }
        memcpy(ret_id, c.id, sizeof(c.id));
        *ret_created = true;
        container_tell(e, &c, "create", NULL);
        return launch_or_undo(e, &c, &network, run_dir, how, ret_client, err);
}

/* The row says running from here on, and holds the endpoint. */
static int start_row(struct engine *e, struct container *c, struct network *network, struct err *err)
{
        if (db_begin(engine_db(e), false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = engine_db(e);
        if (container_reserve(e, c, network, err) < 0 || container_row_set_endpoint(e, c, err) < 0 ||
            container_row_set_state(e, c->id, STATE_RUNNING, err) < 0)
                return -1;
        return db_commit(tx, err);
}

int container_start(struct engine *e, const char *name, const struct container_start *how, int *ret_client, struct err *err)
{
        char id[65];
        _cleanup_network_ struct network network = { 0 };
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_resolve(e, name, id, err) < 0)
                return -1;
        _cleanup_close_ int run_dir = container_lock(e, id, err);
        if (run_dir < 0 || container_load_locked(e, id, &c, err) < 0)
                return -1;
        if (c.status.state == STATE_PAUSED)
                return err_set(err, ERR_CONFLICT, "cannot start a paused container, try unpause instead");
        if (container_is_running(&c))
                return 0;
        if (start_row(e, &c, &network, err) < 0)
                return -1;
        c.status = (struct container_status){ .state = STATE_RUNNING };
        return launch_or_undo(e, &c, &network, run_dir, how, ret_client, err);
}

int container_start_again(struct engine *e, const char *id, int *care, struct err *err)
{
        struct container_start how = { 0 };
        _cleanup_network_ struct network network = { 0 };
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        _cleanup_close_ int run_dir = container_lock(e, id, err);
        if (run_dir < 0)
                return -1;
        bool ours = monitor_lock_is(run_dir, *care);
        close(TAKE_FD(*care));
        if (!ours) {
                close(TAKE_FD(run_dir));
                return container_finish(e, id, err);
        }
        if (container_load_locked(e, id, &c, err) < 0)
                return -1;
        if (c.stopped_by_user || stop_is_marked(run_dir))
                return run_dir_remove(e, id, err);
        uint32_t restarts = c.status.restarts + 1;
        if (start_row(e, &c, &network, err) < 0)
                return -1;
        c.status = (struct container_status){ .state = STATE_RUNNING, .restarts = restarts };
        return launch_or_undo(e, &c, &network, run_dir, &how, NULL, err);
}
