#include "net/driver-internal.h"

/* The host's own namespace: there is nothing to make, and nothing of the container's to take away. */
static int host_attach(const struct network *n, const struct endpoint *e, int netns_fd, struct err *err)
{
        return 0;
}

static int host_detach(const struct network *n, const struct endpoint *e, struct err *err)
{
        return 0;
}

static int host_remove(const struct network *n, struct err *err)
{
        return 0;
}

const struct net_driver net_driver_host = {
        .name = "host",
        .attach = host_attach,
        .detach = host_detach,
        .unplug = host_detach,
        .remove = host_remove,
};
