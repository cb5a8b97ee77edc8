#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/place-internal.h"
#include "storage/keymap-internal.h"

#define LINKS_MAX 40

struct resolve {
        bool make;
        int links;
};
static struct place_dir *dir_walk(struct placer *p, struct place_dir *from, const char *path, size_t len,
                                  struct resolve *how, struct err *err);

static struct place_dir *dir_add(struct placer *p, struct place_dir *parent, const char *path, int fd, bool made)
{
        struct place_dirs *t = &p->dirs;
        struct place_dir *d = xcalloc(1, sizeof(*d));
        *d = (struct place_dir){ .parent = parent, .path = xstrdup(path), .fd = fd, .made = made };
        if (t->count == t->cap) {
                t->cap = t->cap ? t->cap * 2 : 64;
                t->list = xreallocarray(t->list, t->cap, sizeof(*t->list));
        }
        t->list[t->count++] = d;
        keymap_set(t->by_path, d->path, strlen(d->path), d);
        return d;
}

int place_dirs_init(struct placer *p, struct err *err)
{
        int fd = openat(p->options.root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "open the target directory");
        p->dirs.by_path = xcalloc(1, sizeof(*p->dirs.by_path));
        keymap_init(p->dirs.by_path, NULL);
        p->base = dir_add(p, NULL, "", fd, false);
        if (!p->options.base)
                return 0;
        p->base = place_dir_find(p, p->options.base, strlen(p->options.base), err);
        if (p->base)
                return 0;
        return err->kind == ERR_NONE ? err_sysnum(err, ENOENT, "directory %s", p->options.base) : -1;
}

void place_dirs_done(struct placer *p)
{
        struct place_dirs *t = &p->dirs;
        for (size_t i = 0; i < t->count; i++) {
                mem_closep(&t->list[i]->fd);
                place_attributes_done(&t->list[i]->attributes);
                free(t->list[i]->path);
                free(t->list[i]);
        }
        free(t->list);
        if (t->by_path)
                keymap_done(t->by_path);
        free(t->by_path);
}

/* The oldest descriptor makes room. */
static void fd_keep(struct place_dirs *t, struct place_dir *d, int fd)
{
        struct place_dir *old = t->open[t->next_open];
        if (old) {
                mem_closep(&old->fd);
                old->fd = -1;
        }
        t->open[t->next_open] = d;
        t->next_open = (t->next_open + 1) % PLACE_FDS;
        d->fd = fd;
}

int place_dir_fd(struct placer *p, struct place_dir *d, struct err *err)
{
        if (d->fd >= 0)
                return d->fd;
        int fd = path_open_nolink(p->dirs.list[0]->fd, d->path, O_PATH | O_DIRECTORY, 0, err);
        if (fd >= 0)
                fd_keep(&p->dirs, d, fd);
        return fd;
}

bool place_is_whiteout(const struct placer *p, const struct stat *st)
{
        return p->options.layer &&
               overlay_is_whiteout(p->options.layer->s, st->st_mode, major(st->st_rdev), minor(st->st_rdev));
}

static char *child_path(const struct place_dir *d, const char *name)
{
        return d->path[0] ? xasprintf("%s/%s", d->path, name) : xstrdup(name);
}

/* mkdir, and the directory in the table. mode 0700 until the end: nobody but us is to come in. NULL with errno. */
static struct place_dir *dir_new(struct placer *p, struct place_dir *parent, int parent_fd, const char *name)
{
        if (mkdirat(parent_fd, name, 0700) < 0)
                return NULL;
        int fd = openat(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return NULL;
        _cleanup_free_ char *path = child_path(parent, name);
        struct place_dir *d = dir_add(p, parent, path, -1, true);
        fd_keep(&p->dirs, d, fd);
        return d;
}

/* A directory in place of this layer's own whiteout of that name hides what is below it. */
static struct place_dir *dir_over_whiteout(struct placer *p, struct place_dir *parent, int parent_fd, const char *name,
                                           struct err *err)
{
        struct layer_staging *l = p->options.layer;
        if (unlinkat(parent_fd, name, 0) < 0) {
                err_sys(err, "replace /%s", name);
                return NULL;
        }
        struct place_dir *d = dir_new(p, parent, parent_fd, name);
        if (!d)
                err_sys(err, "make directory /%s", name);
        else if (l->s->driver->opaque(l, d->fd, d->path, err) < 0)
                return NULL;
        return d;
}

static struct place_dir *dir_existing(struct placer *p, struct place_dir *parent, int parent_fd, const char *name,
                                      struct err *err)
{
        int fd = openat(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
                err_sys(err, "open directory %s", name);
                return NULL;
        }
        _cleanup_free_ char *path = child_path(parent, name);
        struct place_dir *d = dir_add(p, parent, path, -1, false);
        fd_keep(&p->dirs, d, fd);
        return d;
}

struct place_dir *place_dir_make(struct placer *p, struct place_dir *parent, const char *name, struct err *err)
{
        struct stat st;
        _cleanup_free_ char *path = child_path(parent, name);
        struct place_dir *d = keymap_get(p->dirs.by_path, path, strlen(path));
        int fd = d ? -1 : place_dir_fd(p, parent, err);
        if (d || fd < 0)
                return d;
        d = dir_new(p, parent, fd, name);
        if (d)
                return d;
        if (errno != EEXIST || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                err_sys(err, "make directory /%s", path);
                return NULL;
        }
        if (S_ISDIR(st.st_mode))
                return dir_existing(p, parent, fd, name, err);
        if (place_is_whiteout(p, &st))
                return dir_over_whiteout(p, parent, fd, name, err);
        err_sysnum(err, ENOTDIR, "/%s", path);
        err->kind = ERR_CONFLICT;
        return NULL;
}

/* A component that is no known directory: a link to resolve, a directory that was there, or one to make. */
static struct place_dir *dir_step(struct placer *p, struct place_dir *parent, const char *name, struct resolve *how,
                                  struct err *err)
{
        char target[4096];
        int fd = place_dir_fd(p, parent, err);
        if (fd < 0)
                return NULL;
        ssize_t n = readlinkat(fd, name, target, sizeof(target) - 1);
        if (n > 0) {
                if (++how->links > LINKS_MAX) {
                        err_sysnum(err, ELOOP, "/%s/%s", parent->path, name);
                        return NULL;
                }
                return dir_walk(p, target[0] == '/' ? p->dirs.list[0] : parent, target, (size_t)n, how, err);
        }
        if (errno == ENOENT && !how->make)
                return NULL;
        if (errno != ENOENT && errno != EINVAL) {
                err_sys(err, "/%s/%s", parent->path, name);
                return NULL;
        }
        if (!how->make) {
                struct stat st;
                bool is_dir = fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
                return is_dir ? dir_existing(p, parent, fd, name, err) : NULL;
        }
        struct place_dir *d = place_dir_make(p, parent, name, err);
        if (!d && err->kind == ERR_CONFLICT)
                err->kind = ERR_INVALID;
        return d;
}

/* `path` from a directory, component by component; ".." only comes from links and stops at the root. */
static struct place_dir *dir_walk(struct placer *p, struct place_dir *from, const char *path, size_t len,
                                  struct resolve *how, struct err *err)
{
        struct place_dir *d = from;
        for (size_t at = 0; d && at < len;) {
                char name[NAME_MAX + 1];
                size_t part = 0;
                while (at + part < len && path[at + part] != '/')
                        part++;
                if (part > NAME_MAX) {
                        err_set(err, ERR_INVALID, "a name of more than %d bytes in /%.*s", NAME_MAX,
                                (int)(len > 200 ? 200 : len), path);
                        return NULL;
                }
                snprintf(name, sizeof(name), "%.*s", (int)part, path + at);
                at += part + 1;
                if (part == 0 || str_eq(name, "."))
                        continue;
                if (str_eq(name, "..")) {
                        d = d->parent ? d->parent : d;
                        continue;
                }
                _cleanup_free_ char *full = child_path(d, name);
                struct place_dir *known = keymap_get(p->dirs.by_path, full, strlen(full));
                d = known ? known : dir_step(p, d, name, how, err);
        }
        return d;
}

static struct place_dir *dir_look(struct placer *p, const char *path, size_t len, bool make, struct err *err)
{
        struct resolve how = { .make = make };
        struct place_dir *known = p->base->path[0] ? NULL : keymap_get(p->dirs.by_path, path, len);
        return known ? known : dir_walk(p, p->base, path, len, &how, err);
}

struct place_dir *place_dir_reach(struct placer *p, const char *path, size_t len, struct err *err)
{
        return dir_look(p, path, len, true, err);
}

struct place_dir *place_dir_find(struct placer *p, const char *path, size_t len, struct err *err)
{
        err_clear(err);
        return dir_look(p, path, len, false, err);
}

void place_dir_forget(struct placer *p, const char *path)
{
        struct place_dirs *t = &p->dirs;
        for (size_t i = 1; i < t->count; i++) {
                struct place_dir *d = t->list[i];
                if (d->dead || !path_is_below(d->path, path))
                        continue;
                d->dead = true;
                keymap_take(t->by_path, d->path, strlen(d->path));
                for (size_t k = 0; k < PLACE_FDS; k++)
                        if (t->open[k] == d)
                                t->open[k] = NULL;
                mem_closep(&d->fd);
                d->fd = -1;
        }
}

/* What this file system or these privileges cannot hold is left out, but for capabilities: a program without its own fails later
 * and nobody knows why. */
static int xattrs_apply(int fd, const struct attributes *a, struct err *err)
{
        char path[FD_PATH_SIZE];
        for (size_t i = 0; i < a->xattr_count; i++) {
                const struct attribute *x = &a->xattrs[i];
                if (setxattr(fd_path(fd, path), x->name, x->value, x->len, 0) == 0 || errno == ENOTSUP)
                        continue;
                if ((errno == EPERM || errno == EINVAL) && !str_eq(x->name, "security.capability"))
                        continue;
                return err_sys(err, "set attribute %s", x->name);
        }
        return 0;
}

int place_attributes_apply(struct placer *p, int fd, const struct attributes *a, mode_t type, bool chown_needed,
                           bool chmod_needed, struct err *err)
{
        char path[FD_PATH_SIZE];
        const struct timespec times[2] = { a->mtime, a->mtime };
        if (chown_needed && fchownat(fd, "", a->uid, a->gid, AT_EMPTY_PATH) < 0)
                return err_sys(err, "set owner %u:%u", a->uid, a->gid);
        if (chmod_needed && type != S_IFLNK && chmod(fd_path(fd, path), a->mode) < 0)
                return err_sys(err, "set mode");
        if (a->xattr_count && xattrs_apply(fd, a, err) < 0)
                return -1;
        return utimensat(AT_FDCWD, fd_path(fd, path), times, 0) < 0 ? err_sys(err, "set times") : 0;
}

int place_dirs_finish(struct placer *p, struct err *err)
{
        /* Backwards, so that a directory is done after what lies in it. */
        for (size_t i = p->dirs.count; i-- > 0;) {
                struct place_dir *d = p->dirs.list[i];
                if (d->dead || (!d->made && !d->named))
                        continue;
                if (!d->named) {
                        d->attributes = (struct attributes){ .mode = 0755 };
                        d->attributes.uid = p->options.keep_owner ? 0 : p->options.uid;
                        d->attributes.gid = p->options.keep_owner ? 0 : p->options.gid;
                        clock_gettime(CLOCK_REALTIME, &d->attributes.mtime);
                        if (p->options.layer)
                                namelist_add(&p->options.layer->implied, d->path);
                }
                int fd = place_dir_fd(p, d, err);
                if (fd < 0 || place_attributes_apply(p, fd, &d->attributes, S_IFDIR, true, true, err) < 0)
                        return err_add(err, "directory /%s", d->path);
        }
        return 0;
}
