/* The device nodes of a container (--device, --privileged) and what its group may do with them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/spec-internal.h"
#include "runtime/security.h"

/* "/dev/x[:/dev/y[:rwm]]" */
static int device_split(const char *text, char **ret_host, char **ret_inside, char **ret_access, struct err *err)
{
        _cleanup_strv_ char **parts = strv_split(text, ":", true);
        size_t n = strv_len(parts);
        const char *access = "rwm", *inside = NULL;
        if (n == 0 || n > 3 || parts[0][0] != '/')
                return err_set(err, ERR_INVALID, "invalid device specification: %s", text);
        inside = parts[0];
        if (n == 2 && *parts[1] && str_only(parts[1], "rwm"))
                access = parts[1];
        else if (n >= 2)
                inside = parts[1];
        if (n == 3)
                access = parts[2];
        if (inside[0] != '/')
                return err_set(err, ERR_INVALID, "%s is not an absolute path", inside);
        if (!*access || !str_only(access, "rwm") || strlen(access) > 3)
                return err_set(err, ERR_INVALID, "bad mode specified: %s", access);
        *ret_host = xstrdup(parts[0]);
        *ret_inside = xstrdup(inside);
        *ret_access = xstrdup(access);
        return 0;
}

static void node_add(const struct stat *st, const char *inside, const char *access, struct oci_spec *spec)
{
        char type = S_ISBLK(st->st_mode) ? 'b' : 'c';
        struct oci_device *d = oci_spec_add_device(spec, inside, type, major(st->st_rdev), minor(st->st_rdev), st->st_mode & 07777);
        d->has_uid = d->has_gid = true;
        d->uid = st->st_uid;
        d->gid = st->st_gid;
        oci_spec_add_device_rule(&spec->resources, true, type, d->major, d->minor, access);
}

/* A folder stands for the devices in it, those below included. What every container has of its own is left out. */
static int folder_add(int dir_fd, const char *inside, const char *access, int depth, struct oci_spec *spec, struct err *err)
{
        static const char *const own[] = { ".", "..", "pts", "shm", "fd", "mqueue", "console", ".lxc", ".lxd-mounts", ".udev", NULL };
        int copy = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        _cleanup_closedir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        if (!dir)
                return err_sys(err, "%s", inside);
        for (struct dirent *e; (e = readdir(dir));) {
                struct stat st;
                if (strv_has((char *const *)(uintptr_t)own, e->d_name) || fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                _cleanup_free_ char *path = path_join(inside, e->d_name);
                if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
                        node_add(&st, path, access, spec);
                if (!S_ISDIR(st.st_mode) || depth >= 8)
                        continue;
                _cleanup_close_ int fd = openat(dir_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fd >= 0 && folder_add(fd, path, access, depth + 1, spec, err) < 0)
                        return -1;
        }
        return 0;
}

static int device_add(const char *text, struct oci_spec *spec, struct err *err)
{
        _cleanup_free_ char *host = NULL, *inside = NULL, *access = NULL;
        struct stat st;
        if (device_split(text, &host, &inside, &access, err) < 0)
                return -1;
        if (stat(host, &st) < 0)
                return err_sys(err, "error gathering device information while adding custom device \"%s\"", host);
        if (S_ISDIR(st.st_mode)) {
                _cleanup_close_ int fd = open(host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                return fd < 0 ? err_sys(err, "%s", host) : folder_add(fd, inside, access, 0, spec, err);
        }
        if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
                return err_set(err, ERR_INVALID, "error gathering device information while adding custom device \"%s\": not a device node", host);
        node_add(&st, inside, access, spec);
        return 0;
}

int spec_check_devices(const struct container_config *c, struct err *err)
{
        STRV_FOREACH (device, c->devices) {
                _cleanup_free_ char *host = NULL, *inside = NULL, *access = NULL;
                if (device_split(*device, &host, &inside, &access, err) < 0)
                        return -1;
        }
        return 0;
}

int spec_add_devices(const struct container_config *c, struct oci_spec *spec, struct err *err)
{
        if (c->privileged) {
                if (spec_add_host_devices(spec, err) < 0)
                        return -1;
        } else {
                spec_add_default_devices(spec);
        }
        STRV_FOREACH (device, c->devices)
                if (device_add(*device, spec, err) < 0)
                        return -1;
        return 0;
}
