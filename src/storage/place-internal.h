/* Puts the entries of an archive on disk below a directory, whatever they are called.
 *
 * No path is ever walked by the kernel: every directory in use is known by its canonical path in a table, was opened component by
 * component without following a link, and entries are made relative to its descriptor. Links that an archive (or a container) has put
 * on the way are read and resolved here, inside the root. So nothing that is swapped meanwhile can lead outside.
 *
 *     placer_new -> tar_parse with placer_sink -> placer_free
 *
 * Directories get their owner, mode, times and attributes only at the end, because making entries changes their times and a
 * default ACL or set-group-id bit would change the entries. */
#ifndef TARE_STORAGE_PLACE_INTERNAL_H
#define TARE_STORAGE_PLACE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <archive.h>
#include <archive_entry.h>
#include "storage/layer.h"
#include "storage/snapshot-internal.h"

struct placer_options {
        int root_fd;
        const char *base; /* an existing directory inside the root that entries are placed in; NULL: the root */
        struct layer_staging *layer; /* NULL: an existing tree, where whiteout names mean nothing */
        struct layer_limits limits;
        bool keep_owner; /* else uid, gid */
        uint32_t uid, gid;
        bool no_devices;
        const char *rename_from, *rename_to;
};

struct placer;
int placer_new(const struct placer_options *options, struct placer **ret, struct err *err);
void placer_free(struct placer *p);
DEFINE_CLEANUP(struct placer *, placer_free)
/* What the parsing stage is to call (unpack-internal.h). */
struct tar_sink placer_sink(struct placer *p);
uint64_t placer_bytes(const struct placer *p); /* of regular files so far */

/* --- place-entry.c: what an entry says, for whoever makes something of it --- */

#define WHITEOUT ".wh."
#define WHITEOUT_META ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

struct attributes {
        mode_t mode;
        uid_t uid;
        gid_t gid;
        struct timespec mtime;
        struct attribute {
                char *name;
                void *value;
                size_t len;
        } * xattrs;
        size_t xattr_count;
};
void place_attributes_done(struct attributes *a);
int place_attributes_read(const struct placer_options *o, struct archive_entry *e, struct attributes *ret, struct err *err);
/* Cleans a name into ret (at least PATH_MAX): no leading slash, no "." and no empty components. "" is the root. */
int place_name_clean(const char *name, char ret[4096], struct err *err);
/* Whiteout names in the middle of a path: what aufs left is skipped (1), anything else has no meaning. */
int place_middle_check(const char *path, const char *name, struct err *err);
struct place_count {
        uint64_t bytes, files;
};
/* Counts an entry; ERR_TOO_LARGE. */
int place_count_add(struct place_count *c, const struct layer_limits *l, struct archive_entry *e, struct err *err);

/* --- shared by place.c and place-dirs.c --- */

struct place_dir {
        struct place_dir *parent; /* NULL: the root */
        char *path; /* canonical, relative, "" for the root */
        int fd; /* O_PATH, or -1 while it is not needed */
        bool made; /* by us: else it was there */
        bool named; /* by an entry: attributes are to be set */
        bool dead; /* replaced by something else later in the archive */
        struct attributes attributes;
};

#define PLACE_FDS 128
struct place_dirs {
        struct keymap *by_path;
        struct place_dir **list; /* in the order of making: parents first */
        size_t count, cap;
        struct place_dir *open[PLACE_FDS]; /* those with a descriptor, first in first out */
        size_t next_open;
};

struct placer {
        struct placer_options options;
        struct place_dirs dirs;
        struct place_dir *base;
        bool umask_is_zero; /* a mode given to open(2) is the mode of the file */
        uid_t euid;
        gid_t egid;
        struct place_count count;
        /* the regular file being written */
        int file_fd;
        uint64_t file_size, file_pos;
        struct attributes file;
        char file_path[4096];
};

/* Opens the root and finds the base. */
int place_dirs_init(struct placer *p, struct err *err);
void place_dirs_done(struct placer *p);
/* Descriptor (O_PATH) of a directory, opened again if need be; the table keeps it. */
int place_dir_fd(struct placer *p, struct place_dir *d, struct err *err);
/* The directory `path` (len bytes, clean, relative to the base); what is missing is made. Links on the way are resolved inside the root. */
struct place_dir *place_dir_reach(struct placer *p, const char *path, size_t len, struct err *err);
/* As above, making nothing: NULL without err when it is not there. */
struct place_dir *place_dir_find(struct placer *p, const char *path, size_t len, struct err *err);
/* The directory `name` in d, made or found. *ret_dir NULL with err ERR_CONFLICT: something else has that name. */
struct place_dir *place_dir_make(struct placer *p, struct place_dir *d, const char *name, struct err *err);
/* Forgets a directory and all below it. */
void place_dir_forget(struct placer *p, const char *path);
int place_dirs_finish(struct placer *p, struct err *err);
/* Owner, mode, attributes, times; by descriptor that may be O_PATH. */
int place_attributes_apply(struct placer *p, int fd, const struct attributes *a, mode_t type, bool chown_needed,
                           bool chmod_needed, struct err *err);
/* Is this what overlay makes of a whiteout? (only in a layer) */
bool place_is_whiteout(const struct placer *p, const struct stat *st);

#endif
