/* What networks do to the kernel; needs root, runs in namespaces of its own. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/socket.h>
#include <cmocka.h>
#include "base/str.h"
#include "netns.h"

#define OUTSIDE "198.51.100.2"
#define HOST "198.51.100.1"

static struct db *db;
static struct network net;
static int outside;

struct box {
        struct endpoint e;
        int netns;
        char address[INET_ADDRSTRLEN];
        pid_t server;
};

#define assert_ok(call) \
        do { \
                if ((call) < 0) { \
                        print_error("%s: %s\n", #call, err.msg); \
                        fail(); \
                } \
        } while (0)

static void box_start(struct box *b, const struct network *n, const char *id, const char *const *ports)
{
        struct err err = ERR_INIT;
        struct port_map *maps = NULL;
        size_t count = 0;
        for (; ports && *ports; ports++)
                assert_ok(port_map_parse(*ports, &maps, &count, &err));
        assert_ok(db_begin(db, false, &err));
        assert_ok(network_reserve(db, n, id, (struct in_addr){ 0 }, maps, count, &b->e, &err));
        assert_ok(db_commit(db, &err));
        free(maps);
        b->netns = netns_new();
        assert_true(b->netns >= 0);
        assert_ok(network_attach(n, &b->e, b->netns, &err));
        inet_ntop(AF_INET, &b->e.address, b->address, sizeof(b->address));
        b->server = netns_serve(b->netns, 80, id);
        assert_true(b->server > 0);
}

static void box_stop(struct box *b, const struct network *n)
{
        struct err err = ERR_INIT;
        netns_stop(b->server);
        assert_ok(network_detach(n, &b->e, &err));
        assert_ok(db_begin(db, false, &err));
        assert_ok(network_release(db, b->e.container, &err));
        assert_ok(db_commit(db, &err));
        close(b->netns);
        endpoint_done(&b->e);
}

static void expect(int from, int type, const char *address, uint16_t port, const char *wanted)
{
        const char *got = netns_ask(from, type, address, port);
        /* The answer's second word is the source as the server saw it; not every caller cares. */
        if (strchr(wanted, ' '))
                assert_string_equal(got, wanted);
        else
                assert_true(*wanted ? str_starts(got, wanted) : !*got);
}

static void both(int from, const char *address, uint16_t port, const char *wanted)
{
        expect(from, SOCK_STREAM, address, port, wanted);
        expect(from, SOCK_DGRAM, address, port, wanted);
}

static int setup(void **state)
{
        struct err err = ERR_INIT;
        if (!netns_enter_own())
                return -1;
        db = db_fresh();
        outside = netns_outside("up0", HOST, OUTSIDE);
        if (!db || outside < 0 || db_begin(db, false, &err) < 0 || network_default(db, &net, &err) < 0 || db_commit(db, &err) < 0) {
                print_error("%s\n", err.msg);
                return -1;
        }
        return 0;
}

static int teardown(void **state)
{
        network_done(&net);
        db_drop(db);
        return 0;
}

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
        assert_true(shell("ip route show"));
        netns_stop(server);
        box_stop(&a, &net);
        box_stop(&b, &net);
}

static void test_published(void **state)
{
        struct box a = { 0 }, b = { 0 };
        static const char *const ports[] = { "8080:80", "8080:80/udp", "127.0.0.1:8081:80", "127.0.0.1:8081:80/udp", HOST ":8082:80", NULL };
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_connectivity),
                cmocka_unit_test(test_published),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
