#include "storage/erofs-layer-internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/erofs-write-internal.h"

#define ATTRIBUTES_MAX ((size_t)64 << 10)

void erofs_layer_free(struct erofs_layer *p)
{
        if (!p)
                return;
        erofs_tree_free(p->tree);
        mem_closep(&p->tar_fd);
        mem_closep(&p->extra_fd);
        free(p);
}

int erofs_layer_begin(struct layer_staging *l, const struct layer_limits *limits, struct err *err)
{
        erofs_layer_freep(&l->packed);
        l->packed = NULL;
        unlinkat(l->dir_fd, EROFS_EXTRA_NAME, 0);
        _cleanup_(erofs_layer_freep) struct erofs_layer *p = xcalloc(1, sizeof(*p));
        *p = (struct erofs_layer){ .staging = l, .extra_fd = -1, .tree = erofs_tree_new() };
        if (limits)
                p->limits = *limits;
        p->tar_fd = openat(l->dir_fd, EROFS_TAR_NAME, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (p->tar_fd < 0)
                return err_sys(err, "create %s/" EROFS_TAR_NAME, l->name);
        l->packed = TAKE_PTR(p);
        return 0;
}

/* --- what comes from the layers below --- */

static int xattrs_adopt(struct erofs_layer *p, struct erofs_node *n, int from, struct err *err)
{
        char path[FD_PATH_SIZE];
        _cleanup_free_ char *names = xmalloc(ATTRIBUTES_MAX), *value = xmalloc(ATTRIBUTES_MAX);
        ssize_t len = listxattr(fd_path(from, path), names, ATTRIBUTES_MAX);
        n->xattrs = NULL;
        n->xattr_bytes = 0;
        for (const char *at = names; len > 0 && at < names + len; at += strlen(at) + 1) {
                ssize_t size = xattr_is_private(at) ? -1 : getxattr(path, at, value, ATTRIBUTES_MAX);
                if (size >= 0 && erofs_xattr_set(p->tree, n, at, value, (size_t)size, err) < 0)
                        return -1;
        }
        return 0;
}

static int node_adopt(struct erofs_layer *p, struct erofs_node *n, int from, const struct stat *st, struct err *err)
{
        n->mode = st->st_mode;
        n->uid = st->st_uid;
        n->gid = st->st_gid;
        n->mtime = st->st_mtim.tv_sec;
        n->mtime_nsec = (uint32_t)st->st_mtim.tv_nsec;
        n->major = major(st->st_rdev);
        n->minor = minor(st->st_rdev);
        return xattrs_adopt(p, n, from, err);
}

static int content_adopt(struct erofs_layer *p, struct erofs_node *n, int from, const struct stat *st, struct err *err)
{
        char path[FD_PATH_SIZE], target[4096];
        if (S_ISLNK(st->st_mode)) {
                ssize_t len = readlinkat(from, "", target, sizeof(target));
                if (len <= 0 || len == sizeof(target))
                        return err_sys(err, "read a link");
                n->target = erofs_tree_text(p->tree, target, (size_t)len);
        }
        if (!S_ISREG(st->st_mode) || st->st_size == 0)
                return 0;
        _cleanup_close_ int fd = open(fd_path(from, path), O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "open");
        if (erofs_extra_add(p, n, (uint64_t)st->st_size, err) < 0)
                return -1;
        return erofs_extra_copy(p, n, fd, 0, (uint64_t)st->st_size, err);
}

/* The directory of a path, and what of it this layer did not have. */
static struct erofs_node *parent_reach(struct erofs_layer *p, const char *path, struct err *err)
{
        const struct erofs_node times = { 0 };
        return erofs_dir_reach(p, path, (size_t)(path_name(path) - path), true, &times, err);
}

/* A hard link to a file of a lower layer: the file is copied up and linked, so that both names stay one file. */
static int link_resolve(struct erofs_layer *p, const struct lowers *parents, const struct deferred_link *k, struct err *err)
{
        struct stat st;
        _cleanup_close_ int from = lowers_lookup(p->staging->s, parents, k->target, NULL);
        if (from < 0 || fstat(from, &st) < 0 || S_ISDIR(st.st_mode))
                return err_set(err, ERR_CORRUPT, "hard link /%s: no file /%s in this layer or below", k->path, k->target);
        struct erofs_node *dir = parent_reach(p, k->path, err), *target_dir = dir ? parent_reach(p, k->target, err) : NULL;
        if (!target_dir)
                return -1;
        const char *name = path_name(k->target);
        struct erofs_node *n = erofs_tree_get(p->tree, target_dir, name);
        if (erofs_tree_get(p->tree, dir, path_name(k->path)))
                return err_sysnum(err, EEXIST, "link /%s to /%s", k->path, k->target);
        /* An earlier deferred link may have brought the target up already. */
        if (!n) {
                n = erofs_tree_make(p->tree, target_dir, name, st.st_mode, err);
                if (!n || content_adopt(p, n, from, &st, err) < 0 || node_adopt(p, n, from, &st, err) < 0)
                        return err_add(err, "hard link /%s", k->path);
        }
        return erofs_tree_link(p->tree, dir, path_name(k->path), n, err);
}

/* --- over the whole tree, once the layers below are there --- */

struct pass {
        struct erofs_layer *p;
        const struct lowers *parents;
        char *path;
        size_t cap;
};

/* Directories the archive did not mention look like those they hide, as if they had been copied up. */
static int dir_complete(struct pass *s, struct erofs_node *d, struct err *err)
{
        struct stat st;
        if (d->implied && s->parents->count) {
                _cleanup_close_ int from = lowers_lookup(s->p->staging->s, s->parents, s->path, NULL);
                if (from >= 0 && fstat(from, &st) == 0 && S_ISDIR(st.st_mode) && node_adopt(s->p, d, from, &st, err) < 0)
                        return err_add(err, "directory /%s", s->path);
        }
        return d->opaque ? erofs_xattr_set(s->p->tree, d, "trusted.overlay.opaque", "y", 1, err) : 0;
}

static void path_enter(struct pass *s, size_t *len, const char *name)
{
        size_t more = strlen(name);
        if (*len + more + 2 > s->cap) {
                s->cap = (*len + more + 2) * 2;
                s->path = xreallocarray(s->path, s->cap, 1);
        }
        if (*len)
                s->path[(*len)++] = '/';
        memcpy(s->path + *len, name, more + 1);
        *len += more;
}

static void path_leave(struct pass *s, size_t *len)
{
        while (*len > 0 && s->path[*len - 1] != '/')
                --*len;
        *len -= *len > 0;
        s->path[*len] = '\0';
}

/* Down and up by the nodes themselves, however deep. */
static int tree_complete(struct pass *s, struct err *err)
{
        struct erofs_node *d = erofs_tree_root(s->p->tree);
        size_t len = 0;
        s->path = xcalloc(1, s->cap = 256);
        if (dir_complete(s, d, err) < 0)
                return -1;
        for (;;) {
                if (d->cursor < d->count) {
                        struct erofs_entry *e = &d->entries[d->cursor++];
                        if (!e->node || !S_ISDIR(e->node->mode))
                                continue;
                        path_enter(s, &len, e->name);
                        d = e->node;
                        if (dir_complete(s, d, err) < 0)
                                return -1;
                } else if (d->parent == d) {
                        return 0;
                } else {
                        d = d->parent;
                        path_leave(s, &len);
                }
        }
}

/* --- on disk --- */

static int index_write(struct erofs_layer *p, struct err *err)
{
        const struct erofs_image image = { .block_bits = 9, .sizes = { 0, p->tar_size, p->extra_size } };
        /* The kernel reads whole blocks. */
        if (p->tar_size % 512 && ftruncate(p->tar_fd, (off_t)(p->tar_size + 512 - p->tar_size % 512)) < 0)
                return err_sys(err, "write %s/" EROFS_TAR_NAME, p->staging->name);
        _cleanup_close_ int fd = openat(p->staging->dir_fd, EROFS_INDEX_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
                return err_sys(err, "create %s/" EROFS_INDEX_NAME, p->staging->name);
        return erofs_write(p->tree, &image, fd, err);
}

/* Where the file system can, the kernel from now on refuses a byte that is not as it was written. */
static void file_seal(int dir_fd, const char *name)
{
        struct fsverity_enable_arg how = { .version = 1, .hash_algorithm = FS_VERITY_HASH_ALG_SHA256, .block_size = 4096 };
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
                (void)!ioctl(fd, FS_IOC_ENABLE_VERITY, &how);
}

int erofs_layer_finish(struct layer_staging *l, const struct lowers *parents, struct err *err)
{
        static const char *const files[] = { EROFS_TAR_NAME, EROFS_EXTRA_NAME, EROFS_INDEX_NAME };
        if (!l->packed && erofs_layer_begin(l, NULL, err) < 0)
                return -1;
        struct pass pass = { .p = l->packed, .parents = parents };
        for (size_t i = 0; i < l->link_count; i++)
                if (link_resolve(l->packed, parents, &l->links[i], err) < 0)
                        return -1;
        int r = tree_complete(&pass, err);
        free(pass.path);
        if (r < 0 || index_write(l->packed, err) < 0)
                return -1;
        l->tar_size = l->packed->tar_size;
        /* A file that is open for writing cannot be sealed. */
        erofs_layer_freep(&l->packed);
        l->packed = NULL;
        for (size_t i = 0; i < ELEMENTS(files); i++)
                file_seal(l->dir_fd, files[i]);
        return 0;
}
