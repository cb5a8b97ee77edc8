#include "build/copy-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "build/instructions-internal.h"
#include "runtime/container.h"
#include "storage/tree.h"

struct placing {
        const struct copy *c;
        const struct ignore *ignore;
        int from, to; /* roots */
        int64_t uid, gid; /* -1: keep */
        void **links; /* tsearch(3) tree of struct link: files with several names, where the first copy is */
};

struct link {
        dev_t device;
        ino_t inode;
        char *to;
};

/* A directory on the way. It is made when the first thing below it is, for a directory that .dockerignore leaves out
 * may hold exceptions. */
struct frame {
        const struct frame *up;
        const char *from, *to;
        bool left_out;
};

static int stat_in(int root, const char *path, bool follow, struct stat *st, struct err *err)
{
        _cleanup_close_ int fd = path_open_in(root, path, O_PATH | (follow ? 0 : O_NOFOLLOW), 0, err);
        if (fd < 0)
                return err->kind == ERR_NOT_FOUND ? 0 : -1;
        return fstat(fd, st) < 0 ? err_sys(err, "%s", path) : 1;
}

/* --- directories --- */

static int make_parents(const struct placing *p, const char *path, struct err *err)
{
        uid_t uid = p->c->chown ? (uid_t)p->uid : 0;
        gid_t gid = p->c->chown ? (gid_t)p->gid : 0;
        _cleanup_close_ int fd = path_mkdirs_in(p->to, path, 0755, uid, gid, err);
        if (fd < 0 && err->sys == ENOTDIR)
                return err_set(err, ERR_INVALID, "cannot copy to non-directory: %s", path);
        return fd < 0 ? -1 : 0;
}

/* After its content, which changes its times. */
static int dir_attributes(const struct placing *p, const struct frame *f, const struct stat *st, struct err *err)
{
        char path[FD_PATH_SIZE];
        _cleanup_close_ int fd = path_open_in(p->to, f->to, O_RDONLY | O_DIRECTORY, 0, err);
        if (fd < 0)
                return -1;
        const struct timespec times[2] = { st->st_atim, st->st_mtim };
        uid_t uid = p->uid < 0 ? st->st_uid : (uid_t)p->uid;
        gid_t gid = p->gid < 0 ? st->st_gid : (gid_t)p->gid;
        mode_t mode = p->c->mode < 0 ? st->st_mode & 07777 : (mode_t)p->c->mode;
        if (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0 || utimensat(AT_FDCWD, fd_path(fd, path), times, 0) < 0)
                return err_sys(err, "set attributes of %s", f->to);
        return 0;
}

/* --- one thing --- */

/* What stands there gives way, unless it is a directory. */
static int clear_target(const struct placing *p, const char *to, struct err *err)
{
        const char *name;
        struct stat st;
        _cleanup_close_ int parent = path_open_parent_in(p->to, to, &name, err);
        if (parent < 0)
                return -1;
        if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : err_sys(err, "%s", to);
        if (S_ISDIR(st.st_mode))
                return err_set(err, ERR_INVALID, "cannot overwrite directory %s with a file", to);
        return unlinkat(parent, name, 0) < 0 ? err_sys(err, "replace %s", to) : 0;
}

static int link_compare(const void *a, const void *b)
{
        const struct link *x = a, *y = b;
        if (x->device != y->device)
                return x->device < y->device ? -1 : 1;
        return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static void link_free(void *data)
{
        struct link *l = data;
        free(l->to);
        free(l);
}

/* The copy of another name of this file, or NULL: then this one will be it. */
static const char *link_first(const struct placing *p, const struct stat *st, const char *to)
{
        struct link *l = xcalloc(1, sizeof(*l));
        *l = (struct link){ .device = st->st_dev, .inode = st->st_ino };
        struct link **found = tsearch(l, p->links, link_compare);
        if (!found || *found != l) {
                free(l);
                return found ? (*found)->to : NULL;
        }
        l->to = xstrdup(to);
        return NULL;
}

static int place_link(const struct placing *p, const char *first, const char *to, struct err *err)
{
        const char *name, *first_name;
        _cleanup_close_ int parent = path_open_parent_in(p->to, to, &name, err);
        _cleanup_close_ int first_parent = parent < 0 ? -1 : path_open_parent_in(p->to, first, &first_name, err);
        if (first_parent < 0)
                return -1;
        return linkat(first_parent, first_name, parent, name, 0) < 0 ? err_sys(err, "link %s", to) : 0;
}

static int place_file(const struct placing *p, const char *from, const char *to, const struct stat *st, struct err *err)
{
        if (clear_target(p, to, err) < 0)
                return -1;
        const char *first = p->links && st && st->st_nlink > 1 ? link_first(p, st, to) : NULL;
        if (first)
                return place_link(p, first, to, err);
        return tree_copy(p->from, from, p->to, to, p->uid, p->gid, p->c->mode, err);
}

static int place_below(const struct placing *p, const struct frame *f, struct err *err);

static int place_dir(const struct placing *p, const struct frame *f, const struct stat *st, bool left_out,
                     struct err *err)
{
        struct stat there;
        int r = stat_in(p->to, f->to, true, &there, err);
        if (r < 0)
                return -1;
        err_clear(err);
        if (r > 0 && !S_ISDIR(there.st_mode))
                return err_set(err, ERR_INVALID, "cannot copy to non-directory: %s", f->to);
        if (r == 0 && !p->ignore && !p->c->exclude && stat_in(p->to, f->to, false, &there, err) == 0) {
                err_clear(err);
                return tree_copy(p->from, f->from, p->to, f->to, p->uid, p->gid, p->c->mode, err);
        }
        err_clear(err);
        if ((!left_out && make_parents(p, f->to, err) < 0) || place_below(p, f, err) < 0)
                return -1;
        return left_out ? 0 : dir_attributes(p, f, st, err);
}

static int place_entry(const struct placing *p, const struct frame *up, const char *base, const char *name,
                       struct err *err)
{
        _cleanup_free_ char *from = xasprintf("%s/%s", str_eq(up->from, "/") ? "" : up->from, name);
        _cleanup_free_ char *to = xasprintf("%s/%s", str_eq(up->to, "/") ? "" : up->to, name);
        const struct frame f = { .up = up, .from = from, .to = to };
        const struct copy_filter filter = { .ignore = p->ignore, .exclude = p->c->exclude, .base = base };
        struct stat st;
        bool prunes;
        int r = stat_in(p->from, from, false, &st, err);
        if (r < 0)
                return -1;
        if (r == 0) {
                err_clear(err); /* removed meanwhile; the digest will tell */
                return 0;
        }
        bool left_out = copy_filtered(&filter, from, S_ISDIR(st.st_mode), &prunes);
        if (left_out && (prunes || !S_ISDIR(st.st_mode)))
                return 0;
        if (S_ISDIR(st.st_mode))
                return place_dir(p, &f, &st, left_out, err);
        return make_parents(p, up->to, err) < 0 ? -1 : place_file(p, from, to, &st, err);
}

/* --- a directory's content --- */

static const char *frame_base(const struct frame *f)
{
        while (f->up)
                f = f->up;
        return f->from;
}

static int list_names(int root, const char *path, char ***ret, struct err *err)
{
        int fd = path_open_in(root, path, O_RDONLY | O_DIRECTORY, 0, err);
        if (fd < 0)
                return -1;
        _cleanup_closedir_ DIR *d = fdopendir(fd);
        for (struct dirent *e; d && (e = readdir(d));)
                if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
                        strv_push(ret, e->d_name);
        return 0;
}

static int place_below(const struct placing *p, const struct frame *f, struct err *err)
{
        _cleanup_strv_ char **names = NULL;
        if (list_names(p->from, f->from, &names, err) < 0)
                return -1;
        STRV_FOREACH (n, names)
                if (place_entry(p, f, frame_base(f), *n, err) < 0)
                        return -1;
        return 0;
}

/* --- items --- */

static int place_text(const struct placing *p, const char *to, const char *text, struct err *err)
{
        const char *name;
        if (clear_target(p, to, err) < 0)
                return -1;
        _cleanup_close_ int parent = path_open_parent_in(p->to, to, &name, err);
        if (parent < 0)
                return -1;
        _cleanup_close_ int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || fd_write_full(fd, text, strlen(text)) < 0)
                return err_sys(err, "write %s", to);
        if (fchown(fd, p->uid < 0 ? 0 : (uid_t)p->uid, p->gid < 0 ? 0 : (gid_t)p->gid) < 0 ||
            fchmod(fd, p->c->mode < 0 ? 0644 : (mode_t)p->c->mode) < 0)
                return err_sys(err, "set attributes of %s", to);
        return 0;
}

static int is_archive(const struct placing *p, const struct copy_item *item, struct err *err)
{
        struct stat st;
        if (!p->c->unpack || item->text)
                return 0;
        _cleanup_close_ int fd = path_open_in(p->from, item->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, err);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -1;
        return S_ISREG(st.st_mode) && tree_is_archive(fd);
}

static int place_archive(const struct placing *p, const struct copy_item *item, struct err *err)
{
        if (make_parents(p, p->c->dest, err) < 0)
                return -1;
        _cleanup_close_ int fd = path_open_in(p->from, item->path, O_RDONLY, 0, err);
        if (fd < 0)
                return -1;
        const struct tree_read r = { .root_fd = p->to,
                                     .path = p->c->dest,
                                     .keep_owner = !p->c->chown,
                                     .uid = (uint32_t)p->uid,
                                     .gid = (uint32_t)p->gid,
                                     .compression = COMPRESSION_UNKNOWN };
        return tree_from_tar(&r, fd, err) < 0 ? err_add(err, "unpack %s", item->name) : 0;
}

/* The file's own path in the root: below the destination when that is a directory, or stands for one. A link at its
 * end is followed, inside the root. */
static int target_of(const struct placing *p, const struct copy_item *item, char **ret, struct err *err)
{
        struct stat st;
        struct err why = ERR_INIT;
        int there = stat_in(p->to, p->c->dest, true, &st, &why);
        _cleanup_free_ char *path = p->c->dest_is_dir || (there > 0 && S_ISDIR(st.st_mode))
                                            ? path_join(p->c->dest, item->name)
                                            : xstrdup(p->c->dest);
        _cleanup_free_ char *parent = xstrndup(path, (size_t)(path_name(path) - path));
        if (make_parents(p, parent, err) < 0)
                return -1;
        _cleanup_close_ int fd = path_open_in(p->to, path, O_PATH, 0, &why);
        *ret = fd < 0 ? TAKE_PTR(path) : tree_path_of(p->to, fd, err);
        return *ret ? 0 : -1;
}

/* A directory's content in one go where nothing is left out and nothing stands in its way: hard links between its folders stay. */
static int place_whole(const struct placing *p, const struct copy_item *item, bool *ret_done, struct err *err)
{
        _cleanup_strv_ char **there = NULL;
        *ret_done = false;
        if (p->ignore || p->c->exclude)
                return 0;
        if (list_names(p->to, p->c->dest, &there, err) < 0)
                return -1;
        if (there && there[0])
                return 0;
        *ret_done = true;
        return tree_copy(p->from, item->path, p->to, p->c->dest, p->uid, p->gid, p->c->mode, err);
}

static int place_content(const struct placing *p, const struct copy_item *item, struct err *err)
{
        const struct frame top = { .from = item->path, .to = p->c->dest };
        bool done;
        if (make_parents(p, p->c->dest, err) < 0 || place_whole(p, item, &done, err) < 0)
                return -1;
        return done ? 0 : place_below(p, &top, err);
}

static int place_item(const struct placing *p, const struct copy_item *item, struct err *err)
{
        if (item->is_dir)
                return place_content(p, item, err);
        int archive = is_archive(p, item, err);
        if (archive)
                return archive < 0 ? -1 : place_archive(p, item, err);
        _cleanup_free_ char *to = NULL;
        if (target_of(p, item, &to, err) < 0)
                return -1;
        return item->text ? place_text(p, to, item->text, err) : place_file(p, item->path, to, NULL, err);
}

int copy_tree_filtered(int from_root, const char *from, const struct ignore *ignore, int to_root, const char *to,
                       int64_t owner, struct err *err)
{
        const struct copy c = { .mode = -1 };
        const struct placing p = {
                .c = &c, .ignore = ignore, .from = from_root, .to = to_root, .uid = owner, .gid = owner
        };
        struct stat st;
        int r = stat_in(from_root, from, true, &st, err);
        if (r <= 0)
                return -1; /* not being there is an error already set */
        if (!ignore || !S_ISDIR(st.st_mode))
                return tree_copy(from_root, from, to_root, to, owner, owner, -1, err);
        const struct frame top = { .from = from, .to = to };
        return make_parents(&p, to, err) < 0 ? -1 : place_below(&p, &top, err);
}

/* --- owner --- */

/* A number without a group is its own group; a name brings its group of /etc/passwd. */
static int resolve_owner(int root, const char *owner, int64_t *ret_uid, int64_t *ret_gid, struct err *err)
{
        _cleanup_free_ uint32_t *gids = NULL;
        _cleanup_free_ char *home = NULL;
        size_t count = 0;
        uint32_t uid, gid;
        bool number = str_only(owner, "0123456789");
        _cleanup_free_ char *text = number ? xasprintf("%s:%s", owner, owner) : xstrdup(owner);
        if (text[0] && text[strlen(text) - 1] == ':')
                text[strlen(text) - 1] = '\0';
        if (runtime_user_resolve(root, text, &uid, &gid, &gids, &count, &home, err) < 0)
                return err_add(err, "--chown=%s", owner);
        *ret_uid = uid;
        *ret_gid = gid;
        return 0;
}

static void links_done(void **links) { tdestroy(*links, link_free); }

int copy_place(struct step *s, const struct copy *c, struct err *err)
{
        _cleanup_(links_done) void *links = NULL;
        struct placing p = {
                .c = c, .ignore = c->from_context ? s->b->ctx.ignore : NULL, .from = c->from.fd, .links = &links
        };
        _cleanup_close_ int root = root_open(s->b->st->snapshots, s->root_id, true, err);
        if (root < 0)
                return -1;
        p.to = root;
        p.uid = p.gid = c->from_context ? 0 : -1;
        if (c->chown && resolve_owner(root, c->chown, &p.uid, &p.gid, err) < 0)
                return -1;
        for (size_t i = 0; i < c->item_count; i++)
                if (place_item(&p, &c->items[i], err) < 0)
                        return err_add(err, "%s %s", instruction_def(s->in->kind)->name, c->items[i].name);
        return 0;
}
