/* Plain directories: each layer holds the whole tree of its chain, each root a copy of one. Works on any file system and needs no mount;
 * costs space and time, less so where files can be reflinked. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/file.h"
#include "base/str.h"
#include "storage/copy-internal.h"
#include "storage/snapshot-internal.h"
#include "storage/keymap-internal.h"

static int vfs_probe(struct snapshots *s, struct err *err)
{
        return 0;
}

/* Only remembered: the parent's tree comes in at commit. */
static int vfs_whiteout(struct layer_staging *l, int parent_fd, const char *name, const char *path, struct err *err)
{
        namelist_add(&l->whiteouts, path);
        return 0;
}

static int vfs_opaque(struct layer_staging *l, int dir_fd, const char *path, struct err *err)
{
        namelist_add(&l->opaques, path);
        return 0;
}

struct hidden {
        struct keymap paths; /* value: what copy_options.hidden returns */
};

static int marks[] = { 0, 1, 2 };

/* A name that is gone may be there again in this layer: then only the parent's content stays out. */
static int path_hidden(void *data, const char *path)
{
        const int *mark = keymap_get(&((struct hidden *)data)->paths, path, strlen(path));
        return mark ? *mark : 0;
}

static int vfs_layer_finish(struct layer_staging *l, const struct lowers *parents, struct err *err)
{
        struct hidden h = { 0 };
        struct stat st;
        struct copy_options options = { -1, -1, -1, .keep_existing = true, .hidden = path_hidden, .data = &h };
        if (parents->count == 0)
                return 0;
        if (fstat(l->tree_fd, &st) < 0)
                return err_sys(err, "staging");
        keymap_init(&h.paths, NULL);
        for (size_t i = 0; i < l->opaques.count; i++)
                keymap_set(&h.paths, l->opaques.list[i], strlen(l->opaques.list[i]), &marks[2]);
        for (size_t i = 0; i < l->whiteouts.count; i++)
                keymap_set(&h.paths, l->whiteouts.list[i], strlen(l->whiteouts.list[i]), &marks[1]);
        int r = path_hidden(&h, "") ? 0 : copy_tree(parents->fds[0], l->tree_fd, &options, err);
        keymap_done(&h.paths);
        const struct timespec times[2] = { st.st_atim, st.st_mtim };
        return r < 0 || futimens(l->tree_fd, times) == 0 ? r : err_sys(err, "staging");
}

static int vfs_root_prepare(struct snapshots *s, int root_fd, char *const *chain, struct err *err)
{
        struct stat st;
        struct copy_options options = { -1, -1, -1 };
        _cleanup_lowers_ struct lowers top = { 0 };
        if (mkdirat(root_fd, "tree", 0755) < 0)
                return err_sys(err, "create tree");
        _cleanup_close_ int to = openat(root_fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (to < 0 || fchmod(to, 0755) < 0)
                return err_sys(err, "create tree");
        if (lowers_open(s, chain, &top, err) < 0)
                return -1;
        if (top.count == 0)
                return 0;
        if (fstat(top.fds[0], &st) < 0)
                return err_sys(err, "layer");
        return copy_tree(top.fds[0], to, &options, err) < 0 ? -1 : copy_attributes(top.fds[0], to, &st, err);
}

static int vfs_root_mount(struct snapshots *s, const char *id, int root_fd, char *const *chain, bool transient,
                          struct oci_mount *ret, struct err *err)
{
        char **options = NULL;
        strv_push(&options, "bind");
        *ret = (struct oci_mount){ .destination = xstrdup("/"), .type = xstrdup("bind"), .options = options };
        ret->source = xasprintf("%s/roots/%s/tree", s->dir, id);
        return 0;
}

static int vfs_root_open(struct snapshots *s, const char *id, int root_fd, char *const *chain, bool writable,
                         struct err *err)
{
        int fd = openat(root_fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? err_sys(err, "open tree") : fd;
}

const struct snapshot_driver snapshot_vfs = {
        .name = "vfs",
        .whole_trees = true,
        .writable = "tree",
        .probe = vfs_probe,
        .whiteout = vfs_whiteout,
        .opaque = vfs_opaque,
        .layer_finish = vfs_layer_finish,
        .root_prepare = vfs_root_prepare,
        .root_mount = vfs_root_mount,
        .root_open = vfs_root_open,
};
