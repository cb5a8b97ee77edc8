/* The entries of an archive into the tree of an index: the same meaning that place.c gives them on disk. */
#include <errno.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/erofs-layer-internal.h"

#define TARGET_MAX 4095
#define MAJOR_MAX 0xfff /* what fits a device number */
#define MINOR_MAX 0xfffff

struct entry {
        struct erofs_layer *p;
        struct archive_entry *e;
        struct erofs_node *dir; /* where it goes */
        const char *name, *path; /* last component, inside path */
        const struct attributes *a;
};

static int attributes_set(struct erofs_layer *p, struct erofs_node *n, const struct attributes *a, struct err *err)
{
        n->mode = (n->mode & S_IFMT) | (S_ISLNK(n->mode) ? 0777 : a->mode);
        n->uid = a->uid;
        n->gid = a->gid;
        n->mtime = a->mtime.tv_sec;
        n->mtime_nsec = (uint32_t)a->mtime.tv_nsec;
        n->xattrs = NULL;
        n->xattr_bytes = 0;
        for (size_t i = 0; i < a->xattr_count; i++)
                if (erofs_xattr_set(p->tree, n, a->xattrs[i].name, a->xattrs[i].value, a->xattrs[i].len, err) < 0)
                        return -1;
        return 0;
}

static int place_directory(const struct entry *t, struct err *err)
{
        struct erofs_node *n = *t->path ? erofs_tree_get(t->p->tree, t->dir, t->name) : t->dir;
        if (!n || !S_ISDIR(n->mode)) {
                bool opaque = n && erofs_is_whiteout(n);
                n = erofs_tree_make(t->p->tree, t->dir, t->name, S_IFDIR, err);
                if (!n)
                        return -1;
                n->opaque = opaque;
        }
        n->implied = false;
        return attributes_set(t->p, n, t->a, err);
}

static int device_check(const struct entry *t, struct err *err)
{
        uint64_t major = archive_entry_rdevmajor(t->e), minor = archive_entry_rdevminor(t->e);
        if (archive_entry_filetype(t->e) == AE_IFCHR && major == 0 && minor == 0)
                return err_set(err, ERR_INVALID, "/%s is the character device 0:0, which would hide a file", t->path);
        if (major > MAJOR_MAX || minor > MINOR_MAX)
                return err_set(err, ERR_INVALID, "/%s is a device whose number is out of range", t->path);
        return 0;
}

static int place_other(const struct entry *t, bool *ret_wants_data, struct err *err)
{
        mode_t type = archive_entry_filetype(t->e);
        const char *target = type == AE_IFLNK ? archive_entry_symlink(t->e) : NULL;
        bool device = type == AE_IFCHR || type == AE_IFBLK;
        if (type == AE_IFLNK && (str_empty(target) || strlen(target) > TARGET_MAX))
                return err_set(err, ERR_INVALID, "/%s is a symbolic link to %s", t->path, target ? "too long a name" : "nothing");
        if (device && device_check(t, err) < 0)
                return -1;
        struct erofs_node *n = erofs_tree_make(t->p->tree, t->dir, t->name, type, err);
        if (!n)
                return -1;
        if (device) {
                n->major = (uint32_t)archive_entry_rdevmajor(t->e);
                n->minor = (uint32_t)archive_entry_rdevminor(t->e);
        }
        n->target = target ? erofs_tree_text(t->p->tree, target, strlen(target)) : NULL;
        if (type == AE_IFREG) {
                t->p->file = n;
                t->p->file_pos = 0;
                t->p->scattered = false;
                snprintf(t->p->file_path, sizeof(t->p->file_path), "%s", t->path);
                n->size = archive_entry_size_is_set(t->e) && archive_entry_size(t->e) > 0 ? (uint64_t)archive_entry_size(t->e) : 0;
                n->backing = EROFS_TAR;
                *ret_wants_data = true;
        }
        return attributes_set(t->p, n, t->a, err);
}

static void link_defer(struct layer_staging *l, const char *path, const char *target)
{
        l->links = xreallocarray(l->links, l->link_count + 1, sizeof(*l->links));
        l->links[l->link_count++] = (struct deferred_link){ xstrdup(path), xstrdup(target) };
}

/* The target may be in a layer below: erofs_layer_finish() sees to it. */
static int place_hardlink(const struct entry *t, struct err *err)
{
        char target[4096];
        if (place_name_clean(archive_entry_hardlink(t->e), target, err) < 0)
                return -1;
        if (!*target || str_eq(target, t->path))
                return err_set(err, ERR_INVALID, "/%s is a hard link to itself or to the root", t->path);
        const char *name = path_name(target);
        struct erofs_node *d = erofs_dir_reach(t->p, target, (size_t)(name - target), false, NULL, err);
        if (!d && err->kind != ERR_NONE)
                return -1;
        struct erofs_node *n = d ? erofs_tree_get(t->p->tree, d, name) : NULL;
        if (n && d == t->dir && str_eq(name, t->name))
                return err_set(err, ERR_INVALID, "/%s is a hard link to itself", t->path);
        if (n && !erofs_is_whiteout(n))
                return erofs_tree_link(t->p->tree, t->dir, t->name, n, err);
        erofs_tree_remove(t->p->tree, t->dir, t->name);
        link_defer(t->p->staging, t->path, target);
        return 0;
}

/* 1: a name of the layer format itself, dealt with. */
static int place_whiteout(const struct entry *t, struct err *err)
{
        const char *gone = str_after(t->name, WHITEOUT);
        if (!gone)
                return 0;
        if (str_eq(t->name, WHITEOUT_OPAQUE)) {
                t->dir->opaque = true;
                return 1;
        }
        if (str_starts(t->name, WHITEOUT_META))
                return 1;
        if (!*gone || str_eq(gone, ".") || str_eq(gone, ".."))
                return err_set(err, ERR_INVALID, "entry /%s is a whiteout of nothing", t->path);
        struct erofs_node *n = erofs_tree_get(t->p->tree, t->dir, gone);
        /* It hides what is below, never what the same layer brings. */
        if (n && S_ISDIR(n->mode))
                n->opaque = true;
        if (!n && !erofs_tree_make(t->p->tree, t->dir, gone, S_IFCHR, err))
                return -1;
        return 1;
}

static int place_in(struct entry *t, bool *ret_wants_data, struct err *err)
{
        mode_t type = archive_entry_filetype(t->e);
        if (archive_entry_hardlink(t->e))
                return place_hardlink(t, err);
        if (type == AE_IFDIR)
                return place_directory(t, err);
        if (type == AE_IFREG || type == AE_IFLNK || type == AE_IFCHR || type == AE_IFBLK || type == AE_IFIFO)
                return place_other(t, ret_wants_data, err);
        return err_set(err, ERR_INVALID, "entry /%s is of an unknown type", t->path);
}

static int entry_place(struct entry *t, bool *ret_wants_data, struct err *err)
{
        struct attributes a = { 0 };
        const struct placer_options options = { .keep_owner = true };
        if (place_attributes_read(&options, t->e, &a, err) < 0)
                return err_add(err, "/%s", t->path);
        struct erofs_node times = { .mtime = a.mtime.tv_sec, .mtime_nsec = (uint32_t)a.mtime.tv_nsec };
        t->a = &a;
        t->dir = erofs_dir_reach(t->p, t->path, (size_t)(t->name - t->path), true, &times, err);
        int done = t->dir && *t->path ? place_whiteout(t, err) : 0;
        int r = !t->dir || done < 0 ? -1 : done > 0 ? 0 : place_in(t, ret_wants_data, err);
        place_attributes_done(&a);
        return r < 0 && !str_starts(err->msg, "/") ? err_add(err, "/%s", t->path) : r;
}

static int sink_entry(void *data, struct archive_entry *e, bool *ret_wants_data, struct err *err)
{
        struct erofs_layer *p = data;
        char path[4096];
        const char *raw = archive_entry_pathname(e);
        *ret_wants_data = false;
        if (!raw || place_name_clean(raw, path, err) < 0)
                return raw ? -1 : err_set(err, ERR_INVALID, "an entry has no name");
        if (place_count_add(&p->count, &p->limits, e, err) < 0)
                return -1;
        struct entry t = { .p = p, .e = e, .path = path, .name = path_name(path) };
        int skip = place_middle_check(path, t.name, err);
        if (skip != 0)
                return skip < 0 ? -1 : 0;
        if (!*path && (archive_entry_filetype(e) != AE_IFDIR || archive_entry_hardlink(e)))
                return err_set(err, ERR_INVALID, "the archive's root is no directory");
        return entry_place(&t, ret_wants_data, err);
}

/* --- content: noted where it lies, copied only where it does not lie in one piece --- */

static int scatter(struct erofs_layer *p, struct err *err)
{
        uint64_t at = p->file->offset;
        if (erofs_extra_add(p, p->file, p->file->size, err) < 0 || erofs_extra_copy(p, p->file, p->tar_fd, at, p->file_pos, err) < 0)
                return -1;
        p->scattered = true;
        return 0;
}

static int sink_content(void *data, const void *bytes, size_t len, uint64_t offset, uint64_t at, struct err *err)
{
        struct erofs_layer *p = data;
        struct erofs_node *n = p->file;
        if (offset > n->size || len > n->size - offset)
                return err_set(err, ERR_CORRUPT, "/%s: more data than its size", p->file_path);
        if (!p->scattered && p->file_pos == 0 && offset == 0 && at % 512 == 0)
                n->offset = at;
        if (!p->scattered && offset == p->file_pos && at == n->offset + p->file_pos) {
                p->file_pos += len;
                return 0;
        }
        if (!p->scattered && scatter(p, err) < 0)
                return err_add(err, "/%s", p->file_path);
        return erofs_extra_write(p, n, bytes, len, offset, err);
}

static int sink_close(void *data, struct err *err)
{
        struct erofs_layer *p = data;
        if (!p->scattered && p->file_pos < p->file->size && scatter(p, err) < 0)
                return err_add(err, "/%s", p->file_path);
        p->file = NULL;
        return 0;
}

static int sink_bytes(void *data, const void *bytes, size_t len, struct err *err)
{
        struct erofs_layer *p = data;
        if (fd_write_full(p->tar_fd, bytes, len) < 0)
                return err_sys(err, "write %s/" EROFS_TAR_NAME, p->staging->name);
        p->tar_size += len;
        return 0;
}

static int sink_finish(void *data, struct err *err)
{
        return 0;
}

struct tar_sink erofs_layer_sink(struct erofs_layer *p)
{
        return (struct tar_sink){ .data = p,
                                  .bytes = sink_bytes,
                                  .entry = sink_entry,
                                  .content = sink_content,
                                  .close = sink_close,
                                  .finish = sink_finish };
}
