#include "engine/endpoint-internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

static json_t *address_json(struct in_addr a)
{
        char text[INET_ADDRSTRLEN];
        return json_string(inet_ntop(AF_INET, &a, text, sizeof(text)));
}

static json_t *port_json(const struct port_map *p)
{
        return json_pack("{s:o, s:i, s:i, s:i}", "address", address_json(p->host_address), "host", p->host_port, "container",
                         p->container_port, "protocol", (int)p->protocol);
}

char *endpoint_to_text(const struct endpoint *e)
{
        if (!e->container[0])
                return NULL;
        char mac[18];
        snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", e->mac[0], e->mac[1], e->mac[2], e->mac[3], e->mac[4], e->mac[5]);
        json_t *ports = json_array();
        for (size_t i = 0; i < e->port_count; i++)
                json_array_append_new(ports, port_json(&e->ports[i]));
        _cleanup_json_ json_t *o =
                json_pack("{s:s, s:s, s:s, s:o, s:i, s:o, s:s, s:o}", "container", e->container, "interface", e->interface, "host",
                          e->host_interface, "address", address_json(e->address), "prefix", e->prefix, "gateway",
                          address_json(e->gateway), "mac", mac, "ports", ports);
        return json_text(o);
}

static int address_get(const json_t *o, const struct jpath *path, const char *key, struct in_addr *ret, struct err *err)
{
        _cleanup_free_ char *text = NULL;
        if (json_get_string(o, path, key, true, &text, err) < 0)
                return -1;
        return inet_pton(AF_INET, text, ret) == 1 ? 0 : json_err(path, key, err, "not an address");
}

static int ports_get(const json_t *o, const struct jpath *path, struct endpoint *ret, struct err *err)
{
        json_t *list = NULL, *item;
        size_t i;
        if (json_get_array(o, path, "ports", true, &list, err) < 0)
                return -1;
        ret->ports = xcalloc(json_array_size(list) + 1, sizeof(*ret->ports));
        json_array_foreach(list, i, item) {
                struct port_map *p = &ret->ports[ret->port_count];
                uint32_t host = 0, container = 0, protocol = 0;
                if (address_get(item, path, "address", &p->host_address, err) < 0 ||
                    json_get_u32(item, path, "host", true, &host, err) < 0 ||
                    json_get_u32(item, path, "container", true, &container, err) < 0 ||
                    json_get_u32(item, path, "protocol", true, &protocol, err) < 0)
                        return -1;
                p->host_port = (uint16_t)host;
                p->container_port = (uint16_t)container;
                p->protocol = (enum port_protocol)protocol;
                ret->port_count++;
        }
        return 0;
}

static int names_get(const json_t *o, const struct jpath *path, struct endpoint *e, struct err *err)
{
        _cleanup_free_ char *container = NULL, *inside = NULL, *host = NULL, *mac = NULL;
        if (json_get_string(o, path, "container", true, &container, err) < 0 ||
            json_get_string(o, path, "interface", true, &inside, err) < 0 || json_get_string(o, path, "host", true, &host, err) < 0 ||
            json_get_string(o, path, "mac", true, &mac, err) < 0)
                return -1;
        snprintf(e->container, sizeof(e->container), "%s", container);
        snprintf(e->interface, sizeof(e->interface), "%s", inside);
        snprintf(e->host_interface, sizeof(e->host_interface), "%s", host);
        if (sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &e->mac[0], &e->mac[1], &e->mac[2], &e->mac[3], &e->mac[4], &e->mac[5]) != 6)
                return json_err(path, "mac", err, "not a hardware address");
        return 0;
}

int endpoint_from_text(const char *text, struct endpoint *ret, struct err *err)
{
        struct jpath path = JPATH("endpoint");
        uint32_t prefix = 0;
        _cleanup_(endpoint_done) struct endpoint e = { 0 };
        _cleanup_json_ json_t *o = json_parse(text, strlen(text), BUF_DEFAULT_MAX, "endpoint", err);
        if (!o || names_get(o, &path, &e, err) < 0 || address_get(o, &path, "address", &e.address, err) < 0 ||
            address_get(o, &path, "gateway", &e.gateway, err) < 0 || json_get_u32(o, &path, "prefix", true, &prefix, err) < 0 ||
            ports_get(o, &path, &e, err) < 0)
                return -1;
        e.prefix = (uint8_t)prefix;
        *ret = e;
        memset(&e, 0, sizeof(e));
        return 0;
}
