/* Writes pax archives (POSIX.1-2017 pax, "pax Interchange Format"), the same bytes for the same files: no inode numbers, no user names,
 * no access times, extended attributes under SCHILY.xattr as other engines have them. Names go out as the bytes they are. */
#ifndef TARE_STORAGE_TARWRITE_INTERNAL_H
#define TARE_STORAGE_TARWRITE_INTERNAL_H

#include <stdint.h>
#include <sys/stat.h>
#include "storage/layer.h"

struct tar_writer;
/* clamp: modification times later than this many seconds are cut to it; -1: kept. */
int tar_writer_new(compress_sink_fn sink, void *data, int64_t clamp, struct tar_writer **ret, struct err *err);
void tar_writer_free(struct tar_writer *w);
DEFINE_CLEANUP(struct tar_writer *, tar_writer_free)
/* One file, from a descriptor (O_PATH will do) and its stat. A second name of an inode becomes a hard link. Sockets are left out, for
 * the format has none. */
int tar_writer_add(struct tar_writer *w, const char *name, int fd, const struct stat *st, struct err *err);
/* An empty regular file of mode 0600 and time 0: a whiteout. */
int tar_writer_mark(struct tar_writer *w, const char *name, struct err *err);
int tar_writer_finish(struct tar_writer *w, struct err *err);
/* A compress_sink_fn for data = &descriptor. */
int sink_to_fd(void *data, const void *bytes, size_t len, struct err *err);

#endif
