/* network create, rm; listing and inspecting are files of their own. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/str.h"
#include "cli/command.h"
#include "cli/network-internal.h"
#include "cli/output.h"
#include "events/events.h"
#include "net/network.h"

struct network_create_options {
        bool internal, attachable, ipv6;
        char *driver, *subnet, *gateway, *scope;
        char **labels, **driver_options;
};

static int option_mtu(struct network *n, const char *value, struct err *err)
{
        uint32_t mtu;
        if (parse_u32(value, &mtu, err) < 0)
                return -1;
        if (mtu < 68 || mtu > 65535)
                return err_set(err, ERR_INVALID, "an MTU is from 68 to 65535");
        n->mtu = mtu;
        return 0;
}

static int option_bridge_name(struct network *n, const char *value, struct err *err)
{
        if (strlen(value) >= sizeof(n->bridge))
                return err_set(err, ERR_INVALID, "an interface's name has at most %zu bytes", sizeof(n->bridge) - 1);
        snprintf(n->bridge, sizeof(n->bridge), "%s", value);
        return 0;
}

static int option_icc(struct network *n, const char *value, struct err *err)
{
        bool together;
        if (parse_bool(value, &together, err) < 0)
                return -1;
        n->isolated_containers = !together;
        return 0;
}

static const struct {
        const char *name;
        int (*set)(struct network *n, const char *value, struct err *err);
} driver_options[] = {
        { "com.docker.network.driver.mtu", option_mtu },
        { "mtu", option_mtu },
        { "com.docker.network.bridge.name", option_bridge_name },
        { "com.docker.network.bridge.enable_icc", option_icc },
};

/* Options we do not know are kept and shown, as docker's bridge driver does. */
static int driver_options_apply(char *const *texts, struct network *n, struct err *err)
{
        STRV_FOREACH (text, texts)
                for (size_t i = 0; i < ELEMENTS(driver_options); i++) {
                        const char *value = str_after(*text, driver_options[i].name);
                        if (value && *value == '=' && driver_options[i].set(n, value + 1, err) < 0)
                                return err_add(err, "%s", driver_options[i].name);
                }
        return 0;
}

static int addresses_apply(const struct network_create_options *o, struct network *n, struct err *err)
{
        if (!str_empty(o->subnet) && ip4_net_parse(o->subnet, &n->subnet, err) < 0)
                return err_add(err, "invalid subnet %s", o->subnet);
        if (!str_empty(o->gateway) && inet_pton(AF_INET, o->gateway, &n->gateway) != 1)
                return err_set(err, ERR_INVALID, "invalid gateway address %s", o->gateway);
        if (!str_empty(o->gateway) && str_empty(o->subnet))
                return err_set(err, ERR_INVALID, "no matching subnet for gateway %s", o->gateway);
        if (o->ipv6)
                return err_set(err, ERR_UNSUPPORTED, "networks have IPv4 addresses only");
        return 0;
}

int network_transaction(struct engine *e, int (*fn)(struct db *db, void *data, struct err *err), void *data,
                        struct err *err)
{
        struct db *db = engine_db(e);
        if (db_begin(db, true, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *open = db;
        return fn(db, data, err) < 0 ? -1 : db_commit(db, err);
}

struct creation {
        const struct network *wanted;
        struct network made;
};

static int create_in(struct db *db, void *data, struct err *err)
{
        struct creation *c = data;
        return network_create(db, c->wanted, &c->made, err);
}

void network_tell(struct engine *e, const struct network *n, const char *action)
{
        _cleanup_free_ char *name = xasprintf("name=%s", n->name), *type = xasprintf("type=%s", n->driver);
        events_tell(engine_root(e), "network", action, n->id, (char *[]){ name, type, NULL });
}

static int network_create_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct network_create_options *o = options;
        struct network wanted = { .name = args[0],
                                  .driver = str_empty(o->driver) ? (char[]){ "bridge" } : o->driver,
                                  .internal = o->internal,
                                  .labels = o->labels,
                                  .options = o->driver_options };
        struct creation c = { .wanted = &wanted };
        struct engine *e;
        if (addresses_apply(o, &wanted, err) < 0 || driver_options_apply(o->driver_options, &wanted, err) < 0 ||
            cli_engine(cli, &e, err) < 0 || network_transaction(e, create_in, &c, err) < 0)
                return -1;
        network_tell(e, &c.made, "create");
        int r = out_line(err, "%s", c.made.id);
        network_done(&c.made);
        return r;
}

#define ROW(letter, name, kind, member, metavar, help)                                                                 \
        {                                                                                                              \
                letter, name, kind, offsetof(struct network_create_options, member), metavar, help                     \
        }
static const struct option_row create_rows[] = {
        { 0, "attachable", OPT_BOOL, offsetof(struct network_create_options, attachable), NULL,
          "Enable manual container attachment", .hidden = true },
        ROW('d', "driver", OPT_STRING, driver, NULL, "Driver to manage the Network (default \"bridge\")"),
        ROW(0, "gateway", OPT_STRING, gateway, "ip", "IPv4 Gateway for the subnet"),
        ROW(0, "internal", OPT_BOOL, internal, NULL, "Restrict external access to the network"),
        { 0, "ipv6", OPT_BOOL, offsetof(struct network_create_options, ipv6), NULL, "Enable IPv6 networking",
          .hidden = true },
        ROW(0, "label", OPT_STRV, labels, NULL, "Set metadata on a network"),
        ROW('o', "opt", OPT_STRV, driver_options, "map", "Set driver specific options"),
        { 0, "scope", OPT_STRING, offsetof(struct network_create_options, scope), NULL, "Control the network's scope",
          .hidden = true },
        ROW(0, "subnet", OPT_STRING, subnet, "cidr", "Subnet in CIDR format that represents a network segment"),
        { 0 },
};

const struct command command_network_create = {
        .options = create_rows,
        .options_size = sizeof(struct network_create_options),
        .min_args = 1,
        .max_args = 1,
        .args = "NETWORK",
        .description =
                "Creates a network and prints its id. Options of the bridge driver: com.docker.network.bridge.name, "
                "com.docker.network.bridge.enable_icc, com.docker.network.driver.mtu.",
        .examples = "tare network create back -- for run --network back\ntare network create --internal --subnet "
                    "10.9.0.0/24 sealed -- no way out\n",
        .run = network_create_run,
};

static int remove_in(struct db *db, void *data, struct err *err)
{
        return network_remove(db, data, err);
}

int network_drop(struct engine *e, struct network *n, struct err *err)
{
        if (network_transaction(e, remove_in, n, err) < 0)
                return -1;
        network_tell(e, n, "destroy");
        return 0;
}

static int network_rm_one(struct engine *e, const char *name, void *data, struct err *err)
{
        const bool *force = data;
        _cleanup_network_ struct network n = { 0 };
        if (network_find(engine_db(e), name, &n, err) < 0) {
                if (!*force || err->kind != ERR_NOT_FOUND)
                        return -1;
                fprintf(stderr, "tare: %s\n", err->msg);
                return 0;
        }
        if (network_drop(e, &n, err) < 0)
                return -1;
        return out_line(err, "%s", name);
}

static int network_rm_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return cli_each(cli, args, network_rm_one, options, err);
}

static const struct option_row rm_rows[] = {
        { 'f', "force", OPT_BOOL, 0, NULL, "Do not error if the network does not exist" },
        { 0 },
};

const struct command command_network_rm = {
        .options = rm_rows,
        .options_size = sizeof(bool),
        .min_args = 1,
        .max_args = -1,
        .args = "NETWORK [NETWORK...]",
        .description = "Removes networks that no container is in.",
        .run = network_rm_run,
};
