#include "base/str.h"
#include "runtime/init-internal.h"
#include "runtime/mount-internal.h"

static int check_namespaces(const struct oci_spec *s, struct err *err)
{
        const struct oci_namespace *ns = s->namespaces;
        /* Who is privileged in a user namespace only may not return to a mount namespace outside of it. */
        if (!ns[OCI_NS_MOUNT].wanted && ns[OCI_NS_USER].wanted && !ns[OCI_NS_USER].path)
                return err_set(err, ERR_INVALID, "linux.namespaces: a user namespace needs a mount namespace too");
        if (!ns[OCI_NS_UTS].wanted && (!str_empty(s->hostname) || !str_empty(s->domainname)))
                return err_set(err, ERR_INVALID, "%s: needs a uts namespace",
                               str_empty(s->hostname) ? "domainname" : "hostname");
        if (!ns[OCI_NS_USER].wanted && (s->uid_map_count || s->gid_map_count))
                return err_set(err, ERR_INVALID, "linux.%s: needs a user namespace", s->uid_map_count ? "uidMappings" : "gidMappings");
        if (s->has_monotonic_offset || s->has_boottime_offset) {
                if (!ns[OCI_NS_TIME].wanted || ns[OCI_NS_TIME].path)
                        return err_set(err, ERR_INVALID, "linux.timeOffsets: needs a time namespace of its own");
                if (s->monotonic_nsecs > 999999999 || s->boottime_nsecs > 999999999)
                        return err_set(err, ERR_INVALID, "linux.timeOffsets.%s.nanosecs: beyond a second",
                                       s->monotonic_nsecs > 999999999 ? "monotonic" : "boottime");
        }
        return 0;
}

/* config.md "Mounts": uidMappings and gidMappings come together, and need a mount that they can be applied to. */
static int check_mapping(const struct oci_spec *s, const struct oci_mount *m, const char *name, struct err *err)
{
        _cleanup_mount_words_ struct mount_words w = { 0 };
        mount_words_parse(m, &w);
        if (!m->uid_map_count != !m->gid_map_count)
                return err_set(err, ERR_INVALID, "%s: uidMappings and gidMappings must come together", name);
        if (!w.idmap)
                return 0;
        if (!w.bind && !str_eq(m->type, "overlay"))
                return err_set(err, ERR_INVALID, "%s: only a bind mount can have mapped ids", name);
        if (!m->uid_map_count && !s->namespaces[OCI_NS_USER].wanted)
                return err_set(err, ERR_INVALID, "%s: idmap needs uidMappings, or a user namespace of the container",
                               name);
        return 0;
}

static int check_mounts(const struct runtime_create *r, struct err *err)
{
        if (r->rootfs && check_mapping(r->spec, r->rootfs, "root", err) < 0)
                return -1;
        for (size_t i = 0; i < r->spec->mount_count; i++) {
                char name[32];
                snprintf(name, sizeof(name), "mounts[%zu]", i);
                if (check_mapping(r->spec, &r->spec->mounts[i], name, err) < 0)
                        return -1;
        }
        return 0;
}

static int check_absolute(char *const *paths, const char *field, struct err *err)
{
        for (size_t i = 0; paths && paths[i]; i++)
                if (paths[i][0] != '/')
                        return err_set(err, ERR_INVALID, "%s[%zu]: \"%s\" is no absolute path", field, i, paths[i]);
        return 0;
}

static int check_seccomp(const struct oci_seccomp *f, struct err *err)
{
        if (str_empty(f->listener_path) && !str_empty(f->listener_metadata))
                return err_set(err, ERR_INVALID, "linux.seccomp.listenerMetadata: needs listenerPath");
        for (size_t i = 0; i < f->rule_count; i++)
                if (strv_len(f->rules[i].names) == 0)
                        return err_set(err, ERR_INVALID, "linux.seccomp.syscalls[%zu].names: empty", i);
        return 0;
}

/* config-linux.md "Masked Paths", "Readonly Paths" and "Personality": what no table can say of them. */
static int check_rest(const struct oci_spec *s, struct err *err)
{
        if (check_absolute(s->masked_paths, "linux.maskedPaths", err) < 0 ||
            check_absolute(s->readonly_paths, "linux.readonlyPaths", err) < 0)
                return -1;
        if (s->personality_flags && s->personality_flags[0])
                return err_set(err, ERR_UNSUPPORTED, "linux.personality.flags: \"%s\" is unknown", s->personality_flags[0]);
        STRV_FOREACH (entry, s->annotations)
                if (**entry == '=')
                        return err_set(err, ERR_INVALID, "annotations: a key is empty");
        return s->seccomp ? check_seccomp(s->seccomp, err) : 0;
}

/* What fits the kernel's 32 bits of a device: a C library would cut it off, and another device come of it. */
static int check_devices(const struct oci_spec *s, struct err *err)
{
        for (size_t i = 0; i < s->device_count; i++) {
                const struct oci_device *d = &s->devices[i];
                if (d->type != 'p' && (d->major < 0 || d->major > 0xfff || d->minor < 0 || d->minor > 0xfffff))
                        return err_set(err, ERR_INVALID, "linux.devices[%zu]: %s: no device has this number", i, d->path);
        }
        return 0;
}

static int check_maps(const struct oci_id_map *maps, size_t count, const char *field, struct err *err)
{
        for (size_t i = 0; i < count; i++)
                if (maps[i].size == 0)
                        return err_set(err, ERR_INVALID, "linux.%s[%zu].size: is 0", field, i);
        return 0;
}

static bool is_mapped(const struct oci_id_map *maps, size_t count, uint32_t id)
{
        for (size_t i = 0; i < count; i++)
                if (id >= maps[i].container_id && id - maps[i].container_id < maps[i].size)
                        return true;
        return count == 0;
}

/* The kernel would only say that an argument is invalid. */
static int check_user(const struct oci_spec *s, struct err *err)
{
        const struct oci_process *p = &s->process;
        if (check_maps(s->uid_maps, s->uid_map_count, "uidMappings", err) < 0 || check_maps(s->gid_maps, s->gid_map_count, "gidMappings", err) < 0)
                return -1;
        if (s->namespaces[OCI_NS_USER].path)
                return 0;
        if (!is_mapped(s->uid_maps, s->uid_map_count, p->uid))
                return err_set(err, ERR_INVALID, "process.user: cannot set uid to unmapped user in user namespace");
        if (!is_mapped(s->gid_maps, s->gid_map_count, p->gid))
                return err_set(err, ERR_INVALID, "process.user: cannot set gid to unmapped user in user namespace");
        for (size_t i = 0; i < p->additional_gid_count; i++)
                if (!is_mapped(s->gid_maps, s->gid_map_count, p->additional_gids[i]))
                        return err_set(err, ERR_INVALID, "process.user: additional gid %u is not mapped in the user namespace",
                                       p->additional_gids[i]);
        return 0;
}

int create_check(const struct runtime_create *r, struct err *err)
{
        const struct oci_spec *s = r->spec;
        if (str_empty(r->id))
                return err_set(err, ERR_INVALID, "a container without id");
        if (process_check(&s->process, err) < 0 || check_namespaces(s, err) < 0 || check_mounts(r, err) < 0 ||
            check_rest(s, err) < 0 || check_devices(s, err) < 0 || check_user(s, err) < 0 || sysctl_check(s, err) < 0)
                return -1;
        if (!str_empty(s->mount_label) && access("/sys/fs/selinux/enforce", F_OK) < 0)
                return err_set(err, ERR_UNSUPPORTED, "linux.mountLabel: SELinux is not enabled on this machine");
        if (s->intel_rdt)
                return access("/sys/fs/resctrl/schemata", F_OK) < 0
                               ? err_set(err, ERR_UNSUPPORTED,
                                         "linux.intelRdt: no resctrl file system is mounted on /sys/fs/resctrl")
                               : err_set(err, ERR_UNSUPPORTED, "linux.intelRdt: not supported");
        return r->preserve_fds < 0 || r->preserve_fds > 1024 ? err_set(err, ERR_INVALID, "preserve_fds") : 0;
}
