#include "unit.h"

#include <stdlib.h>
#include <sys/mman.h>
#include "base/bisect.h"
#include "base/linefiles.h"

/* "<number> text" */
static bool key(const char *line, size_t len, int64_t *ret)
{
        char text[24] = "", *end;
        memcpy(text, line, len < 23 ? len : 23);
        *ret = strtoll(text, &end, 10);
        return end > text && *end == ' ';
}

/* Lines 0, 10, 20, ... of `width` bytes each, every seventh of another form. */
static off_t numbers_write(int fd, int count, int width)
{
        FILE *out = fdopen(dup(fd), "w");
        for (int i = 0; i < count; i++)
                if (i % 7 == 3)
                        fprintf(out, "?%*s\n", width, "torn");
                else
                        fprintf(out, "%d %*s\n", i * 10, width, "x");
        assert_int_equal(fclose(out), 0);
        return lseek(fd, 0, SEEK_END);
}

/* The line that begins at the place found, or the next with a number, stands not after the one wanted; and not far before. */
static void expect_place(int fd, off_t size, int64_t wanted, off_t near)
{
        struct err err = ERR_INIT;
        off_t at = -1;
        char block[512] = "";
        int64_t number = INT64_MAX;
        OK(line_bisect(fd, size, wanted, key, &at, &err), &err);
        assert_true(at >= 0 && at <= size);
        if (at > 0) {
                assert_int_equal(pread(fd, block, 1, at - 1), 1);
                assert_int_equal(block[0], '\n');
        }
        ssize_t n = pread(fd, block, sizeof(block) - 1, at);
        if (n > 0 && key(block, (size_t)n, &number))
                assert_true(at == 0 || number < wanted);
        /* reading on from there meets a line that is wanted within the distance promised */
        _cleanup_free_ char *rest = xmalloc((size_t)near);
        n = pread(fd, rest, (size_t)near, at);
        bool met = at + near >= size;
        for (char *line = rest; !met && line && line < rest + n; line = memchr(line, '\n', (size_t)(rest + n - line)), line = line ? line + 1 : NULL)
                met = key(line, (size_t)(rest + n - line), &number) && number >= wanted;
        assert_true(met);
}

static void test_places(void **state)
{
        const int widths[] = { 3, 200, 100000 };
        for (size_t w = 0; w < ELEMENTS(widths); w++) {
                _cleanup_close_ int fd = memfd_create("lines", MFD_CLOEXEC);
                int count = widths[w] > 1000 ? 60 : 20000;
                off_t size = numbers_write(fd, count, widths[w]);
                for (int64_t wanted = -5; wanted <= count * 10 + 5; wanted += count / 8 + 1)
                        expect_place(fd, size, wanted, 65536 + 12 * (widths[w] + 16));
        }
}

static void test_no_lines(void **state)
{
        struct err err = ERR_INIT;
        off_t at = 7;
        _cleanup_close_ int fd = memfd_create("none", MFD_CLOEXEC);
        OK(line_bisect(fd, 0, 5, key, &at, &err), &err);
        assert_int_equal(at, 0);
        assert_int_equal(ftruncate(fd, 1 << 20), 0); /* a file of zeros: what a power cut may leave */
        at = 7;
        OK(line_bisect(fd, 1 << 20, 5, key, &at, &err), &err);
        assert_int_equal(at, 0);
        FAILS(line_bisect(-1, 1 << 20, 5, key, &at, &err), &err, ERR_SYSTEM);
}

/* Of a large file only some blocks are read to find a time in it. */
static void test_reads_little(void **state)
{
        struct err err = ERR_INIT;
        char *dir = NULL;
        int scratch = scratch_new(&dir);
        _cleanup_close_ int fd = openat(scratch, "log", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        _cleanup_free_ char *path = xasprintf("%s/log", dir);
        _cleanup_line_files_ struct line_files l = { .file = { .fd = -1 } };
        const char *line;
        size_t len;
        int64_t number = 0;
        int before = 0;
        numbers_write(fd, 200000, 30);
        const int64_t wanted = 1500000; /* of lines that are an eternity apart for line_files_open()'s slack of a second */
        OK(line_files_open(path, -1, wanted + 1000000000, key, &l, &err), &err);
        while (number < wanted && line_files_line(&l, &line, &len, &err) == 1)
                if (key(line, len, &number))
                        before++;
        assert_true(number >= wanted);
        assert_true(before < 65536 / 30);
        scratch_done(dir, scratch);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_places), cmocka_unit_test(test_no_lines), cmocka_unit_test(test_reads_little) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
