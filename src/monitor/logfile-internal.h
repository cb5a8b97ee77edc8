/* A log file of any format: records are gathered in one static buffer and written at the end of every read, so a reader never waits for
 * them.
 *
 * logfile_init() once; logfile_open() before records are made; for each logfile_room(), then `used` is raised by what was written there;
 * logfile_flush() when a read is done. The file is made with its first byte. Rotation as docker's: a file that has reached max_size
 * becomes NAME.1, NAME.1 becomes NAME.2, max_files counts all of them. With a packer it is that program's task to compress what was
 * rotated, which it does under a lock of the folder, as the shift of names here is. */
#ifndef TARE_MONITOR_LOGFILE_INTERNAL_H
#define TARE_MONITOR_LOGFILE_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOGFILE_BUFFER ((size_t)256 << 10) /* pages that no burst has touched cost nothing */

struct logfile {
        const char *path;
        int fd;
        uint64_t size, max_size; /* bytes in the file; 0: unbounded */
        uint32_t max_files;
        size_t used; /* of the buffer */
        _Atomic uint64_t lost; /* records */
        uint64_t records; /* there; of a file of lines 0, as their ends are seen */
        const char *packer, *suffix; /* program that compresses, NULL: none; and what it appends to the name */
        _Atomic pid_t packing;
        /* Where a file that is there goes on: cuts what was torn off at its end. May use the buffer. */
        uint64_t (*recover)(struct logfile *l, int fd, uint64_t size);
        void *data;
};

void logfile_init(struct logfile *l, const char *path, uint64_t max_size, uint32_t max_files);
/* False where it cannot be. */
bool logfile_open(struct logfile *l);
/* A place for a record of at most `need` bytes; writes what is there first where the rest is too short. */
uint8_t *logfile_room(struct logfile *l, size_t need);
/* False: some were not written (and are gone, and counted); the file ends with a whole one. */
bool logfile_flush(struct logfile *l);
static inline bool logfile_is_full(const struct logfile *l)
{
        return l->max_size && l->size + l->used >= l->max_size;
}
void logfile_rotate(struct logfile *l);
void logfile_close(struct logfile *l);
/* Gives the buffer's memory back until it is needed again. */
void logfile_rest(struct logfile *l);
uint8_t *logfile_buffer(void); /* for recover() */
/* For text: cuts behind the last newline. */
uint64_t logfile_recover_lines(struct logfile *l, int fd, uint64_t size);

#endif
