#include <arpa/inet.h>
#include <string.h>
#include "base/str.h"
#include "net/network.h"

int ip4_net_parse(const char *text, struct ip4_net *ret, struct err *err)
{
        char address[INET_ADDRSTRLEN];
        const char *slash = strchr(text, '/');
        struct ip4_net n;
        uint32_t prefix;
        struct err ignored = ERR_INIT;
        if (!slash || (size_t)(slash - text) >= sizeof(address))
                return err_set(err, ERR_INVALID, "invalid CIDR address: %s", text);
        memcpy(address, text, (size_t)(slash - text));
        address[slash - text] = 0;
        if (strchr(text, ':'))
                return err_set(err, ERR_UNSUPPORTED, "IPv6 subnets are not supported: %s", text);
        if (inet_pton(AF_INET, address, &n.address) != 1 || strlen(slash + 1) > 2 ||
            parse_u32(slash + 1, &prefix, &ignored) < 0 || prefix > 32)
                return err_set(err, ERR_INVALID, "invalid CIDR address: %s", text);
        n.prefix = (uint8_t)prefix;
        *ret = n;
        return 0;
}

char *ip4_net_format(const struct ip4_net *n)
{
        char text[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &n->address, text, sizeof(text));
        return xasprintf("%s/%u", text, n->prefix);
}

int mac_parse(const char *text, uint8_t ret_mac[6], struct err *err)
{
        uint8_t m[6];
        int end = 0;
        if (strlen(text) != 17 || sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &end) != 6 || end != 17 ||
            (m[0] & 1) || !(m[0] | m[1] | m[2] | m[3] | m[4] | m[5]))
                return err_set(err, ERR_INVALID, "invalid MAC address: %s", text);
        memcpy(ret_mac, m, sizeof(m));
        return 0;
}
