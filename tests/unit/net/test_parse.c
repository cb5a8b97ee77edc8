/* What users write: subnets, -p, hosts and resolv.conf. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/str.h"
#include "net/files.h"
#include "net/network.h"

static char *ports_text(const struct port_map *ports, size_t count)
{
        _cleanup_strv_ char **words = NULL;
        for (size_t i = 0; i < count; i++) {
                char address[INET_ADDRSTRLEN];
                inet_ntop(AF_INET, &ports[i].host_address, address, sizeof(address));
                strv_push_take(&words,
                               ports[i].host_port_end
                                       ? xasprintf("%s:%u..%u:%u/%s", address, ports[i].host_port,
                                                   ports[i].host_port_end, ports[i].container_port,
                                                   port_protocol_name(ports[i].protocol))
                                       : xasprintf("%s:%u:%u/%s", address, ports[i].host_port, ports[i].container_port,
                                                   port_protocol_name(ports[i].protocol)));
        }
        return strv_join(words, " ");
}

static void test_ports(void **state)
{
        static const struct {
                const char *text, *ports;
        } cases[] = {
                { "80", "0.0.0.0:0:80/tcp" },
                { "8080:80", "0.0.0.0:8080:80/tcp" },
                { ":80", "0.0.0.0:0:80/tcp" },
                { "0:80", "0.0.0.0:0:80/tcp" },
                { "53:53/udp", "0.0.0.0:53:53/udp" },
                { "53:53/UDP", "0.0.0.0:53:53/udp" },
                { "80/", "0.0.0.0:0:80/tcp" },
                { "9:9/sctp", "0.0.0.0:9:9/sctp" },
                { "127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp" },
                { "[127.0.0.1]:8080:80", "127.0.0.1:8080:80/tcp" },
                { "127.0.0.1::80", "127.0.0.1:0:80/tcp" },
                { "7-9", "0.0.0.0:0:7/tcp 0.0.0.0:0:8/tcp 0.0.0.0:0:9/tcp" },
                { "8000-8001:80-81", "0.0.0.0:8000:80/tcp 0.0.0.0:8001:81/tcp" },
                { "8000-8010:80", "0.0.0.0:8000..8010:80/tcp" },
                { "65535:65535", "0.0.0.0:65535:65535/tcp" },
                { "published=8080,target=80,protocol=udp,mode=ingress", "0.0.0.0:8080:80/udp" },
                { "target=80", "0.0.0.0:0:80/tcp" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct err err = ERR_INIT;
                _cleanup_free_ struct port_map *ports = NULL;
                size_t count = 0;
                assert_int_equal(port_map_parse(cases[i].text, &ports, &count, &err), 0);
                _cleanup_free_ char *text = ports_text(ports, count);
                assert_string_equal(text, cases[i].ports);
        }
}

/* The words of docker 28's client, seen by running it. */
static void test_port_errors(void **state)
{
        static const struct {
                const char *text;
                enum err_kind kind;
                const char *message;
        } cases[] = {
                { "abc", ERR_INVALID, "invalid containerPort: abc" },
                { "70000:80", ERR_INVALID, "invalid hostPort: 70000" },
                { "80/foo", ERR_INVALID, "invalid proto: foo" },
                { ":80:", ERR_INVALID, "no port specified: :80:<empty>" },
                { "", ERR_INVALID, "no port specified: <empty>" },
                { "80-90:70-75", ERR_INVALID,
                  "invalid ranges specified for container and host Ports: 70-75 and 80-90" },
                { "a=b", ERR_INVALID, "no port specified: :/tcp<empty>" },
                { "a=b,c", ERR_INVALID, "invalid publish opts format (should be name=value but got 'c')" },
                { "1.2.3:80:80", ERR_INVALID, "invalid IP address: 1.2.3" },
                { "90-80", ERR_INVALID, "invalid containerPort: 90-80" },
                { "1.2.3.4:80", ERR_INVALID, "invalid hostPort: 1.2.3.4" },
                { "published=80", ERR_INVALID, "no port specified: 80:/tcp<empty>" },
                { "80:0", ERR_INVALID, "invalid containerPort: 0" },
                { "80:+1", ERR_INVALID, "invalid containerPort: +1" },
                { "80:80-", ERR_INVALID, "invalid containerPort: 80-" },
                { "80:18446744073709551617", ERR_INVALID, "invalid containerPort: 18446744073709551617" },
                { "[::1]:80:80", ERR_UNSUPPORTED, "publishing on an IPv6 address is not supported: ::1" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct err err = ERR_INIT;
                struct port_map *ports = NULL;
                size_t count = 0;
                assert_int_equal(port_map_parse(cases[i].text, &ports, &count, &err), -1);
                assert_string_equal(err.msg, cases[i].message);
                assert_int_equal(err.kind, cases[i].kind);
                assert_null(ports);
                assert_int_equal(count, 0);
        }
}

static void test_subnets(void **state)
{
        static const char *const good[] = { "172.20.0.0/16", "10.0.0.0/8", "192.168.1.7/24", "0.0.0.0/0",
                                            "1.2.3.4/32" };
        static const char *const bad[] = { "",
                                           "172.20.0.0",
                                           "172.20.0.0/",
                                           "172.20.0.0/33",
                                           "172.20.0/16",
                                           "172.20.0.0/016",
                                           "172.20.0.0/-1",
                                           "172.20.0.0/16 ",
                                           "a/16",
                                           "::/0",
                                           "172.20.0.0.0.0.0.0.0.0/16",
                                           "1.2.3.4/1x" };
        for (size_t i = 0; i < ELEMENTS(good); i++) {
                struct err err = ERR_INIT;
                struct ip4_net n;
                assert_int_equal(ip4_net_parse(good[i], &n, &err), 0);
                _cleanup_free_ char *text = ip4_net_format(&n);
                assert_string_equal(text, good[i]);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct err err = ERR_INIT;
                struct ip4_net n = { .prefix = 99 };
                assert_int_equal(ip4_net_parse(bad[i], &n, &err), -1);
                assert_int_equal(n.prefix, 99);
        }
}

#define HOSTS_HEAD                                                                                                     \
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost "                                                          \
        "ip6-loopback\nfe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\n"                                              \
        "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"

static char *hosts(const char *name, const char *domain, const char *address, const char *entry, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(0);
        char *entries[] = { (char *)entry, NULL };
        return hosts_format(name, domain, address, entry ? entries : NULL, "172.20.0.1", &b, err) < 0 ? NULL
                                                                                                      : buf_take(&b);
}

static void test_hosts(void **state)
{
        static const struct {
                const char *name, *domain, *address, *entry, *rest;
        } cases[] = {
                { "box", NULL, "172.20.0.2", NULL, "172.20.0.2\tbox\n" },
                { "box", "example.com", "172.20.0.2", NULL, "172.20.0.2\tbox.example.com box\n" },
                { "box", NULL, NULL, NULL, "" },
                { "box", NULL, "172.20.0.2", "db:10.0.0.9", "10.0.0.9\tdb\n172.20.0.2\tbox\n" },
                { "box", NULL, NULL, "db:fe80::1", "fe80::1\tdb\n" },
                { "box", NULL, NULL, "db=[fe80::1]", "fe80::1\tdb\n" },
                { "box", NULL, NULL, "gw:host-gateway", "172.20.0.1\tgw\n" },
        };
        static const struct {
                const char *entry, *message;
        } errors[] = {
                { "foo", "bad format for add-host: \"foo\"" },
                { ":1.2.3.4", "bad format for add-host: \":1.2.3.4\"" },
                { "foo:1.2", "invalid IP address in add-host: \"1.2\"" },
                { "foo bar:1.2.3.4", "bad format for add-host: \"foo bar:1.2.3.4\"" },
                { "foo\n6.6.6.6 bank:1.2.3.4", "bad format for add-host: \"foo?6.6.6.6 bank:1.2.3.4\"" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct err err = ERR_INIT;
                _cleanup_free_ char *got =
                        hosts(cases[i].name, cases[i].domain, cases[i].address, cases[i].entry, &err);
                _cleanup_free_ char *wanted = xasprintf("%s%s", HOSTS_HEAD, cases[i].rest);
                assert_non_null(got);
                assert_string_equal(got, wanted);
        }
        for (size_t i = 0; i < ELEMENTS(errors); i++) {
                struct err err = ERR_INIT;
                assert_null(hosts("box", NULL, NULL, errors[i].entry, &err));
                assert_string_equal(err.msg, errors[i].message);
        }
}

static char *resolv(const char *host, const char *dns, const char *search, const char *option, bool keep,
                    struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(0);
        _cleanup_strv_ char **d = dns ? strv_split(dns, ",", false) : NULL,
                            **s = search ? strv_split(search, ",", false) : NULL,
                            **o = option ? strv_split(option, ",", false) : NULL;
        if (resolv_format(host, d, s, o, keep, &b, err) < 0)
                return NULL;
        return b.data ? buf_take(&b) : xstrdup("");
}

static void test_resolv(void **state)
{
        static const struct {
                const char *host, *dns, *search, *option;
                bool keep;
                const char *wanted;
        } cases[] = {
                { "nameserver 192.0.2.53\nsearch a b\noptions ndots:1\n", NULL, NULL, NULL, false,
                  "search a b\nnameserver 192.0.2.53\noptions ndots:1\n" },
                { "nameserver 127.0.0.53\nnameserver 192.0.2.53\n", NULL, NULL, NULL, false,
                  "nameserver 192.0.2.53\n" },
                { "nameserver 127.0.0.53\n", NULL, NULL, NULL, true, "nameserver 127.0.0.53\n" },
                { "nameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%eth0\n", NULL, NULL, NULL, false,
                  "nameserver 8.8.8.8\nnameserver 8.8.4.4\n" },
                { "", NULL, NULL, NULL, false, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n" },
                { NULL, "127.0.0.1", NULL, NULL, false, "nameserver 127.0.0.1\n" },
                { "nameserver 192.0.2.53\nsearch a b\noptions ndots:1\n", "192.0.2.1,2001:db8::1", NULL, NULL, false,
                  "search a b\nnameserver 192.0.2.1\nnameserver 2001:db8::1\noptions ndots:1\n" },
                { "nameserver 192.0.2.53\nsearch a b\n", NULL, "c", "timeout:1,rotate", false,
                  "search c\nnameserver 192.0.2.53\noptions timeout:1 rotate\n" },
                { "nameserver 192.0.2.53\nsearch a b\n", NULL, ".", NULL, false, "nameserver 192.0.2.53\n" },
                { "# by hand\nsortlist 192.0.2.0\nnameserver\t192.0.2.53\r\nsearch a\nsearch b\n", NULL, NULL, NULL,
                  false, "# by hand\nsortlist 192.0.2.0\nsearch b\nnameserver 192.0.2.53\n" },
                { "domain example.com\nnameserver 192.0.2.53", NULL, NULL, NULL, false,
                  "search example.com\nnameserver 192.0.2.53\n" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct err err = ERR_INIT;
                _cleanup_free_ char *got =
                        resolv(cases[i].host, cases[i].dns, cases[i].search, cases[i].option, cases[i].keep, &err);
                assert_non_null(got);
                assert_string_equal(got, cases[i].wanted);
        }
        struct err err = ERR_INIT;
        assert_null(resolv("", "foo", NULL, NULL, false, &err));
        assert_string_equal(err.msg, "IP address is not correctly formatted: foo");
        assert_null(resolv("", NULL, "a\nnameserver 6.6.6.6", NULL, false, &err));
        assert_null(resolv("", NULL, NULL, "x y", false, &err));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ports), cmocka_unit_test(test_port_errors), cmocka_unit_test(test_subnets),
                cmocka_unit_test(test_hosts), cmocka_unit_test(test_resolv),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
