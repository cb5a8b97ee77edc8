/* Directories of a tree in memory by path. Apart from what reads archives, because `tare` has no libarchive. */
#include <errno.h>
#include <limits.h>
#include "base/str.h"
#include "storage/erofs-layer-internal.h"

#define LINKS_MAX 40

bool erofs_is_whiteout(const struct erofs_node *n)
{
        return S_ISCHR(n->mode) && n->major == 0 && n->minor == 0;
}

struct walk {
        struct erofs_layer *p;
        bool make;
        const struct erofs_node *times;
        int links;
};
static struct erofs_node *dir_walk(struct walk *w, struct erofs_node *from, const char *path, size_t len, struct err *err);

static struct erofs_node *dir_make(struct walk *w, struct erofs_node *dir, const char *name, bool opaque, struct err *err)
{
        struct erofs_node *n = erofs_tree_make(w->p->tree, dir, name, S_IFDIR | 0755, err);
        if (!n)
                return NULL;
        n->implied = true;
        n->opaque = opaque;
        n->mtime = w->times->mtime;
        n->mtime_nsec = w->times->mtime_nsec;
        return n;
}

static struct erofs_node *dir_step(struct walk *w, struct erofs_node *dir, const char *name, struct err *err)
{
        struct erofs_node *n = erofs_tree_get(w->p->tree, dir, name);
        if (n && S_ISDIR(n->mode))
                return n;
        if (n && S_ISLNK(n->mode)) {
                if (++w->links > LINKS_MAX) {
                        err_sysnum(err, ELOOP, "%s", name);
                        return NULL;
                }
                struct erofs_node *from = n->target[0] == '/' ? erofs_tree_root(w->p->tree) : dir;
                return dir_walk(w, from, n->target, strlen(n->target), err);
        }
        if (!w->make)
                return NULL;
        if (!n || erofs_is_whiteout(n))
                return dir_make(w, dir, name, n, err);
        err_sysnum(err, ENOTDIR, "%s", name);
        err->kind = ERR_INVALID;
        return NULL;
}

/* Component by component; ".." only comes from links and stops at the root. */
static struct erofs_node *dir_walk(struct walk *w, struct erofs_node *from, const char *path, size_t len, struct err *err)
{
        struct erofs_node *d = from;
        for (size_t at = 0; d && at < len;) {
                char name[NAME_MAX + 1];
                const char *slash = memchr(path + at, '/', len - at);
                size_t part = slash ? (size_t)(slash - path) - at : len - at;
                if (part > NAME_MAX) {
                        err_set(err, ERR_INVALID, "a name of more than %d bytes in /%.*s", NAME_MAX, (int)(len > 200 ? 200 : len), path);
                        return NULL;
                }
                memcpy(name, path + at, part);
                name[part] = '\0';
                at += part + 1;
                if (part == 0 || str_eq(name, "."))
                        continue;
                d = str_eq(name, "..") ? d->parent : dir_step(w, d, name, err);
        }
        return d;
}

struct erofs_node *erofs_dir_reach(struct erofs_layer *p, const char *path, size_t len, bool make, const struct erofs_node *times, struct err *err)
{
        struct walk w = { .p = p, .make = make, .times = times };
        err_clear(err);
        return dir_walk(&w, erofs_tree_root(p->tree), path, len, err);
}
