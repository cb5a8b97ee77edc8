/* Shares, and the text that Prometheus reads; and what update makes of a definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/str.h"
#include "engine/meter-internal.h"
#include "engine/metrics.h"
#include "engine/update-internal.h"

static void a_share_is_one_of_the_host_s_time(void **state)
{
        struct stats_sample a = { .running = true, .started = 5, .host_ns = 1000000000, .now.cpu_usage_ns = 500 };
        struct stats_sample b = a;
        assert_true(stats_cpu_percent(&a, &b) == 0);
        b.host_ns += (uint64_t)1000000000 * stats_processors();
        b.now.cpu_usage_ns += 500000000;
        assert_true(stats_cpu_percent(&a, &b) > 49.99 && stats_cpu_percent(&a, &b) < 50.01);
        b.started = 6; /* another run began: its counters tell nothing of this one's */
        assert_true(stats_cpu_percent(&a, &b) == 0);
        b.started = 5;
        b.now.cpu_usage_ns = 10;
        assert_true(stats_cpu_percent(&a, &b) == 0);
        struct cgroup_stats s = { .memory_usage = 100, .memory_inactive_file = 30 };
        assert_int_equal(stats_memory(&s), 70);
        s.memory_inactive_file = 200;
        assert_int_equal(stats_memory(&s), 0);
}

static void sums_but_the_highest_peak(void **state)
{
        struct container_meter a = { .runs = 1, .cpu_ns = 5, .memory_peak = 70, .io_stalled_us = 1 };
        struct container_meter b = { .runs = 2, .cpu_ns = 7, .memory_peak = 30, .io_stalled_us = 2 };
        meter_add(&a, &b);
        assert_int_equal(a.runs, 3);
        assert_int_equal(a.cpu_ns, 12);
        assert_int_equal(a.memory_peak, 70);
        assert_int_equal(a.io_stalled_us, 3);
}

static void labels_are_escaped(void **state)
{
        _cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
        struct err err = ERR_INIT;
        struct stats_sample s = { .id = "x", .group = "/tare/x", .name = "n", .image = "a\"b\\c\nd", .running = true, .state = STATE_RUNNING,
                                  .now.memory_limit = UINT64_MAX, .now.cpu_usage_ns = 1500000000, .total.memory_byte_ms = 2500 };
        assert_int_equal(metrics_format(&s, 1, &out, &err), 0);
        assert_int_equal(buf_addc(&out, '\0', &err), 0);
        assert_non_null(strstr(out.data, "\ncontainer_spec_memory_limit_bytes{id=\"/tare/x\",image=\"a\\\"b\\\\c\\nd\",name=\"n\"} 0\n"));
        assert_non_null(strstr(out.data, ",name=\"n\",cpu=\"total\"} 1.500000\n"));
        assert_non_null(strstr(out.data, "\ntare_container_memory_byte_seconds_total{id=\"/tare/x\",image=\"a\\\"b\\\\c\\nd\",name=\"n\"} 2.500000\n"));
        assert_non_null(strstr(out.data, "tare_containers{state=\"running\"} 1\n"));
}

static void a_definition_changes_as_told(void **state)
{
        struct err err = ERR_INIT;
        bool limits;
        _cleanup_container_config_ struct container_config c, n;
        container_config_init(&c);
        container_config_init(&n);
        strv_push(&c.ports, "8000:80");
        strv_push(&c.ports, "9000-9001:90-91/udp");
        strv_push(&c.labels, "a=1");
        strv_push(&c.labels, "ab=2");
        strv_push(&c.env, "A=1");
        c.memory = 64 << 20;
        char *ports[] = { (char[]){ "80" }, (char[]){ "9000-9001:90-91/udp" }, NULL }, *labels[] = { (char[]){ "a" }, NULL };
        struct container_update u = { .config = &n, .publish_rm = ports, .label_rm = labels };
        strv_push(&n.ports, "1:2");
        strv_push(&n.env, "A=2");
        assert_int_equal(update_config(&c, &u, &limits, &err), 0);
        assert_false(limits);
        assert_int_equal(strv_len(c.ports), 1);
        assert_string_equal(c.ports[0], "1:2");
        assert_int_equal(strv_len(c.labels), 1);
        assert_string_equal(c.labels[0], "ab=2");
        assert_string_equal(c.env[0], "A=2");
        assert_int_equal(update_config(&c, &u, &limits, &err), -1); /* they are gone already */
        assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void limits_follow_the_rules_of_docker(void **state)
{
        struct err err = ERR_INIT;
        bool limits;
        _cleanup_container_config_ struct container_config c, n;
        container_config_init(&c);
        container_config_init(&n);
        struct container_update u = { .config = &n };
        c.memory = c.memory_swap = 64 << 20;
        n.memory = 128 << 20;
        assert_int_equal(update_config(&c, &u, &limits, &err), -1);
        assert_int_equal(err.kind, ERR_CONFLICT);
        err_clear(&err);
        n.memory_swap = -1;
        assert_int_equal(update_config(&c, &u, &limits, &err), 0);
        assert_true(limits);
        assert_int_equal(c.memory, 128 << 20);
        assert_int_equal(c.memory_swap, -1);
        n.memory = -1;
        n.memory_swap = 0;
        assert_int_equal(update_config(&c, &u, &limits, &err), 0);
        assert_int_equal(c.memory, 0);
        assert_int_equal(c.memory_swap, 0);
        c.nano_cpus = 1000000000;
        n.memory = 0;
        n.cpu_quota = 20000;
        assert_int_equal(update_config(&c, &u, &limits, &err), -1);
        assert_int_equal(err.kind, ERR_CONFLICT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_share_is_one_of_the_host_s_time), cmocka_unit_test(sums_but_the_highest_peak),
                cmocka_unit_test(labels_are_escaped), cmocka_unit_test(a_definition_changes_as_told),
                cmocka_unit_test(limits_follow_the_rules_of_docker),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
