/* Beside other engines: what docker, podman and ufw do to the packet filter, done with their tool and their words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/str.h"
#include "box.h"

static const char *const published[] = { "8080:80", "8080:80/udp", NULL };

/* As dockerd 20.10 at its start, with the given iptables. */
static bool docker_starts(const char *iptables)
{
        _cleanup_free_ char *script = xasprintf(
                "I=%s; $I -P FORWARD DROP && { $I -n -L DOCKER-USER >/dev/null 2>&1 || $I -N DOCKER-USER; } && "
                "{ $I -C DOCKER-USER -j RETURN 2>/dev/null || $I -A DOCKER-USER -j RETURN; } && "
                "$I -N DOCKER-ISOLATION-STAGE-1 && $I -A DOCKER-ISOLATION-STAGE-1 -j RETURN && $I -I FORWARD -j "
                "DOCKER-ISOLATION-STAGE-1 && "
                "$I -I FORWARD -j DOCKER-USER",
                iptables);
        return shell(script);
}

static bool docker_ends(const char *iptables)
{
        _cleanup_free_ char *script = xasprintf("I=%s; $I -P FORWARD ACCEPT && $I -F && $I -X", iptables);
        return shell(script);
}

static void all_ways(const struct box *a)
{
        pid_t server = netns_serve(outside, 9000, "out");
        both(a->netns, OUTSIDE, 9000, "out");
        both(outside, HOST, 8080, "aaaa");
        both(-1, "127.0.0.1", 8080, "aaaa");
        both(a->netns, HOST, 8080, "aaaa");
        netns_stop(server);
}

static int rules_count(const char *iptables)
{
        _cleanup_free_ char *script = xasprintf("exit $(%s -S | grep -c -- 'tare.*ACCEPT')", iptables);
        for (int n = 0; n < 9; n++) {
                _cleanup_free_ char *test = xasprintf("(%s); test $? = %d", script, n);
                if (shell(test))
                        return n;
        }
        return -1;
}

static void check_beside(const char *iptables, bool can_come_later)
{
        struct box a = { 0 }, b = { 0 };
        /* Docker first. */
        assert_true(docker_starts(iptables));
        box_start(&a, &net, "aaaaaaaaaaaaaaaa", published);
        all_ways(&a);
        box_start(&b, &net, "bbbbbbbbbbbbbbbb", NULL);
        both(b.netns, a.address, 80, "aaaa");
        assert_int_equal(rules_count(iptables), 2);
        box_stop(&a, &net);
        box_stop(&b, &net);
        assert_true(docker_ends(iptables));
        /* Containers first. A legacy docker is met at the next attach. */
        box_start(&a, &net, "aaaaaaaaaaaaaaaa", published);
        assert_true(docker_starts(iptables));
        if (!can_come_later)
                box_start(&b, &net, "bbbbbbbbbbbbbbbb", NULL);
        all_ways(&a);
        box_stop(&a, &net);
        if (!can_come_later)
                box_stop(&b, &net);
        assert_true(docker_ends(iptables));
}

static void test_nft(void **state)
{
        if (!shell("iptables-nft -S >/dev/null 2>&1"))
                skip();
        check_beside("iptables-nft", true);
        assert_true(shell("iptables-nft -L -v -n >/dev/null"));
}

static void test_legacy(void **state)
{
        if (!shell("iptables-legacy -S >/dev/null 2>&1"))
                skip();
        /* Further rules and chains, so that there are jumps and counters to keep. */
        assert_true(shell("I=iptables-legacy; $I -N EXTRA && $I -A EXTRA -p tcp --dport 7 -j DROP && $I -A INPUT -j "
                          "EXTRA && $I -A FORWARD -j EXTRA && "
                          "$I -A OUTPUT -p udp --dport 9999 -j DROP && $I -A EXTRA -j RETURN"));
        assert_true(shell("iptables-legacy-save > /run/before"));
        struct box a = { 0 };
        box_start(&a, &net, "aaaaaaaaaaaaaaaa", NULL);
        box_stop(&a, &net);
        assert_true(shell("iptables-legacy-save | grep -v tare > /run/after; grep -v '^[#:]' /run/before > /run/b; "
                          "grep -v '^[#:]' /run/after > /run/a; cmp /run/a /run/b"));
        assert_true(docker_ends("iptables-legacy"));
        check_beside("iptables-legacy", false);
}

/* ufw: no DOCKER-USER, a policy and rules of its own. */
static void test_no_docker(void **state)
{
        if (!shell("iptables-nft -S >/dev/null 2>&1"))
                skip();
        assert_true(shell("iptables-nft -F; iptables-nft -X; iptables-nft -P FORWARD DROP && iptables-nft -N "
                          "ufw-forward && iptables-nft -A FORWARD -j ufw-forward"));
        struct box a = { 0 };
        box_start(&a, &net, "aaaaaaaaaaaaaaaa", published);
        all_ways(&a);
        box_stop(&a, &net);
        assert_true(docker_ends("iptables-nft"));
}

/* A firewall restarted under our feet: the next attach puts the table back, a sweep the ports too. */
static bool everybody(void *data, const char *container)
{
        return true;
}

static void test_flushed(void **state)
{
        struct box a = { 0 };
        struct err err = ERR_INIT;
        unsigned removed = 9;
        box_start(&a, &net, "aaaaaaaaaaaaaaaa", published);
        assert_true(shell("nft flush ruleset"));
        both(outside, HOST, 8080, "");
        assert_ok(db_begin(db, false, &err));
        assert_ok(network_sweep(db, everybody, NULL, &removed, &err));
        assert_ok(db_commit(db, &err));
        assert_int_equal(removed, 0);
        all_ways(&a);
        assert_true(shell("nft flush ruleset"));
        struct box b = { 0 };
        box_start(&b, &net, "bbbbbbbbbbbbbbbb", NULL);
        pid_t server = netns_serve(outside, 9000, "out");
        both(b.netns, OUTSIDE, 9000, "out " HOST);
        netns_stop(server);
        box_stop(&a, &net);
        box_stop(&b, &net);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nft),
                cmocka_unit_test(test_legacy),
                cmocka_unit_test(test_no_docker),
                cmocka_unit_test(test_flushed),
        };
        if (geteuid() != 0)
                return 77;
        return cmocka_run_group_tests(tests, host_setup, host_teardown);
}
