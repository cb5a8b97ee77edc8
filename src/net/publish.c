#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "net/firewall-internal.h"

/* Elements of the two maps; every field of a concatenation fills a 32-bit register. */
struct publish_key {
        struct in_addr address;
        uint8_t protocol, pad1[3];
        uint16_t port, pad2;
};
struct publish_target {
        struct in_addr address;
        uint16_t port, pad;
};

static const uint8_t protocol_numbers[] = {
        [PORT_TCP] = IPPROTO_TCP, [PORT_UDP] = IPPROTO_UDP, [PORT_SCTP] = IPPROTO_SCTP
};

static void port_put(struct nl_batch *b, int type, const struct endpoint *e, const struct port_map *p, int tolerated)
{
        struct publish_key key = { .address = p->host_address,
                                   .protocol = protocol_numbers[p->protocol],
                                   .port = htons(p->host_port) };
        struct publish_target target = { .address = e->address, .port = htons(p->container_port) };
        bool any = p->host_address.s_addr == INADDR_ANY;
        size_t skip = any ? sizeof(key.address) : 0;
        struct nft_element element = { .key = (const char *)&key + skip, .key_len = sizeof(key) - skip };
        if (type == NFT_MSG_NEWSETELEM) {
                element.data = &target;
                element.data_len = sizeof(target);
        }
        nft_element_put(b, type, FIREWALL_TABLE, any ? "publish_any" : "publish", &element,
                        type == NFT_MSG_NEWSETELEM ? "publish port" : "unpublish port", tolerated);
}

/* One transaction with as many ports from *at on as a batch holds. */
static int ports_commit(int fd, int type, const struct endpoint *e, size_t *at, struct err *err)
{
        struct nl_batch b;
        nl_start(&b, fd);
        nft_begin(&b, 0);
        size_t i = *at;
        for (; i < e->port_count && nl_has_room(&b); i++)
                port_put(&b, type, e, &e->ports[i], 0);
        nft_end(&b);
        if (nl_commit(&b, NULL, NULL, err) < 0)
                return -1;
        *at = i;
        return 0;
}

/* One transaction for each port, missing ones forgiven: after a crash only some may be there. */
static int ports_remove_singly(int fd, const struct endpoint *e, struct err *err)
{
        for (size_t i = 0; i < e->port_count; i++) {
                struct nl_batch b;
                nl_start(&b, fd);
                nft_begin(&b, 0);
                port_put(&b, NFT_MSG_DELSETELEM, e, &e->ports[i], ENOENT);
                nft_end(&b);
                if (nl_commit(&b, NULL, NULL, err) < 0)
                        return -1;
        }
        return 0;
}

int firewall_unpublish(int fd, const struct endpoint *e, struct err *err)
{
        struct err refused = ERR_INIT;
        for (size_t at = 0; at < e->port_count;) {
                if (ports_commit(fd, NFT_MSG_DELSETELEM, e, &at, &refused) == 0)
                        continue;
                if (refused.sys == ENOENT)
                        return ports_remove_singly(fd, e, err);
                *err = refused;
                return -1;
        }
        return 0;
}

int firewall_publish(int fd, const struct endpoint *e, struct err *err)
{
        struct err refused = ERR_INIT;
        for (size_t at = 0; at < e->port_count;) {
                if (ports_commit(fd, NFT_MSG_NEWSETELEM, e, &at, &refused) == 0)
                        continue;
                /* Another target stands there (kill -9 before a detach); which errno depends on the kernel's set type. */
                if (refused.sys != EEXIST && refused.sys != EBUSY) {
                        *err = refused;
                        return -1;
                }
                err_clear(&refused);
                if (ports_remove_singly(fd, e, err) < 0 || ports_commit(fd, NFT_MSG_NEWSETELEM, e, &at, err) < 0)
                        return -1;
        }
        return 0;
}

struct port_list {
        struct firewall_port *ports;
        size_t count;
        bool any;
};

static const void *data_value(const struct nlattr *nest, size_t len)
{
        const struct nlattr *a;
        attr_each_in (a, nest)
                if (attr_type(a) == NFTA_DATA_VALUE && attr_len(a) == len)
                        return attr_data(a);
        return NULL;
}

static void list_element(struct port_list *list, const struct nlattr *element)
{
        size_t skip = list->any ? sizeof(struct in_addr) : 0;
        const void *key_bytes = NULL, *target_bytes = NULL;
        const struct nlattr *a;
        attr_each_in (a, element) {
                if (attr_type(a) == NFTA_SET_ELEM_KEY)
                        key_bytes = data_value(a, sizeof(struct publish_key) - skip);
                if (attr_type(a) == NFTA_SET_ELEM_DATA)
                        target_bytes = data_value(a, sizeof(struct publish_target));
        }
        if (!key_bytes || !target_bytes)
                return;
        struct publish_key key = { 0 };
        struct publish_target target;
        memcpy((char *)&key + skip, key_bytes, sizeof(key) - skip);
        memcpy(&target, target_bytes, sizeof(target));
        list->ports = xreallocarray(list->ports, list->count + 1, sizeof(*list->ports));
        struct firewall_port *p = &list->ports[list->count++];
        *p = (struct firewall_port){ .address = target.address };
        p->port = (struct port_map){ .host_address = key.address,
                                     .host_port = ntohs(key.port),
                                     .container_port = ntohs(target.port) };
        for (size_t i = 0; i < ELEMENTS(protocol_numbers); i++)
                if (protocol_numbers[i] == key.protocol)
                        p->port.protocol = (enum port_protocol)i;
}

static void list_answer(const struct nlmsghdr *m, void *data)
{
        const struct nlattr *a, *element;
        attr_each (a, m, sizeof(struct nfgenmsg)) {
                if (attr_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
                        continue;
                attr_each_in (element, a)
                        list_element(data, element);
        }
}

int firewall_ports(int fd, struct firewall_port **ret, size_t *ret_count, struct err *err)
{
        struct port_list list = { 0 };
        for (int any = 0; any < 2; any++) {
                struct nl_batch b;
                nl_start(&b, fd);
                struct nlmsghdr *m = nft_put(&b, NFT_MSG_GETSETELEM, NLM_F_DUMP, "list published ports", ENOENT);
                attr_put_str(m, NFTA_SET_ELEM_LIST_TABLE, FIREWALL_TABLE);
                attr_put_str(m, NFTA_SET_ELEM_LIST_SET, any ? "publish_any" : "publish");
                list.any = any;
                if (nl_commit(&b, list_answer, &list, err) < 0) {
                        free(list.ports);
                        return -1;
                }
        }
        *ret = list.ports;
        *ret_count = list.count;
        return 0;
}
