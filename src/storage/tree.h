/* Trees <-> tar streams: for cp, export, ADD of archives, build contexts, save. Same safety as layer.h. */
#ifndef TARE_STORAGE_TREE_H
#define TARE_STORAGE_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "storage/layer.h"

struct tree_write {
        int root_fd;                   /* names are resolved below it (path_open_in) */
        const char *path;              /* file or directory inside, "/" for all; not following a final link unless follow */
        const char *name;              /* its name inside the archive; NULL: "." (entries relative to it) */
        bool follow;
        bool one_file_system;          /* leave out what is mounted below (export of a running container) */
        char *const *exclude;          /* absolute paths inside the root left out, or NULL */
};
int tree_to_tar(const struct tree_write *w, int out_fd, struct err *err);

struct tree_read {
        int root_fd;
        const char *path;              /* existing directory inside the root to unpack into */
        bool keep_owner;               /* else files belong to uid/gid below */
        uint32_t uid, gid;
        enum compression compression;  /* UNKNOWN: by magic */
        struct layer_limits limits;
        const char *rename_from, *rename_to;   /* first component replaced (cp to another name), or NULL */
        bool no_devices;               /* refuse device nodes */
};
int tree_from_tar(const struct tree_read *r, int in_fd, struct err *err);
/* Is this file an archive we can unpack (tar, by its content, compressed or not)? */
bool tree_is_archive(int fd);

/* Copies a file or tree from one root into another (COPY, tmpcopyup of volumes), keeping modes, times, xattrs and hard links;
 * reflinks where the file system can. uid/gid -1: keep. mode -1: keep. */
int tree_copy(int from_root, const char *from, int to_root, const char *to, int64_t uid, int64_t gid, int64_t mode, struct err *err);
/* A digest of content, names and modes (not times), for the build cache. Names sorted; links not followed. */
int tree_digest(int root_fd, const char *path, bool (*excluded)(void *data, const char *path, bool is_dir), void *data,
                char ret_digest[DIGEST_SIZE], struct err *err);

#endif
