#include "build/workspace-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
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
static void sweep_root(struct storage *st, const struct build_sweep *how, const char *id)
{
        struct err ignored = ERR_INIT;
        _cleanup_free_ char *path = workspace_cgroup(id);
        _cleanup_(cgroup_freep) struct cgroup *cg = NULL;
        if (cgroup_open(path, &cg, &ignored) == 0)
                (void)cgroup_remove(cg, &ignored);
        how->step_done(how->data, id);
        (void)root_remove(st->snapshots, id, &ignored);
}

static void sweep_build(struct storage *st, int dir_fd, const struct build_sweep *how, const char *id)
{
        struct err ignored = ERR_INIT;
        _cleanup_close_ int lock = file_lock_at(dir_fd, id, true, false, &ignored);
        if (lock < 0)
                return; /* it lives */
        if (how->found)
                how->found(how->data, id);
        if (!how->repair)
                return;
        _cleanup_free_ char *prefix = xasprintf("build-%s", id);
        _cleanup_free_ char *scratch = xasprintf("%s.d", id);
        struct sweep s = { .prefix = prefix };
        (void)roots_walk(st->snapshots, collect_root, &s, &ignored);
        STRV_FOREACH (r, s.roots)
                sweep_root(st, how, *r);
        strv_free(s.roots);
        (void)tree_remove_at(dir_fd, scratch, &ignored);
        (void)unlinkat(dir_fd, id, 0);
}

/* What cannot be swept now is found again by the next build. */
static void sweep_all(struct storage *st, int dir_fd, const struct build_sweep *how)
{
        int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
        for (struct dirent *e; d && (e = readdir(d));)
                if (strlen(e->d_name) == WORKSPACE_ID_SIZE - 1 && str_only(e->d_name, "0123456789abcdef"))
                        sweep_build(st, dir_fd, how, e->d_name);
}

int build_sweep(struct storage *st, const struct build_sweep *how, struct err *err)
{
        _cleanup_free_ char *path = path_join(st->root, "build");
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : err_sys(err, "%s", path);
        sweep_all(st, fd, how);
        return 0;
}

bool build_alive(struct storage *st, const char *step_id)
{
        const char *rest = str_after(step_id, "build-");
        if (!rest || strspn(rest, "0123456789abcdef") < WORKSPACE_ID_SIZE - 1)
                return false;
        _cleanup_free_ char *path = xasprintf("%s/build/%.*s", st->root, WORKSPACE_ID_SIZE - 1, rest);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
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
        sweep_all(st, w->dir_fd, &(struct build_sweep){ .repair = true, .step_done = o->step_done, .data = o->data });
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
