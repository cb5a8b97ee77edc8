#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/path.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"

#define OPTIONS_KEPT (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

int init_wait_cgroup(struct init *in, struct err *err)
{
        if (!in->wait_cgroup || in->cgroup_done)
                return 0;
        struct sync_packet p;
        in->cgroup_done = true;
        if (sync_receive(in->sync_fd, &p, NULL, err) < 0)
                return -1;
        if (p.message.type == SYNC_NO_CGROUP)
                in->cgroup_path = NULL;
        else if (p.message.type != SYNC_CGROUP)
                return err_set(err, ERR_SYSTEM, "the runtime has gone away");
        if (in->cgroup_path && p.message.text[0])
                in->cgroup_path = xstrdup(p.message.text);
        if (in->join_self && in->cgroup_path && cgroup_join_self(in->cgroup_path, err) < 0)
                return err_add(err, "cgroup");
        return 0;
}

/* With a cgroup namespace of its own a container sees its group as the root; a bind of that group is the same to it and
 * needs none of the rights that a new mount does. A user who may not make groups has none of his own: he sees the host's. */
static int clone_group(struct init *in, const char *top, bool own, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("%s%s", top, own && in->cgroup_path ? in->cgroup_path : "");
        int fd = mount_clone(AT_FDCWD, path, false, err);
        if (fd >= 0 || err->sys != ENOENT)
                return fd;
        /* A hierarchy without controllers has no group of ours. */
        err_clear(err);
        return mount_clone(AT_FDCWD, top, false, err);
}

static int mount_unified(struct init *in, const char *top, uint64_t attributes, int place, struct err *err)
{
        _cleanup_close_ int fd = clone_group(in, top, in->spec->namespaces[OCI_NS_CGROUP].wanted, err);
        if (fd < 0 || mount_set(fd, attributes, 0, false, err) < 0)
                return -1;
        return mount_attach(fd, place, err);
}

static int mount_hierarchy(struct init *in, const struct cgroup_hierarchy *h, int top_fd, uint64_t attributes,
                           struct err *err)
{
        if (mkdirat(top_fd, h->name, 0755) < 0)
                return err_sys(err, "make %s", h->name);
        _cleanup_close_ int place = openat(top_fd, h->name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int fd = place < 0 ? -1 : clone_group(in, h->path, true, err);
        if (fd < 0 || mount_set(fd, attributes, 0, false, err) < 0)
                return err_add(err, "%s", h->name);
        return mount_attach(fd, place, err);
}

/* "cpu,cpuacct" is also reachable under each of its names. */
static int link_names(const struct cgroup_hierarchy *h, int top_fd, struct err *err)
{
        if (!strchr(h->name, ','))
                return 0;
        _cleanup_strv_ char **names = strv_split(h->name, ",", false);
        STRV_FOREACH (name, names)
                if (symlinkat(h->name, top_fd, *name) < 0)
                        return err_sys(err, "link %s", *name);
        return 0;
}

static int mount_separate(struct init *in, const struct cgroup_layout *layout, uint64_t attributes, int place,
                          struct err *err)
{
        char *const data[] = { (char *)"mode=755", NULL };
        _cleanup_close_ int top =
                mount_make_fs("tmpfs", "cgroup", data, attributes & ~(uint64_t)MOUNT_ATTR_RDONLY, err);
        if (top < 0 || mount_attach(top, place, err) < 0)
                return -1;
        for (size_t i = 0; i < layout->count; i++)
                if (mount_hierarchy(in, &layout->list[i], top, attributes, err) < 0 ||
                    link_names(&layout->list[i], top, err) < 0)
                        return -1;
        return mount_set(top, attributes & MOUNT_ATTR_RDONLY, 0, false, err);
}

int root_mount_cgroup(struct init *in, const struct oci_mount *m, struct err *err)
{
        _cleanup_mount_words_ struct mount_words w = { 0 };
        mount_words_parse(m, &w);
        const struct cgroup_layout *layout = cgroup_layout();
        uint64_t attributes = (w.set | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC) & OPTIONS_KEPT;
        if (init_wait_cgroup(in, err) < 0)
                return -1;
        _cleanup_close_ int place = mount_place(in->root_fd, m->destination, true, err);
        if (place < 0)
                return -1;
        if (layout->count == 0 && !layout->unified)
                return 0; /* a host without control groups has none to show */
        return layout->count == 0 || str_eq(m->type, "cgroup2")
                       ? mount_unified(in, layout->unified, attributes, place, err)
                       : mount_separate(in, layout, attributes, place, err);
}
