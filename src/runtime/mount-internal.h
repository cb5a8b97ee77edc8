/* One mount: from the spec's words to a detached mount (fsopen(2), fsmount(2), open_tree(2), mount_setattr(2)), and from
 * there onto a place inside the container's root that is resolved with openat2 and never by a path of ours. */
#ifndef TARE_RUNTIME_MOUNT_INTERNAL_H
#define TARE_RUNTIME_MOUNT_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/runtime_spec.h"

/* The options of an oci_mount, sorted. */
struct mount_words {
        uint64_t set, clear;           /* MOUNT_ATTR_*, the mount itself */
        uint64_t all_set, all_clear;   /* and everything below it */
        uint64_t propagation;          /* MS_SHARED...; 0: as it comes */
        bool propagation_all;
        bool bind, recursive, remount, copy_up, idmap, idmap_all, read_only;
        bool source_nofollow;
        char **data;                   /* strv: what the file system itself is told */
};
void mount_words_done(struct mount_words *w);
#define _cleanup_mount_words_ _cleanup_(mount_words_done)
void mount_words_parse(const struct oci_mount *m, struct mount_words *ret);
/* Mounts that shall stay peers or slaves of the host's must be opened before our own tree is cut off from it. */
bool mount_words_propagates(const struct mount_words *w);

/* Makes the detached mount. base_fd: what a relative source is relative to (AT_FDCWD). userns_fd: for idmap options
 * without maps of their own, -1. Returns the descriptor. */
int mount_make(const struct oci_mount *m, const struct mount_words *w, int base_fd, int userns_fd, struct err *err);
/* A new file system of a type with options; attributes are MOUNT_ATTR_*. */
int mount_make_fs(const char *type, const char *source, char *const *data, uint64_t attributes, struct err *err);
/* A copy of what is at fd (or below dir_fd at path), detached. */
int mount_clone(int dir_fd, const char *path, bool recursive, struct err *err);
/* "/proc/PID/root/PATH": what another container sees at PATH. open_tree(2) copies only mounts of the caller's own namespace, so a
 * child goes there, copies and passes the descriptor back. */
bool mount_is_foreign(const char *source);
int mount_clone_foreign(const char *source, bool recursive, struct err *err);
int mount_set(int fd, uint64_t set, uint64_t clear, bool recursive, struct err *err);
int mount_set_propagation(int fd, uint64_t propagation, bool recursive, struct err *err);
/* Changes the ids of a detached mount by a user namespace made for the maps. */
int mount_idmap(int fd, int userns_fd, bool recursive, struct err *err);

/* Opens (O_PATH) the place of a mount inside the root; a missing one is made, a directory or an empty file. */
int mount_place(int root_fd, const char *destination, bool directory, struct err *err);
int mount_attach(int mount_fd, int place_fd, struct err *err);
bool mount_is_directory(int fd);

/* Overlay from "lowerdir+=" options; falls back to what older kernels take. */
int mount_make_overlay(const struct oci_mount *m, const struct mount_words *w, int userns_fd, struct err *err);

/* Fills a tmpfs with what the image has at its place ("tmpcopyup"). */
int copy_up(int from_fd, int to_fd, struct err *err);

#endif
