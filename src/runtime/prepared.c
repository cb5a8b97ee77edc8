/* What init could not make itself: it may be without privilege on the host, or its mounts be copies of ours that nothing leads into. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "base/path.h"
#include "base/str.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"

/* ---- mounts ---- */

static int prepare_mount(const struct init *in, const struct oci_mount *m, int *ret_fd, struct err *err)
{
        _cleanup_mount_words_ struct mount_words w = { 0 };
        mount_words_parse(m, &w);
        if (w.remount || (!w.bind && !str_eq(m->type, "overlay")))
                return 0;
        int base = in->request->bundle_fd >= 0 ? in->request->bundle_fd : AT_FDCWD;
        _cleanup_close_ int userns = -1;
        if (m->uid_map_count &&
            (userns = idmap_userns(m->uid_maps, m->uid_map_count, m->gid_maps, m->gid_map_count, err)) < 0)
                return -1;
        _cleanup_close_ int fd = mount_make(m, &w, base, userns >= 0 ? userns : in->userns_fd, err);
        if (fd < 0 || (w.bind && !w.propagation && mount_set_propagation(fd, MS_SLAVE, true, err) < 0))
                return -1;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* A descriptor of the bundle leads into our mounts, and init has copies of them: what is relative to it is opened by us. */
static bool is_relative(const struct init *in, const struct oci_mount *m)
{
        return in->request->bundle_fd >= 0 && !str_empty(m->source) && m->source[0] != '/' && !in->spec->namespaces[OCI_NS_MOUNT].path;
}

static bool needs_mapping(const struct oci_mount *m)
{
        _cleanup_mount_words_ struct mount_words w = { 0 };
        if (!m)
                return false;
        mount_words_parse(m, &w);
        return w.idmap;
}

/* Who is privileged here and not in the container's user namespace opens what is mounted from the host: init could neither reach it nor map
 * its ids. */
static bool is_privileged(const struct init *in)
{
        return geteuid() == 0 && in->in_userns;
}

static bool is_ours(const struct init *in, const struct oci_mount *m)
{
        return is_privileged(in) || needs_mapping(m) || is_relative(in, m) || (m->source && mount_is_foreign(m->source));
}

static char *absolute(const char *path)
{
        char here[4096];
        _cleanup_free_ char *joined = path[0] == '/' || !getcwd(here, sizeof(here)) ? xstrdup(path) : path_join(here, path);
        return path_clean(joined);
}

/* Its source lies in a mount before it, of the same spec, which init has to make first. */
static bool comes_from_inside(const struct init *in, size_t index)
{
        const struct oci_spec *s = in->spec;
        const char *source = s->mounts[index].source;
        if (in->request->rootfs || str_empty(s->root_path) || str_empty(source) || in->request->bundle_fd >= 0)
                return false;
        _cleanup_free_ char *from = absolute(source), *root = absolute(s->root_path);
        for (size_t i = 0; i < index && path_is_below(from, root); i++) {
                _cleanup_free_ char *place = xasprintf("%s/%s", root, s->mounts[i].destination), *clean = path_clean(place);
                if (path_is_below(from, clean))
                        return true;
        }
        return false;
}

static int make_mapping(struct init *in, struct err *err)
{
        const struct oci_spec *s = in->spec;
        bool mapped = needs_mapping(in->request->rootfs);
        for (size_t i = 0; i < s->mount_count; i++)
                mapped = mapped || needs_mapping(&s->mounts[i]);
        if (mapped && s->uid_map_count && in->ns_fds[OCI_NS_USER] < 0 &&
            (in->userns_fd = idmap_userns(s->uid_maps, s->uid_map_count, s->gid_maps, s->gid_map_count, err)) < 0)
                return -1;
        if (mapped && in->ns_fds[OCI_NS_USER] >= 0 && (in->userns_fd = fcntl(in->ns_fds[OCI_NS_USER], F_DUPFD_CLOEXEC, 3)) < 0)
                return err_sys(err, "duplicate a descriptor");
        return 0;
}

static int make_root(struct init *in, struct err *err)
{
        struct oci_mount bound = { .destination = (char *)"/",
                                   .type = (char *)"bind",
                                   .source = in->spec->root_path,
                                   .options = (char *[]){ (char *)"rbind", NULL } };
        const struct oci_mount *root = in->request->rootfs ? in->request->rootfs : &bound;
        bool ours = is_privileged(in) || needs_mapping(root) || (root == &bound && is_relative(in, root));
        if (ours && prepare_mount(in, root, &in->root_mount_fd, err) < 0)
                return err_add(err, root == &bound ? "root.path" : "root");
        return 0;
}

static int make_mounts(struct init *in, struct err *err)
{
        const struct oci_spec *s = in->spec;
        in->mount_fds = xcalloc(s->mount_count, sizeof(int));
        for (size_t i = 0; i < s->mount_count; i++)
                in->mount_fds[i] = -1;
        if (make_mapping(in, err) < 0 || make_root(in, err) < 0)
                return -1;
        for (size_t i = 0; i < s->mount_count; i++) {
                if (!is_ours(in, &s->mounts[i]))
                        continue;
                if (comes_from_inside(in, i))
                        in->mount_fds[i] = MOUNT_LATE;
                else if (prepare_mount(in, &s->mounts[i], &in->mount_fds[i], err) < 0)
                        return err_add(err, "mounts[%zu]: mount %s", i, s->mounts[i].destination);
        }
        return 0;
}

int prepared_give(struct init *in, int sync_fd, pid_t pid, int32_t index, struct err *err)
{
        if (index < 0 || (size_t)index >= in->spec->mount_count || !is_ours(in, &in->spec->mounts[index]) ||
            !comes_from_inside(in, (size_t)index))
                return err_set(err, ERR_SYSTEM, "init asked for a mount that it was not to ask for");
        struct oci_mount m = in->spec->mounts[index];
        _cleanup_free_ char *path = absolute(m.source), *source = xasprintf("/proc/%d/root%s", (int)pid, path);
        _cleanup_close_ int fd = -1;
        m.source = source;
        if (prepare_mount(in, &m, &fd, err) < 0)
                return err_add(err, "mounts[%d]: mount %s", (int)index, m.destination);
        return sync_send_fd(sync_fd, SYNC_MOUNT, fd, err);
}

/* ---- devices ---- */

static uint32_t host_id(const struct oci_id_map *maps, size_t count, uint32_t id)
{
        for (size_t i = 0; i < count; i++)
                if (id >= maps[i].container_id && id - maps[i].container_id < maps[i].size)
                        return maps[i].host_id + (id - maps[i].container_id);
        return UINT32_MAX; /* stays the host's */
}

static int make_node(const struct init *in, int folder, const char *name, const struct oci_device *d, struct err *err)
{
        const struct oci_spec *s = in->spec;
        mode_t mode = d->has_mode ? d->mode & 07777 : 0666;
        uid_t uid = host_id(s->uid_maps, s->uid_map_count, d->has_uid ? d->uid : 0);
        gid_t gid = host_id(s->gid_maps, s->gid_map_count, d->has_gid ? d->gid : 0);
        if (mknodat(folder, name, (d->type == 'b' ? S_IFBLK : S_IFCHR) | 0600, makedev((unsigned)d->major, (unsigned)d->minor)) < 0)
                return err_sys(err, "make node");
        if (fchownat(folder, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 || fchmodat(folder, name, mode, 0) < 0)
                return err_sys(err, "own node");
        return 0;
}

/* Inside a user namespace no nodes can be made, and the host may not have these, or not with that owner: they lie in a file system that is
 * mounted nowhere, each to be bound over its place. Who may make none here has the host's bound instead. */
static int make_devices(struct init *in, struct err *err)
{
        const struct oci_spec *s = in->spec;
        char *options[] = { (char *)"mode=700", (char *)"size=64k", NULL };
        if (!is_privileged(in) || s->device_count == 0)
                return 0;
        in->device_fds = xcalloc(s->device_count, sizeof(int));
        for (size_t i = 0; i < s->device_count; i++)
                in->device_fds[i] = -1;
        _cleanup_close_ int folder = mount_make_fs("tmpfs", "tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);
        if (folder < 0)
                return err_add(err, "linux.devices");
        for (size_t i = 0; i < s->device_count; i++) {
                char name[24];
                if (!s->devices[i].type || !strchr("cbu", s->devices[i].type))
                        continue;
                snprintf(name, sizeof(name), "%zu", i);
                if (make_node(in, folder, name, &s->devices[i], err) < 0) {
                        if (err->sys != EPERM)
                                return err_add(err, "linux.devices[%zu]: device %s", i, s->devices[i].path);
                        err_clear(err);
                        return 0;
                }
                if ((in->device_fds[i] = mount_clone(folder, name, false, err)) < 0)
                        return -1;
        }
        return 0;
}

/* ---- all ---- */

int prepared_make(struct init *in, struct err *err)
{
        return make_mounts(in, err) < 0 ? -1 : make_devices(in, err);
}

void prepared_close(struct init *in)
{
        mem_closep(&in->root_mount_fd);
        for (size_t i = 0; in->mount_fds && i < in->spec->mount_count; i++)
                mem_closep(&in->mount_fds[i]);
        for (size_t i = 0; in->device_fds && i < in->spec->device_count; i++)
                mem_closep(&in->device_fds[i]);
}

void prepared_done(struct init *in)
{
        prepared_close(in);
        mem_closep(&in->userns_fd);
        free(in->mount_fds);
        free(in->device_fds);
}
