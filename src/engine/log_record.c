#include "engine/log_record-internal.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/timefmt.h"

#define TAIL_MAX 128                   /* bytes behind the text of a record */

static const char head[] = "{\"log\":\"", stream_key[] = "\",\"stream\":\"std", time_key[] = "\",\"time\":\"", end[] = "\"}",
                  attrs_key[] = "\",\"attrs\":{", attrs_end[] = "},\"time\":\"";
#define TEXT_LEN(s) (sizeof(s) - 1)

static bool time_of(const char *text, size_t len, int64_t *ret)
{
        char copy[TIME_TEXT_SIZE];
        struct err ignored = ERR_INIT;
        if (len >= sizeof(copy))
                return false;
        memcpy(copy, text, len);
        copy[len] = '\0';
        return time_parse(copy, ret, &ignored) == 0;
}

/* With attributes, between stream and time. Their end is found from behind; where they begin from before, as an unescaped quote stands in no
 * text. */
static bool attributed_parse(const char *line, const char *from, const char *stop, struct log_record *ret)
{
        const char *time = NULL, *at = from;
        while ((at = memmem(at, (size_t)(stop - at), attrs_end, TEXT_LEN(attrs_end))))
                time = at++;
        const char *text = line + TEXT_LEN(head);
        const char *stream = time ? memmem(text - 1, (size_t)(time - text) + 1, stream_key, TEXT_LEN(stream_key)) : NULL;
        const char *name = stream ? stream + TEXT_LEN(stream_key) : NULL;
        if (!name || time - name < (ptrdiff_t)(2 + TEXT_LEN(attrs_key)) || memcmp(name + 3, attrs_key, TEXT_LEN(attrs_key)) != 0)
                return false;
        struct log_record r = { .is_stderr = memcmp(name, "err", 3) == 0, .text = text, .len = (size_t)(stream - text) };
        r.attrs = name + 3 + TEXT_LEN(attrs_key) - 1;
        r.attrs_len = (size_t)(time + 1 - r.attrs);
        time += TEXT_LEN(attrs_end);
        if (stream < text || (!r.is_stderr && memcmp(name, "out", 3) != 0) || !time_of(time, (size_t)(stop - time), &r.time))
                return false;
        *ret = r;
        return true;
}

bool log_record_parse(const char *line, size_t len, struct log_record *ret)
{
        if (len < TEXT_LEN(head) + TEXT_LEN(stream_key) + TEXT_LEN(end) || memcmp(line, head, TEXT_LEN(head)) != 0 ||
            memcmp(line + len - TEXT_LEN(end), end, TEXT_LEN(end)) != 0)
                return false;
        const char *from = line + TEXT_LEN(head) - 1, *stop = line + len - TEXT_LEN(end);
        if (stop - from > TAIL_MAX)
                from = stop - TAIL_MAX;
        if (attributed_parse(line, from, stop, ret))
                return true;
        const char *stream = memmem(from, (size_t)(stop - from), stream_key, TEXT_LEN(stream_key));
        if (!stream)
                return false;
        const char *name = stream + TEXT_LEN(stream_key);
        if (stop - name < (ptrdiff_t)(3 + TEXT_LEN(time_key)) || memcmp(name + 3, time_key, TEXT_LEN(time_key)) != 0)
                return false;
        struct log_record r = { .is_stderr = memcmp(name, "err", 3) == 0, .text = line + TEXT_LEN(head) };
        if (stream < r.text || (!r.is_stderr && memcmp(name, "out", 3) != 0))
                return false;
        const char *time = name + 3 + TEXT_LEN(time_key);
        r.len = (size_t)(stream - r.text);
        if (!time_of(time, (size_t)(stop - time), &r.time))
                return false;
        *ret = r;
        return true;
}

static int hex4(const char *s)
{
        int value = 0;
        for (int i = 0; i < 4; i++) {
                int digit = s[i] >= '0' && s[i] <= '9' ? s[i] - '0' : (s[i] | 32) >= 'a' && (s[i] | 32) <= 'f' ? (s[i] | 32) - 'a' + 10 : -1;
                if (digit < 0)
                        return -1;
                value = value * 16 + digit;
        }
        return value;
}

static char *put_utf8(char *out, unsigned c)
{
        if (c < 0x80) {
                *out++ = (char)c;
        } else if (c < 0x800) {
                *out++ = (char)(0xc0 | c >> 6);
                *out++ = (char)(0x80 | (c & 63));
        } else if (c < 0x10000) {
                *out++ = (char)(0xe0 | c >> 12);
                *out++ = (char)(0x80 | (c >> 6 & 63));
                *out++ = (char)(0x80 | (c & 63));
        } else {
                *out++ = (char)(0xf0 | c >> 18);
                *out++ = (char)(0x80 | (c >> 12 & 63));
                *out++ = (char)(0x80 | (c >> 6 & 63));
                *out++ = (char)(0x80 | (c & 63));
        }
        return out;
}

/* in: behind "\u"; steps over what it takes. A pair of surrogates is one character, a lone one is U+FFFD. */
static char *put_unicode(char *out, const char **in, const char *stop)
{
        int c = stop - *in >= 4 ? hex4(*in) : -1;
        if (c < 0)
                return put_utf8(out, 0xfffd);
        *in += 4;
        if (c < 0xd800 || c > 0xdfff)
                return put_utf8(out, (unsigned)c);
        int low = c < 0xdc00 && stop - *in >= 6 && (*in)[0] == '\\' && (*in)[1] == 'u' ? hex4(*in + 2) : -1;
        if (low < 0xdc00 || low > 0xdfff)
                return put_utf8(out, 0xfffd);
        *in += 6;
        return put_utf8(out, 0x10000 + (((unsigned)c - 0xd800) << 10) + ((unsigned)low - 0xdc00));
}

static char plain_escape(char c)
{
        static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
        const char *at = c ? strchr(from, c) : NULL;
        return at ? to[at - from] : c;
}

size_t log_text_decode(char *out, const char *text, size_t len)
{
        char *to = out;
        const char *stop = text + len;
        while (text < stop) {
                const char *escape = memchr(text, '\\', (size_t)(stop - text));
                size_t plain = (size_t)((escape ? escape : stop) - text);
                memcpy(to, text, plain);
                to += plain;
                text += plain;
                if (!escape || stop - text < 2)
                        break;
                char c = text[1];
                text += 2;
                if (c == 'u')
                        to = put_unicode(to, &text, stop);
                else
                        *to++ = plain_escape(c);
        }
        return (size_t)(to - out);
}
