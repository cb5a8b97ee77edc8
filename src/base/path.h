/* Paths. Names given by others (images, archives, Dockerfiles, the container) are resolved only by path_open_in(),
 * which can never leave its root: openat2(2) with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS. */
#ifndef TARE_BASE_PATH_H
#define TARE_BASE_PATH_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"

/* Opens `path` as if `root_fd` were "/". Symbolic links are followed inside the root only. O_CLOEXEC is added. */
int path_open_in(int root_fd, const char *path, int flags, mode_t mode, struct err *err);
/* As above and no symbolic link at all is followed (RESOLVE_NO_SYMLINKS): for what we made ourselves. */
int path_open_nolink(int dir_fd, const char *path, int flags, mode_t mode, struct err *err);
/* Makes every missing directory of `path` inside the root (mode, owner as given; uid/gid -1: unchanged), and returns an
 * O_PATH descriptor of the last. Existing symbolic links are followed inside the root. */
int path_mkdirs_in(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err);
/* Opens the parent directory of `path` inside the root and points *ret_name at the last component in `path`; "/",
 * ".", ".." as last component and a trailing "/" (which would follow a link) are refused. Returns an
 * O_PATH|O_DIRECTORY descriptor. */
int path_open_parent_in(int root_fd, const char *path, const char **ret_name, struct err *err);
/* mkdir -p for our own absolute paths. */
int path_mkdirs(const char *path, mode_t mode, struct err *err);
/* Lexical clean as Go's path.Clean: no "//", ".", inner "..". Heap. */
char *path_clean(const char *path);
/* base + "/" + rest, cleaned; `rest` absolute replaces base. Heap. */
char *path_join(const char *base, const char *rest);
/* Last component, pointer into path. */
const char *path_name(const char *path);
/* True when `path` is equal to or below `dir`, both cleaned. */
bool path_is_below(const char *path, const char *dir);

#endif
