#include "net/driver-internal.h"

/* A namespace of its own with nothing but lo. */
static int none_attach(const struct network *n, const struct endpoint *e, int netns_fd, struct err *err)
{
        return network_loopback_up(netns_fd, err);
}

static int none_detach(const struct network *n, const struct endpoint *e, struct err *err)
{
        return 0;
}

static int none_remove(const struct network *n, struct err *err)
{
        return 0;
}

const struct net_driver net_driver_none = {
        .name = "none",
        .attach = none_attach,
        .detach = none_detach,
        .unplug = none_detach,
        .remove = none_remove,
};
