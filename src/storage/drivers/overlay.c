/* Overlayfs: a layer keeps its own files, a root an upper directory. Linux Documentation/filesystems/overlayfs.rst.
 *
 * Layers come from others, so what they may do to the mount is cut down: redirect_dir=nofollow and metacopy=off (an attribute in an
 * archive could otherwise point at other files), and unpacking drops the attributes themselves. An upper without redirects is
 * also what diff.c can read without mounting it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "storage/drivers/overlay-internal.h"
#include "storage/drivers/overlay-mount-internal.h"
#include "storage/snapshot-internal.h"

/* Its being there makes the kernel refuse the mount: the last mount was volatile, and whether its files reached the disk is unknown. */
#define LIST_MAX 3500 /* bytes of a page left for the names of layers */
#define SHORT_DIGITS 12
#define VOLATILE_MARKER "work/work/incompat/volatile"

static const char *opaque_name(const struct snapshots *s)
{
        return s->user_xattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

static int overlay_whiteout(struct layer_staging *l, int parent_fd, const char *name, const char *path, struct err *err)
{
        struct stat st;
        if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
                /* A whiteout hides what is below, never what the same layer brings. */
                if (!S_ISDIR(st.st_mode))
                        return 0;
                _cleanup_close_ int fd = openat(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                return fd < 0 ? err_sys(err, "whiteout of /%s", path) : l->s->driver->opaque(l, fd, path, err);
        }
        return mknodat(parent_fd, name, S_IFCHR, makedev(0, 0)) < 0 ? err_sys(err, "whiteout of /%s", path) : 0;
}

static int overlay_opaque(struct layer_staging *l, int dir_fd, const char *path, struct err *err)
{
        char proc[FD_PATH_SIZE];
        return setxattr(fd_path(dir_fd, proc), opaque_name(l->s), "y", 1, 0) < 0 ? err_sys(err, "make /%s opaque", path)
                                                                                 : 0;
}

static int tree_stat(struct snapshots *s, const char *name, struct stat *ret, struct err *err)
{
        _cleanup_free_ char *tree = xasprintf("%s/" LAYER_TREE, name);
        return fstatat(s->dir_fd, tree, ret, AT_SYMLINK_NOFOLLOW) < 0 ? err_sys(err, "%s", tree) : 0;
}

/* The merged "/" has the owner and mode of the upper directory, so these are taken from the topmost layer. */
int overlay_root_prepare(struct snapshots *s, int root_fd, char *const *chain, struct err *err)
{
        struct stat st = { .st_mode = 0755 };
        size_t len = strv_len(chain);
        if (len > 0) {
                char name[LAYER_NAME_SIZE];
                if (layer_name(chain[len - 1], name, err) < 0)
                        return -1;
                if ((s->driver->layer_stat ? s->driver->layer_stat : tree_stat)(s, name, &st, err) < 0)
                        return err_add(err, "layer %s", chain[len - 1]);
        }
        if (mkdirat(root_fd, "upper", 0700) < 0 || mkdirat(root_fd, "work", 0700) < 0)
                return err_sys(err, "create upper and work");
        if ((st.st_uid != geteuid() || st.st_gid != getegid()) &&
            fchownat(root_fd, "upper", st.st_uid, st.st_gid, 0) < 0)
                return err_sys(err, "owner of upper");
        return fchmodat(root_fd, "upper", st.st_mode & 07777, 0) < 0 ? err_sys(err, "mode of upper") : 0;
}

/* Removes the marker of a volatile mount of this boot. One of an earlier boot stays: the machine went down meanwhile. */
static int marker_clear(int root_fd, struct err *err)
{
        bool same = false;
        if (!file_exists_at(root_fd, VOLATILE_MARKER))
                return 0;
        if (root_boot_matches(root_fd, &same, err) < 0)
                return -1;
        if (!same)
                return err_set(err, ERR_CORRUPT, "it was not to survive a restart of the machine, and there was one");
        /* The kernel keeps a file "dirty" in it. */
        return tree_remove_at(root_fd, VOLATILE_MARKER, err) < 0 ? err_add(err, "remove the volatile marker") : 0;
}

/* Kernels before 6.7 take all names in one page. A chain too long for that is named by short links, made when first needed. Returns the
 * name to mount by. */
static char *layer_short_name(struct snapshots *s, const char *hex)
{
        char have[LAYER_NAME_SIZE], name[2 + SHORT_DIGITS + 1];
        _cleanup_free_ char *target = xasprintf("../layers/%s/" LAYER_TREE, hex);
        snprintf(name, sizeof(name), "l/%.*s", SHORT_DIGITS, hex);
        if (symlinkat(target, s->dir_fd, name) < 0 && errno == ENOENT && mkdirat(s->dir_fd, "l", 0700) == 0)
                (void)!symlinkat(target, s->dir_fd, name);
        ssize_t n = readlinkat(s->dir_fd, name, have, sizeof(have) - 1);
        bool ours = n == (ssize_t)strlen(target) && memcmp(have, target, (size_t)n) == 0;
        return ours ? xasprintf("%s/%s", s->dir, name) : xasprintf("%s/layers/%s/" LAYER_TREE, s->dir, hex);
}

static int lower_options(struct snapshots *s, char *const *chain, char ***options, struct err *err)
{
        size_t count = strv_len(chain);
        bool too_long = !s->driver->layer_path &&
                        count * (strlen(s->dir) + strlen("/layers//" LAYER_TREE ":") + 64) > LIST_MAX;
        for (size_t i = count; i-- > 0;) {
                char name[LAYER_NAME_SIZE];
                if (layer_name(chain[i], name, err) < 0)
                        return -1;
                _cleanup_free_ char *path = s->driver->layer_path ? s->driver->layer_path(s, name, err)
                                            : too_long            ? layer_short_name(s, digest_hex(chain[i]))
                                                                  : xasprintf("%s/%s/" LAYER_TREE, s->dir, name);
                if (!path)
                        return -1;
                strv_push_take(options, xasprintf("lowerdir+=%s", path));
        }
        if (count == 0)
                strv_push_take(options, xasprintf("lowerdir+=%s/empty", s->dir));
        return 0;
}

static void common_options(struct snapshots *s, char ***options)
{
        /* Else a file of a layer that is no directory of this file system has another st_dev than the directory it is in. */
        if (s->driver->packed)
                strv_push(options, "xino=on");
        strv_push(options, "redirect_dir=nofollow");
        strv_push(options, "metacopy=off");
        strv_push(options, "index=off");
        if (s->user_xattr)
                strv_push(options, "userxattr");
}

static void mount_describe(struct snapshots *s, char **options, struct oci_mount *ret)
{
        *ret = (struct oci_mount){ .destination = xstrdup("/"),
                                   .type = xstrdup("overlay"),
                                   .source = xstrdup("overlay"),
                                   .options = options };
}

int overlay_root_mount(struct snapshots *s, const char *id, int root_fd, char *const *chain, bool transient,
                              struct oci_mount *ret, struct err *err)
{
        char **options = NULL;
        if (marker_clear(root_fd, err) < 0 || (transient && root_boot_note(root_fd, err) < 0))
                return -1;
        if (lower_options(s, chain, &options, err) < 0) {
                strv_free(options);
                return -1;
        }
        strv_push_take(&options, xasprintf("upperdir=%s/roots/%s/upper", s->dir, id));
        strv_push_take(&options, xasprintf("workdir=%s/roots/%s/work", s->dir, id));
        common_options(s, &options);
        if (transient)
                strv_push(&options, "volatile");
        mount_describe(s, options, ret);
        return 0;
}

/* Read-only: the upper directory as one more lower, which works whoever has it mounted. */
static int readonly_describe(struct snapshots *s, const char *id, char *const *chain, struct oci_mount *ret, struct err *err)
{
        char **options = NULL;
        strv_push_take(&options, xasprintf("lowerdir+=%s/roots/%s/upper", s->dir, id));
        if (lower_options(s, chain, &options, err) < 0) {
                strv_free(options);
                return -1;
        }
        common_options(s, &options);
        mount_describe(s, options, ret);
        return 0;
}

int overlay_root_open(struct snapshots *s, const char *id, int root_fd, char *const *chain, bool writable,
                             struct err *err)
{
        struct oci_mount m = { 0 };
        /* A root that was mounted volatile goes on so: unmounting any other syncs the whole file system below. */
        bool transient = file_exists_at(root_fd, VOLATILE_MARKER);
        int r = writable ? overlay_root_mount(s, id, root_fd, chain, transient, &m, err)
                         : readonly_describe(s, id, chain, &m, err);
        if (r < 0)
                return -1;
        int fd = overlay_mount_detached(&m, !writable, err);
        oci_mount_done(&m);
        return fd;
}

/* --- can it work here --- */

static int probe_whiteout(struct snapshots *s, int dir_fd, struct err *err)
{
        if (mknodat(dir_fd, "l/gone", S_IFCHR, makedev(0, 0)) < 0)
                return err_sys(err, "make a whiteout");
        _cleanup_close_ int fd = openat(dir_fd, "l", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "open");
        s->user_xattr = fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0;
        if (s->user_xattr && fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) < 0)
                return err_sys(err, "set an extended attribute");
        return 0;
}

static int probe_mount(struct snapshots *s, const char *name, struct err *err)
{
        char **options = NULL;
        struct oci_mount m;
        strv_push_take(&options, xasprintf("lowerdir+=%s/%s/l", s->dir, name));
        strv_push_take(&options, xasprintf("upperdir=%s/%s/u", s->dir, name));
        strv_push_take(&options, xasprintf("workdir=%s/%s/w", s->dir, name));
        common_options(s, &options);
        mount_describe(s, options, &m);
        _cleanup_close_ int fd = overlay_mount_detached(&m, false, err);
        oci_mount_done(&m);
        if (fd < 0)
                return -1;
        _cleanup_close_ int file = openat(fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        return file < 0 ? err_sys(err, "write to an overlay") : 0;
}

static int probe_folder(struct snapshots *s, const char *name, struct err *err)
{
        static const char *const parts[] = { "l", "u", "w" };
        if (mkdirat(s->dir_fd, name, 0700) < 0)
                return err_sys(err, "create %s", name);
        _cleanup_close_ int fd = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (size_t i = 0; i < ELEMENTS(parts); i++)
                if (fd < 0 || mkdirat(fd, parts[i], 0700) < 0)
                        return err_sys(err, "create %s/%s", name, parts[i]);
        return probe_whiteout(s, fd, err) < 0 ? -1 : probe_mount(s, name, err);
}

int overlay_probe(struct snapshots *s, struct err *err)
{
        char random[17];
        struct err ignored = ERR_INIT;
        if (strpbrk(s->dir, ":,\\\""))
                return err_set(err, ERR_UNSUPPORTED, "overlay cannot be mounted from %s: its name has one of : , \\ \"",
                               s->dir);
        if (mkdirat(s->dir_fd, "empty", 0755) < 0 && errno != EEXIST)
                return err_sys(err, "create %s/empty", s->dir);
        random_hex(random, 16);
        _cleanup_free_ char *name = xasprintf("staging/probe-%s", random);
        int r = probe_folder(s, name, err);
        tree_remove_at(s->dir_fd, name, &ignored);
        /* Whatever the reason, another driver may do. */
        if (r < 0 && err->sys != ENOSPC && err->sys != EROFS && err->sys != EIO)
                err->kind = ERR_UNSUPPORTED;
        return r;
}

const struct snapshot_driver snapshot_overlay = {
        .name = "overlay",
        .writable = "upper",
        .probe = overlay_probe,
        .whiteout = overlay_whiteout,
        .opaque = overlay_opaque,
        .root_prepare = overlay_root_prepare,
        .root_mount = overlay_root_mount,
        .root_open = overlay_root_open,
};
