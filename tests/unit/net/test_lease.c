/* Definitions and leases: only the database, no rights needed. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "base/str.h"
#include "box.h"

static struct network small; /* 10.99.0.0/28: 13 addresses besides the gateway */

static int setup(void **state)
{
        struct err err = ERR_INIT;
        struct network wanted = { .name = (char *)"small" };
        db = db_fresh();
        if (!db || ip4_net_parse("10.99.0.0/28", &wanted.subnet, &err) < 0 || db_begin(db, false, &err) < 0 ||
            network_create(db, &wanted, &small, &err) < 0 || db_commit(db, &err) < 0) {
                print_error("%s\n", err.msg);
                return -1;
        }
        return 0;
}

static int teardown(void **state)
{
        network_done(&small);
        db_drop(db);
        return 0;
}

/* Reserves in a transaction of its own; the address, or "" with *err set. */
static const char *reserve(struct db *d, const struct network *n, const char *id, const char *wanted, const char *port,
                           struct err *err)
{
        static char text[INET_ADDRSTRLEN + 16];
        _cleanup_endpoint_ struct endpoint e = { 0 };
        _cleanup_free_ struct port_map *maps = NULL;
        size_t count = 0;
        struct in_addr address = { 0 };
        err_clear(err);
        if (wanted)
                inet_pton(AF_INET, wanted, &address);
        if ((port && port_map_parse(port, &maps, &count, err) < 0) || db_begin(d, false, err) < 0)
                return "";
        if (network_reserve(d, n, id, address, maps, count, &e, err) < 0) {
                db_rollback(d);
                return "";
        }
        assert_int_equal(db_commit(d, err), 0);
        inet_ntop(AF_INET, &e.address, text, INET_ADDRSTRLEN);
        if (e.port_count)
                snprintf(text + strlen(text), 12, ":%u", e.ports[0].host_port);
        return text;
}

static void release(struct db *d, const char *id)
{
        struct err err = ERR_INIT;
        assert_ok(db_begin(d, false, &err));
        assert_ok(network_release(d, id, &err));
        assert_ok(db_commit(d, &err));
}

static void test_cursor(void **state)
{
        struct err err = ERR_INIT;
        char id[16];
        assert_string_equal(reserve(db, &small, "a", NULL, NULL, &err), "10.99.0.2");
        assert_string_equal(reserve(db, &small, "b", NULL, NULL, &err), "10.99.0.3");
        release(db, "a");
        /* Not at once the one that was just given back. */
        assert_string_equal(reserve(db, &small, "c", NULL, NULL, &err), "10.99.0.4");
        assert_string_equal(reserve(db, &small, "d", "10.99.0.6", NULL, &err), "10.99.0.6");
        assert_string_equal(reserve(db, &small, "e", NULL, NULL, &err), "10.99.0.5");
        assert_string_equal(reserve(db, &small, "f", NULL, NULL, &err), "10.99.0.7");
        for (int i = 8; i <= 14; i++) {
                char wanted[32];
                snprintf(id, sizeof(id), "n%d", i);
                snprintf(wanted, sizeof(wanted), "10.99.0.%d", i);
                assert_string_equal(reserve(db, &small, id, NULL, NULL, &err), wanted);
        }
        /* Round at the end, past the gateway, to what is free. */
        assert_string_equal(reserve(db, &small, "g", NULL, NULL, &err), "10.99.0.2");
        assert_string_equal(reserve(db, &small, "h", NULL, NULL, &err), "");
        assert_int_equal(err.kind, ERR_CONFLICT);
        assert_true(str_starts(err.msg, "no available IPv4 addresses on this network's address pools: small"));
        release(db, "e");
        assert_string_equal(reserve(db, &small, "h", NULL, NULL, &err), "10.99.0.5");
        static const char *const all[] = {
                "b", "c", "d", "f", "g", "h", "n8", "n9", "n10", "n11", "n12", "n13", "n14"
        };
        for (size_t i = 0; i < ELEMENTS(all); i++)
                release(db, all[i]);
        release(db, "never seen");
}

static void test_wanted(void **state)
{
        struct err err = ERR_INIT;
        assert_string_equal(reserve(db, &small, "a", "10.99.0.9", NULL, &err), "10.99.0.9");
        static const struct {
                const char *id, *wanted;
                enum err_kind kind;
        } bad[] = { { "b", "10.99.0.9", ERR_CONFLICT }, { "b", "10.99.0.1", ERR_CONFLICT },
                    { "b", "10.99.0.0", ERR_INVALID },  { "b", "10.99.0.15", ERR_INVALID },
                    { "b", "10.99.0.16", ERR_INVALID }, { "b", "10.98.255.255", ERR_INVALID },
                    { "b", "192.0.2.1", ERR_INVALID },  { "a", "10.99.0.10", ERR_CONFLICT } };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                assert_string_equal(reserve(db, &small, bad[i].id, bad[i].wanted, NULL, &err), "");
                assert_int_equal(err.kind, bad[i].kind);
        }
        release(db, "a");
}

static void test_ports(void **state)
{
        struct err err = ERR_INIT;
        assert_string_equal(reserve(db, &small, "a", NULL, "127.0.0.1:18080:80", &err) + 9, ":18080");
        assert_string_equal(reserve(db, &small, "b", NULL, "18080:80", &err), "");
        assert_string_equal(err.msg, "Bind for 0.0.0.0:18080 failed: port is already allocated");
        assert_int_equal(err.kind, ERR_CONFLICT);
        /* The same port elsewhere, or of another protocol, is another port. */
        assert_string_equal(reserve(db, &small, "c", NULL, "127.0.0.2:18080:80", &err) + 9, ":18080");
        assert_string_equal(reserve(db, &small, "d", NULL, "18080:80/udp", &err) + 9, ":18080");
        assert_string_equal(reserve(db, &small, "e", NULL, "127.0.0.3:18080:80/udp", &err), "");
        assert_string_equal(reserve(db, &small, "e", NULL, "18080-18081:80", &err) + 9, ":18081");
        assert_string_equal(reserve(db, &small, "f", NULL, "18080-18081:80", &err), "");
        assert_string_equal(err.msg, "Bind for 0.0.0.0:18080 failed: port is already allocated");
        /* Nothing of a refused reservation stays. */
        struct endpoint e;
        assert_int_equal(network_endpoint(db, &small, "f", &e, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        assert_int_equal(network_endpoint(db, &small, "e", &e, &err), 0);
        assert_int_equal(e.port_count, 1);
        assert_int_equal(e.ports[0].host_port, 18081);
        assert_int_equal(e.ports[0].container_port, 80);
        assert_string_equal(e.interface, "eth0");
        endpoint_done(&e);
        static const char *const all[] = { "a", "c", "d", "e" };
        for (size_t i = 0; i < ELEMENTS(all); i++)
                release(db, all[i]);
        assert_string_equal(reserve(db, &small, "b", NULL, "18080:80", &err) + 10, ":18080");
        release(db, "b");
}

/* A port some program has is passed over when we choose, and refused when it is named. */
static void test_busy_port(void **state)
{
        struct err err = ERR_INIT;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
        struct sockaddr_in a = { .sin_family = AF_INET };
        socklen_t len = sizeof(a);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        assert_int_equal(bind(fd, (void *)&a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 1), 0);
        getsockname(fd, (void *)&a, &len);
        unsigned port = ntohs(a.sin_port);
        _cleanup_free_ char *range = xasprintf("%u-%u:80", port, port + 2),
                            *got = xstrdup(reserve(db, &small, "a", NULL, range, &err));
        assert_true(*got);
        assert_int_not_equal(strtol(strchr(got, ':') + 1, NULL, 10), port);
        release(db, "a");
        struct port_map map = { .host_port = (uint16_t)port, .container_port = 80 };
        struct endpoint e = { .ports = &map, .port_count = 1 };
        int *fds = NULL;
        size_t count = 0;
        _cleanup_free_ char *message = xasprintf("listen tcp4 0.0.0.0:%u: bind: address already in use", port);
        assert_int_equal(network_hold_ports(&e, &fds, &count, &err), -1);
        assert_string_equal(err.msg, message);
        assert_int_equal(count, 0);
        close(fd);
        /* And what we hold no program gets, not even one that asks for sharing. */
        assert_int_equal(network_hold_ports(&e, &fds, &count, &err), 0);
        assert_int_equal(count, 1);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        assert_true(bind(fd, (void *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0);
        close(fd);
        close(fds[0]);
        free(fds);
}

/* Many processes at once: every address and every port once. */
static void test_parallel(void **state)
{
        enum { CHILDREN = 16, EACH = 12 };
        struct network wide = { 0 };
        struct network wanted = { .name = (char *)"wide" };
        struct err err = ERR_INIT;
        assert_int_equal(ip4_net_parse("10.98.0.0/16", &wanted.subnet, &err), 0);
        make_network(&wanted, &wide);
        _cleanup_free_ char *path = scratch_db_path();
        pid_t pids[CHILDREN];
        for (int c = 0; c < CHILDREN; c++) {
                pids[c] = fork();
                if (pids[c] != 0)
                        continue;
                db_forget(db);
                struct db *mine = db_again(path);
                for (int i = 0; mine && i < EACH; i++) {
                        char id[32];
                        snprintf(id, sizeof(id), "p%dx%d", c, i);
                        if (!*reserve(mine, &wide, id, NULL, "80", &err))
                                _exit(1);
                        if (i % 3 == 2)
                                release(mine, id);
                }
                _exit(mine ? 0 : 1);
        }
        for (int c = 0; c < CHILDREN; c++) {
                int status = -1;
                waitpid(pids[c], &status, 0);
                assert_int_equal(status, 0);
        }
        /* The keys of the tables refuse doubles; what is left to see is that nothing was lost, and that the count is right. */
        static const struct {
                const char *sql;
                int64_t value;
        } checks[] = { { "SELECT count(*) FROM leases", CHILDREN * EACH / 3 * 2 },
                       { "SELECT count(*) FROM ports", CHILDREN * EACH / 3 * 2 },
                       { "SELECT sum(used) FROM network_blocks", CHILDREN * EACH / 3 * 2 } };
        for (size_t i = 0; i < ELEMENTS(checks); i++) {
                struct db_stmt *q;
                assert_int_equal(db_query(db, &q, &err, checks[i].sql, ""), 0);
                assert_int_equal(db_step(q, &err), 1);
                assert_int_equal(db_i64(q, 0), checks[i].value);
                db_done(q);
        }
        network_done(&wide);
}

static void test_blocks(void **state)
{
        struct network wide = { 0 };
        struct err err = ERR_INIT;
        struct network wanted = { .name = (char *)"blocks" };
        assert_int_equal(ip4_net_parse("10.97.0.0/23", &wanted.subnet, &err), 0);
        make_network(&wanted, &wide);
        /* One far away must not make the cursor skip what lies between. */
        assert_string_equal(reserve(db, &wide, "far", "10.97.1.250", NULL, &err), "10.97.1.250");
        char id[16];
        assert_ok(db_begin(db, false, &err));
        for (int i = 0; i < 508; i++) {
                struct endpoint e = { 0 };
                snprintf(id, sizeof(id), "b%d", i);
                assert_ok(network_reserve(db, &wide, id, (struct in_addr){ 0 }, NULL, 0, &e, &err));
                endpoint_done(&e);
        }
        assert_ok(db_commit(db, &err));
        assert_string_equal(reserve(db, &wide, "more", NULL, NULL, &err), "");
        release(db, "b0");
        assert_string_equal(reserve(db, &wide, "more", NULL, NULL, &err), "10.97.0.2");
        network_done(&wide);
}

static int create(const char *name, const char *subnet, const char *gateway, const char *driver, struct err *err)
{
        struct network n = { .name = (char *)name, .driver = (char *)driver }, made = { 0 };
        err_clear(err);
        if (subnet)
                assert_int_equal(ip4_net_parse(subnet, &n.subnet, err), 0);
        if (gateway)
                inet_pton(AF_INET, gateway, &n.gateway);
        assert_int_equal(db_begin(db, false, err), 0);
        int r = network_create(db, &n, &made, err);
        db_rollback(db);
        network_done(&made);
        return r;
}

static void test_create(void **state)
{
        static const struct {
                const char *name, *subnet, *gateway, *driver;
                enum err_kind kind;
        } bad[] = {
                { "small", NULL, NULL, NULL, ERR_CONFLICT },
                { "bridge", NULL, NULL, NULL, ERR_DENIED },
                { "host", NULL, NULL, NULL, ERR_DENIED },
                { "", NULL, NULL, NULL, ERR_INVALID },
                { "a/b", NULL, NULL, NULL, ERR_INVALID },
                { "new", "10.99.0.0/24", NULL, NULL, ERR_DENIED },
                { "new", "10.99.1.1/24", NULL, NULL, ERR_INVALID },
                { "new", "10.99.1.0/31", NULL, NULL, ERR_INVALID },
                { "new", "10.99.1.0/24", "10.99.2.1", NULL, ERR_INVALID },
                { "new", "10.99.1.0/24", "10.99.1.255", NULL, ERR_INVALID },
                { "new", NULL, NULL, "overlay", ERR_NOT_FOUND },
                { "new", NULL, NULL, "host", ERR_DENIED },
        };
        struct err err = ERR_INIT;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                assert_int_equal(create(bad[i].name, bad[i].subnet, bad[i].gateway, bad[i].driver, &err), -1);
                assert_int_equal(err.kind, bad[i].kind);
        }
        assert_int_equal(create("new", "10.99.1.0/24", "10.99.1.254", NULL, &err), 0);
}

static void test_find(void **state)
{
        static char *labels[] = { (char *)"a=b", (char *)"c=d\ne", NULL };
        struct network made = { 0 }, found = { 0 };
        struct err err = ERR_INIT;
        make_network(&(struct network){ .name = (char *)"found", .labels = labels, .internal = true, .mtu = 1400 },
                     &made);
        assert_int_equal(strlen(made.id), 64);
        assert_true(str_starts(made.bridge, "tare-"));
        _cleanup_free_ char *prefix = xstrndup(made.id, 12);
        const char *keys[] = { "found", made.id, prefix };
        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                assert_ok(network_find(db, keys[i], &found, &err));
                assert_string_equal(found.id, made.id);
                assert_int_equal(strv_len(found.labels), 2);
                assert_string_equal(found.labels[1], "c=d\ne");
                assert_true(found.internal);
                assert_int_equal(found.mtu, 1400);
                network_done(&found);
        }
        assert_int_equal(network_find(db, "nope", &found, &err), -1);
        assert_string_equal(err.msg, "network nope not found");
        assert_int_equal(network_find(db, "*", &found, &err), -1);
        assert_ok(network_find(db, "host", &found, &err));
        assert_string_equal(found.driver, "host");
        network_done(&found);
        assert_int_equal(
                network_remove(db,
                               &(struct network){ .id = (char *)"x", .name = (char *)"none", .driver = (char *)"none" },
                               &err),
                -1);
        assert_int_equal(err.kind, ERR_DENIED);
        assert_true(*reserve(db, &made, "a", NULL, NULL, &err));
        assert_int_equal(network_remove(db, &made, &err), -1);
        assert_int_equal(err.kind, ERR_CONFLICT);
        release(db, "a");
        network_done(&made);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cursor),    cmocka_unit_test(test_wanted), cmocka_unit_test(test_ports),
                cmocka_unit_test(test_busy_port), cmocka_unit_test(test_create), cmocka_unit_test(test_parallel),
                cmocka_unit_test(test_blocks),    cmocka_unit_test(test_find),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
