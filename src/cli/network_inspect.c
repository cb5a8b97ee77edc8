#include <arpa/inet.h>

#include "base/json.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/inspect-internal.h"
#include "cli/network-internal.h"
#include "engine/containers.h"

static json_t *ipam(const struct network *n)
{
        json_t *config = json_array();
        if (n->subnet.prefix > 0) {
                char gateway[INET_ADDRSTRLEN];
                _cleanup_free_ char *subnet = ip4_net_format(&n->subnet);
                inet_ntop(AF_INET, &n->gateway, gateway, sizeof(gateway));
                json_array_append_new(config, json_pack("{s:s,s:s}", "Subnet", subnet, "Gateway", gateway));
        }
        return json_pack("{s:s,s:{},s:o}", "Driver", "default", "Options", "Config", config);
}

/* docker's document is written without what runtime does not know: endpoint ids are the container's. */
static json_t *member(const struct container *c)
{
        char address[INET_ADDRSTRLEN], mac[18];
        const uint8_t *m = c->endpoint.mac;
        inet_ntop(AF_INET, &c->endpoint.address, address, sizeof(address));
        snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
        _cleanup_free_ char *prefixed = xasprintf("%s/%u", address, c->endpoint.prefix);
        return json_pack("{s:s,s:s,s:s,s:s,s:s}", "Name", c->name, "EndpointID", c->id, "MacAddress", mac,
                         "IPv4Address", prefixed, "IPv6Address", "");
}

static bool is_in(const struct container *c, const struct network *n)
{
        const char *mode = str_empty(c->config.network_mode) || str_eq(c->config.network_mode, "default")
                                   ? "bridge"
                                   : c->config.network_mode;
        return c->endpoint.container[0] && (str_eq(mode, n->name) || str_eq(mode, n->id));
}

static int members(struct engine *e, const struct network *n, json_t *ret, struct err *err)
{
        struct container_filter running = { 0 };
        struct container *list = NULL;
        size_t count = 0;
        if (container_list(e, &running, &list, &count, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++)
                if (is_in(&list[i], n))
                        json_object_set_new(ret, list[i].id, member(&list[i]));
        containers_free(list, count);
        return 0;
}

int document_of_network(struct engine *e, const char *name, const struct inspect_options *o, json_t **ret,
                        struct err *err)
{
        _cleanup_network_ struct network n = { 0 };
        _cleanup_json_ json_t *containers = json_object();
        char created[TIME_TEXT_SIZE];
        if (network_default_ensure(e, err) < 0 || network_find(engine_db(e), name, &n, err) < 0 ||
            members(e, &n, containers, err) < 0)
                return -1;
        *ret = json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:b,s:o,s:b,s:b,s:b,s:{s:s},s:b,s:O,s:o,s:o}", "Name", n.name, "Id",
                         n.id, "Created", time_format(n.created, created), "Scope", "local", "Driver",
                         str_eq(n.name, "none") ? "null" : n.driver, "EnableIPv4", 1, "EnableIPv6", 0, "IPAM", ipam(&n),
                         "Internal", (int)n.internal, "Attachable", 0, "Ingress", 0, "ConfigFrom", "Network", "",
                         "ConfigOnly", 0, "Containers", containers, "Options", json_from_map(n.options), "Labels",
                         json_from_map(n.labels));
        return *ret ? 0 : err_set(err, ERR_CORRUPT, "network %s cannot be written as JSON", name);
}

static int network_inspect_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return inspect_all(cli, options, args, document_of_network, err);
}

static const struct option_row rows[] = {
        { 'f', "format", OPT_STRING, offsetof(struct inspect_options, format), NULL,
          "Format output using a custom template:\n'json':             Print in JSON format\n"
          "'TEMPLATE':         Print output using the given Go template" },
        { 'v', "verbose", OPT_BOOL, offsetof(struct inspect_options, size), NULL, "Verbose output for diagnostics",
          .hidden = true },
        { 0 },
};

const struct command command_network_inspect = {
        .options = rows,
        .options_size = sizeof(struct inspect_options),
        .min_args = 1,
        .max_args = -1,
        .args = "NETWORK [NETWORK...]",
        .description =
                "Prints what is known of networks and who is in them as JSON, or what a Go template picks of it.",
        .run = network_inspect_run,
};
