#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/security.h"

static const struct default_mount {
        const char *destination, *type, *source, *options;
} default_mounts[] = {
        { "/proc", "proc", "proc", "nosuid,noexec,nodev" },
        { "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k" },
        { "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5" },
        { "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev" },
        { "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime" },
};

void spec_add_default_mounts(struct oci_spec *spec, bool privileged, uint64_t shm_size, const char *shm_source,
                             bool private_cgroupns)
{
        for (size_t i = 0; i < ELEMENTS(default_mounts); i++) {
                const struct default_mount *m = &default_mounts[i];
                bool sys = str_starts(m->destination, "/sys");
                _cleanup_free_ char *options = xasprintf("%s%s", sys && !privileged ? "ro," : "", m->options);
                oci_spec_add_mount(spec, m->destination, m->type, m->source, options);
        }
        if (private_cgroupns)
                spec->namespaces[OCI_NS_CGROUP].wanted = true;
        oci_spec_add_mount(spec, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
        if (shm_source) {
                if (*shm_source)
                        oci_spec_add_mount(spec, "/dev/shm", "bind", shm_source, "bind,nosuid,noexec,nodev");
                return;
        }
        _cleanup_free_ char *shm = xasprintf("nosuid,noexec,nodev,mode=1777,size=%" PRIu64, shm_size);
        oci_spec_add_mount(spec, "/dev/shm", "tmpfs", "shm", shm);
}

static const char *const masked_paths[] = {
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
};
static const char *const readonly_paths[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                              "/proc/sysrq-trigger" };

#define THROTTLE "/sys/devices/system/cpu/cpu%d/thermal_throttle"

/* Per-processor counters tell what the neighbours do; they exist on real machines only. */
static void mask_throttle(struct oci_spec *spec)
{
        for (int cpu = 0; cpu < 4096; cpu++) {
                _cleanup_free_ char *path = xasprintf(THROTTLE, cpu);
                if (access(path, F_OK) < 0)
                        return;
                strv_push(&spec->masked_paths, path);
        }
}

void spec_add_default_paths(struct oci_spec *spec)
{
        for (size_t i = 0; i < ELEMENTS(masked_paths); i++)
                strv_push(&spec->masked_paths, masked_paths[i]);
        mask_throttle(spec);
        for (size_t i = 0; i < ELEMENTS(readonly_paths); i++)
                strv_push(&spec->readonly_paths, readonly_paths[i]);
}

/* docker's rules: any node may be made, few may be opened. */
static const struct {
        char type;
        int64_t major, minor;
        const char *access;
} device_rules[] = {
        { 'c', -1, -1, "m" },    { 'b', -1, -1, "m" }, { 'c', 1, 3, "rwm" }, /* null */
        { 'c', 1, 5, "rwm" }, /* zero */
        { 'c', 1, 7, "rwm" }, /* full */
        { 'c', 1, 8, "rwm" }, /* random */
        { 'c', 1, 9, "rwm" }, /* urandom */
        { 'c', 5, 0, "rwm" }, /* tty */
        { 'c', 5, 2, "rwm" }, /* ptmx */
        { 'c', 136, -1, "rwm" }, /* pts */
#define IMPLIED 10 /* of these: what every container has in its /dev, whatever its rules say */
        { 'c', 5, 1, "rwm" }, /* console */
        { 'c', 10, 200, "rwm" }, /* net/tun, which VPN images make themselves */
};

void spec_add_default_devices(struct oci_spec *spec)
{
        oci_spec_add_device_rule(&spec->resources, false, 'a', -1, -1, "rwm");
        for (size_t i = 0; i < ELEMENTS(device_rules); i++)
                oci_spec_add_device_rule(&spec->resources, true, device_rules[i].type, device_rules[i].major,
                                         device_rules[i].minor, device_rules[i].access);
}

static bool has_rule(const struct oci_resources *r, size_t at)
{
        for (size_t i = 0; i < r->device_count; i++)
                if (r->devices[i].allow && r->devices[i].type == device_rules[at].type && r->devices[i].major == device_rules[at].major &&
                    r->devices[i].minor == device_rules[at].minor && str_eq(r->devices[i].access, device_rules[at].access))
                        return true;
        return false;
}

struct oci_device_rule *device_rules_complete(const struct oci_resources *r, size_t *ret_count)
{
        struct oci_device_rule *list = xcalloc(r->device_count + IMPLIED + 1, sizeof(*list));
        size_t count = 0;
        const struct oci_device_rule *last = r->device_count ? &r->devices[r->device_count - 1] : NULL;
        if (!last)
                list[count++] = (struct oci_device_rule){ .type = 'a', .major = -1, .minor = -1, .access = "rwm" };
        for (size_t i = 0; i < r->device_count; i++)
                list[count++] = r->devices[i];
        bool open = last && last->allow && (last->type == 'a' || !last->type) && last->major < 0 && last->minor < 0;
        for (size_t i = 0; i < IMPLIED && !open; i++) {
                if (has_rule(r, i))
                        continue;
                list[count] = (struct oci_device_rule){ true, device_rules[i].type, device_rules[i].major, device_rules[i].minor, "" };
                snprintf(list[count++].access, sizeof(list->access), "%s", device_rules[i].access);
        }
        *ret_count = count;
        return list;
}

/* What the container gets of its own and must not find from the host. */
static const char *const own_devices[] = { "pts",  "shm",  "mqueue",      "fd",   "console",
                                           "ptmx", ".lxc", ".lxd-mounts", ".udev" };

static bool is_own_device(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(own_devices); i++)
                if (str_eq(name, own_devices[i]))
                        return true;
        return false;
}

static int add_devices_below(struct oci_spec *spec, int dir_fd, const char *path, int depth, struct err *err);

static int add_device_entry(struct oci_spec *spec, int dir_fd, const char *dir, const char *name, int depth,
                            struct err *err)
{
        struct stat st;
        if (str_eq(name, ".") || str_eq(name, "..") || (depth == 0 && is_own_device(name)))
                return 0;
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : err_sys(err, "%s/%s", dir, name);
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
        if (S_ISDIR(st.st_mode) && depth < 8) {
                _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                return fd < 0 ? 0 : add_devices_below(spec, fd, path, depth + 1, err);
        }
        if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
                return 0;
        struct oci_device *d = oci_spec_add_device(spec, path, S_ISCHR(st.st_mode) ? 'c' : 'b', major(st.st_rdev),
                                                   minor(st.st_rdev), st.st_mode & 07777);
        d->has_uid = d->has_gid = true;
        d->uid = st.st_uid;
        d->gid = st.st_gid;
        return 0;
}

static int add_devices_below(struct oci_spec *spec, int dir_fd, const char *path, int depth, struct err *err)
{
        int copy = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        _cleanup_closedir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        if (!dir) {
                mem_closep(&copy);
                return err_sys(err, "%s", path);
        }
        for (struct dirent *e; (e = readdir(dir));)
                if (add_device_entry(spec, dir_fd, path, e->d_name, depth, err) < 0)
                        return -1;
        return 0;
}

int spec_add_host_devices(struct oci_spec *spec, struct err *err)
{
        _cleanup_close_ int fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "/dev");
        oci_spec_add_device_rule(&spec->resources, true, 'a', -1, -1, "rwm");
        return add_devices_below(spec, fd, "/dev", 0, err);
}
