/* The texts of ps: states with ages, ports, what is cut off. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/ps-internal.h"

#define SECOND INT64_C(1000000000)
#define NOW (INT64_C(1800000000) * SECOND)

static void test_status(void **state)
{
        static const struct {
                enum container_state state;
                int64_t since; /* s ago */
                int32_t code;
                const char *expected;
        } cases[] = {
                { STATE_CREATED, 5, 0, "Created" },
                { STATE_RUNNING, 0, 0, "Up Less than a second" },
                { STATE_RUNNING, 1, 0, "Up 1 second" },
                { STATE_RUNNING, 59, 0, "Up 59 seconds" },
                { STATE_RUNNING, 60, 0, "Up About a minute" },
                { STATE_RUNNING, 5 * 60, 0, "Up 5 minutes" },
                { STATE_RUNNING, 3600, 0, "Up About an hour" },
                { STATE_RUNNING, 47 * 3600, 0, "Up 47 hours" },
                { STATE_RUNNING, 3 * 86400, 0, "Up 3 days" },
                { STATE_RUNNING, 21 * 86400, 0, "Up 3 weeks" },
                { STATE_RUNNING, 90 * 86400, 0, "Up 3 months" },
                { STATE_RUNNING, 3 * 366 * 86400, 0, "Up 3 years" },
                { STATE_PAUSED, 3, 0, "Up 3 seconds (Paused)" },
                { STATE_RESTARTING, 4, 1, "Restarting (1) 4 seconds ago" },
                { STATE_EXITED, 2 * 3600, 0, "Exited (0) 2 hours ago" },
                { STATE_EXITED, 2, 137, "Exited (137) 2 seconds ago" },
                { STATE_REMOVING, 2, 0, "Removal In Progress" },
                { STATE_DEAD, 2, 0, "Dead" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct container c = { .status = { .state = cases[i].state, .exit_code = cases[i].code } };
                c.status.started = c.status.finished = NOW - cases[i].since * SECOND;
                _cleanup_free_ char *text = container_status_text(&c, NOW);
                assert_string_equal(text, cases[i].expected);
        }
}

static void test_health(void **state)
{
        static const struct {
                enum container_state state;
                enum container_health health;
                const char *expected;
        } cases[] = {
                { STATE_RUNNING, HEALTH_NONE, "Up 3 minutes" },
                { STATE_RUNNING, HEALTH_STARTING, "Up 3 minutes (health: starting)" },
                { STATE_RUNNING, HEALTH_HEALTHY, "Up 3 minutes (healthy)" },
                { STATE_RUNNING, HEALTH_UNHEALTHY, "Up 3 minutes (unhealthy)" },
                { STATE_PAUSED, HEALTH_HEALTHY, "Up 3 minutes (Paused)" },
                { STATE_EXITED, HEALTH_UNHEALTHY, "Exited (0) 3 minutes ago" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct container c = { .status = { .state = cases[i].state }, .health = cases[i].health };
                c.status.started = c.status.finished = NOW - 180 * SECOND;
                _cleanup_free_ char *text = container_status_text(&c, NOW);
                assert_string_equal(text, cases[i].expected);
        }
}

static void test_ports(void **state)
{
        static const struct {
                struct shown_port ports[6];
                size_t count;
                const char *expected;
        } cases[] = {
                { { { 0 } }, 0, "" },
                { { { "", 0, 80, "tcp" } }, 1, "80/tcp" },
                { { { "0.0.0.0", 8080, 80, "tcp" } }, 1, "0.0.0.0:8080->80/tcp" },
                { { { "0.0.0.0", 80, 80, "tcp" } }, 1, "0.0.0.0:80->80/tcp" },
                { { { "", 0, 81, "tcp" }, { "", 0, 80, "tcp" }, { "", 0, 82, "tcp" } }, 3, "80-82/tcp" },
                { { { "", 0, 80, "tcp" }, { "", 0, 82, "tcp" }, { "", 0, 81, "udp" } }, 3, "80/tcp, 82/tcp, 81/udp" },
                { { { "0.0.0.0", 90, 90, "tcp" },
                    { "0.0.0.0", 91, 91, "tcp" },
                    { "", 0, 443, "tcp" },
                    { "127.0.0.1", 8443, 444, "tcp" } },
                  4,
                  "0.0.0.0:90-91->90-91/tcp, 443/tcp, 127.0.0.1:8443->444/tcp" },
                { { { "0.0.0.0", 53, 53, "udp" }, { "0.0.0.0", 53, 53, "tcp" } },
                  2,
                  "0.0.0.0:53->53/tcp, 0.0.0.0:53->53/udp" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct shown_port ports[6];
                memcpy(ports, cases[i].ports, sizeof(ports));
                _cleanup_free_ char *text = ports_text(ports, cases[i].count);
                assert_string_equal(text, cases[i].expected);
        }
}

static void test_ellipsis(void **state)
{
        static const struct {
                const char *text;
                size_t most;
                const char *expected;
        } cases[] = {
                { "short", 20, "short" },
                { "exactly-twenty-bytes", 20, "exactly-twenty-bytes" },
                { "one-more-than-twenty!", 20, "one-more-than-twent\u2026" },
                { "\u00e9\u00e9\u00e9\u00e9", 3, "\u00e9\u00e9\u2026" },
                { "\u00e9\u00e9\u00e9", 3, "\u00e9\u00e9\u00e9" },
                { "", 5, "" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *text = text_ellipsis(cases[i].text, cases[i].most);
                assert_string_equal(text, cases[i].expected);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_health), cmocka_unit_test(test_status), cmocka_unit_test(test_ports),
                                            cmocka_unit_test(test_ellipsis) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
