#include "monitor/record-internal.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "base/str.h"
#include "base/timefmt.h"
#include "base/utf8.h"

/* Go's RFC3339Nano, which drops the zeros at the end of the fraction. */
static size_t time_write(char text[TIME_TEXT_SIZE], int64_t time)
{
        time_format(time, text);
        size_t len = strlen(text) - 1; /* without the Z */
        while (text[len - 1] == '0')
                len--;
        if (text[len - 1] == '.')
                len--;
        text[len++] = 'Z';
        text[len] = 0;
        return len;
}

void record_tail_make(struct record_tail *ret, const char *stream, const char *attrs, size_t attrs_len, int64_t time)
{
        char text[TIME_TEXT_SIZE];
        time_write(text, time);
        ret->attrs = attrs;
        ret->attrs_len = attrs ? attrs_len : 0;
        ret->stream_len = (size_t)snprintf(ret->stream, sizeof(ret->stream), "\",\"stream\":\"%s\"%s", stream,
                                           ret->attrs_len ? ",\"attrs\":" : "");
        ret->time_len = (size_t)snprintf(ret->time, sizeof(ret->time), ",\"time\":\"%s\"}\n", text);
}

static bool is_plain(uint8_t c)
{
        return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

/* Copies what needs no escape; may write up to 15 bytes more than it copies. Where memory bandwidth should be the
 * limit, so 16 at a time. */
static size_t copy_plain(uint8_t *out, const uint8_t *in, size_t len)
{
        size_t i = 0;
#ifdef __SSE2__
        const __m128i space = _mm_set1_epi8(0x20), two = _mm_set1_epi8(2), four = _mm_set1_epi8(4),
                      greater = _mm_set1_epi8('>'), ampersand = _mm_set1_epi8('&'), backslash = _mm_set1_epi8('\\');
        for (; i + 16 <= len; i += 16) {
                __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(in + i));
                _mm_storeu_si128((__m128i *)(void *)(out + i), v);
                __m128i odd = _mm_cmplt_epi8(v, space); /* signed: 0x80 and above, too */
                odd = _mm_or_si128(odd,
                                   _mm_cmpeq_epi8(_mm_or_si128(v, two), greater)); /* '<' and '>' differ in one bit */
                odd = _mm_or_si128(odd, _mm_cmpeq_epi8(_mm_or_si128(v, four), ampersand)); /* '"' and '&' too */
                odd = _mm_or_si128(odd, _mm_cmpeq_epi8(v, backslash));
                int mask = _mm_movemask_epi8(odd);
                if (mask)
                        return i + (size_t)__builtin_ctz((unsigned)mask);
        }
#endif
        for (; i < len && is_plain(in[i]); i++)
                out[i] = in[i];
        return i;
}

static uint8_t *put(uint8_t *out, const char *text, size_t len)
{
        memcpy(out, text, len);
        return out + len;
}

static uint8_t *put_ascii(uint8_t *out, uint8_t c)
{
        static const char hex[] = "0123456789abcdef";
        char unicode[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
        char two[2] = { '\\', (char)c };
        if (c == '\n' || c == '\r')
                two[1] = c == '\n' ? 'n' : 'r';
        return c == '\n' || c == '\r' || c == '"' || c == '\\' ? put(out, two, 2) : put(out, unicode, 6);
}

/* One character that is not plain; *ret_step: the bytes it takes. U+2028 and U+2029 end lines in JavaScript, so
 * docker escapes them. */
static uint8_t *put_odd(uint8_t *out, const uint8_t *in, size_t len, size_t *ret_step)
{
        size_t step = utf8_step(in, len);
        *ret_step = step ? step : 1;
        if (step == 0)
                return put(out, "\\ufffd", 6);
        if (step == 1)
                return put_ascii(out, in[0]);
        if (step == 3 && in[0] == 0xe2 && in[1] == 0x80 && (in[2] & 0xfe) == 0xa8)
                return put(out, in[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
        return put(out, (const char *)in, step);
}

/* Before a character whose end lies behind the limit. */
size_t record_split(const uint8_t *data)
{
        size_t at = RECORD_LINE_MAX - 1;
        while (at > RECORD_LINE_MAX - 3 && (data[at] & 0xc0) == 0x80)
                at--;
        size_t need = data[at] >= 0xf0 ? 4 : data[at] >= 0xe0 ? 3 : data[at] >= 0xc0 ? 2 : 1;
        return at + need > RECORD_LINE_MAX && data[at] < 0xf8 ? at : RECORD_LINE_MAX;
}

size_t record_write(uint8_t *out, const uint8_t *data, size_t len, bool last, const struct record_tail *tail,
                    size_t *ret_used)
{
        bool too_long = len >= RECORD_LINE_MAX, newline = false;
        size_t limit = too_long ? record_split(data) : len, at = 0, step;
        uint8_t *to = put(out, "{\"log\":\"", 8);
        while (!newline) {
                size_t plain = copy_plain(to, data + at, limit - at);
                at += plain;
                to += plain;
                if (at == limit)
                        break;
                newline = data[at] == '\n';
                to = put_odd(to, data + at, limit - at, &step);
                at += step;
        }
        *ret_used = newline || too_long || (last && len) ? at : 0;
        if (*ret_used == 0)
                return 0;
        to = put(to, tail->stream, tail->stream_len);
        if (tail->attrs_len)
                to = put(to, tail->attrs, tail->attrs_len);
        return (size_t)(put(to, tail->time, tail->time_len) - out);
}
