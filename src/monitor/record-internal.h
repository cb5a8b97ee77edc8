/* One record of docker's json-file log: {"log":"text\n","stream":"stdout","time":"2006-01-02T15:04:05.999999999Z"}
 * and a newline; with attributes ,"attrs":{"label":"value"} stands before the time.
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
#define RECORD_FIXED_MAX 16384 /* bytes of attributes */
#define RECORD_MAX                                                                                                     \
        (RECORD_LINE_MAX * 6 + RECORD_FIXED_MAX + 2 * RECORD_TAIL_MAX +                                                \
         32) /* bytes that one record may write, with the slack of whole-vector stores */

/* What follows the text; the same for every line of one read. */
struct record_tail {
        char stream[RECORD_TAIL_MAX], time[RECORD_TAIL_MAX];
        const char *attrs; /* a JSON object, or NULL */
        size_t stream_len, attrs_len, time_len;
};
void record_tail_make(struct record_tail *ret, const char *stream, const char *attrs, size_t attrs_len, int64_t time);
/* Of a line that is too long, the bytes that are a record: up to RECORD_LINE_MAX, whole characters. */
size_t record_split(const uint8_t *data);

/* Writes the record of the first line of data to `out` (RECORD_MAX bytes). *ret_used: bytes of data it took; 0 when
 * the line has no end yet (and `last` is not set), then nothing is written. Returns the bytes written. */
size_t record_write(uint8_t *out, const uint8_t *data, size_t len, bool last, const struct record_tail *tail,
                    size_t *ret_used);

#endif
