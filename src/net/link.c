#include "net/link-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "base/mem.h"
#include "base/str.h"

static bool link_ask(int fd, unsigned long request, const char *name, struct ifreq *ret)
{
        memset(ret, 0, sizeof(*ret));
        snprintf(ret->ifr_name, sizeof(ret->ifr_name), "%s", name);
        return ioctl(fd, request, ret) == 0;
}

struct look {
        struct link_state found;
        bool seen;
};

static void look_answer(const struct nlmsghdr *m, void *data)
{
        struct look *look = data;
        const struct ifinfomsg *i = message_body(m);
        const struct nlattr *a;
        if (m->nlmsg_type != RTM_NEWLINK)
                return;
        look->seen = true;
        look->found.index = i->ifi_index;
        look->found.up = i->ifi_flags & IFF_UP;
        look->found.running = i->ifi_flags & IFF_RUNNING;
        attr_each (a, m, sizeof(*i)) {
                if (attr_type(a) == IFLA_MTU && attr_len(a) == 4)
                        look->found.mtu = attr_u32(a);
                if (attr_type(a) == IFLA_ADDRESS && attr_len(a) == 6)
                        memcpy(look->found.mac, attr_data(a), 6);
        }
}

/* Not by ioctl: for a name that does not exist that one runs modprobe, and waits for it. */
bool link_look(int fd, const char *name, struct link_state *ret)
{
        struct err ignored = ERR_INIT;
        struct look look = { 0 };
        struct nl_batch b;
        nl_start(&b, fd);
        struct nlmsghdr *m = link_put(&b, RTM_GETLINK, 0, 0, false, "look at interface", 0);
        attr_put_str(m, IFLA_IFNAME, name);
        attr_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        if (nl_commit(&b, look_answer, &look, &ignored) < 0 || !look.seen)
                return false;
        *ret = look.found;
        return true;
}

struct list {
        const char *prefix;
        uint32_t master; /* 0: whatever it hangs on */
        char **names;
};

static void list_answer(const struct nlmsghdr *m, void *data)
{
        struct list *list = data;
        const struct nlattr *a;
        const char *name = NULL;
        uint32_t master = 0;
        if (m->nlmsg_type != RTM_NEWLINK)
                return;
        attr_each (a, m, sizeof(struct ifinfomsg)) {
                if (attr_type(a) == IFLA_IFNAME && attr_is_string(a) && str_starts(attr_str(a), list->prefix))
                        name = attr_str(a);
                if (attr_type(a) == IFLA_MASTER && attr_len(a) == 4)
                        master = attr_u32(a);
        }
        if (name && (!list->master || list->master == master))
                strv_push(&list->names, name);
}

int link_list_bridges(int fd, const char *prefix, char ***ret_names, struct err *err)
{
        struct list list = { .prefix = prefix };
        struct nl_batch b;
        nl_start(&b, fd);
        struct nlmsghdr *m = link_put(&b, RTM_GETLINK, NLM_F_DUMP, 0, false, "list bridges", 0);
        attr_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        struct nlattr *info = attr_nest_begin(m, IFLA_LINKINFO);
        attr_put_str(m, IFLA_INFO_KIND, "bridge");
        attr_nest_end(m, info);
        if (nl_commit(&b, list_answer, &list, err) < 0) {
                strv_free(list.names);
                return -1;
        }
        *ret_names = list.names;
        return 0;
}

int link_list_ports(int fd, int bridge, const char *prefix, char ***ret_names, struct err *err)
{
        struct list list = { .prefix = prefix, .master = (uint32_t)bridge };
        struct nl_batch b;
        nl_start(&b, fd);
        struct nlmsghdr *m = link_put(&b, RTM_GETLINK, NLM_F_DUMP, 0, false, "list ports of a bridge", 0);
        attr_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        attr_put_u32(m, IFLA_MASTER, list.master);
        if (nl_commit(&b, list_answer, &list, err) < 0) {
                strv_free(list.names);
                return -1;
        }
        *ret_names = list.names;
        return 0;
}

static bool link_running(int fd, const char *name)
{
        struct ifreq r;
        return !link_ask(fd, SIOCGIFFLAGS, name, &r) || (r.ifr_flags & IFF_RUNNING);
}

void link_settle(int fd, const char *name)
{
        struct link_state link;
        if (!link_look(fd, name, &link))
                return;
        for (int us = 50, slept = 0; slept < 200000 && !link_running(fd, name);
             slept += us, us = us < 5000 ? us * 2 : us)
                usleep((useconds_t)us);
}

struct in_addr link_address(const char *name)
{
        struct sockaddr_in a = { .sin_addr.s_addr = 0 };
        struct ifreq r;
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && link_ask(fd, SIOCGIFADDR, name, &r))
                memcpy(&a, &r.ifr_addr, sizeof(a));
        return a.sin_addr;
}

struct nlmsghdr *link_put(struct nl_batch *b, uint16_t type, uint16_t flags, int index, bool up, const char *what,
                          int tolerated)
{
        struct nlmsghdr *m = nl_put(b, type, flags, what, tolerated);
        struct ifinfomsg *i = message_put(m, sizeof(*i));
        i->ifi_family = AF_UNSPEC;
        i->ifi_index = index;
        i->ifi_flags = up ? IFF_UP : 0;
        i->ifi_change = up ? IFF_UP : 0;
        return m;
}

void link_put_address(struct nl_batch *b, int index, struct in_addr address, uint8_t prefix)
{
        struct nlmsghdr *m = nl_put(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "add address", EEXIST);
        struct ifaddrmsg *a = message_put(m, sizeof(*a));
        a->ifa_family = AF_INET;
        a->ifa_prefixlen = prefix;
        a->ifa_index = (uint32_t)index;
        attr_put_u32(m, IFA_LOCAL, address.s_addr);
        attr_put_u32(m, IFA_ADDRESS, address.s_addr);
        uint32_t host = prefix < 32 ? 0xffffffffu >> prefix : 0;
        attr_put_u32(m, IFA_BROADCAST, address.s_addr | htonl(host));
}

void link_put_no_ipv6(struct nl_batch *b, int index)
{
        /* A kernel without IPv6 does not know the family. */
        struct nlmsghdr *m = link_put(b, RTM_NEWLINK, 0, index, false, "switch off IPv6 addresses", EAFNOSUPPORT);
        struct nlattr *spec = attr_nest_begin(m, IFLA_AF_SPEC);
        struct nlattr *family = attr_nest_begin(m, AF_INET6);
        attr_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
        attr_nest_end(m, family);
        attr_nest_end(m, spec);
}

void link_ipv6_off(const char *name)
{
        char path[sizeof("/proc/sys/net/ipv6/conf//disable_ipv6") + IFNAMSIZ];
        snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && write(fd, "1", 1) < 0)
                return;
}

void link_put_default_route(struct nl_batch *b, int index, struct in_addr gateway)
{
        /* A container's first network keeps the default route, so one that exists is no error. */
        struct nlmsghdr *m = nl_put(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "add default route", EEXIST);
        struct rtmsg *r = message_put(m, sizeof(*r));
        r->rtm_family = AF_INET;
        r->rtm_table = RT_TABLE_MAIN;
        r->rtm_protocol = RTPROT_BOOT;
        r->rtm_scope = RT_SCOPE_UNIVERSE;
        r->rtm_type = RTN_UNICAST;
        attr_put_u32(m, RTA_GATEWAY, gateway.s_addr);
        attr_put_u32(m, RTA_OIF, (uint32_t)index);
}

void link_put_neighbour(struct nl_batch *b, int family, int index, struct in_addr address, const uint8_t mac[6])
{
        /* EPERM is the kernel's word for an entry that a change of the link's carrier swept away this moment. What has no entry is
         * found by ARP, so nothing is lost. */
        struct nlmsghdr *m = nl_put(b, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, "add neighbour", EPERM);
        struct ndmsg *d = message_put(m, sizeof(*d));
        d->ndm_family = (uint8_t)family;
        d->ndm_ifindex = index;
        d->ndm_state = family == AF_BRIDGE ? NUD_NOARP : NUD_PERMANENT;
        d->ndm_flags = family == AF_BRIDGE ? NTF_MASTER | NTF_STICKY : 0;
        if (family != AF_BRIDGE)
                attr_put_u32(m, NDA_DST, address.s_addr);
        attr_put(m, NDA_LLADDR, 6, mac);
}

void link_put_neighbour_removal(struct nl_batch *b, int family, int index, struct in_addr address, const uint8_t mac[6])
{
        struct nlmsghdr *m = nl_put(b, RTM_DELNEIGH, 0, "remove neighbour", ENOENT);
        struct ndmsg *d = message_put(m, sizeof(*d));
        d->ndm_family = (uint8_t)family;
        d->ndm_ifindex = index;
        if (family == AF_BRIDGE) {
                d->ndm_flags = NTF_MASTER;
                attr_put(m, NDA_LLADDR, 6, mac);
        } else {
                attr_put_u32(m, NDA_DST, address.s_addr);
        }
}

int link_remove(int fd, const char *name, struct err *err)
{
        struct nl_batch b;
        nl_start(&b, fd);
        struct nlmsghdr *m = link_put(&b, RTM_DELLINK, 0, 0, false, "remove interface", ENODEV);
        attr_put_str(m, IFLA_IFNAME, name);
        return nl_commit(&b, NULL, NULL, err);
}

void link_mac_from_address(struct in_addr address, uint8_t ret_mac[6])
{
        ret_mac[0] = 0x02;
        ret_mac[1] = 0x42;
        memcpy(ret_mac + 2, &address, sizeof(address));
}
