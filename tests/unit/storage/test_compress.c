#include "harness.h"
#include <unistd.h>

static int to_buf(void *data, const void *bytes, size_t len, struct err *e)
{
        return buf_add(data, bytes, len, e);
}

static char *sample(size_t len)
{
        char *bytes = xmalloc(len);
        uint64_t x = 88172645463325252ULL;
        for (size_t i = 0; i < len; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                bytes[i] = i % 1000 < 700 ? (char)('a' + (i / 7) % 20) : (char)x;
        }
        return bytes;
}

static void pack(enum compression kind, const char *bytes, size_t len, size_t step, struct buf *out)
{
        struct compressor *c = NULL;
        assert_ok(compressor_new(kind, 0, to_buf, out, &c, &err));
        for (size_t at = 0; at < len; at += step)
                assert_ok(compressor_write(c, bytes + at, len - at < step ? len - at : step, &err));
        assert_ok(compressor_finish(c, &err));
        compressor_free(c);
}

static int unpack(enum compression kind, const char *bytes, size_t len, size_t step, struct buf *out)
{
        struct decompressor *d = NULL;
        int r = decompressor_new(kind, to_buf, out, &d, &err);
        for (size_t at = 0; r == 0 && at < len; at += step)
                r = decompressor_write(d, bytes + at, len - at < step ? len - at : step, &err);
        if (r == 0)
                r = decompressor_finish(d, &err);
        decompressor_free(d);
        return r;
}

static const enum compression kinds[] = { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

static void test_round_trip(void **state)
{
        static const size_t lens[] = { 0, 1, 1000, 262144, 262145, 3000000 }, steps[] = { 7, 262144, 5000000 };
        for (size_t k = 0; k < ELEMENTS(kinds); k++)
                for (size_t i = 0; i < ELEMENTS(lens); i++)
                        for (size_t j = 0; j < ELEMENTS(steps); j++) {
                                struct buf packed = BUF_INIT(16 << 20), plain = BUF_INIT(16 << 20);
                                char *bytes = sample(lens[i] + 1);
                                pack(kinds[k], bytes, lens[i], steps[j], &packed);
                                if (unpack(COMPRESSION_UNKNOWN, packed.data, packed.len, steps[j], &plain) < 0)
                                        fail_msg("kind %zu, %zu bytes by %zu: %s", k, lens[i], steps[j], err.msg);
                                assert_int_equal(plain.len, lens[i]);
                                if (lens[i])
                                        assert_memory_equal(plain.data, bytes, lens[i]);
                                free(bytes);
                                buf_done(&packed);
                                buf_done(&plain);
                        }
}

static void test_reproducible_however_cut(void **state)
{
        char *bytes = sample(2000000);
        for (size_t k = 1; k < ELEMENTS(kinds); k++) {
                struct buf a = BUF_INIT(16 << 20), b = BUF_INIT(16 << 20);
                pack(kinds[k], bytes, 2000000, 2000000, &a);
                pack(kinds[k], bytes, 2000000, 333, &b);
                assert_int_equal(a.len, b.len);
                assert_memory_equal(a.data, b.data, a.len);
                buf_done(&a);
                buf_done(&b);
        }
        free(bytes);
}

static void test_gzip_header_has_no_time_and_no_name(void **state)
{
        struct buf a = BUF_INIT(1 << 20);
        pack(COMPRESSION_GZIP, "hello", 5, 5, &a);
        assert_true(a.len > 18);
        assert_memory_equal(a.data, "\x1f\x8b\x08\0\0\0\0\0", 8);
        buf_done(&a);
}

static void test_truncated(void **state)
{
        char *bytes = sample(100000);
        for (size_t k = 1; k < ELEMENTS(kinds); k++) {
                struct buf packed = BUF_INIT(16 << 20), plain = BUF_INIT(16 << 20);
                pack(kinds[k], bytes, 100000, 100000, &packed);
                for (size_t cut = 1; cut < packed.len; cut += packed.len / 50 + 1) {
                        buf_reset(&plain);
                        assert_err(unpack(kinds[k], packed.data, packed.len - cut, 10000, &plain), ERR_CORRUPT);
                }
                buf_done(&packed);
                buf_done(&plain);
        }
        free(bytes);
}

static void test_damaged(void **state)
{
        char *bytes = sample(100000);
        for (size_t k = 1; k < ELEMENTS(kinds); k++) {
                struct buf packed = BUF_INIT(16 << 20), plain = BUF_INIT(16 << 20);
                pack(kinds[k], bytes, 100000, 100000, &packed);
                packed.data[packed.len / 2] ^= 0x55;
                assert_err(unpack(kinds[k], packed.data, packed.len, 10000, &plain), ERR_CORRUPT);
                buf_done(&packed);
                buf_done(&plain);
        }
        free(bytes);
}

static void test_members_and_padding(void **state)
{
        for (size_t k = 1; k < ELEMENTS(kinds); k++)
                for (size_t step = 1; step < 200; step += 66) {
                        struct buf packed = BUF_INIT(1 << 20), plain = BUF_INIT(1 << 20);
                        pack(kinds[k], "hello ", 6, 6, &packed);
                        pack(kinds[k], "world", 5, 5, &packed);
                        assert_ok(unpack(kinds[k], packed.data, packed.len, step, &plain));
                        assert_string_equal(plain.data, "hello world");
                        buf_done(&packed);
                        buf_done(&plain);
                }
        struct buf packed = BUF_INIT(1 << 20), plain = BUF_INIT(1 << 20);
        pack(COMPRESSION_GZIP, "hello", 5, 5, &packed);
        assert_ok(buf_add(&packed, "\0\0\0\0\0\0\0\0", 8, &err));
        assert_ok(unpack(COMPRESSION_GZIP, packed.data, packed.len, 3, &plain));
        assert_string_equal(plain.data, "hello");
        assert_ok(buf_add(&packed, "garbage", 7, &err));
        assert_err(unpack(COMPRESSION_GZIP, packed.data, packed.len, 3, &plain), ERR_CORRUPT);
        buf_done(&packed);
        buf_done(&plain);
}

static void test_magic(void **state)
{
        assert_int_equal(compression_of_magic("\x1f\x8b\x08\0", 4), COMPRESSION_GZIP);
        assert_int_equal(compression_of_magic("\x28\xb5\x2f\xfd", 4), COMPRESSION_ZSTD);
        assert_int_equal(compression_of_magic("\x5a\x2a\x4d\x18", 4), COMPRESSION_ZSTD);
        assert_int_equal(compression_of_magic("\xfd\x37zXZ\0", 6), COMPRESSION_UNKNOWN);
        assert_int_equal(compression_of_magic("etc/", 4), COMPRESSION_NONE);
        assert_int_equal(compression_of_magic("", 0), COMPRESSION_NONE);
        struct buf plain = BUF_INIT(1 << 20);
        assert_err(unpack(COMPRESSION_UNKNOWN, "\xfd\x37zXZ\0......", 12, 12, &plain), ERR_UNSUPPORTED);
        buf_done(&plain);
}

/* A sink that fails ends the work with its own error. */
static int failing(void *data, const void *bytes, size_t len, struct err *e)
{
        return err_set(e, ERR_TOO_LARGE, "enough");
}

static void test_sink_failure(void **state)
{
        struct compressor *c = NULL;
        char *bytes = sample(3000000);
        assert_ok(compressor_new(COMPRESSION_GZIP, 0, failing, NULL, &c, &err));
        int r = compressor_write(c, bytes, 3000000, &err);
        if (r == 0)
                r = compressor_finish(c, &err);
        assert_int_equal(r, -1);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
        compressor_free(c);
        free(bytes);
}

#define T(name) cmocka_unit_test_setup_teardown(name, sandbox_setup, sandbox_teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_round_trip),
                T(test_reproducible_however_cut),
                T(test_gzip_header_has_no_time_and_no_name),
                T(test_truncated),
                T(test_damaged),
                T(test_members_and_padding),
                T(test_magic),
                T(test_sink_failure),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
