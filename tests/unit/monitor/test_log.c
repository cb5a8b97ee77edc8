/* What the container writes is what its log says. */
#include "rig.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/str.h"
#include "base/timefmt.h"

#define TEXT_MAX ((size_t)256 << 20)

static void run(struct rig *r, const struct rig_options *o)
{
        rig_start(r, o);
        assert_int_equal(rig_wait(r), 0);
}

static void assert_text(const struct rig *r, const char *stream, const char *expected, size_t len)
{
        _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX);
        rig_log_text(r, stream, &b);
        assert_int_equal(b.len, len);
        assert_memory_equal(b.data, expected, len);
}

static void test_streams(void **state)
{
        struct rig r;
        struct stat st;
        run(&r, &(struct rig_options){
                        .command = "echo one; echo two >&2; echo three; printf 'no end'; printf 'nor here' >&2" });
        assert_text(&r, "stdout", "one\nthree\nno end", 16);
        assert_text(&r, "stderr", "two\nnor here", 12);
        assert_int_equal(fstatat(r.dir_fd, "log", &st, 0), 0);
        assert_int_equal(st.st_mode & 0777, 0640);
        rig_done(&r);
}

static void test_nothing_written(void **state)
{
        struct rig r;
        run(&r, &(struct rig_options){ .command = "exit 0" });
        assert_false(file_exists_at(r.dir_fd, "log"));
        rig_done(&r);
        run(&r, &(struct rig_options){ .command = "echo hello", .no_log = true });
        assert_false(file_exists_at(r.dir_fd, "log"));
        rig_done(&r);
}

/* docker's record of the same, byte by byte but for the time. */
static void test_exact_record(void **state)
{
        struct rig r;
        run(&r, &(struct rig_options){ .command = "printf '<\\t\\377\\303\\251\"\\n'" });
        _cleanup_free_ char *log = rig_log(&r, "", NULL);
        const char *rest =
                str_after(log, "{\"log\":\"\\u003c\\u0009\\ufffd\303\251\\\"\\n\",\"stream\":\"stdout\",\"time\":\"20");
        assert_non_null(rest);
        assert_true(str_ends(rest, "Z\"}\n"));
        rig_done(&r);
}

static void test_pieces_of_a_line(void **state)
{
        struct rig r;
        run(&r, &(struct rig_options){
                        .command = "for i in 1 2 3 4 5; do printf $i; printf e >&2; sleep 0.02; done; echo" });
        _cleanup_free_ char *log = rig_log(&r, "", NULL);
        assert_non_null(strstr(log, "{\"log\":\"12345\\n\""));
        assert_non_null(strstr(log, "{\"log\":\"eeeee\",\"stream\":\"stderr\""));
        rig_done(&r);
}

static void test_long_line(void **state)
{
        struct rig r;
        run(&r, &(struct rig_options){ .command = "head -c 100000 /dev/zero | tr '\\0' x; echo; echo after" });
        _cleanup_free_ char *log = rig_log(&r, "", NULL);
        size_t records = 0, whole = 0;
        for (char *p = log; (p = strchr(p, '\n')); p++)
                records++;
        for (char *p = log; (p = strstr(p, "\\n\",\"stream\"")); p++)
                whole++;
        assert_int_equal(records, 100000 / 16384 + 1 + 1);
        assert_int_equal(whole, 2);
        _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX);
        rig_log_text(&r, "stdout", &b);
        assert_int_equal(b.len, 100007);
        assert_string_equal(b.data + 99999, "x\nafter\n");
        rig_done(&r);
}

/* Arbitrary bytes: every one that is no UTF-8 becomes one U+FFFD, the ASCII ones stay in place, all records are JSON.
 * */
static void test_binary(void **state)
{
        struct rig r;
        run(&r, &(struct rig_options){ .command = "head -c 3000000 /dev/urandom | tr '\\200-\\377' '\\377'" });
        _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX);
        rig_log_text(&r, "stdout", &b);
        size_t bytes = 0, odd = 0;
        for (size_t i = 0; i < b.len; bytes++) {
                bool replaced = i + 3 <= b.len && memcmp(b.data + i, "\xef\xbf\xbd", 3) == 0;
                assert_true(replaced || (unsigned char)b.data[i] < 0x80);
                odd += replaced;
                i += replaced ? 3 : 1;
        }
        assert_int_equal(bytes, 3000000);
        assert_in_range(odd, 1400000, 1600000);
        rig_done(&r);
}

/* The same text whatever the size of the writes, with the other stream between. */
static void test_interleaved(void **state)
{
        struct rig r;
        run(&r, &(struct rig_options){
                        .command = "(i=0; while [ $i -lt 3000 ]; do echo out-$i; i=$((i+1)); done) & "
                                   "(i=0; while [ $i -lt 3000 ]; do echo err-$i >&2; i=$((i+1)); done) & wait" });
        const char *names[] = { "stdout", "stderr" };
        for (int s = 0; s < 2; s++) {
                _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX), expected = BUF_INIT(TEXT_MAX);
                struct err err = ERR_INIT;
                rig_log_text(&r, names[s], &b);
                for (int i = 0; i < 3000; i++)
                        buf_addf(&expected, &err, "%s-%d\n", s ? "err" : "out", i);
                assert_string_equal(b.data, expected.data);
        }
        rig_done(&r);
}

static void test_hundred_megabytes(void **state)
{
        struct rig r;
        size_t len = 0, lines = 0;
        int64_t before = time_monotonic();
        run(&r, &(struct rig_options){ .command = "yes 'a line of output as a program may write it, ninety characters "
                                                  "of it with its end ........' | head -c 104857600" });
        int64_t took = time_monotonic() - before;
        _cleanup_free_ char *log = rig_log(&r, "", &len);
        for (char *p = log; (p = memchr(p, '\n', (size_t)(log + len - p))); p++)
                lines++;
        assert_int_equal(lines, (104857600 + 89) / 90);
        print_message("100 MiB in %lld ms\n", (long long)took / 1000000);
        assert_true(took < 30000000000);
        rig_done(&r);
}

/* "tick 0000" .. in files of at most about 2000 bytes, three of them, newest first. */
static void test_rotation(void **state)
{
        struct rig r;
        run(&r, &(struct rig_options){ .command = "i=1000; while [ $i -lt 1200 ]; do echo tick $i; i=$((i+1)); done",
                                       .log_max_size = 2000,
                                       .log_max_files = 3 });
        const char *suffixes[] = { "", ".1", ".2" };
        int next = 1199;
        for (int f = 0; f < 3; f++) {
                size_t len;
                _cleanup_free_ char *log = rig_log(&r, suffixes[f], &len);
                assert_non_null(log);
                assert_true(len < 2200);
                if (f)
                        assert_true(len >= 2000);
                for (char *p = log + len; p > log; next--) {
                        _cleanup_free_ char *expected = xasprintf("{\"log\":\"tick %d\\n\"", next);
                        char *line = memrchr(log, '\n', (size_t)(p - 1 - log));
                        line = line ? line + 1 : log;
                        assert_true(str_starts(line, expected));
                        p = line;
                }
        }
        assert_true(next < 1180);
        assert_false(file_exists_at(r.dir_fd, "log.3"));
        rig_done(&r);
}

static void test_rotation_of_one(void **state)
{
        struct rig r;
        size_t len;
        run(&r, &(struct rig_options){ .command = "i=1000; while [ $i -lt 1200 ]; do echo tick $i; i=$((i+1)); done",
                                       .log_max_size = 2000,
                                       .log_max_files = 1 });
        _cleanup_free_ char *log = rig_log(&r, "", &len);
        assert_in_range(len, 1, 2200);
        assert_non_null(strstr(log, "tick 1199"));
        assert_null(strstr(log, "tick 1000\\n"));
        assert_false(file_exists_at(r.dir_fd, "log.1"));
        rig_done(&r);
}

/* A restart goes on in the same file, and half a record that a killed monitor left is cut off. */
static void test_append(void **state)
{
        static const struct {
                const char *before, *kept;
        } cases[] = {
                { "{\"log\":\"old\\n\"}\n", "{\"log\":\"old\\n\"}\n" },
                { "{\"log\":\"old\\n\"}\n{\"log\":\"tor", "{\"log\":\"old\\n\"}\n" },
                { "{\"log\":\"tor", "" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct rig r;
                struct err err = ERR_INIT;
                size_t len;
                rig_start(&r, &(struct rig_options){ .command = "sleep 0.2; echo new" });
                assert_int_equal(
                        file_write_at(r.dir_fd, "log", cases[i].before, strlen(cases[i].before), 0640, false, &err), 0);
                assert_int_equal(rig_wait(&r), 0);
                _cleanup_free_ char *log = rig_log(&r, "", &len),
                                    *expected = xasprintf("%s{\"log\":\"new\\n\"", cases[i].kept);
                assert_true(str_starts(log, expected));
                rig_done(&r);
        }
}

static void test_log_is_no_link(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "sleep 0.2; echo new" });
        assert_int_equal(symlinkat("victim", r.dir_fd, "log"), 0);
        assert_int_equal(rig_wait(&r), 0);
        assert_false(file_exists_at(r.dir_fd, "victim"));
        rig_done(&r);
}

/* What a process outside still writes is not waited for; what came before the exit is there. */
static void test_grandchild_holds_pipe(void **state)
{
        struct rig r;
        int64_t before = time_monotonic();
        rig_start(&r, &(struct rig_options){ .command = "setsid sh -c 'echo $$ >&2; exec yes' & sleep 0.1; exit 7" });
        assert_int_equal(rig_wait(&r), 0);
        assert_true(time_monotonic() - before < 10000000000);
        _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX);
        rig_log_text(&r, "stdout", &b);
        assert_true(b.len > 65536);
        rig_done(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_streams),
                cmocka_unit_test(test_nothing_written),
                cmocka_unit_test(test_exact_record),
                cmocka_unit_test(test_pieces_of_a_line),
                cmocka_unit_test(test_long_line),
                cmocka_unit_test(test_binary),
                cmocka_unit_test(test_interleaved),
                cmocka_unit_test(test_hundred_megabytes),
                cmocka_unit_test(test_rotation),
                cmocka_unit_test(test_rotation_of_one),
                cmocka_unit_test(test_append),
                cmocka_unit_test(test_log_is_no_link),
                cmocka_unit_test(test_grandchild_holds_pipe),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
