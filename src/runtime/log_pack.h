/* A rotated file of the "local" log, compressed: zstd frames of LOG_PACK_FRAME bytes of pages each (the last may be shorter), and before
 * them a skippable frame with a table, so that a reader knows what is inside, and begins where it wants, without decompressing. `zstd -d`
 * makes the pages of it (zstd format, RFC 8878).
 *
 *     le32 0x184d2a5e, le32 length of what follows of the table
 *     "tLp1", four zeros, le64 time of the first record, le32 frames, le32 0
 *     for each: le64 its offset in the file, le64 time of its first record, le32 records, le32 0 */
#ifndef TARE_RUNTIME_LOG_PACK_H
#define TARE_RUNTIME_LOG_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "runtime/log_page.h"

#define LOG_PACK_FRAME (16 * LOG_PAGE)
#define LOG_PACK_FRAMES_MAX 65536
#define LOG_PACK_HEAD 32
#define LOG_PACK_ROW 24

struct log_pack_frame { uint64_t offset; int64_t first; uint32_t records; };
struct log_pack {
        int64_t first;
        uint32_t count;
        struct log_pack_frame *frames;
};
void log_pack_done(struct log_pack *p);
/* False when it is no packed log. */
bool log_pack_read(int fd, struct log_pack *ret);
/* The table's bytes on the heap, LOG_PACK_HEAD + count * LOG_PACK_ROW of them. */
uint8_t *log_pack_table(const struct log_pack *p, size_t *ret_len);

#endif
