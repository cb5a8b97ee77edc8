#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"
#include "engine/containers.h"

static int compare(const void *a, const void *b)
{
        const struct port_map *x = a, *y = b;
        if (x->container_port != y->container_port)
                return x->container_port < y->container_port ? -1 : 1;
        return x->protocol != y->protocol ? (x->protocol < y->protocol ? -1 : 1)
                                          : (int)x->host_port - (int)y->host_port;
}

static char *host_text(const struct port_map *p)
{
        char address[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &p->host_address, address, sizeof(address));
        return xasprintf("%s:%u", address, p->host_port);
}

static int print_all(const struct endpoint *e, struct buf *out, struct err *err)
{
        for (size_t i = 0; i < e->port_count; i++) {
                const struct port_map *p = &e->ports[i];
                _cleanup_free_ char *host = host_text(p);
                if (buf_addf(out, err, "%u/%s -> %s\n", p->container_port, port_protocol_name(p->protocol), host) < 0)
                        return -1;
        }
        return 0;
}

/* text: "80" or "80/udp" */
static int print_one(const struct endpoint *e, const char *name, const char *text, struct buf *out, struct err *err)
{
        const char *slash = strchr(text, '/'), *protocol = slash ? slash + 1 : "tcp";
        _cleanup_free_ char *digits = slash ? xstrndup(text, (size_t)(slash - text)) : xstrdup(text);
        uint64_t port;
        if (parse_u64(digits, &port, err) < 0)
                return err_add(err, "Error: invalid port (%s)", text);
        for (size_t i = 0; i < e->port_count; i++) {
                const struct port_map *p = &e->ports[i];
                _cleanup_free_ char *host = host_text(p);
                if (p->container_port == port && str_eq(port_protocol_name(p->protocol), protocol) &&
                    buf_addf(out, err, "%s\n", host) < 0)
                        return -1;
        }
        if (out->len == 0)
                return err_set(err, ERR_NOT_FOUND, "Error: No public port '%s' published for %s", text, name);
        return 0;
}

static int port_run(struct cli *cli, void *options, char **args, struct err *err)
{
        _cleanup_container_ struct container c = { 0 };
        _cleanup_buf_ struct buf out = { 0 };
        struct engine *e;
        if (cli_engine(cli, &e, err) < 0 || container_load(e, args[0], &c, err) < 0)
                return -1;
        if (c.endpoint.port_count > 0)
                qsort(c.endpoint.ports, c.endpoint.port_count, sizeof(*c.endpoint.ports), compare);
        int r = args[1] ? print_one(&c.endpoint, args[0], args[1], &out, err) : print_all(&c.endpoint, &out, err);
        return r < 0 ? -1 : out_write(out.len ? out.data : "", out.len, err);
}

const struct command command_port = {
        .min_args = 1,
        .max_args = 2,
        .args = "CONTAINER [PRIVATE_PORT[/PROTO]]",
        .description = "Lists the published ports of a running container, or the host's side of one.",
        .examples = "tare port web 80 -- where port 80 of the container is\n",
        .run = port_run,
};
