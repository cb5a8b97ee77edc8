/* The contract of log drivers, over each of them: what the container wrote comes out again, in order and byte for byte where the format has
 * room for it; a full disk, a torn end and a deaf server harm nothing but the log; memory stays flat. */
#include "rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/log-internal.h"
#include "listener.h"

enum { KEEPS_BYTES = 1, KEEPS_NEWLINE = 2, IS_FILE = 4 };
struct driver {
        const char *name, *format;
        unsigned traits;
        const struct log_reader_kind *reader;  /* of a file */
        enum listener_kind listener;           /* else */
};
static const struct driver drivers[] = {
        { "json-file", NULL, KEEPS_NEWLINE | IS_FILE, &log_reader_json_file, 0 },
        { "local", NULL, KEEPS_BYTES | KEEPS_NEWLINE | IS_FILE, &log_reader_local, 0 },
        { "k8s-file", NULL, KEEPS_BYTES | KEEPS_NEWLINE | IS_FILE, &log_reader_k8s_file, 0 },
        { "journald", NULL, KEEPS_BYTES | KEEPS_NEWLINE, NULL, LISTEN_DATAGRAM },
        { "syslog", NULL, KEEPS_BYTES, NULL, LISTEN_DATAGRAM },
        { "syslog", "rfc3164", 0, NULL, LISTEN_STREAM },
        { "syslog", "rfc5424", 0, NULL, LISTEN_TCP },
        { "syslog", "rfc5424micro", KEEPS_BYTES, NULL, LISTEN_UDP },
};

/* What came out: the texts, with a newline each where the driver tells of it, and their streams as a string of 'o' and 'e'. */
struct result {
        struct buf text, streams;
        size_t longest;
};

static void result_done(struct result *r)
{
        buf_done(&r->text);
        buf_done(&r->streams);
}

static void result_add(struct result *r, bool is_stderr, const char *text, size_t len)
{
        struct err err = ERR_INIT;
        assert_int_equal(buf_add(&r->text, text, len, &err) | buf_addc(&r->streams, is_stderr ? 'e' : 'o', &err), 0);
        r->longest = len > r->longest ? len : r->longest;
}

static void file_collect(const struct rig *rig, const struct driver *d, struct result *ret)
{
        _cleanup_free_ char *path = rig_path(rig, "log");
        struct log_source source = { .path = path, .id = "0123abcd", .tail = -1 };
        struct err err = ERR_INIT;
        struct log_entry entry;
        void *reader = d->reader->open(&source, &err);
        int more;
        assert_non_null(reader);
        for (int64_t before = 0; (more = d->reader->next(reader, &entry, &err)) == 1; before = entry.time) {
                assert_true(entry.time >= before && entry.time <= time_now() && entry.time > time_now() - 100000000000);
                result_add(ret, entry.is_stderr, entry.text, entry.len);
        }
        if (more < 0)
                fail_msg("%s", err.msg);
        d->reader->close(reader);
}

/* Bytes of the field, as long as it says. */
static const char *field_of(const char *message, size_t len, const char *name, size_t *ret_len)
{
        const char *at = memmem(message, len, name, strlen(name));
        assert_non_null(at);
        at += strlen(name);
        *ret_len = 0;
        for (int i = 7; i >= 0; i--)
                *ret_len = *ret_len << 8 | (unsigned char)at[i];
        assert_true(at + 8 + *ret_len < message + len && at[8 + *ret_len] == '\n');
        return at + 8;
}

static void journal_collect(const struct listener *l, struct result *ret)
{
        for (size_t i = 0; i < l->count; i++) {
                const char *m = l->messages[i];
                size_t len;
                const char *text = field_of(m, l->lengths[i], "MESSAGE\n", &len);
                assert_true(str_starts(m, "CONTAINER_TAG=tag\n"));
                bool goes_on = strstr(m, "CONTAINER_PARTIAL_MESSAGE=true\n") && !strstr(m, "CONTAINER_PARTIAL_LAST=true\n");
                _cleanup_free_ char *line = xmalloc(len + 1);
                memcpy(line, text, len);
                line[len] = '\n';
                result_add(ret, strstr(m, "PRIORITY=3\n"), line, len + !goes_on);
        }
}

/* daemon.info is 30, daemon.err 27. */
static void syslog_collect(const struct driver *d, const struct listener *l, struct result *ret)
{
        for (size_t i = 0; i < l->count; i++) {
                const char *m = l->messages[i], *end = m + l->lengths[i];
                const char *mark = d->format && str_starts(d->format, "rfc5424") ? " tag - " : "]: ";
                bool is_stderr = str_starts(m, "<27>");
                assert_true(is_stderr || str_starts(m, "<30>"));
                const char *text = strstr(m, mark);
                if (!text || end[-1] != '\n')
                        fail_msg("%s", m);
                result_add(ret, is_stderr, text + strlen(mark), (size_t)(end - 1 - text) - strlen(mark));
        }
}

/* Runs a command and hands over what its log says; expected: the least number of messages, of which the last is waited for. */
static void outcome(const struct driver *d, const char *command, uint64_t ring, size_t expected, struct result *ret)
{
        struct rig r;
        struct listener l;
        char folder[] = "/tmp/tare-listener.XXXXXX";
        *ret = (struct result){ BUF_INIT((size_t)64 << 20), BUF_INIT((size_t)64 << 20), 0 };
        struct rig_options o = { .command = command, .log_driver = d->name, .log_format = d->format, .log_ring = ring };
        assert_non_null(mkdtemp(folder));
        if (!(d->traits & IS_FILE)) {
                listener_start(&l, d->listener, folder, false);
                o.log_address = l.address;
                o.log_fixed = str_eq(d->name, "journald") ? "CONTAINER_TAG=tag\n" : "tag";
        }
        rig_start(&r, &o);
        assert_int_equal(rig_wait(&r), 0);
        if (d->traits & IS_FILE) {
                file_collect(&r, d, ret);
        } else {
                listener_wait(&l, expected);
                if (str_eq(d->name, "journald"))
                        journal_collect(&l, ret);
                else
                        syslog_collect(d, &l, ret);
                listener_done(&l);
        }
        rig_done(&r);
        struct err err = ERR_INIT;
        assert_int_equal(tree_remove_at(AT_FDCWD, folder, &err), 0);
}

#define EACH_DRIVER(d) for (const struct driver *d = drivers; d < drivers + ELEMENTS(drivers); d++)

static void without_newlines(struct buf *b)
{
        size_t kept = 0;
        for (size_t i = 0; i < b->len; i++)
                if (b->data[i] != '\n')
                        b->data[kept++] = b->data[i];
        b->len = kept;
        buf_terminate(b);
}

static void assert_bytes(const struct driver *d, const struct buf *b, const char *expected, size_t len)
{
        if (b->len != len || memcmp(b->data, expected, len) != 0)
                fail_msg("%s %s: %zu bytes instead of %zu: %.200s", d->name, d->format ? d->format : "", b->len, len, b->data);
}

static void test_order_and_ends(void **state)
{
        EACH_DRIVER(d) {
                for (uint64_t ring = 0; ring <= 1 << 20; ring += 1 << 20) {
                        struct result r;
                        outcome(d, "echo one; sleep 0.05; echo two >&2; sleep 0.05; echo; printf 'thr'; sleep 0.05; echo ee; printf 'no end'", ring, 5, &r);
                        assert_string_equal(r.streams.data, "oeooo");
                        bool newlines = d->traits & KEEPS_NEWLINE;
                        /* the journal has no word for a line without an end but that it is a part */
                        const char *text = newlines ? "one\ntwo\n\nthree\nno end" : "onetwothreeno end";
                        assert_bytes(d, &r.text, text, strlen(text));
                        result_done(&r);
                }
        }
}

static void test_long_lines(void **state)
{
        EACH_DRIVER(d) {
                struct result r;
                outcome(d, "head -c 40000 /dev/zero | tr '\\0' x; echo; echo after", 0, 4, &r);
                assert_true(r.longest <= 16384 + 1);
                without_newlines(&r.text);
                assert_int_equal(r.text.len, 40005);
                assert_int_equal(strspn(r.text.data, "x"), 40000);
                assert_string_equal(r.text.data + 40000, "after");
                result_done(&r);
        }
}

static void test_binary(void **state)
{
        static const char bytes[] = "\0\1\377\376\303(\r\t\"\\end";
        EACH_DRIVER(d) {
                struct result r;
                if (!(d->traits & KEEPS_BYTES))
                        continue;
                outcome(d, "printf '\\000\\001\\377\\376\\303(\\r\\t\"\\\\end\\n'", 0, 1, &r);
                assert_bytes(d, &r.text, (d->traits & KEEPS_NEWLINE) ? "\0\1\377\376\303(\r\t\"\\end\n" : bytes,
                             sizeof(bytes) - 1 + ((d->traits & KEEPS_NEWLINE) ? 1 : 0));
                result_done(&r);
        }
}

/* Each of them, in order. UDP may lose some where the machine is busy, so it is left out. */
static void test_many(void **state)
{
        EACH_DRIVER(d) {
                for (uint64_t ring = 0; ring <= 4 << 20; ring += 4 << 20) {
                        struct result r;
                        _cleanup_buf_ struct buf expected = BUF_INIT(1 << 20);
                        struct err err = ERR_INIT;
                        if (d->listener == LISTEN_UDP && !(d->traits & IS_FILE))
                                continue;
                        outcome(d, "i=1; while [ $i -le 3000 ]; do echo line $i; i=$((i+1)); done", ring, 3000, &r);
                        for (int i = 1; i <= 3000; i++)
                                buf_addf(&expected, &err, (d->traits & KEEPS_NEWLINE) ? "line %d\n" : "line %d", i);
                        assert_bytes(d, &r.text, expected.data, expected.len);
                        result_done(&r);
                }
        }
}

/* --- files --- */

/* What there is, is whole records in order, from the first on; and the container ended as ever. */
static void test_full_disk(void **state)
{
        EACH_DRIVER(d) {
                struct rig r;
                struct result result = { BUF_INIT((size_t)64 << 20), BUF_INIT((size_t)64 << 20), 0 };
                if (!(d->traits & IS_FILE))
                        continue;
                rig_start(&r, &(struct rig_options){ .command = "seq 1000000 1050000; exit 7", .log_driver = d->name, .file_size_max = 100000 });
                assert_int_equal(rig_wait(&r), 0);
                struct container_status status;
                rig_status(&r, &status);
                assert_int_equal(status.exit_code, 7);
                file_collect(&r, d, &result);
                assert_true(result.text.len >= 8 * 500);
                assert_int_equal(result.text.len % 8, 0);
                long last = 999999;
                for (size_t i = 0; i < result.text.len / 8; i++) {
                        long number = strtol(result.text.data + i * 8, NULL, 10);
                        assert_true(i < 500 ? number == last + 1 : number > last); /* what is smaller may still find room */
                        last = number;
                }
                assert_true(last <= 1050000);
                assert_int_equal(status.log_lost, 50001 - result.text.len / 8);
                result_done(&result);
                rig_done(&r);
        }
}

/* A file that was torn anywhere goes on with whole records, and loses none of those that are whole. */
static void test_torn(void **state)
{
        EACH_DRIVER(d) {
                struct err err = ERR_INIT;
                struct rig first;
                size_t len;
                if (!(d->traits & IS_FILE))
                        continue;
                rig_start(&first, &(struct rig_options){ .command = "echo old; echo torn", .log_driver = d->name });
                assert_int_equal(rig_wait(&first), 0);
                _cleanup_free_ char *log = rig_log(&first, "", &len);
                rig_done(&first);
                for (size_t cut = 0; cut <= len; cut += cut + 7 < len ? 7 : 1) {
                        struct rig r;
                        struct result result = { BUF_INIT(1 << 20), BUF_INIT(1 << 20), 0 };
                        rig_start(&r, &(struct rig_options){ .command = "sleep 0.1; echo new", .log_driver = d->name });
                        assert_int_equal(file_write_at(r.dir_fd, "log", log, cut, 0640, false, &err), 0);
                        assert_int_equal(rig_wait(&r), 0);
                        file_collect(&r, d, &result);
                        const char *all = "old\ntorn\nnew\n", *one = "old\nnew\n", *none = "new\n";
                        const char *expected = cut == len ? all : strcmp(result.text.data, one) == 0 ? one : none;
                        assert_string_equal(result.text.data, expected);
                        result_done(&result);
                        rig_done(&r);
                }
        }
}

/* A file that was moved away is made anew when the monitor is told so. */
static void test_reopen(void **state)
{
        EACH_DRIVER(d) {
                struct rig r;
                struct result result = { BUF_INIT(1 << 20), BUF_INIT(1 << 20), 0 };
                if (!(d->traits & IS_FILE))
                        continue;
                _cleanup_free_ char *command = NULL;
                rig_start(&r, &(struct rig_options){ .command = "echo before; read x; echo after; exit 0", .log_driver = d->name, .attach = true,
                                                     .attach_stdin = true, .open_stdin = true });
                session_expect(r.client, "before");
                rig_wait_file(&r, "log");
                assert_int_equal(renameat(r.dir_fd, "log", r.dir_fd, "moved"), 0);
                kill(r.monitor, SIGUSR1);
                busy_wait_ms(50);
                session_type(r.client, ATTACH_STDIN, "go\n", 3);
                session_expect(r.client, "after");
                rig_wait_file(&r, "log");
                close(r.client);
                r.client = -1;
                assert_int_equal(rig_wait(&r), 0);
                file_collect(&r, d, &result);
                assert_string_equal(result.text.data, "after\n");
                assert_true(file_exists_at(r.dir_fd, "moved"));
                result_done(&result);
                rig_done(&r);
        }
}

/* With a packer that has packed the first rotated file and not the second: nothing old stands in the way of what is newer. */
static void test_rotation_of_packed(void **state)
{
        struct rig r;
        struct err err = ERR_INIT;
        rig_start(&r, &(struct rig_options){ .command = "sleep 0.2; seq 100000 113000", .log_driver = "local", .log_max_size = 100000,
                                             .log_max_files = 3, .log_packer = "/bin/true" });
        assert_int_equal(file_write_at(r.dir_fd, "log.1.zst", "packed", 6, 0640, false, &err), 0);
        assert_int_equal(file_write_at(r.dir_fd, "log.2", "oldest", 6, 0640, false, &err), 0);
        while (!file_exists_at(r.dir_fd, "log.1"))
                busy_wait_ms(1);
        assert_int_equal(rig_wait(&r), 0);
        assert_true(file_exists_at(r.dir_fd, "log.2.zst") && !file_exists_at(r.dir_fd, "log.2") && !file_exists_at(r.dir_fd, "log.1.zst"));
        rig_done(&r);
}

/* --- bounds --- */

static size_t peak_memory(pid_t pid)
{
        _cleanup_free_ char *path = xasprintf("/proc/%d/status", (int)pid);
        _cleanup_buf_ struct buf b = BUF_INIT(65536);
        struct err err = ERR_INIT;
        assert_int_equal(file_read_at(AT_FDCWD, path, &b, &err), 0);
        const char *line = strstr(b.data, "VmHWM:");
        assert_non_null(line);
        return (size_t)strtoul(line + 6, NULL, 10) * 1024;
}

/* A container that prints twenty megabytes, and then waits; peak: the most the monitor ever had in memory. */
static void burst(struct rig_options *o, const char *folder, size_t *ret_peak)
{
        struct rig r;
        _cleanup_free_ char *done = xasprintf("%s/done", folder), *go = xasprintf("%s/go", folder);
        _cleanup_free_ char *command = xasprintf("yes 'a line as a program may write it' | head -c 20971520; touch %s; while [ ! -e %s ]; do sleep 0.01; done",
                                                 done, go);
        struct err err = ERR_INIT;
        o->command = command;
        rig_start(&r, o);
        for (int left = 20000; left > 0 && access(done, F_OK) < 0; left -= 5)
                busy_wait_ms(5);
        assert_int_equal(access(done, F_OK), 0);
        *ret_peak = peak_memory(r.monitor);
        assert_int_equal(file_write_at(AT_FDCWD, go, "", 0, 0600, false, &err), 0);
        assert_int_equal(rig_wait(&r), 0);
        rig_done(&r);
        assert_int_equal(unlink(done) | unlink(go), 0);
}

static void test_memory(void **state)
{
        char folder[] = "/tmp/tare-listener.XXXXXX";
        if (getenv("TARE_TEST_SANITIZED"))
                skip();
        assert_non_null(mkdtemp(folder));
        EACH_DRIVER(d) {
                size_t peak;
                if (!(d->traits & IS_FILE))
                        continue;
                burst(&(struct rig_options){ .log_driver = d->name }, folder, &peak);
                if (peak > 2 << 20)
                        fail_msg("%s: %zu kB", d->name, peak >> 10);
        }
        assert_int_equal(rmdir(folder), 0);
}

/* A server that takes nothing: the container is not held up, what finds no room is lost, and memory stays within the ring. */
static void test_non_blocking(void **state)
{
        struct listener l;
        char folder[] = "/tmp/tare-listener.XXXXXX";
        struct err err = ERR_INIT;
        size_t peak;
        assert_non_null(mkdtemp(folder));
        listener_start(&l, LISTEN_STREAM, folder, true);
        burst(&(struct rig_options){ .log_driver = "syslog", .log_address = l.address, .log_fixed = "tag", .log_ring = 1 << 20 }, folder, &peak);
        assert_true(getenv("TARE_TEST_SANITIZED") || peak < 4 << 20);
        listener_done(&l);
        assert_int_equal(tree_remove_at(AT_FDCWD, folder, &err), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order_and_ends), cmocka_unit_test(test_long_lines), cmocka_unit_test(test_binary),
                cmocka_unit_test(test_many),           cmocka_unit_test(test_full_disk),  cmocka_unit_test(test_torn),
                cmocka_unit_test(test_reopen), cmocka_unit_test(test_rotation_of_packed),         cmocka_unit_test(test_memory),     cmocka_unit_test(test_non_blocking),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
