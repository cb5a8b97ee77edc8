/* Archives mounted as they are: a layer is its tar and an EROFS index over it (erofs-layer-internal.h), a root an overlay upon such mounts.
 *
 * A layer is mounted when it is first needed and for as long as the store is open in this process; what was mounted upon it keeps it
 * from then on. All mounts are detached: nobody sees them, and nothing is left when the last user is gone. Containers that run at the same time
 * share them (erofs-share-internal.h). */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "storage/drivers/erofs-mount-internal.h"
#include "storage/drivers/erofs-share-internal.h"
#include "storage/drivers/overlay-internal.h"
#include "storage/drivers/overlay-mount-internal.h"
#include "storage/erofs-format-internal.h"
#include "storage/erofs-layer-internal.h"

struct layer_mount {
        struct layer_mount *next;
        int fd;
        char name[];
};

/* Layers of a pull are committed by any of its threads. */
static pthread_mutex_t mounts_lock = PTHREAD_MUTEX_INITIALIZER;

void layer_mounts_close(struct snapshots *s)
{
        for (struct layer_mount *m = s->mounts, *next; m; m = next) {
                next = m->next;
                mem_closep(&m->fd);
                free(m);
        }
        s->mounts = NULL;
}

/* --- mounting --- */

static int file_open(struct snapshots *s, const char *layer, const char *file)
{
        _cleanup_free_ char *path = xasprintf("%s/%s", layer, file);
        return openat(s->dir_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_empty(int fd)
{
        struct stat st;
        return fstat(fd, &st) == 0 && st.st_size == 0;
}

static int layer_mount_new(struct snapshots *s, const char *layer, struct err *err)
{
        int backings[2];
        size_t count = 0;
        _cleanup_close_ int index = file_open(s, layer, EROFS_INDEX_NAME), tar = file_open(s, layer, EROFS_TAR_NAME),
                            extra = file_open(s, layer, EROFS_EXTRA_NAME);
        if (index < 0 || (tar < 0 && errno != ENOENT))
                return err_sys(err, "%s", layer);
        /* As the index has them. */
        if (tar >= 0 && !is_empty(tar))
                backings[count++] = tar;
        if (extra >= 0 && !is_empty(extra))
                backings[count++] = extra;
        return erofs_mount_detached(index, backings, count, err);
}

/* The descriptor is the store's. */
static int layer_mount_get(struct snapshots *s, const char *layer, struct err *err)
{
        for (struct layer_mount *m = s->mounts; m; m = m->next)
                if (str_eq(m->name, layer))
                        return m->fd;
        _cleanup_close_ int dir = openat(s->dir_fd, layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int fd = dir < 0 ? -1 : erofs_mount_borrow(dir);
        if (fd < 0)
                fd = layer_mount_new(s, layer, err);
        if (fd < 0)
                return -1;
        size_t len = strlen(layer) + 1;
        struct layer_mount *m = xcalloc(1, sizeof(*m) + len);
        memcpy(m->name, layer, len);
        m->fd = fd;
        m->next = s->mounts;
        s->mounts = m;
        return fd;
}

static int layer_mounted(struct snapshots *s, const char *layer, struct err *err)
{
        pthread_mutex_lock(&mounts_lock);
        int fd = layer_mount_get(s, layer, err);
        pthread_mutex_unlock(&mounts_lock);
        return fd;
}

static int erofs_layer_open(struct snapshots *s, const char *name, struct err *err)
{
        int mounted = layer_mounted(s, name, err), fd = mounted < 0 ? -1 : openat(mounted, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 && mounted >= 0 ? err_sys(err, "%s", name) : fd;
}

static char *erofs_layer_path(struct snapshots *s, const char *name, struct err *err)
{
        char path[FD_PATH_SIZE];
        int fd = layer_mounted(s, name, err);
        return fd < 0 ? NULL : xstrdup(fd_path(fd, path));
}

/* After a fork, before the exec that keeps the descriptors: nobody else is at the list. */
static void erofs_mounts_hold(struct snapshots *s)
{
        for (struct layer_mount *m = s->mounts; m; m = m->next) {
                _cleanup_close_ int dir = openat(s->dir_fd, m->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (dir >= 0)
                        erofs_mount_hold(dir, m->fd);
        }
}

/* Out of the index itself: no mount for a look. */
static int erofs_layer_stat(struct snapshots *s, const char *name, struct stat *ret, struct err *err)
{
        struct erofs_super super;
        struct erofs_inode root;
        _cleanup_close_ int fd = file_open(s, name, EROFS_INDEX_NAME);
        if (fd < 0)
                return err_sys(err, "%s/" EROFS_INDEX_NAME, name);
        if (pread(fd, &super, sizeof(super), EROFS_SUPER_AT) != sizeof(super) || le32toh(super.magic) != EROFS_MAGIC ||
            pread(fd, &root, sizeof(root), (off_t)le16toh(super.root_nid) << EROFS_NID_SHIFT) != sizeof(root))
                return err_set(err, ERR_CORRUPT, "%s/" EROFS_INDEX_NAME " is damaged", name);
        *ret = (struct stat){ .st_mode = le16toh(root.mode), .st_uid = le32toh(root.uid), .st_gid = le32toh(root.gid) };
        return 0;
}

/* --- can it work here --- */

#define PROBE_TEXT "content"
#define PROBE_SIZE 512

/* A layer with one file. */
static int probe_fill(struct layer_staging *l, struct err *err)
{
        static const char block[PROBE_SIZE] = PROBE_TEXT;
        const struct lowers none = { 0 };
        if (erofs_layer_begin(l, NULL, err) < 0)
                return -1;
        struct erofs_node *n = erofs_tree_make(l->packed->tree, erofs_tree_root(l->packed->tree), "file", S_IFREG | 0600, err);
        if (!n || fd_write_full(l->packed->tar_fd, block, sizeof(block)) < 0)
                return n ? err_sys(err, "write %s", l->name) : -1;
        n->size = strlen(PROBE_TEXT);
        n->backing = EROFS_TAR;
        l->packed->tar_size = sizeof(block);
        return erofs_layer_finish(l, &none, err);
}

static int probe_layer(struct snapshots *s, const char *name, struct err *err)
{
        struct layer_staging l = { .s = s, .tree_fd = -1 };
        snprintf(l.name, sizeof(l.name), "%s", name);
        if (mkdirat(s->dir_fd, name, 0700) < 0)
                return err_sys(err, "create %s", name);
        l.dir_fd = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (l.dir_fd < 0)
                return err_sys(err, "open %s", name);
        int r = probe_fill(&l, err);
        erofs_layer_free(l.packed);
        mem_closep(&l.dir_fd);
        return r;
}

static int probe_read(int root, struct err *err)
{
        char text[PROBE_SIZE] = "";
        _cleanup_close_ int fd = openat(root, "file", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n < 0)
                return err_sys(err, "read a file through erofs");
        return str_eq(text, PROBE_TEXT) ? 0 : err_set(err, ERR_UNSUPPORTED, "a file read through erofs has other content");
}

/* Upon it, as every root is. */
static int probe_stack(struct snapshots *s, int fd, struct err *err)
{
        char path[FD_PATH_SIZE], **options = NULL;
        strv_push_take(&options, xasprintf("lowerdir+=%s", fd_path(fd, path)));
        strv_push_take(&options, xasprintf("lowerdir+=%s/empty", s->dir));
        const struct oci_mount m = { .options = options };
        _cleanup_close_ int stacked = overlay_mount_detached(&m, true, err);
        strv_free(options);
        return stacked < 0 ? -1 : 0;
}

static int erofs_probe(struct snapshots *s, struct err *err)
{
        char random[17];
        struct err ignored = ERR_INIT;
        if (overlay_probe(s, err) < 0)
                return -1;
        if (s->user_xattr)
                return err_set(err, ERR_UNSUPPORTED, "a user namespace cannot mount erofs");
        random_hex(random, 16);
        _cleanup_free_ char *name = xasprintf("staging/probe-%s", random);
        int r = probe_layer(s, name, err);
        _cleanup_close_ int fd = r < 0 ? -1 : layer_mount_new(s, name, err);
        tree_remove_at(s->dir_fd, name, &ignored);
        r = fd < 0 || probe_read(fd, err) < 0 ? -1 : probe_stack(s, fd, err);
        if (r < 0 && err->sys != ENOSPC && err->sys != EROFS && err->sys != EIO)
                err->kind = ERR_UNSUPPORTED;
        return r;
}

const struct snapshot_driver snapshot_erofs = {
        .name = "erofs",
        .packed = true,
        .writable = "upper",
        .probe = erofs_probe,
        .layer_finish = erofs_layer_finish,
        .layer_open = erofs_layer_open,
        .layer_path = erofs_layer_path,
        .layer_stat = erofs_layer_stat,
        .mounts_hold = erofs_mounts_hold,
        .root_prepare = overlay_root_prepare,
        .root_mount = overlay_root_mount,
        .root_open = overlay_root_open,
};
