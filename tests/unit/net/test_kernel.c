/* What networks do to the kernel; needs root, runs in namespaces of its own. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/str.h"
#include "box.h"

static void test_connectivity(void **state)
{
        struct box a = { 0 }, b = { 0 };
        box_start(&a, &net, "aaaaaaaaaaaaaaaa", NULL);
        box_start(&b, &net, "bbbbbbbbbbbbbbbb", NULL);
        _cleanup_free_ char *seen = xasprintf("bbbbbbbbbbbbbbbb %s", a.address);
        both(a.netns, b.address, 80, seen);
        both(b.netns, a.address, 80, "aaaa");
        both(-1, a.address, 80, "aaaa");
        both(a.netns, "127.0.0.1", 80, "aaaa");
        /* Out under the host's address, and nothing in. */
        pid_t server = netns_serve(outside, 8080, "out");
        both(a.netns, OUTSIDE, 8080, "out " HOST);
        both(outside, a.address, 80, "");
        netns_stop(server);
        box_stop(&a, &net);
        box_stop(&b, &net);
}

static void test_published(void **state)
{
        struct box a = { 0 }, b = { 0 };
        static const char *const ports[] = { "8080:80",           "8080:80/udp",
                                             "127.0.0.1:8081:80", "127.0.0.1:8081:80/udp",
                                             HOST ":8082:80",     NULL };
        box_start(&a, &net, "aaaaaaaaaaaaaaaa", ports);
        box_start(&b, &net, "bbbbbbbbbbbbbbbb", NULL);
        both(outside, HOST, 8080, "aaaaaaaaaaaaaaaa " OUTSIDE);
        both(-1, "127.0.0.1", 8080, "aaaa");
        both(-1, HOST, 8080, "aaaa");
        both(-1, "127.0.0.1", 8081, "aaaa");
        expect(outside, SOCK_STREAM, HOST, 8082, "aaaa");
        expect(-1, SOCK_STREAM, "127.0.0.1", 8082, "");
        both(outside, HOST, 8081, "");
        /* By the host's address from beside and from itself. */
        both(b.netns, HOST, 8080, "aaaa");
        both(a.netns, HOST, 8080, "aaaa");
        box_stop(&a, &net);
        both(outside, HOST, 8080, "");
        both(-1, "127.0.0.1", 8080, "");
        box_stop(&b, &net);
}

/* A UDP socket outside that keeps its port, as a client does that never stops sending. */
static int talk(void *data)
{
        int fd = *(int *)data;
        char got[64] = "";
        struct timeval wait = { .tv_usec = 700000 };
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
        if (send(fd, "?", 1, 0) < 0 || recv(fd, got, sizeof(got) - 1, 0) < 0)
                return 0;
        return got[0];
}

static int open_talk(void *data)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(8085) };
        inet_pton(AF_INET, HOST, &a.sin_addr);
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return connect(fd, (void *)&a, sizeof(a)) < 0 ? -1 : fd;
}

static void test_udp_flows(void **state)
{
        static const char *const ports[] = { "8085:80/udp", NULL };
        struct box a = { 0 }, b = { 0 };
        int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        assert_int_equal(setns(outside, CLONE_NEWNET), 0);
        int fd = open_talk(NULL);
        assert_int_equal(setns(home, CLONE_NEWNET), 0);
        close(home);
        assert_true(fd >= 0);
        assert_int_equal(talk(&fd), 0);
        box_start(&a, &net, "aaaaaaaaaaaaaaaa", ports);
        assert_int_equal(talk(&fd), 'a');
        box_stop(&a, &net);
        assert_int_equal(talk(&fd), 0);
        box_start(&b, &net, "bbbbbbbbbbbbbbbb", ports);
        assert_int_equal(talk(&fd), 'b');
        box_stop(&b, &net);
        close(fd);
}

/* Packets to 127/8 that come over a wire reach nothing, though the bridges have route_localnet. */
static void test_martians(void **state)
{
        struct box a = { 0 };
        box_start(&a, &net, "aaaaaaaaaaaaaaaa", NULL);
        pid_t server = netns_serve(-1, 9000, "host");
        both(-1, "127.0.0.1", 9000, "host");
        both(a.netns, "172.20.0.1", 9000, "host");
        assert_true(shell("test $(cat /proc/sys/net/ipv4/conf/tare0/route_localnet) = 1"));
        assert_true(shell("test $(cat /proc/sys/net/ipv4/ip_forward) = 1"));
        /* Such a packet, made by force: 127/8 routed to the host from inside. */
        _cleanup_free_ char *route =
                xasprintf("nsenter --net=/proc/%d/fd/%d sh -c 'echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet; "
                          "ip addr flush dev lo; "
                          "ip route add 127.0.0.0/8 via 172.20.0.1 dev eth0'",
                          (int)getpid(), a.netns);
        assert_true(shell(route));
        both(a.netns, "127.0.0.1", 9000, "");
        /* It is our drop that stops them: without it they arrive. */
        assert_true(shell("nft flush chain ip tare martian"));
        expect(a.netns, SOCK_STREAM, "127.0.0.1", 9000, "host");
        assert_true(shell("nft delete table ip tare"));
        netns_stop(server);
        box_stop(&a, &net);
}

static void test_isolation(void **state)
{
        struct network other = { 0 }, inner = { 0 }, strict = { 0 };
        static const char *const ports[] = { "8090:80", "8090:80/udp", NULL };
        struct box a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 }, e = { 0 }, f = { 0 };
        make_network(&(struct network){ .name = (char *)"other" }, &other);
        make_network(&(struct network){ .name = (char *)"inner", .internal = true }, &inner);
        make_network(&(struct network){ .name = (char *)"strict", .isolated_containers = true }, &strict);
        box_start(&a, &net, "aaaaaaaaaaaaaaaa", NULL);
        box_start(&b, &other, "bbbbbbbbbbbbbbbb", ports);
        box_start(&c, &inner, "cccccccccccccccc", NULL);
        box_start(&d, &inner, "dddddddddddddddd", NULL);
        box_start(&e, &strict, "eeeeeeeeeeeeeeee", NULL);
        box_start(&f, &strict, "ffffffffffffffff", NULL);
        pid_t server = netns_serve(outside, 8080, "out");
        both(a.netns, b.address, 80, "");
        both(b.netns, a.address, 80, "");
        both(a.netns, HOST, 8090, "bbbb");
        both(c.netns, d.address, 80, "dddd");
        both(c.netns, OUTSIDE, 8080, "");
        both(c.netns, a.address, 80, "");
        both(a.netns, c.address, 80, "");
        both(c.netns, b.address, 80, "");
        both(outside, c.address, 80, "");
        both(-1, c.address, 80, "cccc");
        both(e.netns, f.address, 80, "");
        both(e.netns, OUTSIDE, 8080, "out");
        both(-1, e.address, 80, "eeee");
        netns_stop(server);
        struct {
                struct box *box;
                struct network *n;
        } all[] = { { &a, &net }, { &b, &other }, { &c, &inner }, { &d, &inner }, { &e, &strict }, { &f, &strict } };
        for (size_t i = 0; i < ELEMENTS(all); i++)
                box_stop(all[i].box, all[i].n);
        struct err err = ERR_INIT;
        struct network *gone[] = { &other, &inner, &strict };
        for (size_t i = 0; i < ELEMENTS(gone); i++) {
                _cleanup_free_ char *look = xasprintf("! ip link show %s 2>/dev/null && ! nft list ruleset | grep %s",
                                                      gone[i]->bridge, gone[i]->bridge);
                assert_ok(db_begin(db, false, &err));
                assert_ok(network_remove(db, gone[i], &err));
                assert_ok(db_commit(db, &err));
                assert_true(shell(look));
                network_done(gone[i]);
        }
}

/* A container in two networks: two interfaces, the first has the default route, and leaving one keeps the other. */
static void test_two_networks(void **state)
{
        struct network other = { 0 };
        struct box a = { 0 }, b = { 0 };
        struct endpoint second = { 0 };
        struct err err = ERR_INIT;
        make_network(&(struct network){ .name = (char *)"second" }, &other);
        box_start(&a, &net, "aaaaaaaaaaaaaaaa", NULL);
        box_start(&b, &other, "bbbbbbbbbbbbbbbb", NULL);
        assert_ok(db_begin(db, false, &err));
        assert_ok(network_reserve(db, &other, "aaaaaaaaaaaaaaaa", (struct in_addr){ 0 }, NULL, 0, &second, &err));
        assert_ok(db_commit(db, &err));
        assert_string_equal(second.interface, "eth1");
        assert_string_not_equal(second.host_interface, a.e.host_interface);
        both(a.netns, b.address, 80, "");
        assert_ok(network_attach(&other, &second, a.netns, &err));
        both(a.netns, b.address, 80, "bbbb");
        both(-1, a.address, 80, "aaaa");
        assert_ok(network_unplug(&other, &second, &err));
        assert_ok(db_begin(db, false, &err));
        assert_ok(network_release_from(db, &other, "aaaaaaaaaaaaaaaa", &err));
        assert_ok(db_commit(db, &err));
        _cleanup_free_ char *look = xasprintf("! ip link show %s 2>/dev/null", second.host_interface);
        assert_true(shell(look));
        both(a.netns, b.address, 80, "");
        both(-1, a.address, 80, "aaaa");
        box_stop(&a, &net);
        box_stop(&b, &other);
        network_done(&other);
}

static bool nobody(void *data, const char *container)
{
        return false;
}

/* More than one bridge holds; then the namespaces die without a word (kill -9, power cut of the engine) and a sweep finds all. */
static void test_many(void **state)
{
        enum { MANY = 262 };
        static struct box boxes[MANY];
        struct err err = ERR_INIT;
        for (int i = 0; i < MANY; i++) {
                char id[32];
                struct port_map *map = xcalloc(1, sizeof(*map));
                *map = (struct port_map){ .container_port = 80 };
                snprintf(id, sizeof(id), "%011x%05x", i * 7919 + 1, i);
                assert_ok(db_begin(db, false, &err));
                assert_ok(network_reserve(db, &net, id, (struct in_addr){ 0 }, map, 1, &boxes[i].e, &err));
                assert_ok(db_commit(db, &err));
                free(map);
                assert_true(boxes[i].e.ports[0].host_port >= 1024);
                boxes[i].netns = netns_new();
                assert_ok(network_attach(&net, &boxes[i].e, boxes[i].netns, &err));
        }
        /* Between a block and the next, both ways, and through a published port of a container on the second bridge. */
        struct box *first = &boxes[0], *last = &boxes[MANY - 1];
        char address[INET_ADDRSTRLEN];
        first->server = netns_serve(first->netns, 80, "first");
        last->server = netns_serve(last->netns, 80, "last");
        inet_ntop(AF_INET, &first->e.address, address, sizeof(address));
        both(last->netns, address, 80, "first");
        inet_ntop(AF_INET, &last->e.address, address, sizeof(address));
        both(first->netns, address, 80, "last");
        expect(outside, SOCK_STREAM, HOST, last->e.ports[0].host_port, "last");
        expect(last->netns, SOCK_STREAM, HOST, last->e.ports[0].host_port, "last");
        uint16_t port = last->e.ports[0].host_port;
        netns_stop(first->server);
        netns_stop(last->server);
        for (int i = 0; i < MANY; i++) {
                close(boxes[i].netns);
                endpoint_done(&boxes[i].e);
        }
        unsigned removed = 0;
        assert_ok(db_begin(db, false, &err));
        assert_ok(network_sweep(db, nobody, NULL, &removed, &err));
        assert_ok(db_commit(db, &err));
        assert_true(removed >= 2 * MANY);
        expect(outside, SOCK_STREAM, HOST, port, "");
        assert_true(shell("for i in $(seq 100); do ip link | grep -q ' tv0' || exit 0; sleep 0.1; done; exit 1"));
        assert_true(shell("! ip link | grep ' tare' && ! nft list table ip tare | grep -E '172.20|tare[b0]'"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_connectivity), cmocka_unit_test(test_published),
                cmocka_unit_test(test_udp_flows),    cmocka_unit_test(test_martians),
                cmocka_unit_test(test_isolation),    cmocka_unit_test(test_two_networks),
                cmocka_unit_test(test_many),
        };
        if (geteuid() != 0)
                return 77; /* Meson's "skipped" */
        return cmocka_run_group_tests(tests, host_setup, host_teardown);
}
