/* Whole files and trees. A file that matters appears by write, fsync, rename, fsync of the directory. */
#ifndef TARE_BASE_FILE_H
#define TARE_BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"

/* Reads a whole file (AT_FDCWD allowed) into the buffer, up to its maximum. */
int file_read_at(int dir_fd, const char *path, struct buf *b, struct err *err);
/* Writes `data` to a temporary name beside `path` and renames it over. durable: fsync file and directory first. */
int file_write_at(int dir_fd, const char *path, const void *data, size_t len, mode_t mode, bool durable,
                  struct err *err);
/* Writes in place, one write(2): for /proc, /sys and cgroup files. */
int file_poke_at(int dir_fd, const char *path, const char *text, struct err *err);
/* First line of a small kernel file, without newline, on the heap. */
int file_line_at(int dir_fd, const char *path, char **ret_line, struct err *err);
int file_sync_dir(int dir_fd, struct err *err);
bool file_exists_at(int dir_fd, const char *path);
/* Removes a file or a whole tree, never following links, never crossing into another mount; a missing one is success.
 * chmods directories that refuse. Works at any depth with bounded descriptors. */
int tree_remove_at(int dir_fd, const char *path, struct err *err);
/* Disk use of a tree in bytes (st_blocks), each inode once. */
int tree_usage_at(int dir_fd, const char *path, uint64_t *ret_bytes, struct err *err);
/* Exclusive (or shared) flock on a lock file made when missing; returns the descriptor to close. wait: block, else
 * ERR_CONFLICT. */
int file_lock_at(int dir_fd, const char *path, bool exclusive, bool wait, struct err *err);

#endif
