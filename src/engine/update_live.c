#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "engine/spec-internal.h"
#include "engine/update-internal.h"
#include "runtime/cgroup.h"
#include "runtime/container.h"

int update_limits(const struct container *c, bool memory, struct err *err)
{
        _cleanup_oci_spec_ struct oci_spec spec;
        _cleanup_free_ char *path = container_cgroup_path(c);
        _cleanup_(cgroup_freep) struct cgroup *group = NULL;
        struct container_config only = c->config;      /* borrows; throttles and device rules stay as they are */
        oci_spec_init(&spec);
        only.device_read_bps = only.device_write_bps = only.device_read_iops = only.device_write_iops = NULL;
        only.device_cgroup_rules = only.ulimits = NULL;
        if (spec_add_resources(&only, &spec, err) < 0 || cgroup_open(path, &group, err) < 0)
                return -1;
        spec.resources.has_disable_oom_killer = spec.resources.has_swappiness = false;
        if (!memory)
                spec.resources.has_memory_limit = spec.resources.has_memory_swap = spec.resources.has_memory_reservation = false;
        if (memory && !c->config.memory) {     /* as if there had never been one */
                spec.resources.has_memory_limit = spec.resources.has_memory_swap = cgroup_supports("memory", "memory.limit_in_bytes", "memory.max");
                spec.resources.memory_limit = spec.resources.memory_swap = -1;
        }
        return cgroup_update(group, &spec.resources, err);
}

/* The file is mounted into the container as it is, so it is added to in place: one write of whole lines. */
int update_hosts(struct engine *e, const struct container *c, char *const *added, struct err *err)
{
        _cleanup_buf_ struct buf lines = BUF_INIT(1 << 16);
        char gateway[INET_ADDRSTRLEN] = "127.0.0.1";
        if (c->endpoint.container[0])
                inet_ntop(AF_INET, &c->endpoint.gateway, gateway, sizeof(gateway));
        STRV_FOREACH (entry, added) {
                size_t name = strcspn(*entry, ":");
                const char *address = (*entry)[name] ? *entry + name + 1 : "";
                if (buf_addf(&lines, err, "%s\t%.*s\n", str_eq(address, "host-gateway") ? gateway : address, (int)name, *entry) < 0)
                        return -1;
        }
        _cleanup_close_ int dir = run_dir_open(e, c->id, err);
        _cleanup_close_ int fd = dir < 0 ? -1 : openat(dir, "hosts", O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return dir < 0 ? -1 : err_sys(err, "hosts");
        return fd_write_full(fd, lines.data, lines.len) < 0 ? err_sys(err, "hosts") : 0;
}

/* As the kernel has them, which is what the container lives with. None where all ids are themselves. */
static void maps_read(pid_t pid, const char *file, struct oci_id_map **ret, size_t *ret_count)
{
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        unsigned inside, outside, size;
        while (f && *ret_count < 340 && fscanf(f, "%u %u %u", &inside, &outside, &size) == 3) {
                if (inside == 0 && outside == 0 && size == UINT32_MAX)
                        return;
                *ret = xreallocarray(*ret, *ret_count + 1, sizeof(**ret));
                (*ret)[(*ret_count)++] = (struct oci_id_map){ inside, outside, size };
        }
}

static int root_of(const struct container *c, struct err *err)
{
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/root", (int)c->status.pid);
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return fd >= 0 ? fd : err_sys(err, "root of the container");
}

int update_mount(struct engine *e, const struct container *c, const struct mount_request *m, struct err *err)
{
        _cleanup_oci_spec_ struct oci_spec spec;
        oci_spec_init(&spec);
        maps_read(c->status.pid, "uid_map", &spec.uid_maps, &spec.uid_map_count);
        maps_read(c->status.pid, "gid_map", &spec.gid_maps, &spec.gid_map_count);
        _cleanup_close_ int pidfd = proc_open(c->status.pid, c->status.start_ticks, err);
        _cleanup_close_ int root = pidfd < 0 ? -1 : root_of(c, err);
        if (root < 0 || spec_add_mount_request(e, m, root, &spec, err) < 0)
                return -1;
        return runtime_mount_into(pidfd, &spec, &spec.mounts[0], err);
}

int update_unmount(const struct container *c, const char *target, struct err *err)
{
        _cleanup_close_ int pidfd = proc_open(c->status.pid, c->status.start_ticks, err);
        return pidfd < 0 ? -1 : runtime_unmount_in(pidfd, target, err);
}
