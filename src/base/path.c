#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/openat2.h>
#include "base/mem.h"
#include "base/str.h"

/* As the kernel's own count of links in one lookup. */
enum { LINKS_MAX = 40, RACES_MAX = 1000 };

static int open_resolved(int dir_fd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
        struct open_how how = { .flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC), .resolve = resolve };
        if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE)
                how.mode = mode & 07777;
        /* EAGAIN: something was renamed during the lookup and the kernel could not vouch for the result. */
        for (int tries = 0;; tries++) {
                int fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
                if (fd >= 0 || (errno != EINTR && errno != EAGAIN) || tries >= RACES_MAX)
                        return fd;
        }
}

static int open_in(int root_fd, const char *path, int flags)
{
        return open_resolved(root_fd, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int path_open_in(int root_fd, const char *path, int flags, mode_t mode, struct err *err)
{
        int fd = open_resolved(root_fd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        return fd < 0 ? err_sys(err, "open %s", path) : fd;
}

int path_open_nolink(int dir_fd, const char *path, int flags, mode_t mode, struct err *err)
{
        int fd = open_resolved(dir_fd, path, flags, mode, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
        return fd < 0 ? err_sys(err, "open %s", path) : fd;
}

/* Makes one directory and gives it its owner and mode, through a descriptor that was opened without following a
 * link. */
static int make_one(int parent_fd, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
        if (mkdirat(parent_fd, name, 0700) < 0)
                return -1;
        _cleanup_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -1;
        if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0)
                return -1;
        struct stat st; /* below a set-group-id directory the kernel has given it that bit */
        return fstat(fd, &st) < 0 ? -1 : fchmod(fd, (mode & 07777) | (gid == (gid_t)-1 ? st.st_mode & S_ISGID : 0));
}

/* `path` with its component from `start` to `end`, which is a link without a target, replaced by what it names. The
 * text is not cleaned: what ".." means behind another link only the kernel can tell. */
static char *splice_link(int parent_fd, const char *path, size_t start, size_t end)
{
        char name[256], target[4096];
        if (end - start >= sizeof(name))
                return NULL;
        memcpy(name, path + start, end - start);
        name[end - start] = '\0';
        ssize_t n = readlinkat(parent_fd, name, target, sizeof(target) - 1);
        if (n <= 0)
                return NULL;
        target[n] = '\0';
        return xasprintf("%.*s/%s%s", (int)(target[0] == '/' ? 0 : start), path, target, path + end);
}

struct mkdirs {
        int root_fd;
        mode_t mode;
        uid_t uid;
        gid_t gid;
        char *path; /* changes where a link without a target is met */
        size_t done; /* bytes of path that are known to exist */
        int links;
};

/* Makes the component of m->path from start to end below parent_fd. 1: the path was rewritten, begin again. */
static int mkdirs_step(struct mkdirs *m, int parent_fd, size_t start, size_t end)
{
        char saved = m->path[end];
        m->path[end] = '\0';
        int r = make_one(parent_fd, m->path + start, m->mode, m->uid, m->gid);
        m->path[end] = saved;
        if (r == 0 || errno != EEXIST)
                return r;
        char *rewritten = splice_link(parent_fd, m->path, start, end);
        if (!rewritten)
                return 0; /* somebody else made it meanwhile: the next lookup decides */
        free(m->path);
        m->path = rewritten;
        m->done = 0;
        errno = ELOOP;
        return m->links++ >= LINKS_MAX || strlen(m->path) >= 4096 ? -1 : 1;
}

/* Walks once down m->path, making what is missing. Returns the descriptor of its end, -1, or -2 to begin again. */
static int mkdirs_walk(struct mkdirs *m)
{
        _cleanup_close_ int parent = open_in(m->root_fd, "/", O_PATH | O_DIRECTORY);
        size_t start = strspn(m->path, "/");
        while (parent >= 0 && m->path[start]) {
                size_t end = start + strcspn(m->path + start, "/");
                for (int tries = 0;; tries++) {
                        char saved = m->path[end];
                        m->path[end] = '\0';
                        int fd = open_in(m->root_fd, m->path, O_PATH | O_DIRECTORY);
                        m->path[end] = saved;
                        if (fd < 0 && (errno != ENOENT || tries > 1))
                                return -1;
                        if (fd >= 0) {
                                mem_closep(&parent);
                                parent = fd;
                                break;
                        }
                        int r = mkdirs_step(m, parent, start, end);
                        if (r != 0)
                                return r < 0 ? -1 : -2;
                }
                start = end + strspn(m->path + end, "/");
        }
        return TAKE_FD(parent);
}

int path_mkdirs_in(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err)
{
        int fd = open_in(root_fd, *path ? path : "/", O_PATH | O_DIRECTORY);
        if (fd >= 0)
                return fd;
        if (errno != ENOENT)
                return err_sys(err, "open directory %s", path);
        struct mkdirs m = { .root_fd = root_fd, .mode = mode, .uid = uid, .gid = gid, .path = xstrdup(path) };
        do
                fd = mkdirs_walk(&m);
        while (fd == -2);
        int saved = errno;
        free(m.path);
        return fd < 0 ? err_sysnum(err, saved, "make directory %s", path) : fd;
}

int path_open_parent_in(int root_fd, const char *path, const char **ret_name, struct err *err)
{
        const char *name = path_name(path);
        if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return err_set(err, ERR_INVALID, "path '%s' does not end in a name", path);
        _cleanup_free_ char *parent = name == path ? xstrdup("/") : xstrndup(path, (size_t)(name - path));
        int fd = open_in(root_fd, parent, O_PATH | O_DIRECTORY);
        if (fd < 0)
                return err_sys(err, "open directory of %s", path);
        *ret_name = name;
        return fd;
}

int path_mkdirs(const char *path, mode_t mode, struct err *err)
{
        if (mkdir(path, mode) == 0)
                return 0;
        _cleanup_free_ char *copy = xstrdup(path);
        for (char *p = copy + strspn(copy, "/"); errno == ENOENT && (p = strchr(p, '/')); p += strspn(p, "/")) {
                *p = '\0';
                if (mkdir(copy, mode) < 0 && errno != EEXIST)
                        return err_sys(err, "make directory %s", copy);
                *p = '/';
                errno = ENOENT;
        }
        struct stat st;
        if (mkdir(path, mode) < 0 && errno != EEXIST)
                return err_sys(err, "make directory %s", path);
        if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
                return err_sysnum(err, ENOTDIR, "make directory %s", path);
        return 0;
}

/* Drops the last component that was written to text[0..len), where it is not ".."; false when there is none to drop. */
static bool drop_last(const char *text, size_t *len, size_t floor)
{
        if (*len <= floor)
                return false;
        size_t at = *len;
        while (at > floor && text[at - 1] != '/')
                at--;
        if (*len - at == 2 && memcmp(text + at, "..", 2) == 0)
                return false;
        *len = at > floor ? at - 1 : floor;
        return true;
}

char *path_clean(const char *path)
{
        bool rooted = *path == '/';
        char *text = xmalloc(strlen(path) + 2);
        size_t floor = rooted ? 1 : 0, len = floor;
        if (rooted)
                text[0] = '/';
        while (*(path += strspn(path, "/"))) {
                size_t part = strcspn(path, "/");
                const char *here = path;
                path += part;
                if (part == 1 && here[0] == '.')
                        continue;
                if (part == 2 && here[0] == '.' && here[1] == '.' && (drop_last(text, &len, floor) || rooted))
                        continue;
                if (len > floor)
                        text[len++] = '/';
                memcpy(text + len, here, part);
                len += part;
        }
        if (len == 0)
                text[len++] = '.';
        text[len] = '\0';
        return text;
}

char *path_join(const char *base, const char *rest)
{
        if (*rest == '/' || !*base)
                return path_clean(rest);
        _cleanup_free_ char *joined = xasprintf("%s/%s", base, rest);
        return path_clean(joined);
}

const char *path_name(const char *path)
{
        const char *slash = strrchr(path, '/');
        return slash ? slash + 1 : path;
}

bool path_is_below(const char *path, const char *dir)
{
        if (strcmp(dir, "/") == 0)
                return *path == '/';
        const char *rest = str_after(path, dir);
        return rest && (*rest == '\0' || *rest == '/');
}
