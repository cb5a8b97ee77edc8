#include "unit.h"

#include "base/buf.h"

static void test_content(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_buf_ struct buf b = BUF_INIT(0);
        OK(buf_adds(&b, "ab", &err), &err);
        OK(buf_addc(&b, 'c', &err), &err);
        OK(buf_addf(&b, &err, "-%d-%s", 7, "x"), &err);
        OK(buf_add(&b, "\0z", 2, &err), &err);
        assert_int_equal(b.len, 9);
        assert_memory_equal(b.data, "abc-7-x\0z\0", 10);
        buf_consume(&b, 3);
        assert_string_equal(b.data, "-7-x");
        buf_consume(&b, 1000);
        assert_int_equal(b.len, 0);
        assert_string_equal(b.data, "");
        buf_reset(&b);
        OK(buf_adds(&b, "again", &err), &err);
        _cleanup_free_ char *text = buf_take(&b);
        assert_string_equal(text, "again");
        assert_null(b.data);
        assert_int_equal(b.len, 0);
        buf_consume(&b, 1);
        _cleanup_free_ char *nothing = buf_take(&b);
        assert_string_equal(nothing, "");
}

static void test_maximum(void **state)
{
        struct err err = ERR_INIT;
        for (size_t max = 1; max < 300; max += 7) {
                _cleanup_buf_ struct buf b = BUF_INIT(max);
                for (size_t i = 0; i < max; i++)
                        OK(buf_addc(&b, 'x', &err), &err);
                FAILS(buf_addc(&b, 'y', &err), &err, ERR_TOO_LARGE);
                FAILS(buf_addf(&b, &err, "%d", 1), &err, ERR_TOO_LARGE);
                FAILS(buf_add(&b, "", SIZE_MAX, &err), &err, ERR_TOO_LARGE);
                FAILS(buf_reserve(&b, SIZE_MAX - 1, &err), &err, ERR_TOO_LARGE);
                assert_int_equal(b.len, max);
                assert_int_equal(strlen(b.data), max);
                assert_true(b.cap <= max + 1);
                OK(buf_addf(&b, &err, "%s", ""), &err);
                OK(buf_add(&b, NULL, 0, &err), &err);
        }
}

static void test_reserve(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_buf_ struct buf b = BUF_INIT(100000);
        OK(buf_reserve(&b, 50000, &err), &err);
        assert_true(b.cap > 50000);
        memset(b.data, 'q', 50000);
        b.len = 50000;
        buf_terminate(&b);
        assert_int_equal(strlen(b.data), 50000);
        OK(buf_reserve(&b, 50000, &err), &err);
        FAILS(buf_reserve(&b, 50001, &err), &err, ERR_TOO_LARGE);
}

static void test_mem(void **state)
{
        char *p = xreallocarray(NULL, 0, 8);
        assert_non_null(p);
        p = xreallocarray(p, 3, 1);
        memcpy(p, "ab", 3);
        _cleanup_free_ char *copy = xmemdup(p, 3), *cut = xstrndup(p, 1), *made = xasprintf("%s%d", p, 5);
        assert_string_equal(copy, "ab");
        assert_string_equal(cut, "a");
        assert_string_equal(made, "ab5");
        _cleanup_free_ char *taken = TAKE_PTR(p);
        assert_null(p);
        assert_non_null(taken);
        int fd = dup(2), same = fd;
        mem_closep(&fd);
        assert_int_equal(fd, -1);
        assert_int_equal(fcntl(same, F_GETFD), -1);
        mem_closep(&fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_content),
                cmocka_unit_test(test_maximum),
                cmocka_unit_test(test_reserve),
                cmocka_unit_test(test_mem),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
