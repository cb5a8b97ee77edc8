#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/path.h"
#include "runtime/container.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"

int runtime_mount_at(const struct oci_spec *spec, const struct oci_mount *m, const char *path, struct err *err)
{
        _cleanup_mount_words_ struct mount_words w = { 0 };
        _cleanup_close_ int userns = -1;
        mount_words_parse(m, &w);
        if (w.idmap && spec->uid_map_count &&
            (userns = idmap_userns(spec->uid_maps, spec->uid_map_count, spec->gid_maps, spec->gid_map_count, err)) < 0)
                return -1;
        _cleanup_close_ int place = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        if (place < 0)
                return err_sys(err, "%s", path);
        _cleanup_close_ int mount = mount_make(m, &w, AT_FDCWD, userns, err);
        return mount < 0 ? -1 : mount_attach(mount, place, err);
}

/* ---- in a process's namespaces ---- */

typedef int (*inside_fn)(void *data, int root_fd, struct err *err);

/* Places are looked up and made as the container's own root would: its root ends every path, and its ids own what is made. */
static int inside_enter(int pidfd, struct err *err)
{
        if (setns(pidfd, CLONE_NEWUSER) < 0 && errno != EINVAL) /* ours already */
                return err_sys(err, "enter the user namespace");
        if (setns(pidfd, CLONE_NEWNS) < 0)
                return err_sys(err, "enter the mount namespace");
        if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return err_sys(err, "become root of the namespace");
        int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return root >= 0 ? root : err_sys(err, "/");
}

/* A child goes there: who has been in another mount namespace does not come back as it was. */
static int inside(int pidfd, inside_fn fn, void *data, struct err *err)
{
        int ends[2], status;
        struct err told = ERR_INIT;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        _cleanup_close_ int ours = ends[0];
        _cleanup_close_ int theirs = ends[1];
        pid_t child = fork();
        if (child < 0)
                return err_sys(err, "fork");
        if (child == 0) {
                int root = inside_enter(pidfd, &told);
                if (root >= 0 && fn(data, root, &told) == 0)
                        err_clear(&told);
                _exit(fd_write_full(theirs, &told, sizeof(told)) < 0);
        }
        close(TAKE_FD(theirs));
        ssize_t n = fd_read_full(ours, &told, sizeof(told));
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
                ;
        if (n != (ssize_t)sizeof(told))
                return err_set(err, ERR_SYSTEM, "the process that was to mount was killed");
        if (told.kind == ERR_NONE)
                return 0;
        *err = told;
        return -1;
}

struct placing { int mount; const char *destination; };

static int place_inside(void *data, int root, struct err *err)
{
        const struct placing *p = data;
        _cleanup_close_ int place = mount_place(root, p->destination, mount_is_directory(p->mount), err);
        return place < 0 ? -1 : mount_attach(p->mount, place, err);
}

int runtime_mount_into(int pidfd, const struct oci_spec *spec, const struct oci_mount *m, struct err *err)
{
        _cleanup_mount_words_ struct mount_words w = { 0 };
        _cleanup_close_ int userns = -1;
        mount_words_parse(m, &w);
        if (w.idmap && spec->uid_map_count &&
            (userns = idmap_userns(spec->uid_maps, spec->uid_map_count, spec->gid_maps, spec->gid_map_count, err)) < 0)
                return -1;
        _cleanup_close_ int mount = mount_make(m, &w, AT_FDCWD, userns, err);
        struct placing p = { mount, m->destination };
        return mount < 0 ? -1 : inside(pidfd, place_inside, &p, err);
}

/* By its folder and name, as a path of ours could lead elsewhere by now: a link in its place is not followed. */
static int take_inside(void *data, int root, struct err *err)
{
        const char *destination = data, *name;
        _cleanup_close_ int parent = path_open_parent_in(root, destination, &name, err);
        if (parent < 0)
                return -1;
        if (fchdir(parent) < 0 || umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
                return err_sys(err, "unmount %s", destination);
        return 0;
}

int runtime_unmount_in(int pidfd, const char *destination, struct err *err)
{
        return inside(pidfd, take_inside, (void *)(uintptr_t)destination, err);
}
