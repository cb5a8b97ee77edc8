#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ps-internal.h"

/* Ports that follow one another under the same numbers on both sides. */
struct port_group {
        const char *address, *protocol;
        uint16_t first, last;
};

static int compare_ports(const void *a, const void *b)
{
        const struct shown_port *x = a, *y = b;
        if (x->container != y->container)
                return x->container < y->container ? -1 : 1;
        int address = strcmp(x->address, y->address);
        if (address != 0)
                return address;
        return x->host != y->host ? (x->host < y->host ? -1 : 1) : strcmp(x->protocol, y->protocol);
}

static char *group_text(const struct port_group *g)
{
        _cleanup_free_ char *range =
                g->first == g->last ? xasprintf("%u", g->first) : xasprintf("%u-%u", g->first, g->last);
        if (!*g->address)
                return xasprintf("%s/%s", range, g->protocol);
        return xasprintf("%s:%s->%s/%s", g->address, range, range, g->protocol);
}

/* Takes the port into its group; a group that it does not continue is written out. */
static void group_add(struct port_group *groups, size_t *count, const struct shown_port *p, char ***texts)
{
        size_t i = 0;
        while (i < *count &&
               (strcmp(groups[i].address, p->address) != 0 || strcmp(groups[i].protocol, p->protocol) != 0))
                i++;
        if (i == *count) {
                groups[(*count)++] = (struct port_group){ p->address, p->protocol, p->container, p->container };
        } else if (p->container == groups[i].last + 1) {
                groups[i].last = p->container;
        } else {
                strv_push_take(texts, group_text(&groups[i]));
                groups[i].first = groups[i].last = p->container;
        }
}

char *ports_text(struct shown_port *ports, size_t count)
{
        _cleanup_free_ struct port_group *groups = xcalloc(count + 1, sizeof(*groups));
        _cleanup_strv_ char **texts = NULL, **mapped = NULL;
        size_t group_count = 0;
        qsort(ports, count, sizeof(*ports), compare_ports);
        for (size_t i = 0; i < count; i++) {
                const struct shown_port *p = &ports[i];
                if (*p->address && p->host != p->container)
                        strv_push_take(&mapped,
                                       xasprintf("%s:%u->%u/%s", p->address, p->host, p->container, p->protocol));
                else
                        group_add(groups, &group_count, p, &texts);
        }
        for (size_t i = 0; i < group_count; i++)
                strv_push_take(&texts, group_text(&groups[i]));
        strv_extend(&texts, mapped);
        char *text = strv_join(texts, ", ");
        return text ? text : xstrdup("");
}

static bool is_published(const struct endpoint *e, uint16_t port, const char *protocol)
{
        for (size_t i = 0; i < e->port_count; i++)
                if (e->ports[i].container_port == port && str_eq(port_protocol_name(e->ports[i].protocol), protocol))
                        return true;
        return false;
}

char *container_ports_text(const struct container *c)
{
        enum container_state state = c->status.state;
        if (state != STATE_RUNNING && state != STATE_PAUSED && state != STATE_RESTARTING)
                return xstrdup("");
        size_t most = c->endpoint.port_count + strv_len(c->config.exposed_ports), count = 0;
        _cleanup_free_ struct shown_port *ports = xcalloc(most + 1, sizeof(*ports));
        _cleanup_strv_ char **addresses = NULL;
        for (size_t i = 0; i < c->endpoint.port_count; i++) {
                const struct port_map *p = &c->endpoint.ports[i];
                char text[INET_ADDRSTRLEN];
                inet_ntop(AF_INET, &p->host_address, text, sizeof(text));
                char *address = xstrdup(text);
                strv_push_take(&addresses, address);
                ports[count++] = (struct shown_port){ address, p->host_port, p->container_port,
                                                      port_protocol_name(p->protocol) };
        }
        STRV_FOREACH (exposed, c->config.exposed_ports) {
                const char *slash = strchr(*exposed, '/');
                uint16_t port = (uint16_t)strtoul(*exposed, NULL, 10);
                const char *protocol = slash ? slash + 1 : "tcp";
                if (!is_published(&c->endpoint, port, protocol))
                        ports[count++] = (struct shown_port){ "", 0, port, protocol };
        }
        return ports_text(ports, count);
}
