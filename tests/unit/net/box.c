#include "box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>
#include "base/str.h"

struct db *db;
struct network net;
int outside;

int host_setup(void **state)
{
        struct err err = ERR_INIT;
        if (!netns_enter_own())
                return -1;
        db = db_fresh();
        outside = netns_outside("up0", HOST, OUTSIDE);
        if (!db || outside < 0 || db_begin(db, false, &err) < 0 || network_default(db, &net, &err) < 0 ||
            db_commit(db, &err) < 0) {
                print_error("%s\n", err.msg);
                return -1;
        }
        return 0;
}

int host_teardown(void **state)
{
        network_done(&net);
        db_drop(db);
        return 0;
}

void make_network(const struct network *wanted, struct network *ret)
{
        struct err err = ERR_INIT;
        assert_ok(db_begin(db, false, &err));
        assert_ok(network_create(db, wanted, ret, &err));
        assert_ok(db_commit(db, &err));
}

void box_start(struct box *b, const struct network *n, const char *id, const char *const *ports)
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

void box_stop(struct box *b, const struct network *n)
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

void expect(int from, int type, const char *address, uint16_t port, const char *wanted)
{
        const char *got = netns_ask(from, type, address, port);
        /* The answer's second word is the source as the server saw it; not every caller cares. */
        size_t len = strchr(wanted, ' ') ? strlen(wanted) + 1 : strlen(wanted);
        if (*wanted ? strncmp(got, wanted, len) == 0 : !*got)
                return;
        print_error("%s:%u by %s: \"%s\", wanted \"%s\"\n", address, port, type == SOCK_STREAM ? "TCP" : "UDP", got,
                    wanted);
        fail();
}

void both(int from, const char *address, uint16_t port, const char *wanted)
{
        expect(from, SOCK_STREAM, address, port, wanted);
        expect(from, SOCK_DGRAM, address, port, wanted);
}
