/* The format of the "local" log: what tare-monitor writes and `tare logs` reads back.
 *
 * A file is pages of LOG_PAGE bytes, the last of which may be shorter. A page is read without the others, so a reader finds a time by
 * halving the file and goes backwards page by page; no index is kept.
 *
 *     page     "tLg1", four zeros, le64 time of its first record (ns since the epoch); then records; zeros to its end
 *     record   one byte LOG_MARK | flags, varint zigzag(time - time of the record before), varint length, text
 *
 * Varints are little groups of seven bits first. A text is a line without its newline, at most LOG_TEXT_MAX bytes. A record never crosses
 * the end of a page. A record of kind LOG_ATTRS holds the JSON object of labels that belongs to the records after it in its page.
 * What a kill or a power cut tears is no whole record: log_page_next() says so, and the writer cuts there. */
#ifndef TARE_RUNTIME_LOG_PAGE_H
#define TARE_RUNTIME_LOG_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_PAGE ((size_t)65536)
#define LOG_PAGE_HEAD 16
#define LOG_TEXT_MAX 16384
#define LOG_RECORD_HEAD_MAX 14         /* flags, ten bytes of time, three of length */

enum { LOG_STDERR = 1, LOG_OPEN = 2 /* no newline followed */, LOG_ATTRS = 4, LOG_MARK = 0x80 };

struct log_page_record {
        unsigned flags;
        int64_t time;
        const uint8_t *text;
        size_t len;
};
/* Both return the bytes written: LOG_PAGE_HEAD, at most LOG_RECORD_HEAD_MAX. */
size_t log_page_begin(uint8_t *out, int64_t time);
size_t log_record_begin(uint8_t *out, unsigned flags, int64_t delta, size_t len);
/* The head of the page; false when it is none of ours. */
bool log_page_time(const uint8_t *page, size_t len, int64_t *ret);
/* Steps from record to record: *at 0 at first, *ret->time kept between calls. 1: a record; 0: the end, *at is where the next one would be
 * written; -1: what is at *at is torn or foreign. */
int log_page_next(const uint8_t *page, size_t len, size_t *at, struct log_page_record *ret);

#endif
