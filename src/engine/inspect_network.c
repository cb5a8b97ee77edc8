/* NetworkSettings of docker inspect's document. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/inspect-internal.h"

/* What both the old fields at the top and each network's own entry show. */
struct address { char ip[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN], mac[18]; int prefix; const char *endpoint_id; };

static struct address address_of(const struct container *c)
{
        struct address a = { .endpoint_id = "" };
        const struct endpoint *e = &c->endpoint;
        if (!e->container[0] || !container_is_running(c))
                return a;
        inet_ntop(AF_INET, &e->address, a.ip, sizeof(a.ip));
        inet_ntop(AF_INET, &e->gateway, a.gateway, sizeof(a.gateway));
        snprintf(a.mac, sizeof(a.mac), "%02x:%02x:%02x:%02x:%02x:%02x", e->mac[0], e->mac[1], e->mac[2], e->mac[3], e->mac[4], e->mac[5]);
        a.prefix = e->prefix;
        a.endpoint_id = c->id;         /* one endpoint a container, so its id names it */
        return a;
}

static json_t *binding(const struct port_map *p)
{
        char ip[INET_ADDRSTRLEN], port[8];
        inet_ntop(AF_INET, &p->host_address, ip, sizeof(ip));
        snprintf(port, sizeof(port), "%u", (unsigned)p->host_port);
        return json_pack("{s:s, s:s}", "HostIp", ip, "HostPort", port);
}

/* null for a port that is only exposed; nothing at all when the container does not run. */
static json_t *ports(const struct container *c)
{
        json_t *o = json_object();
        if (!container_is_running(c))
                return o;
        STRV_FOREACH (exposed, c->config.exposed_ports)
                json_object_set_new(o, *exposed, json_null());
        for (size_t i = 0; i < c->endpoint.port_count; i++) {
                const struct port_map *p = &c->endpoint.ports[i];
                _cleanup_free_ char *key = xasprintf("%u/%s", (unsigned)p->container_port, port_protocol_name(p->protocol));
                json_t *list = json_object_get(o, key);
                if (!json_is_array(list)) {
                        list = json_array();
                        json_object_set_new(o, key, list);
                }
                json_array_append_new(list, binding(p));
        }
        return o;
}

static json_t *network_entry(const struct container *c, const struct address *a, const char *network_id)
{
        json_t *ipam = str_empty(c->config.ip_address) ? json_null() : json_pack("{s:s}", "IPv4Address", c->config.ip_address);
        return json_pack("{s:o, s:n, s:n, s:s, s:n, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:n}", "IPAMConfig", ipam, "Links", "Aliases",
                         "MacAddress", a->mac, "DriverOpts", "NetworkID", network_id, "EndpointID", a->endpoint_id, "Gateway", a->gateway,
                         "IPAddress", a->ip, "IPPrefixLen", a->prefix, "IPv6Gateway", "", "GlobalIPv6Address", "", "GlobalIPv6PrefixLen", 0,
                         "DNSNames");
}

static json_t *networks(const struct inspection *x, const struct address *a)
{
        const struct container *c = x->container;
        const char *mode = str_empty(c->config.network_mode) || str_eq(c->config.network_mode, "default") ? "bridge" : c->config.network_mode;
        _cleanup_network_ struct network n = { 0 };
        struct err ignored = ERR_INIT;
        if (str_starts(mode, "container:") || str_starts(mode, "ns:"))
                return json_object();  /* another's */
        const char *id = network_find(engine_db(x->engine), mode, &n, &ignored) == 0 ? n.id : "";
        return json_pack("{s:o}", n.name ? n.name : mode, network_entry(c, a, id));
}

static json_t *sandbox_key(const struct container *c)
{
        char path[64] = "";
        if (container_is_running(c) && c->status.pid > 0)
                snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->status.pid);
        return json_string(path);
}

json_t *inspect_network(const struct inspection *x)
{
        const struct container *c = x->container;
        struct address a = address_of(c);
        return json_pack("{s:s, s:s, s:o, s:o, s:b, s:s, s:i, s:n, s:n, s:s, s:s, s:s, s:i, s:s, s:i, s:s, s:s, s:o}", "Bridge", "", "SandboxID",
                         container_is_running(c) ? c->id : "", "SandboxKey", sandbox_key(c), "Ports", ports(c), "HairpinMode", 0,
                         "LinkLocalIPv6Address", "", "LinkLocalIPv6PrefixLen", 0, "SecondaryIPAddresses", "SecondaryIPv6Addresses", "EndpointID",
                         a.endpoint_id, "Gateway", a.gateway, "GlobalIPv6Address", "", "GlobalIPv6PrefixLen", 0, "IPAddress", a.ip, "IPPrefixLen",
                         a.prefix, "IPv6Gateway", "", "MacAddress", a.mac, "Networks", networks(x, &a));
}
