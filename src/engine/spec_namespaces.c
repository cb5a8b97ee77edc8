/* Which namespaces a container gets, shares or joins (--network, --ipc, --pid, --uts, --cgroupns, --userns, time). */
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/spec-internal.h"

/* /proc/PID/ns/KIND of another running container */
static int join_container(struct engine *e, const char *name, const char *kind, struct oci_namespace *ns, struct err *err)
{
        _cleanup_container_ struct container other = { 0 };
        container_config_init(&other.config);
        if (container_load(e, name, &other, err) < 0)
                return -1;
        if (!container_is_running(&other) || other.status.pid <= 0)
                return err_set(err, ERR_CONFLICT, "cannot join %s of a non running container: %s",
                               str_eq(kind, "net") ? "network" : str_eq(kind, "ipc") ? "IPC" : str_eq(kind, "pid") ? "PID" : kind, other.id);
        if (str_eq(kind, "ipc") && (str_empty(other.config.ipc_mode) || str_eq(other.config.ipc_mode, "private") || str_eq(other.config.ipc_mode, "none")))
                return err_set(err, ERR_CONFLICT,
                               "cannot join IPC of a container %s: non-shareable IPC (hint: use IpcMode:shareable for the donor container)", other.id);
        ns->wanted = true;
        ns->path = xasprintf("/proc/%d/ns/%s", (int)other.status.pid, kind);
        return 0;
}

static int namespace_add(struct engine *e, struct oci_spec *spec, enum oci_namespace_kind kind, const char *file, const char *mode,
                         struct err *err)
{
        struct oci_namespace *ns = &spec->namespaces[kind];
        const char *rest;
        if (str_eq(mode, "host"))
                return 0;
        if (mode && (rest = str_after(mode, "container:")))
                return join_container(e, rest, file, ns, err);
        if (mode && (rest = str_after(mode, "ns:"))) {
                ns->path = xstrdup(rest);
        } else if (!str_empty(mode) && !str_eq(mode, "private") && !str_eq(mode, "shareable") && !str_eq(mode, "none") &&
                   kind != OCI_NS_NETWORK) {
                return err_set(err, ERR_INVALID, "--%s: invalid %s mode: %s", file, oci_namespace_name(kind), mode);
        }
        ns->wanted = true;
        return 0;
}

/* A range of /etc/subuid, /etc/subgid for "tare" or "root"; else the customary one. */
static void subordinate_range(const char *file, uint32_t *ret_start, uint32_t *ret_size)
{
        *ret_start = 100000;
        *ret_size = 65536;
        _cleanup_fclose_ FILE *f = fopen(file, "re");
        char name[64];
        unsigned start, size;
        while (f && fscanf(f, "%63[^:]:%u:%u\n", name, &start, &size) == 3)
                if ((str_eq(name, "tare") || str_eq(name, "root")) && size >= 65536) {
                        *ret_start = start;
                        *ret_size = 65536;
                        return;
                }
}

static void map_set(struct oci_id_map **map, size_t *count, const char *file)
{
        struct oci_id_map *m = xcalloc(1, sizeof(*m));
        subordinate_range(file, &m->host_id, &m->size);
        *map = m;
        *count = 1;
}

static int user_namespace_add(const struct container_config *c, struct oci_spec *spec, struct err *err)
{
        if (str_empty(c->userns_mode) || str_eq(c->userns_mode, "host"))
                return 0;
        if (!str_eq(c->userns_mode, "private") && !str_eq(c->userns_mode, "auto"))
                return err_set(err, ERR_INVALID, "--userns: invalid USER mode: %s", c->userns_mode);
        if (c->privileged)
                return err_set(err, ERR_CONFLICT, "privileged mode is incompatible with user namespaces");
        spec->namespaces[OCI_NS_USER].wanted = true;
        map_set(&spec->uid_maps, &spec->uid_map_count, "/etc/subuid");
        map_set(&spec->gid_maps, &spec->gid_map_count, "/etc/subgid");
        return 0;
}

/* --time-offset=[-]SECONDS shifts both clocks that time namespaces know. */
static int time_namespace_add(const struct container_config *c, struct oci_spec *spec, struct err *err)
{
        if (str_empty(c->time_offset))
                return 0;
        if (parse_i64(c->time_offset, &spec->monotonic_secs, err) < 0)
                return err_add(err, "--time-offset");
        spec->boottime_secs = spec->monotonic_secs;
        spec->has_monotonic_offset = spec->has_boottime_offset = true;
        spec->namespaces[OCI_NS_TIME].wanted = true;
        return 0;
}

int spec_add_namespaces(struct engine *e, const struct container *container, struct oci_spec *spec, struct err *err)
{
        const struct container_config *c = &container->config;
        spec->namespaces[OCI_NS_MOUNT].wanted = true;
        if (namespace_add(e, spec, OCI_NS_PID, "pid", c->pid_mode, err) < 0 ||
            namespace_add(e, spec, OCI_NS_NETWORK, "net", c->network_mode, err) < 0 ||
            namespace_add(e, spec, OCI_NS_IPC, "ipc", c->ipc_mode, err) < 0 ||
            namespace_add(e, spec, OCI_NS_UTS, "uts", c->uts_mode, err) < 0 ||
            namespace_add(e, spec, OCI_NS_CGROUP, "cgroup", c->cgroupns_mode, err) < 0)
                return -1;
        return user_namespace_add(c, spec, err) < 0 ? -1 : time_namespace_add(c, spec, err);
}
