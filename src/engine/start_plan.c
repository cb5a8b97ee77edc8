#include "engine/spec-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"

void start_plan_done(struct start_plan *p)
{
        oci_spec_done(&p->spec);
        oci_mount_done(&p->rootfs);
        log_plan_done(&p->log);
        memset(p, 0, sizeof(*p));
}

/* Only then the root is opened (a detached mount, 0.2 ms) before the container has one of its own. */
static bool needs_root(const struct container_config *c)
{
        if (!user_is_plain(c->user) || c->group_add)
                return true;
        for (size_t i = 0; i < c->mount_count; i++)
                if (c->mounts[i].kind == MOUNT_VOLUME && !c->mounts[i].no_copy)
                        return true;
        return false;
}

static int root_prepare(struct engine *e, const struct container *c, struct oci_mount *ret_mount, int *ret_root, struct err *err)
{
        struct storage *st;
        if (engine_storage(e, &st, err) < 0)
                return -1;
        /* of an image that has just been looked at; or killed between the row and its root: made now */
        bool fresh = !root_exists(st->snapshots, c->id);
        if (!fresh && engine_layers(e, c->chain, err) < 0)
                return -1;
        if (fresh && root_create(st->snapshots, c->id, c->chain, err) < 0)
                return -1;
        if (container_quota_apply(e, c, err) < 0)
                return -1;
        if (root_mount(st->snapshots, c->id, c->config.auto_remove, ret_mount, err) < 0)
                return -1;
        if (needs_root(&c->config) && (*ret_root = root_open(st->snapshots, c->id, false, err)) < 0)
                return -1;
        return 0;
}

/* In a user namespace the image's files are shown through mapped layers, and the writable top belongs to the namespace's root. */
static int root_map(struct start_plan *p, struct err *err)
{
        if (!p->spec.uid_map_count)
                return 0;
        STRV_FOREACH (option, p->rootfs.options) {
                const char *upper = str_after(*option, "upperdir=");
                if (upper && lchown(upper, p->spec.uid_maps[0].host_id, p->spec.gid_maps[0].host_id) < 0)
                        return err_sys(err, "%s", upper);
        }
        strv_push(&p->rootfs.options, "idmap");
        return 0;
}

int start_plan_make(struct engine *e, const struct container *c, int run_dir_fd, struct start_plan *ret, struct err *err)
{
        _cleanup_start_plan_ struct start_plan p = { 0 };
        _cleanup_close_ int root = -1;
        _cleanup_free_ char *run_dir = run_dir_path(e, c->id);
        struct name_files files = { run_dir_fd, run_dir };
        oci_spec_init(&p.spec);
        p.spec.cgroups_path = container_cgroup_path(c);
        p.spec.root_readonly = c->config.read_only;
        if (root_prepare(e, c, &p.rootfs, &root, err) < 0 || log_plan_make(e, c, run_dir_fd, &p.log, err) < 0 ||
            spec_add_namespaces(e, c, &p.spec, err) < 0 || root_map(&p, err) < 0 || spec_add_process(e, c, root, &p.spec, err) < 0 ||
            spec_add_mounts(e, c, root, &files, &p.spec, err) < 0 || spec_add_devices(&c->config, &p.spec, err) < 0 ||
            spec_add_resources(&c->config, &p.spec, err) < 0 || spec_add_security(e, c, &p.spec, err) < 0)
                return -1;
        *ret = p;
        memset(&p, 0, sizeof(p));
        return 0;
}
