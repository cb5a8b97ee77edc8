/* Talking to criu without criu: the wire format byte by byte, answers, the table of mounts, and a shell in criu's place. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/str.h"
#include "runtime/criu-internal.h"
#include "runtime/mountinfo-internal.h"
#include "runtime/protobuf-internal.h"

#define BYTES(s) (s), sizeof(s) - 1

static void expect_bytes(const struct buf *b, const char *bytes, size_t len)
{
        assert_int_equal(b->len, len);
        assert_memory_equal(b->data, bytes, len);
}

/* The numbers are those of protobuf's own documentation: 150 is 96 01, "testing" in field 2 is 12 07 74... */
static void test_written(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_buf_ struct buf b = BUF_INIT(256);
        assert_int_equal(protobuf_number(&b, 1, 150, &err), 0);
        assert_int_equal(protobuf_text(&b, 2, "testing", &err), 0);
        assert_int_equal(protobuf_text(&b, 3, NULL, &err), 0);
        assert_int_equal(protobuf_number(&b, 63, 0, &err), 0);
        assert_int_equal(protobuf_number(&b, 1, UINT64_MAX, &err), 0);
        expect_bytes(&b, BYTES("\x08\x96\x01\x12\x07testing\xf8\x03\x00\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
        struct buf small = BUF_INIT(4);
        assert_int_equal(protobuf_text(&small, 1, "more than four", &err), -1);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
        buf_done(&small);
}

static void test_read(void **state)
{
        static const char bytes[] = "\x08\x96\x01\x12\x07testing\x1d" "abcd\x21" "efghijkl";
        struct err err = ERR_INIT;
        struct protobuf_field f;
        struct protobuf_reader r = protobuf_read(BYTES(bytes));
        assert_int_equal(protobuf_next(&r, &f, &err), 1);
        assert_true(f.is_number && f.number == 1 && f.value == 150);
        assert_int_equal(protobuf_next(&r, &f, &err), 1);
        assert_true(!f.is_number && f.number == 2 && f.len == 7 && memcmp(f.data, "testing", 7) == 0);
        assert_int_equal(protobuf_next(&r, &f, &err), 1);
        assert_true(f.number == 3 && f.len == 4);
        assert_int_equal(protobuf_next(&r, &f, &err), 1);
        assert_true(f.number == 4 && f.len == 8);
        assert_int_equal(protobuf_next(&r, &f, &err), 0);
}

static void expect_no_message(const char *bytes, size_t len)
{
        struct err err = ERR_INIT;
        struct criu_answer a = { .type = 77 };
        assert_int_equal(criu_answer_parse(bytes, len, &a, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_int_equal(a.type, 77);
}

static void test_damaged(void **state)
{
        expect_no_message(BYTES("\x08"));                                         /* a number that does not come */
        expect_no_message(BYTES("\x08\x96"));                                     /* nor end */
        expect_no_message(BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")); /* more than 64 bits */
        expect_no_message(BYTES("\x12\x7f" "abc"));                               /* longer than there is */
        expect_no_message(BYTES("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")); /* very much longer */
        expect_no_message(BYTES("\x0b"));                                         /* a group */
        expect_no_message(BYTES("\x00\x01"));                                     /* field 0 */
        expect_no_message(BYTES("\x1d" "abc"));
        expect_no_message(BYTES("\x2a\x02\x0a\x7f"));                             /* damage in the message within */
}

static void test_answers(void **state)
{
        struct err err = ERR_INIT;
        struct criu_answer a;
        assert_int_equal(criu_answer_parse(BYTES("\x08\x06\x10\x01\x2a\x0f\x0a\x0bpost-resume\x10\x2a"), &a, &err), 0);
        assert_true(a.type == CRIU_NOTIFY && a.success && str_eq(a.script, "post-resume") && a.pid == 42);
        assert_int_equal(criu_answer_parse(BYTES("\x08\x0a\x10\x01\x52\x06\x08\x03\x10\x11\x20\x01"), &a, &err), 0);
        assert_true(a.type == CRIU_VERSION && a.version == 31701);
        assert_int_equal(criu_answer_parse(BYTES("\x08\x02\x10\x01\x22\x02\x08\x07"), &a, &err), 0);
        assert_true(a.type == CRIU_RESTORE && a.success && a.pid == 7);
        assert_int_equal(criu_answer_parse(BYTES("\x08\x01\x10\x00\x38\x03\x4a\x02no\xf8\x7f\x01"), &a, &err), 0);
        assert_true(a.type == CRIU_DUMP && !a.success && a.number == 3 && str_eq(a.text, "no"));
        assert_int_equal(criu_answer_parse(BYTES("\x08\x09\x10\x01\x42\x04\x08\x00\x10\x01"), &a, &err), 0);
        assert_int_equal(a.features, 1u << CRIU_FEATURE_LAZY_PAGES);
        /* a name that is longer than any of criu's is cut */
        assert_int_equal(criu_answer_parse(BYTES("\x08\x06\x10\x01\x2a\x2a\x0a\x28" "0123456789012345678901234567890123456789"), &a, &err), 0);
        assert_string_equal(a.script, "0123456789012345678901234567890");
}

static void test_requests(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_buf_ struct buf b = BUF_INIT(256), options = BUF_INIT(256);
        assert_int_equal(criu_request(&b, CRIU_VERSION, NULL, 0, &err), 0);
        expect_bytes(&b, BYTES("\x08\x0a\x20\x01"));
        buf_reset(&b);
        assert_int_equal(criu_request(&b, CRIU_FEATURES, NULL, CRIU_FEATURE_LAZY_PAGES, &err), 0);
        expect_bytes(&b, BYTES("\x08\x09\x2a\x02\x10\x01\x20\x01"));
        buf_reset(&b);
        assert_int_equal(criu_option_pair(&options, CRIU_MOUNTS, "/a", "/b", &err), 0);
        assert_int_equal(criu_option_numbered(&options, CRIU_INHERITED, "pipe:[1]", 2, &err), 0);
        assert_int_equal(criu_option_pair(&options, CRIU_CGROUP_ROOTS, NULL, "/c", &err), 0);
        assert_int_equal(criu_option_flag(&options, CRIU_SHELL_JOB, true, &err), 0);
        assert_int_equal(criu_option_flag(&options, CRIU_TCP, false, &err), 0);
        expect_bytes(&options, BYTES("\xba\x01\x08\x0a\x02/a\x12\x02/b\xda\x01\x0c\x0a\x08pipe:[1]\x10\x02\xca\x01\x04\x12\x02/c\x38\x01"));
        assert_int_equal(criu_request(&b, CRIU_DUMP, &options, 0, &err), 0);
        assert_memory_equal(b.data, "\x08\x01\x12\x23\xba\x01", 6);
        buf_reset(&b);
        assert_int_equal(criu_notify_answer(&b, &err), 0);
        expect_bytes(&b, BYTES("\x08\x06\x18\x01"));
}

static void test_mounts(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_mountinfo_ struct mountinfo m = { 0 };
        char text[] = "20 1 0:5 / / rw - ext4 /dev/a rw\n"
                      "21 20 0:6 /x /with\\040blank\\134 rw shared:3 master:1 - tmpfs a\\040- rw\n"
                      "30 21 0:6 / /with\\040blank\\134/below ro - cgroup2 none rw\n";
        assert_int_equal(mountinfo_parse(text, &m, &err), 0);
        assert_int_equal(m.count, 3);
        assert_string_equal(m.list[1].place, "/with blank\\");
        assert_string_equal(m.list[1].type, "tmpfs");
        assert_string_equal(m.list[2].type, "cgroup2");
        assert_true(mountinfo_is_on(&m, &m.list[2], 20) && mountinfo_is_on(&m, &m.list[2], 21));
        assert_false(mountinfo_is_on(&m, &m.list[0], 21) || mountinfo_is_on(&m, &m.list[2], 30));
        assert_null(mountinfo_find(&m, 1));
        char round[] = "1 2 0:5 / / rw - ext4 a rw\n2 1 0:5 / / rw - ext4 a rw\n", none[] = "1 2 3\n", no_type[] = "1 2 0:5 / / rw ext4\n";
        _cleanup_mountinfo_ struct mountinfo ring = { 0 }, unused = { 0 };
        assert_int_equal(mountinfo_parse(round, &ring, &err), 0);
        assert_false(mountinfo_is_on(&ring, &ring.list[0], 99)); /* and it ends */
        assert_int_equal(mountinfo_parse(none, &unused, &err), -1);
        assert_int_equal(mountinfo_parse(no_type, &unused, &err), -1);
}

/* ---- a shell in criu's place: what it prints on the socket is criu's answer ---- */

static char program[] = "/tmp/tare-criu-XXXXXX";

static void pretend(const char *script)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *text = xasprintf("#!/bin/sh\n%s\n", script);
        assert_int_equal(file_write_at(AT_FDCWD, program, text, strlen(text), 0700, false, &err), 0);
}

static int ask(const char *log, struct criu *c, struct err *err)
{
        const struct criu_start start = { .program = program, .log = log, .folders = { "/tmp" }, .stdio = { -1, -1, -1 } };
        return criu_open(&start, c, err);
}

static void test_session(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_criu_ struct criu c = CRIU_INIT;
        _cleanup_buf_ struct buf options = BUF_INIT(16);
        pid_t pid = 0;
        pretend("[ \"$1\" = swrk ] || exit 1\n"
                "eval \"exec 3<&$2 4>&$2\"\n"
                "dd bs=4096 count=1 <&3 2>/dev/null | od -An -tx1 >$0.asked\n"
                "printf '\\10\\12\\20\\1\\122\\4\\10\\4\\20\\1' >&4\n"
                "dd bs=4096 count=1 <&3 >/dev/null 2>&1\n"
                "printf '\\10\\2\\20\\1\\42\\2\\10\\7' >&4");
        assert_int_equal(ask(NULL, &c, &err), 0);
        assert_int_equal(c.version, 40100);
        struct stat ours, folder;
        assert_int_equal(fstat(c.folders[0], &ours), 0);
        assert_int_equal(stat("/tmp", &folder), 0);
        assert_true(ours.st_ino == folder.st_ino && c.folders[1] == -1);
        assert_int_equal(criu_call(&c, CRIU_RESTORE, &options, NULL, NULL, &pid, &err), 0);
        assert_int_equal(pid, 7);
        _cleanup_free_ char *asked = xasprintf("%s.asked", program);
        _cleanup_free_ char *line = NULL;
        assert_int_equal(file_line_at(AT_FDCWD, asked, &line, &err), 0);
        assert_string_equal(str_trim(line), "08 0a 20 01");
        unlink(asked);
}

static void test_refusals(void **state)
{
        struct err err = ERR_INIT;
        struct criu c = CRIU_INIT;
        _cleanup_buf_ struct buf options = BUF_INIT(16);
        _cleanup_free_ char *log = xasprintf("%s.log", program);
        static const char said[] = "(00.1) Error (a.c:1): first\n(00.2) Warn (b.c:2): no\n(00.3) Error (c.c:3): the cause\n"
                                   "(00.4) Error (d.c:4): the effect\n(00.5) Error (e.c:5): Dumping FAILED.\n";
        pretend("exit 3");
        assert_int_equal(ask(NULL, &c, &err), -1);
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        assert_non_null(strstr(err.msg, "status 3"));
        pretend("eval \"exec 4>&$2\"; printf '\\10\\12\\20\\1\\122\\4\\10\\2\\20\\11' >&4; sleep 1000");
        assert_int_equal(ask(NULL, &c, &err), -1); /* and it is not waited for */
        assert_int_equal(err.kind, ERR_UNSUPPORTED);
        pretend("eval \"exec 3<&$2 4>&$2\"; printf '\\10\\12\\20\\1\\122\\4\\10\\4\\20\\1' >&4\n"
                "dd bs=4096 count=2 <&3 >/dev/null 2>&1; printf '\\10\\1\\20\\0' >&4");
        assert_int_equal(file_write_at(AT_FDCWD, log, said, sizeof(said) - 1, 0600, false, &err), 0);
        err_clear(&err);
        assert_int_equal(ask(log, &c, &err), 0);
        assert_int_equal(criu_call(&c, CRIU_DUMP, &options, NULL, NULL, NULL, &err), -1);
        _cleanup_free_ char *want = xasprintf("criu failed: dump: Error (c.c:3): the cause; Error (d.c:4): the effect; log file: %s", log);
        assert_string_equal(err.msg, want);
        criu_done(&c);
        unlink(log);
        unlink(program);
        assert_int_equal(ask(NULL, &c, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_written),  cmocka_unit_test(test_read),   cmocka_unit_test(test_damaged),
                cmocka_unit_test(test_answers),  cmocka_unit_test(test_requests), cmocka_unit_test(test_mounts),
                cmocka_unit_test(test_session),  cmocka_unit_test(test_refusals),
        };
        int fd = mkstemp(program);
        mem_closep(&fd);
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        unlink(program);
        return failed;
}
