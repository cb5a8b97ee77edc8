/* What musl lacks of Linux and runtime/ uses, included before every source of the tare-oci that is linked with it: the system calls of fsopen(2),
 * fsconfig(2), fsmount(2), move_mount(2), open_tree(2), mount_setattr(2), which glibc declares in <sys/mount.h>; execveat(2), statx(2),
 * sigdescr_np(3). */
#ifndef TARE_OCIRUNTIME_MUSL_MISSING_H
#define TARE_OCIRUNTIME_MUSL_MISSING_H

#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/mount.h>
#ifndef STATX_TYPE
#include <linux/stat.h>

static inline int statx(int dir_fd, const char *path, int flags, unsigned mask, struct statx *ret)
{
        return (int)syscall(SYS_statx, dir_fd, path, flags, mask, ret);
}
#endif

static inline int fsopen(const char *type, unsigned flags) { return (int)syscall(SYS_fsopen, type, flags); }
static inline int fsmount(int fd, unsigned flags, unsigned attributes) { return (int)syscall(SYS_fsmount, fd, flags, attributes); }
static inline int open_tree(int dir_fd, const char *path, unsigned flags) { return (int)syscall(SYS_open_tree, dir_fd, path, flags); }

static inline int fsconfig(int fd, unsigned command, const char *key, const void *value, int aux)
{
        return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
}

static inline int move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
        return (int)syscall(SYS_move_mount, from_fd, from, to_fd, to, flags);
}

static inline int mount_setattr(int dir_fd, const char *path, unsigned flags, struct mount_attr *attributes, size_t size)
{
        return (int)syscall(SYS_mount_setattr, dir_fd, path, flags, attributes, size);
}

static inline int execveat(int dir_fd, const char *path, char *const *argv, char *const *env, int flags)
{
        return (int)syscall(SYS_execveat, dir_fd, path, argv, env, flags);
}

static inline const char *sigdescr_np(int signo) { return strsignal(signo); }

#endif
