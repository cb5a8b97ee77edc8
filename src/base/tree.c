#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/openat2.h>
#include "base/mem.h"

/* A walk keeps one level for each directory between its start and where it stands, but only the deepest OPEN_MAX of
 * them have a descriptor. Going up to one that was closed is "..", believed only when device and inode are those
 * that were seen on the way down, so that a directory moved meanwhile cannot lead the walk out. */
enum { LEVELS_OPEN = 32, RETRIES_MAX = 64 };

struct level {
        DIR *dir; /* NULL: closed to bound the descriptors */
        long position; /* of a closed one, for going on where reading stopped */
        dev_t dev;
        ino_t ino;
        int retries;
        char *name; /* in the level above */
};

struct walk {
        struct level *levels;
        size_t depth, cap;
        const char *path; /* of the start, for errors */
};

static void walk_done(struct walk *w)
{
        for (size_t i = 0; i < w->depth; i++) {
                if (w->levels[i].dir)
                        closedir(w->levels[i].dir);
                free(w->levels[i].name);
        }
        free(w->levels);
}

static struct level *walk_top(struct walk *w)
{
        return &w->levels[w->depth - 1];
}

/* Opens a directory in `parent_fd`, through no link and into no other mount. */
static int open_child(int parent_fd, const char *name)
{
        struct open_how how = {
                .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        return (int)syscall(SYS_openat2, parent_fd, name, &how, sizeof(how));
}

/* As open_child; a directory that keeps its owner out is opened up first. */
static int open_child_forced(int parent_fd, const char *name)
{
        int fd = open_child(parent_fd, name);
        if (fd >= 0 || errno != EACCES)
                return fd;
        /* The parent may lack search permission. Where it is not part of the tree it is O_PATH, and stays as it is. */
        (void)!fchmod(parent_fd, 0700);
        fd = open_child(parent_fd, name);
        if (fd >= 0 || errno != EACCES)
                return fd;
        if (fchmodat(parent_fd, name, 0700, AT_SYMLINK_NOFOLLOW) < 0)
                return -1;
        return open_child(parent_fd, name);
}

/* Takes over fd; -1 with errno. */
static int walk_push(struct walk *w, int fd_owned, const char *name)
{
        _cleanup_close_ int fd = fd_owned;
        struct stat st;
        if (fstat(fd, &st) < 0)
                return -1;
        DIR *dir = fdopendir(fd);
        if (!dir)
                return -1;
        TAKE_FD(fd);
        if (w->depth == w->cap) {
                w->cap = w->cap ? w->cap * 2 : 16;
                w->levels = xreallocarray(w->levels, w->cap, sizeof(*w->levels));
        }
        w->levels[w->depth++] = (struct level){ .dir = dir, .dev = st.st_dev, .ino = st.st_ino, .name = xstrdup(name) };
        if (w->depth > LEVELS_OPEN) {
                struct level *far = &w->levels[w->depth - 1 - LEVELS_OPEN];
                if (far->dir) {
                        far->position = telldir(far->dir);
                        closedir(far->dir);
                        far->dir = NULL;
                }
        }
        return 0;
}

/* Gives the level above the top its descriptor back. */
static int walk_reopen_parent(struct walk *w)
{
        struct level *parent = &w->levels[w->depth - 2];
        if (parent->dir)
                return 0;
        _cleanup_close_ int fd = openat(dirfd(walk_top(w)->dir), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0)
                return -1;
        if (st.st_dev != parent->dev || st.st_ino != parent->ino) {
                errno = ESTALE;
                return -1;
        }
        parent->dir = fdopendir(fd);
        if (!parent->dir)
                return -1;
        TAKE_FD(fd);
        return 0;
}

/* Closes the top; its name is the caller's to free. */
static char *walk_pop(struct walk *w)
{
        struct level *top = walk_top(w);
        closedir(top->dir);
        w->depth--;
        return TAKE_PTR(top->name);
}

/* The next entry but "." and ".."; NULL at the end (errno 0) or on an error. */
static struct dirent *walk_next(struct walk *w)
{
        struct dirent *e;
        do {
                errno = 0;
                e = readdir(walk_top(w)->dir);
        } while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
        return e;
}

/* Opens what holds the last component of `path`, by way of whatever links lead there: the path to the tree is its
 * owner's own, only what lies in it is not. 0: there is nothing of that name. */
static int parent_open(int dir_fd, const char *path, int *ret_fd, char **ret_name, struct err *err)
{
        size_t len = strlen(path);
        while (len > 1 && path[len - 1] == '/')
                len--;
        _cleanup_free_ char *copy = xstrndup(path, len);
        char *slash = strrchr(copy, '/'), *name = slash ? slash + 1 : copy;
        if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return err_set(err, ERR_INVALID, "'%s' does not name a tree", path);
        _cleanup_free_ char *last = xstrdup(name);
        *name = '\0';
        int fd = openat(dir_fd, *copy ? copy : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : err_sys(err, "open the directory of %s", path);
        *ret_fd = fd;
        *ret_name = TAKE_PTR(last);
        return 1;
}

/* unlinkat that opens up a directory whose mode forbids it. */
static int unlink_forced(int parent_fd, const char *name, int flags)
{
        if (unlinkat(parent_fd, name, flags) == 0 || errno == ENOENT)
                return 0;
        if (errno != EACCES || fchmod(parent_fd, 0700) < 0)
                return -1;
        return unlinkat(parent_fd, name, flags) == 0 || errno == ENOENT ? 0 : -1;
}

/* Removes what is no directory, or goes down into what is one. -1 with errno. */
static int remove_entry(struct walk *w, int parent_fd, const char *name, bool maybe_directory)
{
        if (!maybe_directory || unlinkat(parent_fd, name, 0) < 0) {
                if (maybe_directory && errno == ENOENT)
                        return 0;
                int fd = open_child_forced(parent_fd, name);
                if (fd >= 0)
                        return walk_push(w, fd, name);
                if (errno != ENOTDIR && errno != ELOOP && errno != ENOENT)
                        return -1;
                return unlink_forced(parent_fd, name, 0); /* no directory (any more) */
        }
        return 0;
}

/* The top has been read to its end: leaves it and removes it. */
static int remove_top(struct walk *w, int base_fd)
{
        bool last = w->depth == 1;
        if (!last && walk_reopen_parent(w) < 0)
                return -1;
        struct level *top = walk_top(w);
        int parent_fd = last ? base_fd : dirfd(w->levels[w->depth - 2].dir);
        if (unlink_forced(parent_fd, top->name, AT_REMOVEDIR) == 0) {
                free(walk_pop(w));
                return 0;
        }
        /* Entries came in behind the reading, or the file system skipped some while others went. */
        if ((errno != ENOTEMPTY && errno != EEXIST) || top->retries++ >= RETRIES_MAX)
                return -1;
        rewinddir(top->dir);
        return 0;
}

static int remove_walk(struct walk *w, int base_fd)
{
        while (w->depth > 0) {
                struct dirent *e = walk_next(w);
                int r;
                if (e && e->d_type == DT_DIR)
                        r = remove_entry(w, dirfd(walk_top(w)->dir), e->d_name, false);
                else if (e)
                        r = remove_entry(w, dirfd(walk_top(w)->dir), e->d_name, true);
                else
                        r = errno ? -1 : remove_top(w, base_fd);
                if (r < 0)
                        return -1;
        }
        return 0;
}

int tree_remove_at(int dir_fd, const char *path, struct err *err)
{
        _cleanup_close_ int base_fd = -1;
        _cleanup_free_ char *name = NULL;
        int r = parent_open(dir_fd, path, &base_fd, &name, err);
        if (r <= 0)
                return r;
        _cleanup_(walk_done) struct walk w = { .path = path };
        if (remove_entry(&w, base_fd, name, true) == 0 && remove_walk(&w, base_fd) == 0)
                return 0;
        int saved = errno;
        if (saved == EXDEV)
                return err_set(err, ERR_CONFLICT, "remove %s: something is mounted in it", path);
        return err_sysnum(err, saved, "remove %s", path);
}

/* Inodes with several names, each counted once: an open-addressed table of (device, inode). */
struct seen {
        struct seen_key {
                dev_t dev;
                ino_t ino;
        } * keys;
        size_t count, cap; /* a power of two; inode 0 marks a free slot */
};

static void seen_done(struct seen *s)
{
        free(s->keys);
}

static bool seen_put(struct seen *s, struct seen_key key)
{
        uint64_t h = ((uint64_t)key.ino ^ ((uint64_t)key.dev << 40)) * 0x9e3779b97f4a7c15ULL;
        size_t at = (size_t)(h >> 20) & (s->cap - 1);
        for (; s->keys[at].ino; at = (at + 1) & (s->cap - 1))
                if (s->keys[at].ino == key.ino && s->keys[at].dev == key.dev)
                        return false;
        s->keys[at] = key;
        s->count++;
        return true;
}

/* True the first time. */
static bool seen_add(struct seen *s, const struct stat *st)
{
        if ((s->count + 1) * 2 > s->cap) {
                struct seen grown = { .cap = s->cap ? s->cap * 2 : 256 };
                grown.keys = xcalloc(grown.cap, sizeof(*grown.keys));
                for (size_t i = 0; i < s->cap; i++)
                        if (s->keys[i].ino)
                                seen_put(&grown, s->keys[i]);
                free(s->keys);
                *s = grown;
        }
        return seen_put(s, (struct seen_key){ st->st_dev, st->st_ino });
}

struct usage {
        struct walk walk;
        struct seen seen;
        uint64_t bytes;
};

/* Counts an entry and goes down into it when it is a directory; what vanishes meanwhile counts nothing. */
static int usage_entry(struct usage *u, int parent_fd, const char *name)
{
        struct stat st;
        if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -1;
        if (!S_ISDIR(st.st_mode)) {
                if (st.st_nlink < 2 || seen_add(&u->seen, &st))
                        u->bytes += (uint64_t)st.st_blocks * 512;
                return 0;
        }
        int fd = open_child(parent_fd, name);
        if (fd < 0)
                return errno == EXDEV || errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -1;
        u->bytes += (uint64_t)st.st_blocks * 512;
        return walk_push(&u->walk, fd, name);
}

/* Leaves the top; a parent whose descriptor had been closed goes on reading where it was. */
static int usage_up(struct walk *w)
{
        bool last = w->depth == 1, closed = !last && !w->levels[w->depth - 2].dir;
        if (!last && walk_reopen_parent(w) < 0)
                return -1;
        free(walk_pop(w));
        if (closed)
                seekdir(walk_top(w)->dir, walk_top(w)->position);
        return 0;
}

static int usage_walk(struct usage *u)
{
        while (u->walk.depth > 0) {
                struct dirent *e = walk_next(&u->walk);
                int r = e ? usage_entry(u, dirfd(walk_top(&u->walk)->dir), e->d_name) : errno ? -1 : usage_up(&u->walk);
                if (r < 0)
                        return -1;
        }
        return 0;
}

static void usage_done(struct usage *u)
{
        walk_done(&u->walk);
        seen_done(&u->seen);
}

int tree_usage_at(int dir_fd, const char *path, uint64_t *ret_bytes, struct err *err)
{
        _cleanup_(usage_done) struct usage u = { 0 };
        _cleanup_close_ int base_fd = -1;
        _cleanup_free_ char *name = NULL;
        int r = parent_open(dir_fd, path, &base_fd, &name, err);
        if (r < 0)
                return -1;
        if (r == 0 || faccessat(base_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sysnum(err, ENOENT, "disk use of %s", path);
        if (usage_entry(&u, base_fd, name) < 0 || usage_walk(&u) < 0)
                return err_sys(err, "disk use of %s", path);
        *ret_bytes = u.bytes;
        return 0;
}
