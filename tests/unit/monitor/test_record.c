/* The text of one record: escapes as docker writes them, splits, times. */
#include "rig.h"

#include "base/str.h"
#include "monitor/record-internal.h"

static const struct record_tail no_tail = { "", "", NULL, 0, 0, 0 };

static size_t write_one(const char *in, size_t len, bool last, char out[RECORD_MAX + 1])
{
        size_t used, n = record_write((uint8_t *)out, (const uint8_t *)in, len, last, &no_tail, &used);
        out[n] = 0;
        return used;
}

static void test_escapes(void **state)
{
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "plain text, long enough for whole vectors\n", "plain text, long enough for whole vectors\\n" },
                { "\n", "\\n" },
                { "a\r\n", "a\\r\\n" },
                { "tab\there\n", "tab\\u0009here\\n" },
                { "\"quoted\" \\ back\n", "\\\"quoted\\\" \\\\ back\\n" },
                { "<a>&</a> 0123456789\n", "\\u003ca\\u003e\\u0026\\u003c/a\\u003e 0123456789\\n" },
                { "\x01\x1f\x7f\n", "\\u0001\\u001f\x7f\\n" },
                { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\\n" },
                { "\xff\xc3(\xe2\x82\n", "\\ufffd\\ufffd(\\ufffd\\ufffd\\n" },
                { "\xc0\x80\xed\xa0\x80\n", "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\n" },
                { "\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\n", "\\u2028\\u2029\xe2\x80\xaa\\n" },
                { "!#%'()*+,-./:;=?@[]^_`{|}~ABCDEFGHIJ\n", "!#%'()*+,-./:;=?@[]^_`{|}~ABCDEFGHIJ\\n" },
        };
        char out[RECORD_MAX + 1];
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *expected = xasprintf("{\"log\":\"%s", cases[i].out);
                assert_int_equal(write_one(cases[i].in, strlen(cases[i].in), false, out), strlen(cases[i].in));
                assert_string_equal(out, expected);
        }
        assert_int_equal(write_one("\0\n", 2, false, out), 2);
        assert_string_equal(out, "{\"log\":\"\\u0000\\n");
}

/* Every byte at every place of a vector: the fast way and the slow way must agree. */
static void test_every_byte(void **state)
{
        char in[64], out[RECORD_MAX + 1], slow[RECORD_MAX + 1];
        for (int byte = 0; byte < 256; byte++) {
                if (byte == '\n')
                        continue;
                for (size_t at = 0; at < 40; at++) {
                        memset(in, 'x', sizeof(in));
                        in[at] = (char)byte;
                        in[41] = '\n';
                        assert_int_equal(write_one(in, sizeof(in), false, out), 42);
                        char one[2] = { (char)byte, '\n' };
                        assert_int_equal(write_one(one, 2, false, slow), 2);
                        char expected[256];
                        size_t middle = strlen(slow) - 8 - 2;
                        int n = snprintf(expected, sizeof(expected), "{\"log\":\"%.*s%.*s%.*s\\n", (int)at, in,
                                         (int)middle, slow + 8, (int)(40 - at),
                                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
                        assert_int_equal(strlen(out), n);
                        assert_memory_equal(out, expected, (size_t)n);
                }
        }
}

static void test_unfinished(void **state)
{
        char out[RECORD_MAX + 1];
        assert_int_equal(write_one("no end", 6, false, out), 0);
        assert_string_equal(out, "");
        assert_int_equal(write_one("no end", 6, true, out), 6);
        assert_string_equal(out, "{\"log\":\"no end");
        assert_int_equal(write_one("", 0, true, out), 0);
        assert_int_equal(write_one("one\ntwo\n", 8, true, out), 4);
}

static void test_split(void **state)
{
        static char in[3 * RECORD_LINE_MAX];
        char out[RECORD_MAX + 1];
        memset(in, 'x', sizeof(in));
        assert_int_equal(write_one(in, RECORD_LINE_MAX - 1, false, out), 0);
        assert_int_equal(write_one(in, RECORD_LINE_MAX, false, out), RECORD_LINE_MAX);
        assert_int_equal(strlen(out), 8 + RECORD_LINE_MAX);
        in[RECORD_LINE_MAX - 1] = '\n'; /* the last that fits */
        assert_int_equal(write_one(in, sizeof(in), false, out), RECORD_LINE_MAX);
        assert_true(str_ends(out, "xx\\n"));
        for (size_t lead = 1; lead <= 4; lead++) {
                memset(in, 'x', sizeof(in));
                memcpy(in + RECORD_LINE_MAX - lead, "\xf0\x9f\x98\x80", 4);
                size_t expected = lead == 4 ? RECORD_LINE_MAX : RECORD_LINE_MAX - lead;
                assert_int_equal(write_one(in, sizeof(in), false, out), expected);
                assert_null(strstr(out, "ufffd"));
        }
        memset(in, '\x80', sizeof(in)); /* garbage that looks like the inside of characters */
        assert_int_equal(write_one(in, sizeof(in), false, out), RECORD_LINE_MAX);
        assert_int_equal(strlen(out), 8 + 6 * RECORD_LINE_MAX);
}

static void test_tail(void **state)
{
        static const struct {
                int64_t time;
                const char *text;
        } cases[] = {
                { 1700000000123456789, "2023-11-14T22:13:20.123456789Z" },
                { 1700000000120000000, "2023-11-14T22:13:20.12Z" },
                { 1700000000000000000, "2023-11-14T22:13:20Z" },
                { 1700000000000000001, "2023-11-14T22:13:20.000000001Z" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct record_tail tail;
                _cleanup_free_ char *time = xasprintf(",\"time\":\"%s\"}\n", cases[i].text);
                record_tail_make(&tail, "stderr", NULL, 0, cases[i].time);
                assert_string_equal(tail.stream, "\",\"stream\":\"stderr\"");
                assert_string_equal(tail.time, time);
                assert_int_equal(tail.time_len, strlen(time));
                record_tail_make(&tail, "stdout", "{\"a\":\"b\"}", 9, cases[i].time);
                char out[RECORD_MAX + 1];
                size_t used, n = record_write((uint8_t *)out, (const uint8_t *)"x\n", 2, false, &tail, &used);
                out[n] = 0;
                _cleanup_free_ char *whole = xasprintf("{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"b\"}%s", time);
                assert_string_equal(out, whole);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_escapes), cmocka_unit_test(test_every_byte), cmocka_unit_test(test_unfinished),
                cmocka_unit_test(test_split),   cmocka_unit_test(test_tail),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
