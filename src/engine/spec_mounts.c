/* What is mounted in a container: the defaults, name files, binds, volumes, tmpfs. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
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

/* A user's mount at a default one's place wins. */
static void defaults_add(const struct container_config *c, struct oci_spec *spec)
{
        spec_add_default_mounts(spec, c->privileged, c->shm_size ? (uint64_t)c->shm_size : (uint64_t)64 << 20,
                                str_eq(c->ipc_mode, "host"), !str_eq(c->cgroupns_mode, "host"));
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

static int request_add(struct engine *e, const struct mount_request *m, int root_fd, struct oci_spec *spec, struct err *err)
{
        _cleanup_free_ char *options = bind_options(m);
        if (m->kind == MOUNT_TMPFS) {
                tmpfs_add(m, spec);
                return 0;
        }
        if (m->kind == MOUNT_VOLUME) {
                if (!m->no_copy && volume_populate(e, m->source, root_fd, m->target, err) < 0)
                        return err_add(err, "volume %s", m->source);
                _cleanup_free_ char *path = volume_path(e, m->source);
                oci_spec_add_mount(spec, m->target, "bind", path, options);
                return 0;
        }
        if (bind_source(m, err) < 0)
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
        _cleanup_free_ char *source = path_join(files->run_dir, name);
        oci_spec_add_mount(spec, target, "bind", source, "bind,rprivate,rw");
        return 0;
}

static int hosts_content(const struct container *container, const char *hostname, struct buf *ret, struct err *err)
{
        const struct container_config *c = &container->config;
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
        if (name_files_add(container, files, spec, err) < 0)
                return -1;
        _cleanup_free_ size_t *order = by_depth(c);
        for (size_t i = 0; i < c->mount_count; i++)
                if (request_add(e, &c->mounts[order[i]], root_fd, spec, err) < 0)
                        return -1;
        return 0;
}
