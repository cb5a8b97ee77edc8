#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/copy-internal.h"
#include "storage/snapshot-internal.h"
#include "storage/settle-internal.h"
#include "storage/snapshot.h"

int layer_name(const char *chain_id, char ret_name[LAYER_NAME_SIZE], struct err *err)
{
        if (!chain_id || !digest_valid(chain_id))
                return err_set(err, ERR_INVALID, "not a chain id: %.150s", chain_id ? chain_id : "(none)");
        snprintf(ret_name, LAYER_NAME_SIZE, "layers/%s", digest_hex(chain_id));
        return 0;
}

bool layer_exists(struct snapshots *s, const char *chain_id)
{
        struct err err = ERR_INIT;
        char name[LAYER_NAME_SIZE];
        return layer_name(chain_id, name, &err) == 0 && file_exists_at(s->dir_fd, name);
}

/* --- meta: "size N" and "parent CHAIN", one a line --- */

static int meta_read(struct snapshots *s, const char *chain_id, uint64_t *ret_size, char **ret_parent, struct err *err)
{
        char name[LAYER_NAME_SIZE];
        _cleanup_buf_ struct buf text = BUF_INIT(4096);
        if (layer_name(chain_id, name, err) < 0)
                return -1;
        _cleanup_free_ char *path = xasprintf("%s/meta", name);
        if (file_read_at(s->dir_fd, path, &text, err) < 0)
                return err_add(err, "layer %s", chain_id);
        _cleanup_strv_ char **lines = strv_split(text.data ? text.data : "", "\n", false);
        _cleanup_free_ char *parent = NULL;
        uint64_t size = 0;
        STRV_FOREACH (line, lines) {
                const char *value;
                if ((value = str_after(*line, "size ")) && parse_u64(value, &size, err) < 0)
                        return err_add(err, "layer %s", chain_id);
                if ((value = str_after(*line, "parent ")))
                        str_replace(&parent, value);
        }
        if (ret_size)
                *ret_size = size;
        if (ret_parent)
                *ret_parent = TAKE_PTR(parent);
        return 0;
}

static int meta_write(const struct layer_staging *l, uint64_t size, struct err *err)
{
        _cleanup_buf_ struct buf text = BUF_INIT(4096);
        if (buf_addf(&text, err, "size %llu\n", (unsigned long long)size) < 0 ||
            (l->parent && buf_addf(&text, err, "parent %s\n", l->parent) < 0) ||
            (l->s->driver->packed && buf_addf(&text, err, "tar %llu\n", (unsigned long long)l->tar_size) < 0))
                return -1;
        return file_write_at(l->dir_fd, "meta", text.data, text.len, 0600, false, err);
}

int layer_size(struct snapshots *s, const char *chain_id, uint64_t *ret_bytes, struct err *err)
{
        return meta_read(s, chain_id, ret_bytes, NULL, err);
}

int layer_chain(struct snapshots *s, const char *chain_id, char ***ret, struct err *err)
{
        _cleanup_strv_ char **upward = NULL;
        _cleanup_free_ char *next = chain_id ? xstrdup(chain_id) : NULL;
        size_t count = 0;
        while (next) {
                char *parent = NULL;
                if (count++ >= CHAIN_MAX)
                        return err_set(err, ERR_CORRUPT, "layer %s has more than %d parents", chain_id, CHAIN_MAX);
                if (meta_read(s, next, NULL, &parent, err) < 0)
                        return -1;
                strv_push_take(&upward, next);
                next = parent;
        }
        char **chain = NULL;
        for (size_t i = strv_len(upward); i-- > 0;)
                strv_push(&chain, upward[i]);
        *ret = chain;
        return 0;
}

/* --- making one --- */

static int staging_tree(struct layer_staging *l, struct err *err)
{
        if (mkdirat(l->dir_fd, LAYER_TREE, 0755) < 0)
                return err_sys(err, "create %s/" LAYER_TREE, l->name);
        l->tree_fd = openat(l->dir_fd, LAYER_TREE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return l->tree_fd < 0 || fchmod(l->tree_fd, 0755) < 0 ? err_sys(err, "create %s/" LAYER_TREE, l->name) : 0;
}

int layer_begin(struct snapshots *s, const char *parent, struct layer_staging **ret, struct err *err)
{
        char name[LAYER_NAME_SIZE];
        if (parent && layer_name(parent, name, err) < 0)
                return -1;
        _cleanup_(layer_abortp) struct layer_staging *l = xcalloc(1, sizeof(*l));
        l->s = s;
        l->tree_fd = l->dir_fd = -1;
        snprintf(l->name, sizeof(l->name), "staging/");
        random_hex(l->name + strlen(l->name), 32);
        if (mkdirat(s->dir_fd, l->name, 0700) < 0)
                return err_sys(err, "create %s", l->name);
        l->dir_fd = openat(s->dir_fd, l->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (l->dir_fd < 0 || flock(l->dir_fd, LOCK_EX | LOCK_NB) < 0)
                return err_sys(err, "create %s", l->name);
        if (!s->driver->packed && staging_tree(l, err) < 0)
                return -1;
        l->parent = parent ? xstrdup(parent) : NULL;
        *ret = TAKE_PTR(l);
        return 0;
}

void layer_abort(struct layer_staging *l)
{
        if (!l)
                return;
        struct err ignored = ERR_INIT;
        mem_closep(&l->tree_fd);
        erofs_layer_free(l->packed);
        if (!l->committed && l->dir_fd >= 0)
                trash_remove(l->s, l->name, &ignored);
        mem_closep(&l->dir_fd);
        for (size_t i = 0; i < l->link_count; i++) {
                free(l->links[i].path);
                free(l->links[i].target);
        }
        free(l->links);
        namelist_done(&l->implied);
        namelist_done(&l->whiteouts);
        namelist_done(&l->opaques);
        free(l->parent);
        free(l);
}

/* Directories the archive did not mention look like those they hide, as if they had been copied up. */
static int implied_adopt(struct layer_staging *l, const struct lowers *parents, struct err *err)
{
        size_t count = l->implied.count;
        for (size_t i = count + (l->root_named ? 0 : 1); i-- > 0;) {
                const char *path = i == count ? "" : l->implied.list[i];
                _cleanup_close_ int from = lowers_lookup(l->s, parents, path, NULL);
                struct stat st;
                if (from < 0 || fstat(from, &st) < 0 || !S_ISDIR(st.st_mode))
                        continue;
                _cleanup_close_ int to = path_open_nolink(l->tree_fd, *path ? path : ".", O_PATH | O_DIRECTORY, 0, err);
                if (to < 0)
                        return -1;
                if (copy_attributes(from, to, &st, err) < 0)
                        return err_add(err, "directory /%s", path);
        }
        return 0;
}

/* Opens the directory of `path` in the staging; its times are to be put back once a name was made in it. */
static int link_parent(struct layer_staging *l, const char *path, struct stat *ret_st, struct err *err)
{
        const char *name = path_name(path);
        _cleanup_free_ char *parent = xstrndup(path, (size_t)(name - path));
        _cleanup_close_ int fd = path_mkdirs_in(l->tree_fd, *parent ? parent : "/", 0755, (uid_t)-1, (gid_t)-1, err);
        if (fd < 0)
                return -1;
        return fstat(fd, ret_st) < 0 ? err_sys(err, "directory of /%s", path) : TAKE_FD(fd);
}

static void times_restore(int dir_fd, const struct stat *st)
{
        char path[FD_PATH_SIZE];
        const struct timespec times[2] = { st->st_atim, st->st_mtim };
        (void)!utimensat(AT_FDCWD, fd_path(dir_fd, path), times, 0);
}

/* A hard link to a file of a lower layer: the file is copied up and linked, so that both names stay one file. */
static int link_resolve(struct layer_staging *l, const struct lowers *parents, const struct deferred_link *k,
                        struct err *err)
{
        struct stat st, dir_st, target_st;
        _cleanup_close_ int from = lowers_lookup(l->s, parents, k->target, NULL);
        if (from < 0 || fstat(from, &st) < 0 || S_ISDIR(st.st_mode))
                return err_set(err, ERR_CORRUPT, "hard link /%s: no file /%s in this layer or below", k->path,
                               k->target);
        _cleanup_close_ int dir = link_parent(l, k->path, &dir_st, err);
        _cleanup_close_ int target_dir = dir < 0 ? -1 : link_parent(l, k->target, &target_st, err);
        if (target_dir < 0)
                return -1;
        const char *name = path_name(k->path), *target_name = path_name(k->target);
        /* An earlier deferred link may have brought the target up already. */
        if (!file_exists_at(target_dir, target_name) && copy_file(from, &st, target_dir, target_name, err) < 0)
                return err_add(err, "hard link /%s", k->path);
        if (linkat(target_dir, target_name, dir, name, 0) < 0)
                return err_sys(err, "link /%s to /%s", k->path, k->target);
        times_restore(target_dir, &target_st);
        times_restore(dir, &dir_st);
        return 0;
}

static void implied_by_target(struct layer_staging *l, const char *target)
{
        for (const char *slash = strchr(target, '/'); slash; slash = strchr(slash + 1, '/')) {
                _cleanup_free_ char *dir = xstrndup(target, (size_t)(slash - target));
                /* Twice in the list does no harm. */
                if (!file_exists_at(l->tree_fd, dir))
                        namelist_add(&l->implied, dir);
        }
}

static int staging_finish(struct layer_staging *l, struct err *err)
{
        _cleanup_strv_ char **chain = NULL;
        _cleanup_lowers_ struct lowers parents = { 0 };
        if (layer_chain(l->s, l->parent, &chain, err) < 0)
                return err_add(err, "parent layer");
        if (lowers_open(l->s, chain, &parents, err) < 0)
                return -1;
        if (l->s->driver->packed)
                return l->s->driver->layer_finish(l, &parents, err);
        for (size_t i = 0; i < l->link_count; i++) {
                implied_by_target(l, l->links[i].target);
                if (link_resolve(l, &parents, &l->links[i], err) < 0)
                        return -1;
        }
        if (parents.count && implied_adopt(l, &parents, err) < 0)
                return -1;
        return l->s->driver->layer_finish ? l->s->driver->layer_finish(l, &parents, err) : 0;
}

/* One sync of the file system is cheaper than one of every file. */
static int staging_sync(struct layer_staging *l, struct err *err)
{
        return syncfs(l->dir_fd) < 0 ? err_sys(err, "sync the layer") : 0;
}

/* 0 also where another was first: then l->committed stays false. */
static int staging_rename(struct layer_staging *l, const char *name, struct err *err)
{
        if (syscall(SYS_renameat2, l->s->dir_fd, l->name, l->s->dir_fd, name, 1 /* RENAME_NOREPLACE */) < 0) {
                if (errno == EEXIST || errno == ENOTEMPTY)
                        return 0;
                return err_sys(err, "rename to %s", name);
        }
        l->committed = true;
        return 0;
}

static int publish_synced(struct layer_staging *l, const char *name, const char *chain_id, struct err *err)
{
        _cleanup_close_ int layers = openat(l->s->dir_fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (layers < 0)
                return err_sys(err, "open %s/layers", l->s->dir);
        if (staging_sync(l, err) < 0)
                return -1;
        _cleanup_close_ int lock = unsettled_lock(l->s, err);
        if (lock < 0)
                return -1;
        if (file_exists_at(l->s->dir_fd, name))
                return 0;
        if (unsettled_clear(l->s, chain_id, err) < 0 || staging_rename(l, name, err) < 0)
                return -1;
        return l->committed ? file_sync_dir(layers, err) : 0;
}

static int publish_derived(struct layer_staging *l, const char *name, const char *chain_id, struct err *err)
{
        _cleanup_close_ int lock = unsettled_lock(l->s, err);
        if (lock < 0)
                return -1;
        if (file_exists_at(l->s->dir_fd, name))
                return 0;
        if (unsettled_ensure(l->s, chain_id, err) < 0 || staging_rename(l, name, err) < 0)
                return -1;
        l->s->settle_due = true;
        return 0;
}

int layer_commit(struct layer_staging *l, const char *chain_id, uint64_t size, struct err *err)
{
        char name[LAYER_NAME_SIZE];
        if (layer_name(chain_id, name, err) < 0)
                return -1;
        if (file_exists_at(l->s->dir_fd, name))
                return 0;
        if (staging_finish(l, err) < 0 || meta_write(l, size, err) < 0 ||
            (l->derived ? publish_derived(l, name, chain_id, err) : publish_synced(l, name, chain_id, err)) < 0)
                return err_add(err, "layer %s", chain_id);
        return 0;
}

int layer_remove(struct snapshots *s, const char *chain_id, struct err *err)
{
        char name[LAYER_NAME_SIZE];
        if (layer_name(chain_id, name, err) < 0)
                return -1;
        if (!file_exists_at(s->dir_fd, name))
                return err_set(err, ERR_NOT_FOUND, "no layer %s", chain_id);
        return trash_remove(s, name, err) < 0 ? err_add(err, "layer %s", chain_id) : 0;
}

int layers_walk(struct snapshots *s, int (*fn)(void *data, const char *chain_id, struct err *err), void *data,
                struct err *err)
{
        int fd = openat(s->dir_fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return err_sys(err, "open %s/layers", s->dir);
        for (struct dirent *e; (e = readdir(dir));) {
                char chain_id[DIGEST_SIZE];
                snprintf(chain_id, sizeof(chain_id), "%s:%.128s", strlen(e->d_name) == 128 ? "sha512" : "sha256",
                         e->d_name);
                if (!digest_valid(chain_id))
                        continue;
                int r = fn(data, chain_id, err);
                if (r != 0)
                        return r;
        }
        return 0;
}
