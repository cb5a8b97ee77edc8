/* The file a monitor keeps of a run, and the reader of many groups. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"
#include "runtime/meter_file.h"

static void memory_is_summed_between_samples(void **state)
{
        struct meter_file m = { .started_ms = 1000, .at_ms = 1000 };
        meter_file_add(&m, 1250, 100); /* before the first it was as there */
        assert_int_equal(m.byte_ms, 25000);
        meter_file_add(&m, 1750, 300);
        assert_int_equal(m.byte_ms, 25000 + 200 * 500);
        meter_file_add(&m, 1750, 500); /* no time went by */
        assert_int_equal(m.byte_ms, 125000);
        meter_file_add(&m, 1751, 501);
        assert_int_equal(m.byte_ms, 125500);
        assert_int_equal(m.samples, 4);
}

static void a_torn_line_is_no_line(void **state)
{
        char folder[] = "/tmp/tare-meter.XXXXXX", text[] = "00000000000000000009";
        assert_non_null(mkdtemp(folder));
        _cleanup_close_ int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct meter_file m = { 1, 2, 3, 4, 5, 6, 7, 1 }, back = { 0 };
        assert_false(meter_file_read(dir, &back));
        _cleanup_close_ int fd = openat(dir, "meter", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        meter_file_write(fd, &m);
        assert_true(meter_file_read(dir, &back));
        assert_memory_equal(&m, &back, sizeof(m));
        assert_int_equal(pwrite(fd, text, 20, 21), 20);
        assert_false(meter_file_read(dir, &back));
        struct err err = ERR_INIT;
        assert_int_equal(tree_remove_at(AT_FDCWD, folder, &err), 0);
}

static void counters_of_all_but_the_loopback(void **state)
{
        uint64_t in = 9, out = 9;
        meter_net_parse("Inter-|   Receive                                                |  Transmit\n"
                        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
                        "    lo:  500       5    0    0    0     0          0         0      500       5    0    0    0     0       0          0\n"
                        "  eth0: 1000      10    0    0    0     0          0         0       70       1    0    0    0     0       0          0\n"
                        "  eth1:18446744073709550000 10 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n",
                        &in, &out);
        assert_int_equal(in, UINT64_C(18446744073709551000));
        assert_int_equal(out, 77);
        meter_net_parse("", &in, &out);
        assert_int_equal(in + out, 0);
        meter_net_parse("eth0:", &in, &out);
        assert_int_equal(in + out, 0);
}

/* A tree of files like that of a group: what the kernel would say. */
static void put(const char *top, const char *file, const char *text)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *path = xasprintf("%s/tare/one/%s", top, file);
        assert_int_equal(file_write_at(AT_FDCWD, path, text, strlen(text), 0600, false, &err), 0);
}

static void numbers_of_a_v2_group(void **state)
{
        char top[] = "/tmp/tare-group.XXXXXX";
        struct err err = ERR_INIT;
        struct cgroup_stats s;
        struct cgroup_layout before = *cgroup_layout();
        assert_non_null(mkdtemp(top));
        _cleanup_free_ char *tare = xasprintf("%s/tare", top), *one = xasprintf("%s/tare/one", top);
        assert_return_code(mkdir(tare, 0700), errno);
        assert_return_code(mkdir(one, 0700), errno);
        cgroup_layout_set(&(struct cgroup_layout){ .unified = top });
        put(top, "cpu.stat", "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 7\nnr_throttled 3\nthrottled_usec 20\n");
        put(top, "memory.current", "4096\n");
        put(top, "memory.max", "max\n");
        put(top, "memory.stat", "anon 1\nfile 2\nnot_inactive_file 9\ninactive_file 1024\n");
        put(top, "pids.max", "20\n");
        put(top, "io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n254:0 rbytes=10 wbytes=20 rios=30 wios=40 dbytes=50 dios=60\n");
        put(top, "memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=11\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=12\n");
        put(top, "memory.events", "low 0\noom 4\noom_kill 2\noom_group_kill 0\n");
        struct cgroup_reader *reader = NULL;
        assert_int_equal(cgroup_reader_open("/tare", &reader, &err), 0);
        assert_int_equal(cgroup_reader_stats(reader, "one", CGROUP_ALL, &s, &err), 0);
        assert_int_equal(s.cpu_usage_ns, 1500000);
        assert_int_equal(s.throttled_ns, 20000);
        assert_int_equal(s.memory_usage, 4096);
        assert_int_equal(s.memory_limit, UINT64_MAX);
        assert_int_equal(s.memory_inactive_file, 1024);
        assert_int_equal(s.pids_limit, 20);
        assert_int_equal(s.pids_current, 0);
        assert_int_equal(s.io_read_bytes, 11);
        assert_int_equal(s.io_write_ops, 44);
        assert_int_equal(s.memory_waiting_us, 11);
        assert_int_equal(s.memory_stalled_us, 12);
        assert_int_equal(s.oom_kills, 2);
        assert_int_equal(cgroup_reader_stats(reader, "one", CGROUP_LIVE, &s, &err), 0);
        assert_int_equal(s.oom_kills, 0); /* not read */
        assert_int_equal(s.io_read_bytes, 11);
        assert_int_equal(cgroup_reader_stats(reader, "one", CGROUP_ENDED, &s, &err), 0);
        assert_int_equal(s.oom_kills, 2);
        assert_int_equal(s.memory_usage, 0); /* not read */
        assert_int_equal(s.memory_stalled_us, 12);
        assert_int_equal(cgroup_reader_stats(reader, "two", CGROUP_ALL, &s, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        err_clear(&err);
        cgroup_reader_free(reader);
        cgroup_layout_set(&before);
        assert_int_equal(tree_remove_at(AT_FDCWD, top, &err), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(memory_is_summed_between_samples),
                cmocka_unit_test(a_torn_line_is_no_line),
                cmocka_unit_test(counters_of_all_but_the_loopback),
                cmocka_unit_test(numbers_of_a_v2_group),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
