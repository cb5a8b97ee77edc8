#include "net/network.h"

#include <string.h>
#include "base/str.h"
#include "net/driver-internal.h"
#include "net/link-internal.h"

static const struct net_driver *const drivers[] = { &net_driver_bridge, &net_driver_host, &net_driver_none };

const struct net_driver *net_driver_find(const char *name, struct err *err)
{
        for (size_t i = 0; i < ELEMENTS(drivers); i++)
                if (str_eq(drivers[i]->name, name))
                        return drivers[i];
        err_set(err, ERR_NOT_FOUND, "could not find plugin %s in v1 plugin registry: plugin not found", name);
        return NULL;
}

void network_done(struct network *n)
{
        free(n->id);
        free(n->name);
        free(n->driver);
        strv_free(n->labels);
        strv_free(n->options);
        memset(n, 0, sizeof(*n));
}

void endpoint_done(struct endpoint *e)
{
        free(e->ports);
        memset(e, 0, sizeof(*e));
}

int network_attach(const struct network *n, const struct endpoint *e, int netns_fd, struct err *err)
{
        const struct net_driver *d = net_driver_find(n->driver, err);
        if (!d || d->attach(n, e, netns_fd, err) < 0)
                return err_add(err, "attach to network %s", n->name);
        return 0;
}

int network_detach(const struct network *n, const struct endpoint *e, struct err *err)
{
        const struct net_driver *d = net_driver_find(n->driver, err);
        if (!d || d->detach(n, e, err) < 0)
                return err_add(err, "detach from network %s", n->name);
        return 0;
}

int network_unplug(const struct network *n, const struct endpoint *e, struct err *err)
{
        const struct net_driver *d = net_driver_find(n->driver, err);
        if (!d || d->unplug(n, e, err) < 0)
                return err_add(err, "disconnect from network %s", n->name);
        return 0;
}

int network_loopback_up(int netns_fd, struct err *err)
{
        _cleanup_close_ int fd = nl_open_in(netns_fd, NETLINK_ROUTE, err);
        if (fd < 0)
                return -1;
        struct nl_batch b;
        nl_start(&b, fd);
        link_put(&b, RTM_NEWLINK, 0, 1, true, "set lo up", 0);
        return nl_commit(&b, NULL, NULL, err);
}
