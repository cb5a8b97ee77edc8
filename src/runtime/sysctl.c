/* config-linux.md "Sysctl": kernel parameters, of the container's namespaces only. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include "base/fd.h"
#include "base/str.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"

/* "net.ipv4.conf.eth0/1.forwarding" as the path below /proc/sys: where a slash comes first, dots are dots. Heap. */
static char *parameter_path(const char *entry, struct err *err)
{
        const char *equals = strchr(entry, '=');
        if (!equals || equals == entry || strstr(entry, "..") || entry[0] == '/') {
                err_set(err, ERR_INVALID, "linux.sysctl: \"%s\"", entry);
                return NULL;
        }
        char *name = xstrndup(entry, (size_t)(equals - entry));
        bool slashes = strchr(name, '/') && (!strchr(name, '.') || strchr(name, '/') < strchr(name, '.'));
        for (char *p = name; *p && !slashes; p++)
                *p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
        return name;
}

/* ---- what may be set ---- */

static const struct {
        const char *path; /* a final '/': and all below it */
        enum oci_namespace_kind kind;
} namespaced[] = {
        { "net/", OCI_NS_NETWORK },
        { "fs/mqueue/", OCI_NS_IPC },
        { "kernel/msgmax", OCI_NS_IPC },
        { "kernel/msgmnb", OCI_NS_IPC },
        { "kernel/msgmni", OCI_NS_IPC },
        { "kernel/msg_next_id", OCI_NS_IPC },
        { "kernel/sem", OCI_NS_IPC },
        { "kernel/sem_next_id", OCI_NS_IPC },
        { "kernel/shmall", OCI_NS_IPC },
        { "kernel/shmmax", OCI_NS_IPC },
        { "kernel/shmmni", OCI_NS_IPC },
        { "kernel/shm_next_id", OCI_NS_IPC },
        { "kernel/shm_rmid_forced", OCI_NS_IPC },
        { "kernel/domainname", OCI_NS_UTS },
};

/* Neither left out nor joined from the runtime's own. */
static bool has_own(const struct oci_spec *spec, enum oci_namespace_kind kind)
{
        static const char *const own[] = { [OCI_NS_NETWORK] = "/proc/self/ns/net",
                                           [OCI_NS_IPC] = "/proc/self/ns/ipc",
                                           [OCI_NS_UTS] = "/proc/self/ns/uts" };
        const struct oci_namespace *ns = &spec->namespaces[kind];
        struct stat a, b;
        if (!ns->wanted || !ns->path)
                return ns->wanted;
        return stat(ns->path, &a) < 0 || stat(own[kind], &b) < 0 || a.st_ino != b.st_ino || a.st_dev != b.st_dev;
}

static int check_one(const struct oci_spec *spec, const char *entry, struct err *err)
{
        _cleanup_free_ char *path = parameter_path(entry, err);
        if (!path)
                return -1;
        if (str_eq(path, "kernel/hostname"))
                return err_set(err, ERR_INVALID, "linux.sysctl.kernel.hostname: is set by the field \"hostname\"");
        if (str_eq(path, "kernel/domainname") && !str_empty(spec->domainname) && !str_eq(strchr(entry, '=') + 1, spec->domainname))
                return err_set(err, ERR_INVALID, "linux.sysctl.kernel.domainname: is another than the field \"domainname\"");
        for (size_t i = 0; i < ELEMENTS(namespaced); i++) {
                const char *row = namespaced[i].path;
                if (!(str_ends(row, "/") ? str_starts(path, row) : str_eq(path, row)))
                        continue;
                return has_own(spec, namespaced[i].kind)
                               ? 0
                               : err_set(err, ERR_INVALID,
                                         "linux.sysctl: \"%s\" needs a %s namespace that is not the runtime's own",
                                         entry, oci_namespace_name(namespaced[i].kind));
        }
        return err_set(err, ERR_INVALID, "linux.sysctl: \"%s\" belongs to no namespace, it would change the host",
                       entry);
}

int sysctl_check(const struct oci_spec *spec, struct err *err)
{
        STRV_FOREACH (entry, spec->sysctl)
                if (check_one(spec, *entry, err) < 0)
                        return -1;
        return 0;
}

/* Those of an interface can be set once it is there; the others need not wait for it. */
bool sysctl_needs_interfaces(const char *entry)
{
        static const char *const parts[] = { "conf", "neigh" };
        for (size_t i = 0; i < ELEMENTS(parts); i++) {
                const char *found = strstr(entry, parts[i]);
                if (str_starts(entry, "net") && found && strchr("./", found[-1]) && strchr("./", found[strlen(parts[i])]))
                        return true;
        }
        return false;
}

/* ---- setting ---- */

static int open_strictly(int proc_fd, const char *path)
{
        struct open_how how = { .flags = O_WRONLY | O_CLOEXEC | O_NOCTTY,
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
        return (int)syscall(SYS_openat2, proc_fd, path, &how, sizeof(how));
}

/* Through the /proc of our mount namespace, which shows the parameters of the writer's namespaces. Something that lies on
 * a file there would have us write elsewhere (CVE-2025-52881): only the host may have put it there, and then it must at
 * least be procfs; in a mount namespace that was joined nothing may. */
static int open_parameter(const struct init *in, const char *path, struct err *err)
{
        struct statfs fs;
        _cleanup_close_ int proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (proc_fd < 0 || fstatfs(proc_fd, &fs) < 0)
                return err_sys(err, "open /proc");
        if (fs.f_type != PROC_SUPER_MAGIC)
                return err_set(err, ERR_SYSTEM, "/proc is no procfs");
        int fd = open_strictly(proc_fd, path);
        if (fd < 0 && errno == EXDEV && in->ns_fds[OCI_NS_MOUNT] < 0)
                fd = openat(proc_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return err_sys(err, "open /proc/%s", path);
        if (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC) {
                mem_closep(&fd);
                return err_set(err, ERR_SYSTEM, "/proc/%s is not of procfs", path);
        }
        return fd;
}

static int set_one(const struct init *in, const char *entry, struct err *err)
{
        _cleanup_free_ char *name = parameter_path(entry, err);
        if (!name)
                return -1;
        _cleanup_free_ char *path = xasprintf("sys/%s", name);
        const char *value = strchr(entry, '=') + 1;
        _cleanup_close_ int fd = open_parameter(in, path, err);
        if (fd < 0)
                return -1;
        ssize_t n = write(fd, value, strlen(value));
        if (n < 0)
                return err_sys(err, "write '%.64s' to /proc/%s", value, path);
        return (size_t)n == strlen(value) ? 0 : err_sysnum(err, EIO, "write '%.64s' to /proc/%s", value, path);
}

int sysctl_apply(struct init *in, struct err *err)
{
        STRV_FOREACH (entry, in->spec->sysctl) {
                if (sysctl_needs_interfaces(*entry) && init_wait_network(in, err) < 0)
                        return -1;
                if (set_one(in, *entry, err) < 0)
                        return err_add(err, "linux.sysctl");
        }
        return init_wait_network(in, err);
}
