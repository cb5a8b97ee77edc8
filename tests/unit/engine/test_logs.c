/* Logs: records decoded, files as one stream, tail, times, rotation under the reader's feet, follow to the end. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/path.h"
#include "base/timefmt.h"
#include "base/linefiles.h"
#include "engine/log_record-internal.h"

static const char *decoded(const char *text)
{
        static char out[256];
        out[log_text_decode(out, text, strlen(text))] = '\0';
        return out;
}

static void test_decode(void **state)
{
        assert_string_equal(decoded("plain"), "plain");
        assert_string_equal(decoded("a\\n\\\"b\\\\\\t"), "a\n\"b\\\t");
        assert_string_equal(decoded("\\u003ca\\u003e \\u00e9 \\u2028"), "<a> \xc3\xa9 \xe2\x80\xa8");
        assert_string_equal(decoded("\\ud83d\\ude00"), "\xf0\x9f\x98\x80");
        assert_string_equal(decoded("\\ud83dx"), "\xef\xbf\xbdx");
        assert_string_equal(decoded("\\u12"), "\xef\xbf\xbd" "12");
        assert_string_equal(decoded("end\\"), "end");
        char out[8];
        assert_int_equal(log_text_decode(out, "a\\u0000b", 8), 3);
        assert_memory_equal(out, "a\0b", 3);
}

static bool parses(const char *line, struct log_record *r) { return log_record_parse(line, strlen(line), r); }

static void test_parse(void **state)
{
        struct log_record r;
        assert_true(parses("{\"log\":\"hi\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:01.5Z\"}", &r));
        assert_false(r.is_stderr);
        assert_int_equal(r.time, 1500000000);
        assert_int_equal(r.len, 4);
        assert_true(parses("{\"log\":\"\",\"stream\":\"stderr\",\"time\":\"1970-01-01T00:00:00Z\"}", &r));
        assert_true(r.is_stderr);
        assert_int_equal(r.len, 0);
        /* a text that looks like a record's end */
        assert_true(parses("{\"log\":\"\\\",\\\"stream\\\":\\\"stderr\\\",\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:02Z\"}", &r));
        assert_false(r.is_stderr);
        static const char *const bad[] = {
                "", "{}", "{\"log\":\"", "{\"log\":\"x\",\"stream\":\"stdout\"}", "{\"log\":\"x\",\"stream\":\"stdxxx\",\"time\":\"1970-01-01T00:00:00Z\"}",
                "{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"never\"}", "garbage,\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:00Z\"}",
                "{\"log\":\"\"}", "{\"log\":\"x\",\"stream\":\"std\"}",
        };
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (parses(bad[i], &r))
                        fail_msg("taken for a record: %s", bad[i]);
}

/* --- through the engine --- */

static char id[65];

static char *log_path(struct fixture *f, unsigned n)
{
        return n ? xasprintf("root/containers/%s/%s-json.log.%u", id, id, n) : xasprintf("root/containers/%s/%s-json.log", id, id);
}

/* Lines "from".."to" of one per second; even ones are stderr. */
static void lines_add(struct buf *b, int from, int to)
{
        struct err err = ERR_INIT;
        for (int i = from; i <= to; i++)
                buf_addf(b, &err, "{\"log\":\"%d\\n\",\"stream\":\"%s\",\"time\":\"1970-01-01T00:%02d:%02d.25Z\"}\n", i, i % 2 ? "stdout" : "stderr",
                         i / 60 % 60, i % 60);
}

static void log_put(struct fixture *f, unsigned n, int from, int to)
{
        _cleanup_buf_ struct buf b = BUF_INIT(0);
        _cleanup_free_ char *path = log_path(f, n);
        lines_add(&b, from, to);
        file_put(f, path, b.data ? b.data : "");
}

static int collect(void *data, const struct log_line *line, struct err *err)
{
        return buf_add(data, line->bytes, line->len, err);
}

#define ALL .out = true, .err_ = true, .tail = -1
#define LOGS(f, expected, ...)                                                                                         \
        do {                                                                                                           \
                _cleanup_buf_ struct buf _out = BUF_INIT(0);                                                           \
                struct log_options _o = { __VA_ARGS__ };                                                               \
                OK(container_logs((f)->e, "box", &_o, collect, &_out, &err));                                          \
                assert_string_equal(_out.data ? _out.data : "", (expected));                                           \
        } while (0)

static struct fixture *boxed(void **state)
{
        id_of('a', id);
        row_plain(*state, 'a', "box");
        return *state;
}

static void test_whole(void **state)
{
        struct fixture *f = boxed(state);
        LOGS(f, "", ALL);              /* never started */
        log_put(f, 2, 1, 3);
        log_put(f, 1, 4, 5);
        log_put(f, 0, 6, 8);
        LOGS(f, "1\n2\n3\n4\n5\n6\n7\n8\n", ALL);
        LOGS(f, "1\n3\n5\n7\n", .out = true, .tail = -1);
        LOGS(f, "2\n4\n6\n8\n", .err_ = true, .tail = -1);
        LOGS(f, "4\n5\n6\n7\n8\n", ALL, .since = 4000000000);
        LOGS(f, "1\n2\n3\n", ALL, .until = 3300000000);
        LOGS(f, "3\n4\n", ALL, .since = 3000000000, .until = 4900000000);
        struct log_options none = { .tail = -1 };
        FAILS(container_logs(f->e, "box", &none, collect, NULL, &err), ERR_INVALID, "at least one stream");
        FAILS(container_logs(f->e, "other", &none, collect, NULL, &err), ERR_NOT_FOUND, "No such container: other");
}

static void test_tail(void **state)
{
        struct fixture *f = boxed(state);
        log_put(f, 2, 1, 3);
        log_put(f, 1, 4, 5);
        log_put(f, 0, 6, 8);
        static const char *const expected[] = { "", "8\n", "7\n8\n", "6\n7\n8\n", "5\n6\n7\n8\n", "4\n5\n6\n7\n8\n", "3\n4\n5\n6\n7\n8\n" };
        for (size_t n = 0; n < ELEMENTS(expected); n++)
                LOGS(f, expected[n], .out = true, .err_ = true, .tail = (int64_t)n);
        LOGS(f, "1\n2\n3\n4\n5\n6\n7\n8\n", .out = true, .err_ = true, .tail = 8);
        LOGS(f, "1\n2\n3\n4\n5\n6\n7\n8\n", .out = true, .err_ = true, .tail = 1000000);
        /* the newest is missing for a moment, as between rotation and the next byte */
        _cleanup_free_ char *path = log_path(f, 0), *full = path_join(f->dir, path);
        assert_int_equal(unlink(full), 0);
        LOGS(f, "3\n4\n5\n", .out = true, .err_ = true, .tail = 3);
}

static void test_tail_large(void **state)
{
        struct fixture *f = boxed(state);
        _cleanup_buf_ struct buf b = BUF_INIT(0), expected = BUF_INIT(0);
        struct err full = ERR_INIT;
        _cleanup_free_ char *path = log_path(f, 0);
        lines_add(&b, 1, 9000);        /* many blocks */
        file_put(f, path, b.data);
        for (int i = 4001; i <= 9000; i++)
                buf_addf(&expected, &full, "%d\n", i);
        LOGS(f, expected.data, .out = true, .err_ = true, .tail = 5000);
}

static void test_damaged(void **state)
{
        struct fixture *f = boxed(state);
        _cleanup_buf_ struct buf b = BUF_INIT(0);
        _cleanup_free_ char *path = log_path(f, 0);
        struct err full = ERR_INIT;
        lines_add(&b, 1, 1);
        buf_adds(&b, "{\"log\":\"torn {\"log\":\"x\n\n", &full);
        for (int i = 0; i < (3 << 20); i++)
                buf_addc(&b, 'x', &full); /* longer than any line may be */
        buf_addc(&b, '\n', &full);
        lines_add(&b, 2, 2);
        buf_adds(&b, "{\"log\":\"unfinished", &full);
        file_put(f, path, b.data);
        LOGS(f, "1\n2\n", ALL);
}

static void test_driver_none(void **state)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container c = { 0 };
        struct log_options o = { ALL };
        container_config_init(&c.config);
        id_of('b', c.id);
        c.config.log_driver = xstrdup("none");
        row_put(f, &c, "mute");
        FAILS(container_logs(f->e, "mute", &o, collect, NULL, &err), ERR_UNSUPPORTED, "configured logging driver does not support reading");
}

/* --- files changing under the reader --- */

static void append(const char *path, int from, int to)
{
        _cleanup_buf_ struct buf b = BUF_INIT(0);
        lines_add(&b, from, to);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, b.data, b.len), (ssize_t)b.len);
}

static void shift(const char *path, unsigned from, unsigned to)
{
        _cleanup_free_ char *old = from ? xasprintf("%s.%u", path, from) : xstrdup(path), *new = xasprintf("%s.%u", path, to);
        assert_int_equal(rename(old, new), 0);
}

static void expect_lines(struct line_files *l, int from, int to)
{
        const char *line;
        char text[16];
        size_t len;
        struct log_record r;
        struct err err = ERR_INIT;
        for (int i = from; i <= to; i++) {
                assert_int_equal(line_files_line(l, &line, &len, &err), 1);
                assert_true(log_record_parse(line, len, &r));
                snprintf(text, sizeof(text), "%d\\n", i);
                assert_int_equal(r.len, strlen(text));
                assert_memory_equal(r.text, text, r.len);
        }
        assert_int_equal(line_files_line(l, &line, &len, &err), 0);
}

static void test_rotation(void **state)
{
        struct fixture *f = *state;
        _cleanup_free_ char *path = path_join(f->dir, "log");
        _cleanup_line_files_ struct line_files l = { .file = { .fd = -1 } };
        OK(line_files_open(path, -1, 0, NULL, &l, &err));
        expect_lines(&l, 1, 0);        /* nothing there yet */
        append(path, 1, 3);
        expect_lines(&l, 1, 3);
        append(path, 4, 5);
        shift(path, 0, 1);
        append(path, 6, 7);
        expect_lines(&l, 4, 7);
        /* three rotations between two looks; the last of our file is written before them */
        append(path, 8, 8);
        shift(path, 1, 2), shift(path, 0, 1);
        append(path, 9, 9);
        shift(path, 2, 3), shift(path, 1, 2), shift(path, 0, 1);
        expect_lines(&l, 8, 9);
        append(path, 10, 11);
        expect_lines(&l, 10, 11);
        /* our file is rotated away altogether: on with the oldest there is */
        shift(path, 0, 1);
        append(path, 20, 20);
        shift(path, 1, 2), shift(path, 0, 1);
        _cleanup_free_ char *ours = xasprintf("%s.2", path), *older = xasprintf("%s.3", path);
        assert_int_equal(unlink(ours), 0);
        assert_int_equal(unlink(older), 0);
        append(path, 21, 21);
        expect_lines(&l, 20, 21);
}

static void test_truncation(void **state)
{
        struct fixture *f = *state;
        _cleanup_free_ char *path = path_join(f->dir, "log");
        append(path, 1, 9);
        _cleanup_line_files_ struct line_files l = { .file = { .fd = -1 } };
        OK(line_files_open(path, 2, 0, NULL, &l, &err));
        expect_lines(&l, 8, 9);
        assert_int_equal(truncate(path, 0), 0);
        append(path, 10, 12);
        expect_lines(&l, 10, 12);
}

/* --- follow --- */

/* Stands in for a monitor: holds its lock, writes, rotates, says that the container has ended. */
static void monitor_play(struct fixture *f, int ready)
{
        struct err err = ERR_INIT;
        struct container_status status = { .state = STATE_RUNNING, .pid = getpid(), .started = 1000 };
        _cleanup_free_ char *name = log_path(f, 0), *path = path_join(f->dir, name), *run_path = run_dir_path(f->e, id);
        if (path_mkdirs(run_path, 0700, &err) < 0)
                _exit(1);
        int run_dir = open(run_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int lock = monitor_lock(run_dir, &err);
        if (lock < 0 || container_status_write(run_dir, &status, &err) < 0 || write(ready, "x", 1) != 1)
                _exit(1);
        for (int i = 2; i <= 40; i++) {
                append(path, i, i);
                if (i == 20)
                        shift(path, 0, 1);
                usleep(2000);
        }
        append(path, 41, 41);
        status.state = STATE_EXITED;
        status.finished = 2000;
        if (container_status_write(run_dir, &status, &err) < 0)
                _exit(1);
        usleep(20000);                 /* the lock goes later than the word */
        _exit(0);
}

static void test_follow(void **state)
{
        struct fixture *f = boxed(state);
        int ready[2], status;
        char byte;
        OK(container_row_set_state(f->e, id, STATE_RUNNING, &err));
        log_put(f, 0, 1, 1);
        assert_int_equal(pipe(ready), 0);
        pid_t pid = fork();
        if (pid == 0)
                monitor_play(f, ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        _cleanup_buf_ struct buf expected = BUF_INIT(0);
        struct err full = ERR_INIT;
        for (int i = 1; i <= 41; i++)
                buf_addf(&expected, &full, "%d\n", i);
        LOGS(f, expected.data, ALL, .follow = true);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        /* over: the same again without waiting */
        LOGS(f, "40\n41\n", .out = true, .err_ = true, .tail = 2, .follow = true);
        close(ready[0]);
        close(ready[1]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decode), cmocka_unit_test(test_parse), T(test_whole),    T(test_tail),       T(test_tail_large), T(test_damaged),
                T(test_driver_none),           T(test_rotation),             T(test_truncation), T(test_follow),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
