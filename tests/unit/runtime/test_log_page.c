/* The pages of the local log: what is written comes out again, what is torn or foreign is told apart, a packed file's table too. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/log_pack.h"

static const struct { unsigned flags; int64_t time; const char *text; } records[] = {
        { LOG_ATTRS, 1000, "{}" }, { 0, 1000, "one" }, { LOG_STDERR, 1001, "" }, { LOG_OPEN, 900, "back in time" },
        { LOG_STDERR | LOG_OPEN, INT64_MAX / 2, "far" }, { 0, -5, "before the epoch" },
};
#define COUNT (sizeof(records) / sizeof(records[0]))

static size_t page_make(uint8_t page[LOG_PAGE])
{
        size_t at = log_page_begin(page, records[0].time);
        int64_t before = records[0].time;
        for (size_t i = 0; i < COUNT; i++) {
                size_t len = strlen(records[i].text);
                at += log_record_begin(page + at, records[i].flags, records[i].time - before, len);
                memcpy(page + at, records[i].text, len);
                at += len;
                before = records[i].time;
        }
        return at;
}

static void test_round(void **state)
{
        static uint8_t page[LOG_PAGE];
        size_t len = page_make(page), at = 0;
        int64_t first;
        struct log_page_record r = { 0 };
        assert_true(log_page_time(page, len, &first));
        assert_int_equal(first, 1000);
        for (size_t i = 0; i < COUNT; i++) {
                assert_int_equal(log_page_next(page, LOG_PAGE, &at, &r), 1);
                assert_int_equal(r.flags, records[i].flags | LOG_MARK);
                assert_true(r.time == records[i].time && r.len == strlen(records[i].text));
                assert_memory_equal(r.text, records[i].text, r.len);
        }
        assert_int_equal(log_page_next(page, LOG_PAGE, &at, &r), 0); /* zeros follow */
        assert_int_equal(at, len);
        assert_int_equal(log_page_next(page, len, &at, &r), 0); /* or nothing */
}

/* Cut anywhere: the whole records, and *at stays at the end of the last. */
static void test_torn(void **state)
{
        static uint8_t page[LOG_PAGE];
        size_t len = page_make(page);
        for (size_t cut = 0; cut < len; cut++) {
                struct log_page_record r = { 0 };
                size_t at = 0, count = 0;
                int more;
                while ((more = log_page_next(page, cut, &at, &r)) == 1)
                        count++;
                assert_true(count < COUNT && at <= cut);
                assert_true(more == -1 ? at < cut : at == cut);
                if (cut > 0 && cut < LOG_PAGE_HEAD)
                        assert_int_equal(more, -1);
        }
}

static void test_foreign(void **state)
{
        uint8_t page[64];
        struct log_page_record r = { 0 };
        size_t at = 0;
        memset(page, 'x', sizeof(page));
        assert_int_equal(log_page_next(page, sizeof(page), &at, &r), -1);
        static const uint8_t bad[][16] = {
                { 0x01, 0, 0 },                                                             /* no mark */
                { 0xc0, 0, 0 },                                                             /* an unknown flag */
                { 0x80, 0, 0xff, 0xff, 0x7f },                                              /* too long */
                { 0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, /* a number without an end */
                { 0x80, 0, 60 },                                                            /* longer than the page */
        };
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                memset(page, 0, sizeof(page));
                memcpy(page + log_page_begin(page, 7), bad[i], sizeof(bad[i]));
                at = 0;
                assert_int_equal(log_page_next(page, sizeof(page), &at, &r), -1);
                assert_int_equal(at, LOG_PAGE_HEAD);
        }
}

static void test_pack(void **state)
{
        struct log_pack_frame frames[] = { { 80, 1000, 5 }, { 900, 2000, 70000 } };
        struct log_pack p = { .first = 1000, .count = 2, .frames = frames }, back = { 0 };
        size_t len;
        uint8_t *table = log_pack_table(&p, &len);
        assert_int_equal(len, LOG_PACK_HEAD + 2 * LOG_PACK_ROW);
        int fd = memfd_create("pack", MFD_CLOEXEC);
        assert_int_equal(write(fd, table, len), (ssize_t)len);
        assert_true(log_pack_read(fd, &back));
        assert_true(back.first == 1000 && back.count == 2);
        assert_memory_equal(&back.frames[1].first, &frames[1].first, sizeof(int64_t));
        assert_true(back.frames[1].offset == 900 && back.frames[1].records == 70000);
        log_pack_done(&back);
        assert_int_equal(ftruncate(fd, (off_t)len - 1), 0);
        assert_false(log_pack_read(fd, &back));
        assert_int_equal(pwrite(fd, "\xff\xff\xff\xff", 4, 24), 4); /* a count that the length belies */
        assert_false(log_pack_read(fd, &back));
        close(fd);
        free(table);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round), cmocka_unit_test(test_torn), cmocka_unit_test(test_foreign), cmocka_unit_test(test_pack),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
