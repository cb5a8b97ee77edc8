#include "build/run-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "build/copy-internal.h"
#include "storage/tree.h"

/* --- content --- */

static int bind_digest(struct step *s, struct run_mount *m, struct cache_key *k, struct err *err)
{
        _cleanup_(source_done) struct source src = { .fd = -1 };
        _cleanup_free_ char *real = NULL;
        char digest[DIGEST_SIZE];
        bool is_dir;
        if (source_find(s->b, s->stage, m->from, &src, err) < 0)
                return -1;
        cache_key_add(k, m->source);
        if (m->from) {
                cache_key_add(k, src.chain);
                return 0;
        }
        if (tree_resolve(src.fd, m->source, &real, &is_dir, err) < 0)
                return err_add(err, "--mount source=%s", m->source);
        struct copy_filter filter = { .ignore = s->b->ctx.ignore, .base = real };
        if (tree_digest(src.fd, real, filter.ignore ? copy_digest_excluded : NULL, &filter, digest, err) < 0)
                return err_add(err, "--mount source=%s", m->source);
        cache_key_add(k, digest);
        return 0;
}

int run_mounts_digest(struct step *s, struct run *r, char **ret, struct err *err)
{
        struct cache_key *k = cache_key_new();
        char digest[DIGEST_SIZE];
        bool any = false;
        int result = 0;
        for (size_t i = 0; i < r->mount_count && result == 0; i++) {
                if (r->mounts[i].kind != RUN_MOUNT_BIND)
                        continue;
                any = true;
                result = bind_digest(s, &r->mounts[i], k, err);
        }
        cache_key_final(k, digest);
        if (result == 0 && any)
                *ret = xstrdup(digest);
        return result;
}

/* --- making them --- */

/* Files for a bind mount are copied aside: what the step writes there is thrown away, and what .dockerignore leaves
 * out stays out. */
static int bind_copy(struct step *s, struct run_mount *m, struct err *err)
{
        _cleanup_(source_done) struct source src = { .fd = -1 };
        if (source_find(s->b, s->stage, m->from, &src, err) < 0 || (m->from && source_open(s->b, &src, err) < 0))
                return -1;
        _cleanup_free_ char *real = NULL;
        bool is_dir;
        if (tree_resolve(src.fd, m->source, &real, &is_dir, err) < 0)
                return err_add(err, "--mount source=%s", m->source);
        _cleanup_free_ char *dir = workspace_scratch(&s->b->work, err);
        if (!dir)
                return -1;
        _cleanup_close_ int to = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (to < 0)
                return err_sys(err, "%s", dir);
        if (copy_tree_filtered(src.fd, real, m->from ? NULL : s->b->ctx.ignore, to, "/mount", m->from ? -1 : 0, err) <
            0)
                return err_add(err, "--mount source=%s", m->source);
        m->host_path = xasprintf("%s/mount", dir);
        return 0;
}

/* The directory of a cache is kept between builds under ROOT/build-cache, named by a digest of its id. */
static int cache_directory(struct step *s, struct run_mount *m, struct err *err)
{
        char digest[DIGEST_SIZE];
        struct err why = ERR_INIT;
        _cleanup_free_ char *base = path_join(s->b->st->root, "build-cache");
        if (m->from)
                return err_set(err, ERR_UNSUPPORTED, "--mount=type=cache with from= is not supported");
        if (path_mkdirs(base, 0700, err) < 0)
                return -1;
        _cleanup_close_ int dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return err_sys(err, "%s", base);
        digest_of(m->id, strlen(m->id), digest);
        _cleanup_free_ char *lock = xasprintf("%s.lock", digest_hex(digest));
        if (m->private_ || m->locked) {
                m->lock_fd = file_lock_at(dir, lock, true, m->locked, &why);
                if (m->lock_fd < 0 && why.kind == ERR_CONFLICT)
                        return m->host_path = workspace_scratch(&s->b->work, err), m->host_path ? 0 : -1;
        }
        m->host_path = xasprintf("%s/%s", base, digest_hex(digest));
        if (mkdirat(dir, digest_hex(digest), 0700) < 0)
                return errno == EEXIST ? 0 : err_sys(err, "%s", m->host_path);
        if (chown(m->host_path, m->uid, m->gid) < 0 || chmod(m->host_path, m->mode) < 0)
                return err_sys(err, "%s", m->host_path);
        return 0;
}

static int tmpfs_add(struct run_mount *m, struct oci_spec *spec)
{
        _cleanup_free_ char *options =
                m->size ? xasprintf("nosuid,nodev,mode=1777,size=%llu", (unsigned long long)m->size)
                        : xstrdup("nosuid,nodev,mode=1777");
        (void)oci_spec_add_mount(spec, m->target, "tmpfs", "tmpfs", options);
        return 0;
}

int run_mounts_apply(struct step *s, struct run *r, struct oci_spec *spec, struct err *err)
{
        for (size_t i = 0; i < r->mount_count; i++) {
                struct run_mount *m = &r->mounts[i];
                if (m->kind == RUN_MOUNT_TMPFS) {
                        tmpfs_add(m, spec);
                        continue;
                }
                if ((m->kind == RUN_MOUNT_BIND ? bind_copy(s, m, err) : cache_directory(s, m, err)) < 0)
                        return -1;
                (void)oci_spec_add_mount(spec, m->target, "bind", m->host_path,
                                         m->readonly ? "rbind,ro,rprivate" : "rbind,rw,rprivate");
        }
        return 0;
}
