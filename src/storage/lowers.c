#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/str.h"
#include "storage/snapshot-internal.h"

void lowers_done(struct lowers *l)
{
        for (size_t i = 0; i < l->count; i++)
                mem_closep(&l->fds[i]);
        free(l->fds);
        *l = (struct lowers){ 0 };
}

static int tree_open(struct snapshots *s, const char *name, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("%s/" LAYER_TREE, name);
        int fd = openat(s->dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? err_sys(err, "%s", path) : fd;
}

int lowers_open(struct snapshots *s, char *const *chain, struct lowers *ret, struct err *err)
{
        _cleanup_lowers_ struct lowers l = { 0 };
        size_t len = strv_len(chain);
        l.fds = xcalloc(len + 1, sizeof(*l.fds));
        for (size_t i = len; i-- > 0 && !(s->driver->whole_trees && l.count);) {
                char name[LAYER_NAME_SIZE];
                if (layer_name(chain[i], name, err) < 0)
                        return -1;
                int fd = (s->driver->layer_open ? s->driver->layer_open : tree_open)(s, name, err);
                if (fd < 0)
                        return err_add(err, "layer %s", chain[i]);
                l.fds[l.count++] = fd;
        }
        *ret = l;
        l = (struct lowers){ 0 };
        return 0;
}

bool overlay_is_whiteout(const struct snapshots *s, uint32_t mode, uint32_t rdev_major, uint32_t rdev_minor)
{
        return !s->driver->whole_trees && S_ISCHR(mode) && rdev_major == 0 && rdev_minor == 0;
}

bool overlay_is_opaque(const struct snapshots *s, int dir_fd)
{
        char value = 0, path[FD_PATH_SIZE];
        if (s->driver->whole_trees)
                return true;
        const char *name = s->user_xattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
        /* By /proc because the descriptor may be O_PATH. */
        return getxattr(fd_path(dir_fd, path), name, &value, 1) == 1 && value == 'y';
}

bool xattr_is_private(const char *name)
{
        return str_starts(name, "trusted.overlay.") || str_starts(name, "user.overlay.");
}

/* One layer's say on a path: an open descriptor, -1 when it says nothing, -2 when it hides what lies below it. */
static int lower_probe(const struct snapshots *s, int layer_fd, const char *path)
{
        _cleanup_close_ int fd = openat(layer_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        bool hides = overlay_is_opaque(s, fd);
        while (fd >= 0 && *path) {
                char name[NAME_MAX + 1];
                struct stat st;
                size_t len = strcspn(path, "/");
                if (len > NAME_MAX)
                        return -1;
                snprintf(name, sizeof(name), "%.*s", (int)len, path);
                path += len + strspn(path + len, "/");
                int child = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
                if (child < 0)
                        return errno == ENOENT && !hides ? -1 : -2;
                mem_closep(&fd);
                fd = child;
                if (fstat(fd, &st) < 0 || overlay_is_whiteout(s, st.st_mode, major(st.st_rdev), minor(st.st_rdev)))
                        return -2;
                if (S_ISDIR(st.st_mode))
                        hides = hides || overlay_is_opaque(s, fd);
                else if (*path)
                        return -2;
        }
        return TAKE_FD(fd);
}

int lowers_lookup(const struct snapshots *s, const struct lowers *l, const char *path, size_t *ret_index)
{
        for (size_t i = 0; i < l->count; i++) {
                int fd = lower_probe(s, l->fds[i], path);
                if (fd >= 0 && ret_index)
                        *ret_index = i;
                if (fd >= 0)
                        return fd;
                if (fd == -2)
                        break;
        }
        errno = ENOENT;
        return -1;
}
