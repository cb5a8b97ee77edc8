/* Reading the local driver's files: all of them as one, from a time, from behind, while they grow and are rotated, with damage inside. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/log-internal.h"
#include "runtime/log_page.h"

#define SECOND 1000000000
#define RECORDS 10 /* of a page */

static char dir[64];

static char *name_of(unsigned n) { return n ? xasprintf("%s/log.%u", dir, n) : xasprintf("%s/log", dir); }

static int setup(void **state)
{
        snprintf(dir, sizeof(dir), "/tmp/tare-log-local.XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
        struct err err = ERR_INIT;
        return tree_remove_at(AT_FDCWD, dir, &err);
}

/* Records "from".."to", one a second, RECORDS to a page of full size but the last. */
static void file_make(unsigned n, int from, int to)
{
        _cleanup_free_ char *name = name_of(n);
        _cleanup_close_ int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        while (from <= to) {
                uint8_t page[LOG_PAGE] = { 0 };
                size_t at = log_page_begin(page, (int64_t)from * SECOND);
                for (int i = 0; i < RECORDS && from <= to; i++, from++) {
                        char text[16];
                        size_t len = (size_t)snprintf(text, sizeof(text), "%d", from);
                        at += log_record_begin(page + at, from % 2 ? 0 : LOG_STDERR, i ? SECOND : 0, len);
                        memcpy(page + at, text, len);
                        at += len;
                }
                size_t whole = from <= to ? LOG_PAGE : at;
                assert_int_equal(write(fd, page, whole), (ssize_t)whole);
        }
}

struct reading { struct log_source source; char *path; void *reader; };

static void reading_open(struct reading *r, int64_t tail, int64_t since)
{
        struct err err = ERR_INIT;
        r->path = name_of(0);
        r->source = (struct log_source){ .path = r->path, .id = "x", .tail = tail, .since = since };
        r->reader = log_reader_local.open(&r->source, &err);
        if (!r->reader)
                fail_msg("%s", err.msg);
}

static void reading_done(struct reading *r)
{
        log_reader_local.close(r->reader);
        free(r->path);
}

/* The next number, 0: nothing more. */
static int number(struct reading *r)
{
        struct log_entry e;
        struct err err = ERR_INIT;
        int more = log_reader_local.next(r->reader, &e, &err);
        if (more < 0)
                fail_msg("%s", err.msg);
        if (more == 0)
                return 0;
        int n = (int)strtol(e.text, NULL, 10);
        assert_true(e.text[e.len - 1] == '\n' && e.is_stderr == (n % 2 == 0) && e.time == (int64_t)n * SECOND);
        return n;
}

static void assert_numbers(struct reading *r, int from, int to)
{
        for (int i = from; i <= to; i++)
                assert_int_equal(number(r), i);
        assert_int_equal(number(r), 0);
}

static void test_places(void **state)
{
        struct reading r;
        reading_open(&r, -1, 0); /* none yet */
        assert_int_equal(number(&r), 0);
        reading_done(&r);
        file_make(2, 1, 35);
        file_make(1, 36, 60);
        file_make(0, 61, 93);
        reading_open(&r, -1, 0);
        assert_numbers(&r, 1, 93);
        reading_done(&r);
        for (int tail = 0; tail <= 100; tail++) {
                reading_open(&r, tail, 0);
                assert_numbers(&r, tail > 93 ? 1 : 94 - tail, 93);
                reading_done(&r);
        }
        for (int since = 1; since <= 95; since++) { /* from its page on, with a second's slack: at most a page and a file's end before */
                reading_open(&r, -1, (int64_t)since * SECOND);
                int first = number(&r);
                assert_true(first && (first <= since) && first > since - 3 * RECORDS);
                assert_numbers(&r, first + 1, 93);
                reading_done(&r);
        }
}

static void test_growth(void **state)
{
        struct reading r;
        _cleanup_free_ char *newest = name_of(0), *rotated = name_of(1), *older = name_of(2);
        file_make(0, 1, 13);
        reading_open(&r, 1, 0);
        assert_numbers(&r, 13, 13);
        assert_int_equal(rename(newest, rotated), 0);
        assert_int_equal(number(&r), 0);
        file_make(0, 14, 20);
        assert_numbers(&r, 14, 20);
        assert_int_equal(rename(rotated, older) | rename(newest, rotated), 0);
        file_make(0, 21, 22);
        assert_numbers(&r, 21, 22);
        assert_int_equal(truncate(newest, 0), 0); /* a log of one file, emptied */
        file_make(0, 30, 31);
        assert_numbers(&r, 30, 31);
        reading_done(&r);
}

/* A page that is no page costs its records and no others; so does one that is torn inside. */
static void test_damage(void **state)
{
        struct reading r;
        _cleanup_free_ char *newest = name_of(0);
        file_make(0, 1, 45);
        _cleanup_close_ int fd = open(newest, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, "garbage!", 8, (off_t)LOG_PAGE), 8); /* 11 to 20 */
        assert_int_equal(pwrite(fd, "\xff", 1, (off_t)(2 * LOG_PAGE + LOG_PAGE_HEAD + 5)), 1); /* within 21 to 30 */
        reading_open(&r, -1, 0);
        for (int i = 1; i <= 10; i++)
                assert_int_equal(number(&r), i);
        int next = number(&r);
        while (next && next <= 30)
                next = number(&r);
        assert_int_equal(next, 31);
        assert_numbers(&r, 32, 45);
        reading_done(&r);
        reading_open(&r, 5, 0);
        assert_numbers(&r, 41, 45);
        reading_done(&r);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = { T(test_places), T(test_growth), T(test_damage) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
