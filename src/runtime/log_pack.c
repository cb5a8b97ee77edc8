#include "runtime/log_pack.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define SKIPPABLE 0x184d2a5eU

static const uint8_t magic[8] = { 't', 'L', 'p', '1', 0, 0, 0, 0 };

static void put(uint8_t *out, uint64_t value, int bytes)
{
        for (int i = 0; i < bytes; i++)
                out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t take(const uint8_t *in, int bytes)
{
        uint64_t value = 0;
        for (int i = 0; i < bytes; i++)
                value |= (uint64_t)in[i] << (8 * i);
        return value;
}

void log_pack_done(struct log_pack *p)
{
        free(p->frames);
        *p = (struct log_pack){ 0 };
}

bool log_pack_read(int fd, struct log_pack *ret)
{
        uint8_t head[LOG_PACK_HEAD];
        if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) || take(head, 4) != SKIPPABLE || memcmp(head + 8, magic, sizeof(magic)) != 0)
                return false;
        uint64_t count = take(head + 24, 4), len = count * LOG_PACK_ROW;
        if (count == 0 || count > LOG_PACK_FRAMES_MAX || take(head + 4, 4) != LOG_PACK_HEAD - 8 + len)
                return false;
        _cleanup_free_ uint8_t *rows = xmalloc((size_t)len);
        if (pread(fd, rows, (size_t)len, LOG_PACK_HEAD) != (ssize_t)len)
                return false;
        struct log_pack p = { .first = (int64_t)take(head + 16, 8), .count = (uint32_t)count, .frames = xcalloc((size_t)count, sizeof(*p.frames)) };
        for (uint64_t i = 0; i < count; i++) {
                const uint8_t *row = rows + i * LOG_PACK_ROW;
                p.frames[i] = (struct log_pack_frame){ take(row, 8), (int64_t)take(row + 8, 8), (uint32_t)take(row + 16, 4) };
        }
        *ret = p;
        return true;
}

uint8_t *log_pack_table(const struct log_pack *p, size_t *ret_len)
{
        *ret_len = LOG_PACK_HEAD + p->count * (size_t)LOG_PACK_ROW;
        uint8_t *table = xcalloc(1, *ret_len);
        put(table, SKIPPABLE, 4);
        put(table + 4, *ret_len - 8, 4);
        memcpy(table + 8, magic, sizeof(magic));
        put(table + 16, (uint64_t)p->first, 8);
        put(table + 24, p->count, 4);
        for (uint32_t i = 0; i < p->count; i++) {
                uint8_t *row = table + LOG_PACK_HEAD + i * (size_t)LOG_PACK_ROW;
                put(row, p->frames[i].offset, 8);
                put(row + 8, (uint64_t)p->frames[i].first, 8);
                put(row + 16, p->frames[i].records, 4);
        }
        return table;
}
