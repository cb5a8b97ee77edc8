/* A tree in the order of its names, each directory before what lies in it, with few descriptors and following no link. */
#ifndef TARE_STORAGE_WALK_INTERNAL_H
#define TARE_STORAGE_WALK_INTERNAL_H

#include <sys/stat.h>
#include "base/err.h"

/* path: relative to the top, "" for the top itself; fd: O_PATH. 0 goes on, 1 does not go into this directory, -1 ends. */
typedef int (*walk_fn)(void *data, const char *path, int fd, const struct stat *st, struct err *err);
int sorted_walk(int top_fd, walk_fn fn, void *data, struct err *err);

#endif
