/* One record of docker's json-file log: {"log":"text\n","stream":"stdout","time":"2006-01-02T15:04:05.999999999Z"}
 * and a newline.
 *
 * A line is one record; a line longer than RECORD_LINE_MAX becomes several, of which only the last has the "\n". Text
 * is escaped as docker does: '<', '>', '&' and control characters as \u00XX, bytes that are no UTF-8 each as \ufffd.
 * A character is never cut in two by a split. */
#ifndef TARE_MONITOR_RECORD_INTERNAL_H
#define TARE_MONITOR_RECORD_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_LINE_MAX 16384 /* bytes of one line in one record, its newline included */
#define RECORD_TAIL_MAX 96
#define RECORD_MAX                                                                                                     \
        (RECORD_LINE_MAX * 6 + RECORD_TAIL_MAX +                                                                       \
         32) /* bytes that one record may write, with the slack of whole-vector stores */

/* What follows the text; the same for every line of one read. */
struct record_tail {
        char text[RECORD_TAIL_MAX];
        size_t len;
};
void record_tail_make(struct record_tail *ret, const char *stream, int64_t time);

/* Writes the record of the first line of data to `out` (RECORD_MAX bytes). *ret_used: bytes of data it took; 0 when
 * the line has no end yet (and `last` is not set), then nothing is written. Returns the bytes written. */
size_t record_write(uint8_t *out, const uint8_t *data, size_t len, bool last, const struct record_tail *tail,
                    size_t *ret_used);

#endif
