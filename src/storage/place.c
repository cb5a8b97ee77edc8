#include "storage/place-internal.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/unpack-internal.h"


int placer_new(const struct placer_options *options, struct placer **ret, struct err *err)
{
        _cleanup_(placer_freep) struct placer *p = xcalloc(1, sizeof(*p));
        p->options = *options;
        p->file_fd = -1;
        p->euid = geteuid();
        p->egid = getegid();
        /* The mask belongs to a thread once its file system context is its own. The caller runs us in a thread made for it. */
        if (unshare(CLONE_FS) == 0) {
                umask(0);
                p->umask_is_zero = true;
        }
        if (place_dirs_init(p, err) < 0)
                return -1;
        *ret = TAKE_PTR(p);
        return 0;
}

void placer_free(struct placer *p)
{
        if (!p)
                return;
        mem_closep(&p->file_fd);
        place_attributes_done(&p->file);
        place_dirs_done(p);
        free(p);
}

uint64_t placer_bytes(const struct placer *p)
{
        return p->count.bytes;
}

/* --- names --- */

/* The first component replaced, for copies under another name. */
static int name_rename(const struct placer_options *o, char path[4096], struct err *err)
{
        const char *rest = o->rename_from ? str_after(path, o->rename_from) : NULL;
        if (!rest || (*rest && *rest != '/'))
                return 0;
        _cleanup_free_ char *renamed = xasprintf("%s%s", o->rename_to, rest);
        return place_name_clean(renamed, path, err);
}

/* --- attributes --- */

static bool chown_needed(const struct placer *p, const struct attributes *a)
{
        /* In a tree that was there, a set-group-id directory may have given its group. */
        return !p->options.layer || a->uid != p->euid || a->gid != p->egid;
}

static bool chmod_needed(const struct placer *p, const struct attributes *a)
{
        return !p->options.layer || !p->umask_is_zero || (a->mode & 07000);
}

/* --- entries --- */

/* What has the name of a new entry goes. */
static int name_vacate(struct placer *p, int parent_fd, const char *name, const char *path, struct err *err)
{
        if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return err_sys(err, "replace /%s", path);
        if (!p->options.layer) {
                if (unlinkat(parent_fd, name, AT_REMOVEDIR) < 0)
                        return err_set(err, ERR_CONFLICT, "/%s is a directory and would be replaced by something else",
                                       path);
        } else if (tree_remove_at(parent_fd, name, err) < 0)
                return -1;
        place_dir_forget(p, path);
        return 0;
}

struct place { /* where an entry goes */
        struct placer *p;
        struct archive_entry *e;
        int parent_fd;
        const char *name; /* last component, inside path */
        const char *path; /* canonical */
        struct attributes *a;
};

static int node_make(const struct place *t, struct err *err);

static int make_regular(const struct place *t)
{
        mode_t mode = (t->a->mode & 07000) ? 0600 : t->a->mode;
        t->p->file_fd = openat(t->parent_fd, t->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        return t->p->file_fd < 0 ? -1 : 0;
}

static int make_symlink(const struct place *t)
{
        const char *target = archive_entry_symlink(t->e);
        if (!target || !*target) {
                errno = EINVAL;
                return -1;
        }
        return symlinkat(target, t->parent_fd, t->name);
}

static int make_node(const struct place *t)
{
        mode_t type = archive_entry_filetype(t->e);
        dev_t device = makedev(archive_entry_rdevmajor(t->e), archive_entry_rdevminor(t->e));
        return mknodat(t->parent_fd, t->name, type | (t->a->mode & 0777), type == AE_IFIFO ? 0 : device);
}

static int device_check(const struct place *t, struct err *err)
{
        mode_t type = archive_entry_filetype(t->e);
        if (type == AE_IFIFO)
                return 0;
        if (t->p->options.no_devices)
                return err_set(err, ERR_INVALID, "/%s is a device, which is not allowed here", t->path);
        if (type == AE_IFCHR && archive_entry_rdevmajor(t->e) == 0 && archive_entry_rdevminor(t->e) == 0)
                return err_set(err, ERR_INVALID, "/%s is the character device 0:0, which would hide a file", t->path);
        return 0;
}

/* Makes the new name, replacing what has it. */
static int node_make(const struct place *t, struct err *err)
{
        mode_t type = archive_entry_filetype(t->e);
        int (*make)(const struct place *) = type == AE_IFREG   ? make_regular
                                            : type == AE_IFLNK ? make_symlink
                                                               : make_node;
        if (make(t) == 0)
                return 0;
        if (errno != EEXIST)
                return err_sys(err, "make /%s", t->path);
        if (name_vacate(t->p, t->parent_fd, t->name, t->path, err) < 0)
                return -1;
        return make(t) < 0 ? err_sys(err, "make /%s", t->path) : 0;
}

static int place_regular(const struct place *t, bool *ret_wants_data, struct err *err)
{
        struct placer *p = t->p;
        if (node_make(t, err) < 0)
                return -1;
        p->file_size = archive_entry_size_is_set(t->e) ? (uint64_t)archive_entry_size(t->e) : 0;
        p->file_pos = 0;
        p->file = *t->a;
        *t->a = (struct attributes){ 0 };
        snprintf(p->file_path, sizeof(p->file_path), "%s", t->path);
        *ret_wants_data = true;
        return 0;
}

static int place_other(const struct place *t, bool *ret_wants_data, struct err *err)
{
        mode_t type = archive_entry_filetype(t->e);
        if (type != AE_IFLNK && device_check(t, err) < 0)
                return -1;
        if (node_make(t, err) < 0) {
                /* As every rootless engine: a user namespace cannot make devices, and an image may still carry some. */
                bool skip = err->sys == EPERM && type != AE_IFLNK && t->p->options.layer &&
                            t->p->options.layer->s->user_xattr;
                if (!skip)
                        return -1;
                err_clear(err);
                return 0;
        }
        const struct timespec times[2] = { t->a->mtime, t->a->mtime };
        bool owner = chown_needed(t->p, t->a), mode = chmod_needed(t->p, t->a);
        if (type == AE_IFLNK && t->a->xattr_count == 0) {
                if (owner && fchownat(t->parent_fd, t->name, t->a->uid, t->a->gid, AT_SYMLINK_NOFOLLOW) < 0)
                        return err_sys(err, "set the owner of /%s", t->path);
                return utimensat(t->parent_fd, t->name, times, AT_SYMLINK_NOFOLLOW) < 0
                               ? err_sys(err, "set the times of /%s", t->path)
                               : 0;
        }
        _cleanup_close_ int fd = openat(t->parent_fd, t->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "open /%s", t->path);
        return place_attributes_apply(t->p, fd, t->a, type, owner, mode, err) < 0 ? err_add(err, "/%s", t->path) : 0;
}

static int place_directory(struct placer *p, struct place_dir *parent, const char *name, struct archive_entry *e,
                           struct attributes *a, struct err *err)
{
        struct place_dir *d = name ? place_dir_make(p, parent, name, err) : parent;
        if (!d && err->kind == ERR_CONFLICT && err->sys == ENOTDIR) {
                err_clear(err);
                int fd = place_dir_fd(p, parent, err);
                if (fd < 0 || name_vacate(p, fd, name, name, err) < 0)
                        return -1;
                d = place_dir_make(p, parent, name, err);
        }
        if (!d)
                return -1;
        place_attributes_done(&d->attributes);
        d->attributes = *a;
        *a = (struct attributes){ 0 };
        d->named = true;
        if (!name && p->options.layer)
                p->options.layer->root_named = true;
        return 0;
}

static void link_defer(struct layer_staging *l, const char *path, const char *target)
{
        l->links = xreallocarray(l->links, l->link_count + 1, sizeof(*l->links));
        l->links[l->link_count++] = (struct deferred_link){ xstrdup(path), xstrdup(target) };
}

/* The target is looked up without making anything. In a layer it may be in one below: layer_commit() sees to it. */
static int place_hardlink(const struct place *t, struct err *err)
{
        char target[4096];
        struct stat st;
        struct layer_staging *l = t->p->options.layer;
        if (place_name_clean(archive_entry_hardlink(t->e), target, err) < 0 ||
            (!l && name_rename(&t->p->options, target, err) < 0))
                return -1;
        if (!*target || str_eq(target, t->path))
                return err_set(err, ERR_INVALID, "/%s is a hard link to itself or to the root", t->path);
        const char *name = path_name(target);
        struct place_dir *d = place_dir_find(t->p, target, name == target ? 0 : (size_t)(name - target - 1), err);
        int fd = d ? place_dir_fd(t->p, d, err) : -1;
        if (fd < 0 && err->kind != ERR_NONE)
                return -1;
        bool found = fd >= 0 && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !place_is_whiteout(t->p, &st);
        if (!found && !l)
                return err_set(err, ERR_INVALID, "/%s is a hard link to /%s, which does not exist", t->path, target);
        if (name_vacate(t->p, t->parent_fd, t->name, t->path, err) < 0)
                return -1;
        if (!found) {
                link_defer(l, t->path, target);
                return 0;
        }
        return linkat(fd, name, t->parent_fd, t->name, 0) < 0 ? err_sys(err, "link /%s to /%s", t->path, target) : 0;
}

/* 1: a name of the layer format itself, dealt with. */
static int place_whiteout(struct placer *p, struct place_dir *d, const char *name, const char *path, struct err *err)
{
        struct layer_staging *l = p->options.layer;
        const char *gone = str_after(name, WHITEOUT);
        if (!l || !gone)
                return 0;
        int fd = place_dir_fd(p, d, err);
        if (fd < 0)
                return -1;
        if (str_eq(name, WHITEOUT_OPAQUE))
                return l->s->driver->opaque(l, fd, d->path, err) < 0 ? -1 : 1;
        if (str_starts(name, WHITEOUT_META))
                return 1;
        if (!*gone || str_eq(gone, ".") || str_eq(gone, ".."))
                return err_set(err, ERR_INVALID, "entry /%s is a whiteout of nothing", path);
        _cleanup_free_ char *gone_path = d->path[0] ? xasprintf("%s/%s", d->path, gone) : xstrdup(gone);
        return l->s->driver->whiteout(l, fd, gone, gone_path, err) < 0 ? -1 : 1;
}

static int place_in(struct placer *p, struct archive_entry *e, struct place_dir *d, const char *name,
                    struct attributes *a, bool *ret_wants_data, struct err *err)
{
        mode_t type = archive_entry_filetype(e);
        if (type == AE_IFDIR && !archive_entry_hardlink(e))
                return place_directory(p, d, name, e, a, err);
        int fd = place_dir_fd(p, d, err);
        if (fd < 0)
                return -1;
        char path[4096];
        if (snprintf(path, sizeof(path), "%s%s%s", d->path, d->path[0] ? "/" : "", name) >= (int)sizeof(path))
                return err_set(err, ERR_INVALID, "the name of entry %.200s is too long", path);
        struct place t = { p, e, fd, name, path, a };
        if (archive_entry_hardlink(e))
                return place_hardlink(&t, err);
        if (type == AE_IFREG)
                return place_regular(&t, ret_wants_data, err);
        if (type == AE_IFLNK || type == AE_IFCHR || type == AE_IFBLK || type == AE_IFIFO)
                return place_other(&t, ret_wants_data, err);
        return err_set(err, ERR_INVALID, "entry /%s is of an unknown type", path);
}

static int sink_entry(void *data, struct archive_entry *e, bool *ret_wants_data, struct err *err)
{
        struct placer *p = data;
        char path[4096];
        const char *raw = archive_entry_pathname(e);
        *ret_wants_data = false;
        if (!raw || place_name_clean(raw, path, err) < 0 || name_rename(&p->options, path, err) < 0)
                return raw ? -1 : err_set(err, ERR_INVALID, "an entry has no name");
        if (place_count_add(&p->count, &p->options.limits, e, err) < 0)
                return -1;
        const char *name = path_name(path);
        int skip = p->options.layer ? place_middle_check(path, name, err) : 0;
        if (skip != 0)
                return skip < 0 ? -1 : 0;
        if (!*path && (archive_entry_filetype(e) != AE_IFDIR || archive_entry_hardlink(e)))
                return err_set(err, ERR_INVALID, "the archive's root is no directory");
        struct place_dir *d =
                *path ? place_dir_reach(p, path, name == path ? 0 : (size_t)(name - path - 1), err) : p->base;
        if (!d)
                return err_add(err, "/%s", path);
        int done = *path ? place_whiteout(p, d, name, path, err) : 0;
        if (done != 0)
                return done < 0 ? -1 : 0;
        struct attributes a = { 0 };
        int r = place_attributes_read(&p->options, e, &a, err) < 0 ? err_add(err, "/%s", path)
                                                   : place_in(p, e, d, *path ? name : NULL, &a, ret_wants_data, err);
        place_attributes_done(&a);
        return r;
}

static int sink_content(void *data, const void *bytes, size_t len, uint64_t offset, uint64_t at, struct err *err)
{
        struct placer *p = data;
        if (offset > p->file_size || len > p->file_size - offset)
                return err_set(err, ERR_CORRUPT, "/%s: more data than its size", p->file_path);
        if (offset != p->file_pos && lseek(p->file_fd, (off_t)offset, SEEK_SET) < 0)
                return err_sys(err, "/%s", p->file_path);
        if (fd_write_full(p->file_fd, bytes, len) < 0)
                return err_sys(err, "write /%s", p->file_path);
        p->file_pos = offset + len;
        return 0;
}

static int sink_close(void *data, struct err *err)
{
        struct placer *p = data;
        _cleanup_close_ int fd = TAKE_FD(p->file_fd);
        const struct timespec times[2] = { p->file.mtime, p->file.mtime };
        bool owner = chown_needed(p, &p->file), mode = chmod_needed(p, &p->file);
        if (p->file_pos < p->file_size && ftruncate(fd, (off_t)p->file_size) < 0)
                return err_sys(err, "/%s: set size", p->file_path);
        int r = 0;
        if (owner || mode || p->file.xattr_count)
                r = place_attributes_apply(p, fd, &p->file, S_IFREG, owner, mode, err);
        else if (futimens(fd, times) < 0)
                r = err_sys(err, "set times");
        place_attributes_done(&p->file);
        return r < 0 ? err_add(err, "/%s", p->file_path) : 0;
}

static int sink_finish(void *data, struct err *err)
{
        return place_dirs_finish(data, err);
}

struct tar_sink placer_sink(struct placer *p)
{
        return (struct tar_sink){
                .data = p, .entry = sink_entry, .content = sink_content, .close = sink_close, .finish = sink_finish
        };
}
