/* From tree to tree, apart from tree.c so that who only copies does not link libarchive. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <errno.h>
#include "base/path.h"
#include "base/str.h"
#include "storage/copy-internal.h"
#include "storage/tree.h"

static int directory_copy(int from, const struct stat *st, int to_root, const char *to, const struct copy_options *o, struct err *err)
{
        struct err missing = ERR_INIT;
        _cleanup_close_ int existing = path_open_in(to_root, to, O_RDONLY | O_DIRECTORY, 0, &missing);
        if (existing >= 0)
                return copy_tree(from, existing, o, err);
        uid_t uid = o->uid >= 0 ? (uid_t)o->uid : (uid_t)-1;
        gid_t gid = o->gid >= 0 ? (gid_t)o->gid : (gid_t)-1;
        struct stat wanted = *st;
        _cleanup_close_ int made = path_mkdirs_in(to_root, to, 0755, uid, gid, err);
        _cleanup_close_ int from_fd = made < 0 ? -1 : openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (from_fd < 0)
                return made < 0 ? -1 : err_sys(err, "open directory");
        copy_override(o, &wanted);
        return copy_tree(from, made, o, err) < 0 ? -1 : copy_attributes(from_fd, made, &wanted, err);
}

static int single_copy(int from, const struct stat *st, int to_root, const char *to, const struct copy_options *o, struct err *err)
{
        const char *name = path_name(to);
        struct stat wanted = *st, existing;
        _cleanup_free_ char *parent = xstrndup(to, (size_t)(name - to));
        uid_t uid = o->uid >= 0 ? (uid_t)o->uid : (uid_t)-1;
        gid_t gid = o->gid >= 0 ? (gid_t)o->gid : (gid_t)-1;
        if (!*name || str_eq(name, ".") || str_eq(name, ".."))
                return err_set(err, ERR_INVALID, "%s names no file", to);
        _cleanup_close_ int dir = path_mkdirs_in(to_root, *parent ? parent : "/", 0755, uid, gid, err);
        if (dir < 0)
                return -1;
        if (fstatat(dir, name, &existing, AT_SYMLINK_NOFOLLOW) == 0) {
                if (S_ISDIR(existing.st_mode))
                        return err_set(err, ERR_CONFLICT, "cannot copy a file over the directory %s", to);
                if (unlinkat(dir, name, 0) < 0)
                        return err_sys(err, "replace %s", to);
        }
        copy_override(o, &wanted);
        return copy_file(from, &wanted, dir, name, err);
}

int tree_copy(int from_root, const char *from, int to_root, const char *to, int64_t uid, int64_t gid, int64_t mode, struct err *err)
{
        struct copy_options options = { uid, gid, mode };
        struct stat st;
        _cleanup_close_ int top = path_open_in(from_root, from, O_PATH | O_NOFOLLOW, 0, err);
        if (top < 0)
                return -1;
        if (fstat(top, &st) < 0)
                return err_sys(err, "%s", from);
        int r = S_ISDIR(st.st_mode) ? directory_copy(top, &st, to_root, to, &options, err) : single_copy(top, &st, to_root, to, &options, err);
        return r < 0 ? err_add(err, "copy %s to %s", from, to) : 0;
}
