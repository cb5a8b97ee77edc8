#include <arpa/inet.h>
#include <string.h>
#include "base/str.h"
#include "net/network.h"

static const char *const protocol_names[] = { [PORT_TCP] = "tcp", [PORT_UDP] = "udp", [PORT_SCTP] = "sctp" };

const char *port_protocol_name(enum port_protocol p)
{
        return (size_t)p < ELEMENTS(protocol_names) ? protocol_names[p] : "unknown";
}

struct port_range {
        uint16_t first, last;
};

/* The three fields of "ip:host:container/proto"; the words point into the copy. */
struct port_words {
        char *address, *host, *container, *protocol;
};

static bool port_number(const char *s, uint16_t *ret)
{
        uint32_t value;
        struct err ignored = ERR_INIT;
        /* Digits only: parse_u32 may be more generous than Go's ParseUint. */
        if (!str_only(s, "0123456789") || parse_u32(s, &value, &ignored) < 0 || value > UINT16_MAX)
                return false;
        *ret = (uint16_t)value;
        return true;
}

static bool port_range_parse(const char *text, struct port_range *ret)
{
        _cleanup_free_ char *copy = xstrdup(text);
        struct port_range r;
        char *dash = strchr(copy, '-');
        if (dash)
                *dash = 0;
        if (!port_number(copy, &r.first) || !port_number(dash ? dash + 1 : copy, &r.last) || r.last < r.first)
                return false;
        *ret = r;
        return true;
}

static struct port_words words_split(char *copy)
{
        static char empty[1], tcp[] = "tcp";
        struct port_words w = { .address = empty, .host = empty, .protocol = tcp };
        char *colon = strrchr(copy, ':');
        w.container = copy;
        if (colon) {
                *colon = 0;
                w.container = colon + 1;
                w.host = copy;
                colon = strrchr(copy, ':');
                if (colon) {
                        *colon = 0;
                        w.host = colon + 1;
                        w.address = copy;
                }
        }
        char *slash = strchr(w.container, '/');
        if (slash) {
                *slash = 0;
                char *more = strchr(slash + 1, '/');
                if (more)
                        *more = 0;
                if (slash[1])
                        w.protocol = slash + 1;
        }
        return w;
}

static int address_parse(char *text, struct in_addr *ret, struct err *err)
{
        struct in6_addr six;
        size_t len = strlen(text);
        ret->s_addr = INADDR_ANY;
        if (len == 0)
                return 0;
        if (text[0] == '[') {
                if (text[len - 1] != ']')
                        return err_set(err, ERR_INVALID, "invalid IP address %s: address %s:: missing ']' in address",
                                       text, text);
                text[len - 1] = 0;
                text++;
        }
        if (inet_pton(AF_INET, text, ret) == 1)
                return 0;
        if (inet_pton(AF_INET6, text, &six) == 1)
                return err_set(err, ERR_UNSUPPORTED, "publishing on an IPv6 address is not supported: %s", text);
        return err_set(err, ERR_INVALID, "invalid IP address: %s", text);
}

static int protocol_parse(char *text, enum port_protocol *ret, struct err *err)
{
        str_lower(text);
        for (size_t i = 0; i < ELEMENTS(protocol_names); i++)
                if (str_eq(text, protocol_names[i])) {
                        *ret = (enum port_protocol)i;
                        return 0;
                }
        return err_set(err, ERR_INVALID, "invalid proto: %s", text);
}

static void ports_append(struct port_map **ports, size_t *count, const struct port_map *first, struct port_range host,
                         struct port_range container, bool has_host)
{
        unsigned n = container.last - container.first + 1u;
        *ports = xreallocarray(*ports, *count + n, sizeof(**ports));
        for (unsigned i = 0; i < n; i++) {
                struct port_map *p = &(*ports)[(*count)++];
                *p = *first;
                p->container_port = (uint16_t)(container.first + i);
                p->host_port = has_host && host.first ? (uint16_t)(host.first + i) : 0;
        }
        /* "8000-8010:80": any free one of the range, chosen when the port is reserved. */
        if (n == 1 && has_host && host.last > host.first)
                (*ports)[*count - 1].host_port_end = host.last;
}

static int standard_parse(const char *text, struct port_map **ports, size_t *count, struct err *err)
{
        _cleanup_free_ char *copy = xstrdup(text);
        struct port_words w = words_split(copy);
        struct port_range container, host = { 0, 0 };
        struct port_map p = { 0 };
        if (address_parse(w.address, &p.host_address, err) < 0)
                return -1;
        if (!*w.container)
                return err_set(err, ERR_INVALID, "no port specified: %s<empty>", text);
        if (!port_range_parse(w.container, &container) || container.first == 0)
                return err_set(err, ERR_INVALID, "invalid containerPort: %s", w.container);
        if (*w.host && !port_range_parse(w.host, &host))
                return err_set(err, ERR_INVALID, "invalid hostPort: %s", w.host);
        if (*w.host && container.last - container.first != host.last - host.first && container.last != container.first)
                return err_set(err, ERR_INVALID, "invalid ranges specified for container and host Ports: %s and %s",
                               w.container, w.host);
        if (protocol_parse(w.protocol, &p.protocol, err) < 0)
                return -1;
        ports_append(ports, count, &p, host, container, *w.host);
        return 0;
}

/* docker's long form "published=8080,target=80,protocol=tcp,mode=ingress", rewritten as the short one. */
static int long_parse(const char *text, struct port_map **ports, size_t *count, struct err *err)
{
        _cleanup_strv_ char **fields = strv_split(text, ",", true);
        const char *published = "", *target = "", *protocol = "tcp";
        STRV_FOREACH (field, fields) {
                const char *value = strchr(*field, '=');
                if (!value || strchr(value + 1, '='))
                        return err_set(err, ERR_INVALID,
                                       "invalid publish opts format (should be name=value but got '%s')", *field);
                value++;
                if (str_starts(*field, "published="))
                        published = value;
                else if (str_starts(*field, "target="))
                        target = value;
                else if (str_starts(*field, "protocol="))
                        protocol = value;
        }
        _cleanup_free_ char *standard = xasprintf("%s:%s/%s", published, target, protocol);
        return standard_parse(standard, ports, count, err);
}

int port_map_parse(const char *text, struct port_map **ports, size_t *count, struct err *err)
{
        return strchr(text, '=') ? long_parse(text, ports, count, err) : standard_parse(text, ports, count, err);
}
