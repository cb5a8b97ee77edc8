/* What is mounted in a container: the defaults, name files, binds, volumes, tmpfs. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/spec-internal.h"
#include "net/files.h"
#include "runtime/security.h"

static bool mounted_by_user(const struct container_config *c, const char *target)
{
        for (size_t i = 0; i < c->mount_count; i++)
                if (str_eq(c->mounts[i].target, target))
                        return true;
        return false;
}

/* /dev/shm belongs to the IPC mode; NULL: one of its own. Heap. */
static char *shm_source(const struct container_config *c, const struct oci_spec *spec)
{
        const char *joined = spec->namespaces[OCI_NS_IPC].path;
        size_t tail = strlen("/ns/ipc");
        if (str_eq(c->ipc_mode, "host"))
                return xstrdup("/dev/shm");
        if (str_eq(c->ipc_mode, "none"))
                return xstrdup("");
        if (joined && str_starts(c->ipc_mode, "container:") && str_ends(joined, "/ns/ipc"))
                return xasprintf("%.*s/root/dev/shm", (int)(strlen(joined) - tail), joined);
        return NULL;
}

/* A user's mount at a default one's place wins. */
static void defaults_add(const struct container_config *c, struct oci_spec *spec)
{
        _cleanup_free_ char *shm = shm_source(c, spec);
        spec_add_default_mounts(spec, c->privileged, c->shm_size ? (uint64_t)c->shm_size : (uint64_t)64 << 20, shm,
                                !str_eq(c->cgroupns_mode, "host"));
        size_t kept = 0;
        for (size_t i = 0; i < spec->mount_count; i++) {
                if (mounted_by_user(c, spec->mounts[i].destination))
                        oci_mount_done(&spec->mounts[i]);
                else
                        spec->mounts[kept++] = spec->mounts[i];
        }
        spec->mount_count = kept;
}

/* docker's -v makes a missing host folder; --mount insists. */
static int bind_source(const struct mount_request *m, struct err *err)
{
        struct stat st;
        if (stat(m->source, &st) == 0)
                return 0;
        if (errno != ENOENT)
                return err_sys(err, "%s", m->source);
        if (!m->create_source)
                return err_set(err, ERR_INVALID, "invalid mount config for type \"bind\": bind source path does not exist: %s", m->source);
        return path_mkdirs(m->source, 0755, err);
}

/* Only what is procfs may stand where processes look for it; single files of it may be replaced. */
static int proc_check(const struct mount_request *m, struct err *err)
{
        struct statfs fs;
        struct stat st;
        bool top = str_eq(m->target, "/proc");
        if (!top && !str_starts(m->target, "/proc/"))
                return 0;
        if (statfs(m->source, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
                return 0;
        if (!top && stat(m->source, &st) == 0 && S_ISREG(st.st_mode))
                return 0;
        return err_set(err, ERR_INVALID, "\"%s\" cannot be mounted because it is %s", m->target, top ? "not of type proc" : "inside /proc");
}

static char *bind_options(const struct mount_request *m)
{
        return xasprintf("%s,%s,%s", m->non_recursive ? "bind" : "rbind", m->propagation ? m->propagation : "rprivate",
                         m->recursive_read_only ? "rro" : m->read_only ? "ro" : "rw");
}

static void tmpfs_add(const struct mount_request *m, struct oci_spec *spec)
{
        _cleanup_free_ char *size = m->tmpfs_size ? xasprintf(",size=%llu", (unsigned long long)m->tmpfs_size) : xstrdup("");
        _cleanup_free_ char *mode = m->tmpfs_mode >= 0 ? xasprintf(",mode=%llo", (unsigned long long)m->tmpfs_mode) : xstrdup("");
        _cleanup_free_ char *options = xasprintf("nosuid,nodev,noexec%s%s%s%s%s", m->read_only ? ",ro" : "", size, mode,
                                                 str_empty(m->options) ? "" : ",", str_empty(m->options) ? "" : m->options);
        oci_spec_add_mount(spec, m->target, "tmpfs", "tmpfs", options);
}

int spec_add_mount_request(struct engine *e, const struct mount_request *m, int root_fd, struct oci_spec *spec, struct err *err)
{
        _cleanup_free_ char *options = bind_options(m);
        if (m->kind == MOUNT_TMPFS) {
                tmpfs_add(m, spec);
                return 0;
        }
        if (m->kind == MOUNT_VOLUME) {
                _cleanup_free_ char *path = volume_path(e, m->source);
                /* missing: whoever removed it was killed between the folder and the row */
                if ((access(path, F_OK) < 0 && path_mkdirs(path, 0755, err) < 0) ||
                    (!m->no_copy && volume_populate(e, m->source, root_fd, m->target, err) < 0))
                        return err_add(err, "volume %s", m->source);
                /* in a user namespace the container's root owns its volumes, whatever range it was given */
                _cleanup_free_ char *mapped = xasprintf("%s%s", options, spec->uid_map_count ? ",idmap" : "");
                oci_spec_add_mount(spec, m->target, "bind", path, mapped);
                return 0;
        }
        if (bind_source(m, err) < 0 || proc_check(m, err) < 0)
                return -1;
        oci_spec_add_mount(spec, m->target, "bind", m->source, options);
        return 0;
}

static size_t depth(const char *path)
{
        size_t n = 0;
        for (; *path; path++)
                n += *path == '/' && path[1];
        return n;
}

/* Parents before what lies below them, else in the order given; the few mounts of a container make insertion cheap. */
static size_t *by_depth(const struct container_config *c)
{
        size_t *order = xcalloc(c->mount_count + 1, sizeof(*order));
        for (size_t i = 0; i < c->mount_count; i++) {
                size_t at = i;
                for (; at > 0 && depth(c->mounts[order[at - 1]].target) > depth(c->mounts[i].target); at--)
                        order[at] = order[at - 1];
                order[at] = i;
        }
        return order;
}

static int name_file(const struct name_files *files, const char *name, const char *target, const struct buf *content,
                     const struct container_config *c, struct oci_spec *spec, struct err *err)
{
        if (mounted_by_user(c, target))
                return 0;
        if (file_write_at(files->run_dir_fd, name, content->data ? content->data : "", content->len, 0644, false, err) < 0)
                return -1;
        if (spec->uid_map_count &&
            fchownat(files->run_dir_fd, name, spec->uid_maps[0].host_id, spec->gid_maps[0].host_id, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(err, "%s", name);
        _cleanup_free_ char *source = path_join(files->run_dir, name);
        oci_spec_add_mount(spec, target, "bind", source, c->read_only ? "bind,rprivate,ro" : "bind,rprivate,rw");
        return 0;
}

static const struct { const char *name, *target; } name_targets[] = {
        { "resolv.conf", "/etc/resolv.conf" }, { "hostname", "/etc/hostname" }, { "hosts", "/etc/hosts" },
};

/* In the network of another container its name files hold too, changes included. Returns 1 when there are none to share. */
static int name_files_share(struct engine *e, const struct container_config *c, struct oci_spec *spec, struct err *err)
{
        _cleanup_container_ struct container other = { 0 };
        container_config_init(&other.config);
        const char *name = str_after(str_empty(c->network_mode) ? "" : c->network_mode, "container:");
        if (!name)
                return 1;
        if (container_load(e, name, &other, err) < 0)
                return -1;
        _cleanup_free_ char *dir = run_dir_path(e, other.id);
        for (size_t i = 0; i < ELEMENTS(name_targets); i++) {
                _cleanup_free_ char *source = path_join(dir, name_targets[i].name);
                if (access(source, F_OK) < 0)
                        return 1;
                if (!mounted_by_user(c, name_targets[i].target))
                        oci_spec_add_mount(spec, name_targets[i].target, "bind", source, c->read_only ? "bind,rprivate,ro" : "bind,rprivate,rw");
        }
        return 0;
}

/* With the host's network its own file, and what --add-host says. */
static int hosts_of_host(const struct container_config *c, struct buf *ret, struct err *err)
{
        struct err ignored = ERR_INIT;
        if (file_read_at(AT_FDCWD, "/etc/hosts", ret, &ignored) < 0)
                buf_reset(ret);
        if (ret->len && ret->data[ret->len - 1] != '\n' && buf_addf(ret, err, "\n") < 0)
                return -1;
        STRV_FOREACH (entry, c->extra_hosts) {
                const char *colon = strchr(*entry, ':');
                if (!colon)
                        return err_set(err, ERR_INVALID, "bad format for add-host: \"%s\"", *entry);
                const char *address = str_eq(colon + 1, "host-gateway") ? "127.0.0.1" : colon + 1;
                if (buf_addf(ret, err, "%s\t%.*s\n", address, (int)(colon - *entry), *entry) < 0)
                        return -1;
        }
        return 0;
}

static int hosts_content(const struct container *container, const char *hostname, struct buf *ret, struct err *err)
{
        const struct container_config *c = &container->config;
        if (str_eq(c->network_mode, "host"))
                return hosts_of_host(c, ret, err);
        char address[INET_ADDRSTRLEN] = "", gateway[INET_ADDRSTRLEN] = "127.0.0.1";
        if (container->endpoint.container[0]) {
                inet_ntop(AF_INET, &container->endpoint.address, address, sizeof(address));
                inet_ntop(AF_INET, &container->endpoint.gateway, gateway, sizeof(gateway));
        }
        return hosts_format(hostname, c->domainname, address[0] ? address : NULL, c->extra_hosts, gateway, ret, err);
}

static int resolv_content(const struct container_config *c, struct buf *ret, struct err *err)
{
        _cleanup_buf_ struct buf host = BUF_INIT((size_t)1 << 20);
        struct err ignored = ERR_INIT;
        if (file_read_at(AT_FDCWD, "/etc/resolv.conf", &host, &ignored) < 0)
                buf_reset(&host);
        return resolv_format(host.data ? host.data : "", c->dns, c->dns_search, c->dns_options, str_eq(c->network_mode, "host"), ret,
                             err);
}

static int name_files_add(const struct container *container, const struct name_files *files, struct oci_spec *spec, struct err *err)
{
        const struct container_config *c = &container->config;
        _cleanup_free_ char *hostname = container_hostname(container);
        _cleanup_buf_ struct buf hosts = BUF_INIT((size_t)1 << 20), resolv = BUF_INIT((size_t)1 << 20), name = BUF_INIT(4096);
        if (hosts_content(container, hostname, &hosts, err) < 0 || resolv_content(c, &resolv, err) < 0 ||
            buf_addf(&name, err, "%s\n", hostname) < 0)
                return -1;
        if (name_file(files, "resolv.conf", "/etc/resolv.conf", &resolv, c, spec, err) < 0 ||
            name_file(files, "hostname", "/etc/hostname", &name, c, spec, err) < 0)
                return -1;
        return name_file(files, "hosts", "/etc/hosts", &hosts, c, spec, err);
}

int spec_add_mounts(struct engine *e, const struct container *container, int root_fd, const struct name_files *files,
                    struct oci_spec *spec, struct err *err)
{
        const struct container_config *c = &container->config;
        defaults_add(c, spec);
        _cleanup_free_ size_t *order = by_depth(c);
        size_t i = 0;
        /* a folder mounted at /etc lies below the name files, not over them */
        for (; i < c->mount_count && depth(c->mounts[order[i]].target) < 2; i++)
                if (spec_add_mount_request(e, &c->mounts[order[i]], root_fd, spec, err) < 0)
                        return -1;
        int shared = name_files_share(e, c, spec, err);
        if (shared < 0 || (shared > 0 && name_files_add(container, files, spec, err) < 0))
                return -1;
        for (; i < c->mount_count; i++)
                if (spec_add_mount_request(e, &c->mounts[order[i]], root_fd, spec, err) < 0)
                        return -1;
        return 0;
}
