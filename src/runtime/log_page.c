#include "runtime/log_page.h"

#include <string.h>

static const uint8_t magic[8] = { 't', 'L', 'g', '1', 0, 0, 0, 0 };

static size_t varint_put(uint8_t *out, uint64_t value)
{
        size_t n = 0;
        for (; value >= 0x80; value >>= 7)
                out[n++] = (uint8_t)(value | 0x80);
        out[n++] = (uint8_t)value;
        return n;
}

static bool varint_take(const uint8_t *page, size_t len, size_t *at, uint64_t *ret)
{
        uint64_t value = 0;
        for (unsigned shift = 0; *at < len && shift < 64; shift += 7) {
                uint8_t byte = page[(*at)++];
                value |= (uint64_t)(byte & 0x7f) << shift;
                if (byte < 0x80) {
                        *ret = value;
                        return true;
                }
        }
        return false;
}

size_t log_page_begin(uint8_t *out, int64_t time)
{
        memcpy(out, magic, sizeof(magic));
        for (int i = 0; i < 8; i++)
                out[8 + i] = (uint8_t)((uint64_t)time >> (8 * i));
        return LOG_PAGE_HEAD;
}

size_t log_record_begin(uint8_t *out, unsigned flags, int64_t delta, size_t len)
{
        size_t n = 0;
        out[n++] = (uint8_t)(LOG_MARK | flags);
        n += varint_put(out + n, (uint64_t)delta << 1 ^ (uint64_t)(delta >> 63));
        return n + varint_put(out + n, len);
}

bool log_page_time(const uint8_t *page, size_t len, int64_t *ret)
{
        uint64_t time = 0;
        if (len < LOG_PAGE_HEAD || memcmp(page, magic, sizeof(magic)) != 0)
                return false;
        for (int i = 0; i < 8; i++)
                time |= (uint64_t)page[8 + i] << (8 * i);
        *ret = (int64_t)time;
        return true;
}

int log_page_next(const uint8_t *page, size_t len, size_t *at, struct log_page_record *ret)
{
        struct log_page_record r = { .time = ret->time };
        size_t to = *at;
        uint64_t delta, size;
        if (to == 0) {
                if (len == 0)
                        return 0;
                if (!log_page_time(page, len, &r.time))
                        return -1;
                *at = to = LOG_PAGE_HEAD;
                ret->time = r.time;
        }
        if (to >= len || page[to] == 0)
                return 0;
        r.flags = page[to++];
        if (!(r.flags & LOG_MARK) || (r.flags & ~(unsigned)(LOG_MARK | LOG_STDERR | LOG_OPEN | LOG_ATTRS)) ||
            !varint_take(page, len, &to, &delta) || !varint_take(page, len, &to, &size) || size > LOG_TEXT_MAX || size > len - to)
                return -1;
        r.time = (int64_t)((uint64_t)r.time + (delta >> 1 ^ -(delta & 1)));
        r.text = page + to;
        r.len = (size_t)size;
        *at = to + r.len;
        *ret = r;
        return 1;
}
