/* A log with its rotated files as one stream of lines, oldest first: PATH.2, PATH.1, PATH.
 *
 * line_files_open() places the reader, line_files_line() hands out one line after the other and steps from file to file. The writer may
 * rotate, truncate or remove the files at any moment: a reader is always on an open file and finds its place among the others by inode. At
 * the end line_files_line() says 0; called again later it goes on with what was written meanwhile. */
#ifndef TARE_BASE_LINEFILES_H
#define TARE_BASE_LINEFILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include "base/bisect.h"
#include "base/buf.h"
#include "base/err.h"

/* Where rotated files may be compressed, as PATH.2.gz: what the name has more, and who writes the content of one to `out`. */
struct line_packing {
        const char *suffix;
        int (*unpack)(void *data, int packed, int out, struct err *err);
        void *data;
};

/* A file among the others. The time of its last change stays what it was when it is packed. */
struct line_file {
        int fd;                        /* -1: none */
        dev_t dev;
        ino_t ino;
        off_t size;
        struct timespec changed;
        bool packed;
};

struct line_files {
        char *path;                    /* of the newest; owned */
        struct line_file file;         /* being read; fd -1: none exists yet; of a packed one its content */
        const struct line_packing *packing;
        off_t offset;                  /* of the next byte to read into the buffer */
        struct buf buffer;             /* bytes read */
        size_t at;                     /* and of those handed out */
        size_t scanned;                /* after `at`, known to hold no newline */
};
void line_files_done(struct line_files *l);
#define _cleanup_line_files_ _cleanup_(line_files_done)

/* tail: whole lines from the end, -1: all. since (ns, 0: none), only without tail: what was last written before is passed over, and in the
 * first file that is left the place is found by `time` (NULL: its beginning); a few lines of before may still come. No file at all is
 * success. */
int line_files_open(const char *path, int64_t tail, int64_t since, line_key_fn time, struct line_files *ret, struct err *err);
int line_files_open_packed(const char *path, int64_t tail, int64_t since, line_key_fn time, const struct line_packing *packing,
                           struct line_files *ret, struct err *err);
/* 1: *ret_line (without its newline, valid until the next call); 0: nothing more for now. */
int line_files_line(struct line_files *l, const char **ret_line, size_t *ret_len, struct err *err);

#endif
