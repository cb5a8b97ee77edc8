/* A json-file log with its rotated files as one stream of lines, oldest first: PATH.2, PATH.1, PATH.
 *
 * log_files_open() places the reader, log_files_line() hands out one line after the other and steps from file to file. The writer may rotate,
 * truncate or remove the files at any moment: a reader is always on an open file and finds its place among the others by inode. At the end
 * log_files_line() says 0; called again later it goes on with what was written meanwhile. */
#ifndef TARE_ENGINE_LOG_FILES_INTERNAL_H
#define TARE_ENGINE_LOG_FILES_INTERNAL_H

#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"

struct log_files {
        char *path;                    /* of the newest; owned */
        int fd;                        /* of the file being read, -1: none exists yet */
        off_t offset;                  /* of the next byte to read into the buffer */
        struct buf buffer;             /* bytes read */
        size_t at;                     /* and of those handed out */
        size_t scanned;                /* after `at`, known to hold no newline */
};
void log_files_done(struct log_files *l);
#define _cleanup_log_files_ _cleanup_(log_files_done)

/* tail: whole lines from the end, -1: all. since (ns, 0: none): files last written before are passed over. No file at all is success. */
int log_files_open(const char *path, int64_t tail, int64_t since, struct log_files *ret, struct err *err);
/* 1: *ret_line (without its newline, valid until the next call); 0: nothing more for now. */
int log_files_line(struct log_files *l, const char **ret_line, size_t *ret_len, struct err *err);

#endif
