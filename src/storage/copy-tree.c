#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/copy-internal.h"
#include "storage/keymap-internal.h"

/* A directory whose attributes are set when all is done. made: as in the source; else its own times come back. */
struct copied_dir {
        char *path;
        bool made;
        struct stat st;
};

struct copier {
        int from, to;
        const struct copy_options *options;
        struct keymap inodes; /* of files with several names: where the first copy is */
        struct namelist todo; /* directories still to be read */
        struct copied_dir *dirs;
        size_t count, cap;
};

static void copier_done(struct copier *c)
{
        keymap_done(&c->inodes);
        namelist_done(&c->todo);
        for (size_t i = 0; i < c->count; i++)
                free(c->dirs[i].path);
        free(c->dirs);
}

static void dir_remember(struct copier *c, const char *path, bool made, const struct stat *st)
{
        if (c->count == c->cap) {
                c->cap = c->cap ? c->cap * 2 : 64;
                c->dirs = xreallocarray(c->dirs, c->cap, sizeof(*c->dirs));
        }
        c->dirs[c->count++] = (struct copied_dir){ xstrdup(path), made, *st };
}

void copy_override(const struct copy_options *o, struct stat *st)
{
        if (o->uid >= 0)
                st->st_uid = (uid_t)o->uid;
        if (o->gid >= 0)
                st->st_gid = (gid_t)o->gid;
        if (o->mode >= 0 && !S_ISLNK(st->st_mode))
                st->st_mode = (st->st_mode & S_IFMT) | (mode_t)(o->mode & 07777);
}

static int directory_copy(struct copier *c, int to_dir, const char *name, const char *path, const struct stat *st,
                          int hidden, struct err *err)
{
        struct stat existing;
        if (hidden == 2)
                return 0;
        bool made = mkdirat(to_dir, name, 0700) == 0;
        if (!made && errno != EEXIST)
                return err_sys(err, "make directory %s", path);
        if (!made && fstatat(to_dir, name, &existing, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(err, "directory %s", path);
        if (!made && !S_ISDIR(existing.st_mode))
                return c->options->keep_existing
                               ? 0
                               : err_set(err, ERR_CONFLICT, "cannot copy the directory %s over a file", path);
        dir_remember(c, path, made, made ? st : &existing);
        namelist_add(&c->todo, path);
        return 0;
}

/* A further name of a file that is copied already. 1: linked. */
static int name_link(struct copier *c, const char *first, int to_dir, const char *name, struct err *err)
{
        const char *last = path_name(first);
        _cleanup_free_ char *parent = xstrndup(first, (size_t)(last - first));
        _cleanup_close_ int dir = path_open_nolink(c->to, *parent ? parent : ".", O_PATH | O_DIRECTORY, 0, err);
        if (dir < 0)
                return -1;
        return linkat(dir, last, to_dir, name, 0) < 0 ? err_sys(err, "link %s", name) : 0;
}

static int file_vacate(struct copier *c, int to_dir, const char *name, const char *path, bool *ret_skip,
                       struct err *err)
{
        struct stat existing;
        *ret_skip = false;
        if (fstatat(to_dir, name, &existing, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : err_sys(err, "%s", path);
        if (c->options->keep_existing) {
                *ret_skip = true;
                return 0;
        }
        if (S_ISDIR(existing.st_mode))
                return err_set(err, ERR_CONFLICT, "cannot copy %s over a directory", path);
        return unlinkat(to_dir, name, 0) < 0 ? err_sys(err, "replace %s", path) : 0;
}

static int file_copy(struct copier *c, int from_dir, int to_dir, const char *name, const char *path, struct stat *st,
                     struct err *err)
{
        bool skip = false;
        if (file_vacate(c, to_dir, name, path, &skip, err) < 0 || skip)
                return skip ? 0 : -1;
        struct inode_key key = inode_key(st);
        const char *first = st->st_nlink > 1 ? keymap_get(&c->inodes, &key, sizeof(key)) : NULL;
        if (first)
                return name_link(c, first, to_dir, name, err);
        _cleanup_close_ int fd = openat(from_dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, st) < 0)
                return err_sys(err, "open %s", path);
        if (S_ISDIR(st->st_mode))
                return err_sysnum(err, ESTALE, "%s", path);
        copy_override(c->options, st);
        if (copy_file(fd, st, to_dir, name, err) < 0)
                return err_add(err, "%s", path);
        if (st->st_nlink > 1)
                keymap_set(&c->inodes, &key, sizeof(key), xstrdup(path));
        return 0;
}

static int entry_copy(struct copier *c, int from_dir, int to_dir, const char *dir_path, const char *name,
                      struct err *err)
{
        struct stat st;
        _cleanup_free_ char *path = *dir_path ? xasprintf("%s/%s", dir_path, name) : xstrdup(name);
        int hidden = c->options->hidden ? c->options->hidden(c->options->data, path) : 0;
        if (hidden == 1)
                return 0;
        if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : err_sys(err, "%s", path);
        if (S_ISDIR(st.st_mode))
                return directory_copy(c, to_dir, name, path, &st, hidden, err);
        return file_copy(c, from_dir, to_dir, name, path, &st, err);
}

static int listing_copy(struct copier *c, const char *path, struct err *err)
{
        const char *at = *path ? path : ".";
        int from_dir = path_open_nolink(c->from, at, O_RDONLY | O_DIRECTORY, 0, err);
        _cleanup_closedir_ DIR *dir = from_dir < 0 ? NULL : fdopendir(from_dir);
        if (!dir)
                return from_dir < 0 ? -1 : err_sys(err, "read %s", path);
        _cleanup_close_ int to_dir = path_open_nolink(c->to, at, O_PATH | O_DIRECTORY, 0, err);
        if (to_dir < 0)
                return -1;
        for (struct dirent *e; (e = readdir(dir));) {
                if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
                        continue;
                if (entry_copy(c, from_dir, to_dir, path, e->d_name, err) < 0)
                        return -1;
        }
        return 0;
}

static int dirs_finish(struct copier *c, struct err *err)
{
        for (size_t i = c->count; i-- > 0;) {
                struct copied_dir *d = &c->dirs[i];
                _cleanup_close_ int to = path_open_nolink(c->to, d->path, O_RDONLY | O_DIRECTORY, 0, err);
                _cleanup_close_ int from =
                        to < 0 || !d->made ? -1 : path_open_nolink(c->from, d->path, O_RDONLY | O_DIRECTORY, 0, err);
                const struct timespec times[2] = { d->st.st_atim, d->st.st_mtim };
                if (to < 0 || (d->made && from < 0))
                        return -1;
                copy_override(c->options, &d->st);
                if (d->made && copy_attributes(from, to, &d->st, err) < 0)
                        return err_add(err, "%s", d->path);
                if (!d->made && c->options->keep_existing && futimens(to, times) < 0)
                        return err_sys(err, "set the times of %s", d->path);
        }
        return 0;
}

int copy_tree(int from, int to, const struct copy_options *options, struct err *err)
{
        __attribute__((cleanup(copier_done))) struct copier c = { .from = from, .to = to, .options = options };
        keymap_init(&c.inodes, free);
        if (listing_copy(&c, "", err) < 0)
                return -1;
        while (c.todo.count > 0) {
                _cleanup_free_ char *path = c.todo.list[--c.todo.count];
                if (listing_copy(&c, path, err) < 0)
                        return -1;
        }
        return dirs_finish(&c, err);
}
