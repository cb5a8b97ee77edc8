/* COPY and ADD: what is asked (copy.c), which files that is (copy_sources.c), and their placing in the root
 * (copy_place.c). */
#ifndef TARE_BUILD_COPY_INTERNAL_H
#define TARE_BUILD_COPY_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "build/ignore.h"
#include "build/step-internal.h"

struct copy_item {
        char *path; /* in the source's tree, absolute, without links in it; NULL: text */
        char *name; /* what it is called below a destination directory */
        char *text; /* content given in the Dockerfile */
        bool is_dir;
};
struct copy {
        struct source from;
        bool from_context;
        bool add, unpack;
        char **words; /* the sources as asked for, expanded */
        char **texts; /* for a word that is a heredoc: its text; else "" */
        bool *is_text;
        char *dest; /* absolute, cleaned */
        bool dest_is_dir; /* it was written with a trailing slash */
        char *chown; /* NULL: root for the context, unchanged for others */
        int64_t mode; /* -1: unchanged */
        struct ignore *exclude; /* --exclude; NULL: none */
        struct copy_item *items;
        size_t item_count;
};
void copy_free(struct copy *c);
/* Finds the files; opens the source's tree. */
int copy_resolve(struct step *s, struct copy *c, struct err *err);
void copy_forget(struct copy *c); /* what copy_resolve found */
/* Digest of all of them, and docker's "file:", "dir:", "multi:" before it. */
int copy_digest(struct copy *c, const struct ignore *ignore, char **ret, struct err *err);
/* Is this path (below the source directory `base`) left out? */
struct copy_filter {
        const struct ignore *ignore;
        const struct ignore *exclude;
        const char *base;
};
bool copy_filtered(const struct copy_filter *f, const char *path, bool is_dir, bool *ret_prunes);
/* Puts them into the step's root. */
int copy_place(struct step *s, const struct copy *c, struct err *err);

/* Copies one path of a tree as `to` (not there yet) of another, without what `ignore` leaves out. owner: of all, -1:
 * as they are. */
int copy_tree_filtered(int from_root, const char *from, const struct ignore *ignore, int to_root, const char *to,
                       int64_t owner, struct err *err);

/* For tree_digest(): its paths are relative to the filter's base. */
bool copy_digest_excluded(void *filter, const char *path, bool is_dir);
/* Where a path of a tree really is, links followed inside the tree: absolute, heap. */
int tree_resolve(int root_fd, const char *path, char **ret, bool *ret_is_dir, struct err *err);
/* The path behind an open descriptor, relative to the tree of root_fd: absolute, links resolved. Heap. */
char *tree_path_of(int root_fd, int fd, struct err *err);

#endif
