#include "net/bridge-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <string.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "net/driver-internal.h"
#include "net/firewall-internal.h"
#include "net/forward-internal.h"

void bridge_block_name(const struct network *n, uint32_t block, char ret_name[IFNAMSIZ])
{
        if (block == 0)
                snprintf(ret_name, IFNAMSIZ, "%s", n->bridge);
        else
                snprintf(ret_name, IFNAMSIZ, BRIDGE_PREFIX "b%.5s%05x", n->id, block & 0xfffff);
}

/* The cable between the bridges of a block and of its parent: 'u' is the upper end (on the parent), 'd' the lower. */
static void cable_name(const struct network *n, uint32_t block, char end, char ret_name[IFNAMSIZ])
{
        snprintf(ret_name, IFNAMSIZ, BRIDGE_PREFIX "%c%.5s%05x", end, n->id, block & 0xfffff);
}

static bool sysctl_is(const char *path, char value)
{
        char c = 0;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd >= 0 && read(fd, &c, 1) == 1 && c == value;
}

bool bridge_netfilter_active(void)
{
        return sysctl_is("/proc/sys/net/bridge/bridge-nf-call-iptables", '1');
}

static int sysctl_set(const char *path, const char *value, struct err *err)
{
        /* What is so already is not written: the file may be read-only for us, and writing ip_forward resets other settings. */
        if (sysctl_is(path, *value))
                return 0;
        return file_poke_at(AT_FDCWD, path, value, err);
}

static int bridge_sysctl(const char *family, const char *bridge, const char *key, const char *value, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("/proc/sys/net/%s/conf/%s/%s", family, bridge, key);
        return sysctl_set(path, value, err);
}

static int bridge_sysctls(const struct network *n, const char *bridge, struct err *err)
{
        /* No IPv6 here: the bridge gets no address that would let containers reach the host around the firewall, and takes no
         * router advertisement from them (CVE-2020-13401). A kernel without IPv6 has no such file. */
        if (file_exists_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/all") &&
            bridge_sysctl("ipv6", bridge, "disable_ipv6", "1", err) < 0)
                return -1;
        if (!str_eq(bridge, n->bridge))
                return 0;
        /* So that answers to 127.0.0.1 of the host, which called a published port, may come in here; firewall.c has the guard. */
        if (bridge_sysctl("ipv4", bridge, "route_localnet", "1", err) < 0)
                return -1;
        return n->internal ? 0 : sysctl_set("/proc/sys/net/ipv4/ip_forward", "1", err);
}

/* MTU of the interface of the default route; 1500 without one. */
static uint32_t default_mtu(int fd)
{
        _cleanup_fclose_ FILE *f = fopen("/proc/net/route", "re");
        char line[256], name[32];
        while (f && fgets(line, sizeof(line), f)) {
                unsigned destination, gateway, flags, mask, unused;
                struct link_state link;
                if (sscanf(line, "%15s %x %x %x %u %u %u %x", name, &destination, &gateway, &flags, &unused, &unused,
                           &unused, &mask) == 8 &&
                    destination == 0 && mask == 0 && link_look(fd, name, &link))
                        return link.mtu;
        }
        return 1500;
}

static void bridge_put(struct nl_batch *b, const char *name, const uint8_t *mac, uint32_t mtu)
{
        struct nlmsghdr *m = link_put(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, false, "make bridge", EEXIST);
        attr_put_str(m, IFLA_IFNAME, name);
        attr_put_u32(m, IFLA_MTU, mtu);
        /* An address of its own, or the kernel would choose the lowest of all ports again with each new one. */
        if (mac)
                attr_put(m, IFLA_ADDRESS, 6, mac);
        struct nlattr *info = attr_nest_begin(m, IFLA_LINKINFO);
        attr_put_str(m, IFLA_INFO_KIND, "bridge");
        struct nlattr *data = attr_nest_begin(m, IFLA_INFO_DATA);
        attr_put_u8(m, IFLA_BR_MCAST_SNOOPING, 0);
        attr_nest_end(m, data);
        attr_nest_end(m, info);
}

static int link_up(int fd, int index, struct err *err)
{
        struct nl_batch b;
        nl_start(&b, fd);
        link_put(&b, RTM_NEWLINK, 0, index, true, "set bridge up", 0);
        return nl_commit(&b, NULL, NULL, err);
}

static int bridge_create(int fd, const char *name, const uint8_t *mac, uint32_t mtu, struct link_state *ret,
                         struct err *err)
{
        struct nl_batch b;
        nl_start(&b, fd);
        bridge_put(&b, name, mac, mtu);
        if (nl_commit(&b, NULL, NULL, err) < 0)
                return -1;
        if (!link_look(fd, name, ret))
                return err_set(err, ERR_SYSTEM, "bridge %s is gone just after it was made", name);
        return 0;
}

static int bridge_register(int nft_fd, const struct network *n, const char *bridge, struct err *err)
{
        if (firewall_make(nft_fd, err) < 0)
                return -1;
        return firewall_bridge_add(nft_fd, n, bridge, err);
}

int bridge_make(int route_fd, int nft_fd, const struct network *n, struct err *err)
{
        uint8_t mac[6];
        struct link_state link;
        link_mac_from_address(n->gateway, mac);
        if (bridge_create(route_fd, n->bridge, mac, n->mtu ? n->mtu : default_mtu(route_fd), &link, err) < 0)
                return err_add(err, "bridge %s", n->bridge);
        struct nl_batch b;
        nl_start(&b, route_fd);
        link_put_address(&b, link.index, n->gateway, n->subnet.prefix);
        if (nl_commit(&b, NULL, NULL, err) < 0 || bridge_sysctls(n, n->bridge, err) < 0 ||
            bridge_register(nft_fd, n, n->bridge, err) < 0 || link_up(route_fd, link.index, err) < 0)
                return err_add(err, "bridge %s", n->bridge);
        return 0;
}

void bridge_port_put(struct nl_batch *b, const char *name, bool isolated, bool hairpin)
{
        struct nlmsghdr *m = link_put(b, RTM_NEWLINK, 0, 0, false, "set bridge port", 0);
        attr_put_str(m, IFLA_IFNAME, name);
        struct nlattr *info = attr_nest_begin(m, IFLA_LINKINFO);
        attr_put_str(m, IFLA_INFO_SLAVE_KIND, "bridge");
        struct nlattr *data = attr_nest_begin(m, IFLA_INFO_SLAVE_DATA);
        attr_put_u8(m, IFLA_BRPORT_ISOLATED, isolated);
        attr_put_u8(m, IFLA_BRPORT_MODE, hairpin);
        /* Not IFLA_BRPORT_PROXYARP, which keeps every other broadcast from the port too. */
        attr_put_u8(m, IFLA_BRPORT_PROXYARP_WIFI, 1);
        attr_nest_end(m, data);
        attr_nest_end(m, info);
}

void bridge_cable_name(const struct network *n, uint32_t block, char ret_name[IFNAMSIZ])
{
        cable_name(n, block, 'u', ret_name);
}

static void cable_put(struct nl_batch *b, const struct network *n, uint32_t block, int parent, uint32_t mtu)
{
        char upper[IFNAMSIZ], lower[IFNAMSIZ];
        cable_name(n, block, 'u', upper);
        cable_name(n, block, 'd', lower);
        struct nlmsghdr *m =
                link_put(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, false, "make cable between bridges", EEXIST);
        attr_put_str(m, IFLA_IFNAME, upper);
        attr_put_u32(m, IFLA_MTU, mtu);
        attr_put_u32(m, IFLA_MASTER, (uint32_t)parent);
        struct nlattr *info = attr_nest_begin(m, IFLA_LINKINFO);
        attr_put_str(m, IFLA_INFO_KIND, "veth");
        struct nlattr *data = attr_nest_begin(m, IFLA_INFO_DATA);
        struct nlattr *peer = attr_nest_begin(m, VETH_INFO_PEER);
        struct ifinfomsg *i = message_put(m, sizeof(*i));
        i->ifi_family = AF_UNSPEC;
        attr_put_str(m, IFLA_IFNAME, lower);
        attr_put_u32(m, IFLA_MTU, mtu);
        attr_nest_end(m, peer);
        attr_nest_end(m, data);
        attr_nest_end(m, info);
}

static int block_create(int fd, int nft_fd, const struct network *n, uint32_t block, const struct link_state *parent,
                        struct err *err)
{
        char name[IFNAMSIZ], upper[IFNAMSIZ], lower[IFNAMSIZ];
        bridge_block_name(n, block, name);
        cable_name(n, block, 'u', upper);
        cable_name(n, block, 'd', lower);
        uint8_t gateway[6];
        struct link_state link, end;
        if (bridge_create(fd, name, NULL, parent->mtu, &link, err) < 0 || bridge_sysctls(n, name, err) < 0)
                return -1;
        struct nl_batch b;
        nl_start(&b, fd);
        cable_put(&b, n, block, parent->index, parent->mtu);
        /* Isolated towards the other ports of the parent, open towards its own: so isolation holds across blocks. */
        bridge_port_put(&b, upper, n->isolated_containers, bridge_netfilter_active());
        if (nl_commit(&b, NULL, NULL, err) < 0)
                return -1;
        link_ipv6_off(upper);
        link_ipv6_off(lower);
        if (!link_look(fd, lower, &end))
                return err_set(err, ERR_SYSTEM, "cable %s is gone just after it was made", lower);
        nl_start(&b, fd);
        struct nlmsghdr *m = link_put(&b, RTM_NEWLINK, 0, end.index, true, "plug cable into bridge", 0);
        attr_put_u32(m, IFLA_MASTER, (uint32_t)link.index);
        bridge_port_put(&b, lower, false, false);
        m = link_put(&b, RTM_NEWLINK, 0, 0, true, "set cable up", 0);
        attr_put_str(m, IFLA_IFNAME, upper);
        /* The way to the gateway is known from the start, or each frame to it would go to all ports until it has sent one. */
        link_mac_from_address(n->gateway, gateway);
        link_put_neighbour(&b, AF_BRIDGE, end.index, n->gateway, gateway);
        bool registered;
        if (nl_commit(&b, NULL, NULL, err) < 0 || bridge_register(nft_fd, n, name, err) < 0 ||
            forward_check(nft_fd, name, &registered, err) < 0)
                return -1;
        if (link_up(fd, link.index, err) < 0)
                return -1;
        link_settle(fd, upper);
        link_settle(fd, lower);
        return 0;
}

int bridge_block_make(int route_fd, int nft_fd, const struct network *n, uint32_t block, struct err *err)
{
        char name[IFNAMSIZ];
        uint32_t path[16];
        size_t depth = 0;
        for (uint32_t at = block; at > 0 && depth < ELEMENTS(path); at = (at - 1) / BLOCK_CHILDREN)
                path[depth++] = at;
        struct link_state parent, link;
        if (!link_look(route_fd, n->bridge, &parent))
                return err_set(err, ERR_NOT_FOUND, "bridge %s does not exist", n->bridge);
        for (; depth > 0; depth--, parent = link) {
                bridge_block_name(n, path[depth - 1], name);
                if (link_look(route_fd, name, &link) && link.up)
                        continue;
                if (block_create(route_fd, nft_fd, n, path[depth - 1], &parent, err) < 0 ||
                    !link_look(route_fd, name, &link))
                        return err_add(err, "bridge %s", name);
        }
        return 0;
}

static int block_remove(int route_fd, int nft_fd, const struct network *n, const char *name, struct err *err)
{
        char upper[IFNAMSIZ];
        snprintf(upper, sizeof(upper), "%s", name);
        upper[strlen(BRIDGE_PREFIX)] = 'u';
        if (link_remove(route_fd, upper, err) < 0 || link_remove(route_fd, name, err) < 0 ||
            firewall_bridge_remove(nft_fd, n, name, err) < 0)
                return err_add(err, "bridge %s", name);
        return 0;
}

int bridge_remove(int route_fd, int nft_fd, const struct network *n, struct err *err)
{
        _cleanup_strv_ char **blocks = NULL;
        char prefix[IFNAMSIZ];
        snprintf(prefix, sizeof(prefix), BRIDGE_PREFIX "b%.5s", n->id);
        if (link_list_bridges(route_fd, prefix, &blocks, err) < 0)
                return -1;
        STRV_FOREACH (name, blocks)
                if (!str_eq(*name, n->bridge) && block_remove(route_fd, nft_fd, n, *name, err) < 0)
                        return -1;
        if (link_remove(route_fd, n->bridge, err) < 0 || firewall_bridge_remove(nft_fd, n, n->bridge, err) < 0)
                return err_add(err, "bridge %s", n->bridge);
        return 0;
}
