/* Copies of single files and of attributes, from descriptors that may be O_PATH. */
#ifndef TARE_STORAGE_COPY_INTERNAL_H
#define TARE_STORAGE_COPY_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/err.h"

/* Owner, mode, extended attributes (not the driver's own) and times of `from` (whose stat is st), in the order that keeps set-id bits
 * and capabilities. Links have no mode. */
int copy_attributes(int from, int to, const struct stat *st, struct err *err);
/* Extended attributes alone. What the target cannot hold is left out, but for file capabilities. */
int copy_xattrs(int from, int to, struct err *err);
/* Makes `name` (must not exist) in dir_fd a copy of what `from` is, with all attributes: any type but a directory. */
int copy_file(int from, const struct stat *st, int dir_fd, const char *name, struct err *err);
/* Content between two open regular files: a reflink where possible, else the data without the holes. */
int copy_content(int from, int to, uint64_t size, struct err *err);
/* Everything below the directory `from`, into the directory `to`, whose own attributes are left alone; so are those of directories
 * that are there already. Hard links within stay links. */
struct copy_options {
        int64_t uid, gid, mode; /* -1: keep */
        bool keep_existing; /* what `to` has already wins; else files are replaced, and a directory in a file's way is an error */
        /* Leave out: 1 this name, 2 what is in this directory (it is not made either). NULL: copy all. path: relative. */
        int (*hidden)(void *data, const char *path);
        void *data;
};
int copy_tree(int from, int to, const struct copy_options *options, struct err *err);
/* Owner and mode as the options say. */
void copy_override(const struct copy_options *options, struct stat *st);

#endif
