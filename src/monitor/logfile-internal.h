/* The container's log file: records are gathered in one static buffer and written at the end of every read, so a
 * reader never waits for them.
 *
 * logfile_init() once; logfile_lines() as output comes, logfile_flush() after each; logfile_close() at the end. The
 * file is made with its first byte. Rotation as docker's: a file that has reached max_size becomes NAME.1, NAME.1
 * becomes NAME.2, max_files counts all of them. Nothing here fails: a full disk loses records, never half of one, and
 * never stops the container. */
#ifndef TARE_MONITOR_LOGFILE_INTERNAL_H
#define TARE_MONITOR_LOGFILE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "monitor/record-internal.h"

struct logfile {
        const char *path; /* NULL: no log is kept */
        int fd;
        uint64_t size, max_size; /* bytes in the file; 0: unbounded */
        uint32_t max_files;
        size_t used; /* of the buffer */
};

void logfile_init(struct logfile *l, const char *path, uint64_t max_size, uint32_t max_files);
/* Writes what data holds of whole lines, and with `last` all of it; returns the bytes taken, the rest is to be given
 * again. */
size_t logfile_lines(struct logfile *l, const uint8_t *data, size_t len, bool last, const struct record_tail *tail);
void logfile_flush(struct logfile *l);
void logfile_close(struct logfile *l);
/* Gives the buffer's memory back until it is needed again. */
void logfile_rest(struct logfile *l);

#endif
