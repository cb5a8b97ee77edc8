#include "build/workspace-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/digest.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cgroup.h"

char *workspace_root_id(struct workspace *w)
{
        return xasprintf("build-%s%08x", w->id, w->next++);
}
char *workspace_cgroup(const char *root_id)
{
        return xasprintf("/tare/%s", root_id);
}

/* --- sweeping --- */

struct sweep {
        const char *prefix;
        char **roots;
};

static int collect_root(void *data, const char *id, struct err *err)
{
        struct sweep *s = data;
        if (str_starts(id, s->prefix))
                strv_push(&s->roots, id);
        return 0;
}

/* A step that outlived its builder is killed before its root goes. */
static void sweep_root(struct storage *st, const struct build_options *o, const char *id)
{
        struct err ignored = ERR_INIT;
        _cleanup_free_ char *path = workspace_cgroup(id);
        _cleanup_(cgroup_freep) struct cgroup *cg = NULL;
        if (cgroup_open(path, &cg, &ignored) == 0)
                (void)cgroup_remove(cg, &ignored);
        o->step_done(o->data, id);
        (void)root_remove(st->snapshots, id, &ignored);
}

static void sweep_build(struct workspace *w, const struct build_options *o, const char *id)
{
        struct err ignored = ERR_INIT;
        _cleanup_close_ int lock = file_lock_at(w->dir_fd, id, true, false, &ignored);
        if (lock < 0)
                return; /* it lives */
        _cleanup_free_ char *prefix = xasprintf("build-%s", id);
        _cleanup_free_ char *scratch = xasprintf("%s.d", id);
        struct sweep s = { .prefix = prefix };
        (void)roots_walk(w->st->snapshots, collect_root, &s, &ignored);
        STRV_FOREACH (r, s.roots)
                sweep_root(w->st, o, *r);
        strv_free(s.roots);
        (void)tree_remove_at(w->dir_fd, scratch, &ignored);
        (void)unlinkat(w->dir_fd, id, 0);
}

/* What cannot be swept now is found again by the next build. */
static void sweep_all(struct workspace *w, const struct build_options *o)
{
        int fd = openat(w->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
        for (struct dirent *e; d && (e = readdir(d));)
                if (strlen(e->d_name) == WORKSPACE_ID_SIZE - 1 && str_only(e->d_name, "0123456789abcdef"))
                        sweep_build(w, o, e->d_name);
}

int workspace_open(struct workspace *w, struct storage *st, const struct build_options *o, struct err *err)
{
        w->st = st;
        if (mkdirat(AT_FDCWD, st->root, 0700) < 0 && errno != EEXIST)
                return err_sys(err, "%s", st->root);
        _cleanup_free_ char *path = path_join(st->root, "build");
        if (path_mkdirs(path, 0700, err) < 0)
                return -1;
        w->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (w->dir_fd < 0)
                return err_sys(err, "%s", path);
        sweep_all(w, o);
        random_hex(w->id, WORKSPACE_ID_SIZE - 1);
        w->lock_fd = file_lock_at(w->dir_fd, w->id, true, true, err);
        return w->lock_fd < 0 ? -1 : 0;
}

void workspace_close(struct workspace *w)
{
        struct err ignored = ERR_INIT;
        if (w->lock_fd >= 0) {
                _cleanup_free_ char *scratch = xasprintf("%s.d", w->id);
                (void)tree_remove_at(w->dir_fd, scratch, &ignored);
                (void)unlinkat(w->dir_fd, w->id, 0);
        }
        mem_closep(&w->lock_fd);
        mem_closep(&w->dir_fd);
        w->lock_fd = w->dir_fd = -1;
}

char *workspace_scratch(struct workspace *w, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("%s/build/%s.d/%u", w->st->root, w->id, w->next++);
        return path_mkdirs(path, 0755, err) < 0 ? NULL : TAKE_PTR(path);
}
