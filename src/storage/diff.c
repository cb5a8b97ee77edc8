#include "storage/diff-internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/path.h"
#include "base/str.h"

/* Which layers still have a say in a directory, nearest first: indices into struct lowers. */
struct below {
        size_t *at;
        size_t count;
};

struct subdir {
        char *name;
        struct below below;
        bool listed_if_empty;
        char kind;
        bool opaque;
};

struct differ {
        struct snapshots *s;
        int upper_fd;
        const struct lowers *lowers;
        bool markers;
        struct timespec made; /* of a whole tree: when it was complete */
        struct changes *out;
};

/* One directory being compared. */
struct listing {
        const char *path;
        int upper;
        struct below below;
        int *fds; /* the directory in each layer of `below` */
        bool complete; /* the upper holds everything: a lower name it lacks is gone */
        struct keymap seen; /* names in the upper */
        struct subdir *subdirs;
        size_t count, cap;
};

static int dir_compare(struct differ *d, const char *path, const struct below *below, bool complete, struct err *err);

void changes_done(struct changes *c)
{
        for (size_t i = 0; i < c->count; i++)
                free(c->list[i].path);
        free(c->list);
        *c = (struct changes){ 0 };
}

static void change_add(struct changes *c, char kind, const char *dir, const char *name, bool opaque)
{
        if (c->count == c->cap) {
                c->cap = c->cap ? c->cap * 2 : 64;
                c->list = xreallocarray(c->list, c->cap, sizeof(*c->list));
        }
        char *path = *dir ? xasprintf("%s/%s", dir, name) : xstrdup(name);
        c->list[c->count++] = (struct change){ kind, opaque, path };
}

static void listing_done(struct listing *g)
{
        mem_closep(&g->upper);
        for (size_t i = 0; g->fds && i < g->below.count; i++)
                mem_closep(&g->fds[i]);
        free(g->fds);
        g->fds = NULL;
        keymap_done(&g->seen);
}

static void subdirs_done(struct listing *g)
{
        for (size_t i = 0; i < g->count; i++) {
                free(g->subdirs[i].name);
                free(g->subdirs[i].below.at);
        }
        free(g->subdirs);
}

static struct subdir *subdir_add(struct listing *g, const char *name)
{
        if (g->count == g->cap) {
                g->cap = g->cap ? g->cap * 2 : 16;
                g->subdirs = xreallocarray(g->subdirs, g->cap, sizeof(*g->subdirs));
        }
        g->subdirs[g->count] = (struct subdir){ .name = xstrdup(name), .listed_if_empty = true, .kind = 'A' };
        return &g->subdirs[g->count++];
}

static bool is_whiteout(const struct differ *d, const struct stat *st)
{
        return overlay_is_whiteout(d->s, st->st_mode, major(st->st_rdev), minor(st->st_rdev));
}

/* The layer (index into below) that shows `name` here, or -1. */
static ssize_t lower_find(const struct differ *d, const struct listing *g, const char *name, struct stat *ret_st)
{
        for (size_t i = 0; i < g->below.count; i++)
                if (fstatat(g->fds[i], name, ret_st, AT_SYMLINK_NOFOLLOW) == 0)
                        return is_whiteout(d, ret_st) ? -1 : (ssize_t)i;
        return -1;
}

/* The layers that contribute to the directory `name`, which layer `from` shows. */
static int below_narrow(const struct differ *d, const struct listing *g, const char *name, size_t from,
                        struct below *ret, struct err *err)
{
        struct stat st;
        struct below b = { .at = xcalloc(g->below.count + 1, sizeof(*b.at)) };
        for (size_t i = from; i < g->below.count; i++) {
                _cleanup_close_ int fd = openat(g->fds[i], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0 && errno == ENOENT)
                        continue;
                if (fd < 0 || fstat(fd, &st) < 0) {
                        free(b.at);
                        return err_sys(err, "/%s/%s in a layer", g->path, name);
                }
                if (!S_ISDIR(st.st_mode))
                        break;
                b.at[b.count++] = g->below.at[i];
                if (overlay_is_opaque(d->s, fd))
                        break;
        }
        *ret = b;
        return 0;
}

static int pair_differs(struct differ *d, const struct listing *g, const char *name, const struct stat *st,
                        size_t lower, const struct stat *lower_st, bool *ret, struct err *err)
{
        _cleanup_close_ int a = openat(g->upper, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int b = openat(g->fds[lower], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (a < 0 || b < 0)
                return err_sys(err, "open /%s/%s", g->path, name);
        /* In a whole tree every file would be read; there the change time, which nobody can set, tells those untouched since. */
        bool untouched = st->st_ctim.tv_sec < d->made.tv_sec ||
                         (st->st_ctim.tv_sec == d->made.tv_sec && st->st_ctim.tv_nsec < d->made.tv_nsec);
        if (file_differs(a, st, b, lower_st, !untouched, ret, err) < 0)
                return err_add(err, "/%s/%s", g->path, name);
        return 0;
}

static bool upper_is_opaque(const struct differ *d, const struct listing *g, const char *name)
{
        _cleanup_close_ int fd = openat(g->upper, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return !d->s->driver->whole_trees && fd >= 0 && overlay_is_opaque(d->s, fd);
}

static int dir_classify(struct differ *d, struct listing *g, const char *name, const struct stat *st, ssize_t lower,
                        const struct stat *lower_st, struct err *err)
{
        struct subdir *sub = subdir_add(g, name);
        if (lower < 0)
                return 0;
        sub->kind = 'C';
        if (!S_ISDIR(lower_st->st_mode))
                return 0;
        bool opaque = upper_is_opaque(d, g, name);
        if (opaque && d->markers) {
                sub->opaque = true;
                return 0;
        }
        sub->opaque = opaque;
        if (below_narrow(d, g, name, (size_t)lower, &sub->below, err) < 0)
                return -1;
        return pair_differs(d, g, name, st, (size_t)lower, lower_st, &sub->listed_if_empty, err);
}

static int name_classify(struct differ *d, struct listing *g, const char *name, struct err *err)
{
        struct stat st, lower_st;
        bool differs = true;
        if (fstatat(g->upper, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : err_sys(err, "/%s/%s", g->path, name);
        ssize_t lower = lower_find(d, g, name, &lower_st);
        if (is_whiteout(d, &st)) {
                if (lower >= 0)
                        change_add(d->out, 'D', g->path, name, false);
                return 0;
        }
        if (S_ISDIR(st.st_mode))
                return dir_classify(d, g, name, &st, lower, &lower_st, err);
        if (lower >= 0 && (st.st_mode & S_IFMT) == (lower_st.st_mode & S_IFMT) &&
            pair_differs(d, g, name, &st, (size_t)lower, &lower_st, &differs, err) < 0)
                return -1;
        if (differs)
                change_add(d->out, lower < 0 ? 'A' : 'C', g->path, name, false);
        return 0;
}

/* Where the upper holds everything: lower names it has not. */
static int missing_add(struct differ *d, struct listing *g, struct err *err)
{
        for (size_t i = 0; i < g->below.count; i++) {
                int fd = openat(g->fds[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
                if (!dir)
                        return err_sys(err, "read /%s in a layer", g->path);
                for (struct dirent *e; (e = readdir(dir));) {
                        struct stat st;
                        size_t len = strlen(e->d_name);
                        if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") || keymap_get(&g->seen, e->d_name, len))
                                continue;
                        keymap_set(&g->seen, e->d_name, len, g);
                        if (lower_find(d, g, e->d_name, &st) >= 0)
                                change_add(d->out, 'D', g->path, e->d_name, false);
                }
        }
        return 0;
}

static int listing_open(struct differ *d, struct listing *g, struct err *err)
{
        const char *at = *g->path ? g->path : ".";
        keymap_init(&g->seen, NULL);
        g->upper = path_open_nolink(d->upper_fd, at, O_RDONLY | O_DIRECTORY, 0, err);
        if (g->upper < 0)
                return -1;
        g->fds = xcalloc(g->below.count + 1, sizeof(*g->fds));
        for (size_t i = 0; i < g->below.count; i++)
                g->fds[i] = -1;
        for (size_t i = 0; i < g->below.count; i++) {
                g->fds[i] = path_open_nolink(d->lowers->fds[g->below.at[i]], at, O_PATH | O_DIRECTORY, 0, err);
                if (g->fds[i] < 0)
                        return -1;
        }
        return 0;
}

static int listing_read(struct differ *d, struct listing *g, struct err *err)
{
        if (listing_open(d, g, err) < 0)
                return -1;
        int copy = openat(g->upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        if (!dir)
                return err_sys(err, "read /%s", g->path);
        for (struct dirent *e; (e = readdir(dir));) {
                if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
                        continue;
                if (g->complete)
                        keymap_set(&g->seen, e->d_name, strlen(e->d_name), g);
                if (name_classify(d, g, e->d_name, err) < 0)
                        return -1;
        }
        return g->complete ? missing_add(d, g, err) : 0;
}

/* A directory that is the same stays in the list only when something below it was listed after it. */
static int subdir_compare(struct differ *d, const char *path, struct subdir *sub, struct err *err)
{
        size_t index = d->out->count;
        change_add(d->out, sub->kind, path, sub->name, sub->opaque && d->markers);
        _cleanup_free_ char *sub_path = xstrdup(d->out->list[index].path);
        bool complete = d->s->driver->whole_trees || (sub->opaque && !d->markers);
        if (dir_compare(d, sub_path, &sub->below, complete, err) < 0)
                return -1;
        if (!sub->listed_if_empty && d->out->count == index + 1) {
                free(d->out->list[index].path);
                d->out->count--;
        }
        return 0;
}

static int dir_compare(struct differ *d, const char *path, const struct below *below, bool complete, struct err *err)
{
        struct listing g = { .path = path, .upper = -1, .below = *below, .complete = complete };
        int r = listing_read(d, &g, err);
        /* Closed before going down, so that the depth of a tree costs no descriptors. */
        listing_done(&g);
        for (size_t i = 0; r == 0 && i < g.count; i++)
                r = subdir_compare(d, path, &g.subdirs[i], err);
        subdirs_done(&g);
        return r;
}

static int change_compare(const void *a, const void *b)
{
        return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

static int top_compare(struct differ *d, struct err *err)
{
        struct stat upper, lower;
        bool differs = false;
        int below = lowers_lookup(d->s, d->lowers, "", NULL);
        _cleanup_close_ int fd = below;
        if (fd < 0)
                return 0;
        if (fstat(d->upper_fd, &upper) < 0 || fstat(fd, &lower) < 0)
                return err_sys(err, "the root's top");
        if (file_differs(d->upper_fd, &upper, fd, &lower, false, &differs, err) < 0)
                return -1;
        if (differs)
                change_add(d->out, 'C', "", "", false);
        return 0;
}

int root_compare(struct snapshots *s, int upper_fd, const struct lowers *below, bool markers, struct changes *ret,
                 struct err *err)
{
        _cleanup_changes_ struct changes out = { 0 };
        struct differ d = { s, upper_fd, below, markers, { 0 }, &out };
        struct stat chain;
        if (s->driver->whole_trees && fstatat(upper_fd, "../chain", &chain, AT_SYMLINK_NOFOLLOW) == 0)
                d.made = chain.st_mtim; /* written last in a root's making */
        struct below all = { .at = xcalloc(below->count + 1, sizeof(*all.at)), .count = below->count };
        for (size_t i = 0; i < below->count; i++)
                all.at[i] = i;
        int r = markers ? top_compare(&d, err) : 0;
        if (r == 0)
                r = dir_compare(&d, "", &all, s->driver->whole_trees, err);
        free(all.at);
        if (r < 0)
                return -1;
        if (out.count)
                qsort(out.list, out.count, sizeof(*out.list), change_compare);
        *ret = out;
        out = (struct changes){ 0 };
        return 0;
}
