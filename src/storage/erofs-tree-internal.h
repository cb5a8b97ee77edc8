/* A tree of files in memory, to be written as an EROFS index (erofs-write-internal.h). Content is not in it: a regular file says where in
 * which backing file its bytes lie.
 *
 *     erofs_tree_new -> erofs_tree_make / _link / _remove, fields of the nodes -> erofs_write -> erofs_tree_free
 *
 * The tree owns all nodes, names and attributes; what was replaced is given back only with the whole tree. Names are single components,
 * checked by the caller: not empty, not "." or "..", without slash. */
#ifndef TARE_STORAGE_EROFS_TREE_INTERNAL_H
#define TARE_STORAGE_EROFS_TREE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/err.h"
#include "base/mem.h"

/* What no archive is meant to reach; a limit for who builds one to fill the memory. */
#define EROFS_NODES_MAX ((uint64_t)1 << 24)
#define EROFS_XATTR_BYTES_MAX ((size_t)60 << 10) /* of one file, as written */

enum erofs_backing { EROFS_NOWHERE, EROFS_TAR, EROFS_EXTRA, EROFS_BACKINGS };

struct erofs_xattr {
        struct erofs_xattr *next;
        char *name; /* whole */
        void *value;
        size_t len;
};

struct erofs_entry {
        char *name;
        struct erofs_node *node;
};

struct erofs_node { /* an inode */
        mode_t mode; /* with the type */
        uint32_t uid, gid, major, minor;
        int64_t mtime;
        uint32_t mtime_nsec;
        uint64_t size; /* of a regular file */
        enum erofs_backing backing;
        uint64_t offset; /* in the backing file, a multiple of 512 */
        char *target; /* of a symbolic link */
        struct erofs_xattr *xattrs;
        /* of a directory */
        struct erofs_node *parent; /* of the root: itself */
        struct erofs_entry *entries;
        size_t count, cap;
        uint64_t id;
        bool implied; /* no entry of the archive was about this directory */
        bool opaque; /* hides what is below */
        size_t cursor; /* of one walk through all */
        size_t xattr_bytes;
        struct erofs_node *older; /* directory, of those ever made */
        /* the writer's */
        struct erofs_node *next; /* as they lie in the index */
        bool placed;
        uint32_t nlink, ino, block, tail; /* tail: bytes that follow the inode, the rest is in blocks */
        size_t tail_entry; /* the first of a directory's last block */
        uint64_t nid, bytes;
};

struct erofs_tree;
struct erofs_tree *erofs_tree_new(void);
void erofs_tree_free(struct erofs_tree *t);
DEFINE_CLEANUP(struct erofs_tree *, erofs_tree_free)
struct erofs_node *erofs_tree_root(struct erofs_tree *t);
/* The node of that name, or NULL. */
struct erofs_node *erofs_tree_get(struct erofs_tree *t, const struct erofs_node *dir, const char *name);
/* A new node, mode with type, in place of what has the name. NULL with err: a limit. */
struct erofs_node *erofs_tree_make(struct erofs_tree *t, struct erofs_node *dir, const char *name, mode_t mode, struct err *err);
/* A further name of a node that is no directory, in place of what has it. */
int erofs_tree_link(struct erofs_tree *t, struct erofs_node *dir, const char *name, struct erofs_node *node, struct err *err);
void erofs_tree_remove(struct erofs_tree *t, struct erofs_node *dir, const char *name);
char *erofs_tree_text(struct erofs_tree *t, const char *text, size_t len); /* a copy the tree owns */
void *erofs_tree_alloc(struct erofs_tree *t, size_t size); /* likewise, 16 bytes aligned */

/* --- erofs-xattr.c --- */
/* An attribute as setxattr(2) would take it, replacing one of that name. What a file of this type cannot have, or no kernel knows, is
 * left out as unpacking leaves it out; a capability that is none, and more than fits, is an error. An ACL sets the mode's bits. */
int erofs_xattr_set(struct erofs_tree *t, struct erofs_node *n, const char *name, const void *value, size_t len, struct err *err);
/* Writes xattr_bytes of the node, which is 0 without attributes, a multiple of 4, and at most EROFS_XATTR_BYTES_MAX. */
void erofs_xattr_encode(const struct erofs_node *n, unsigned char *ret);

#endif
