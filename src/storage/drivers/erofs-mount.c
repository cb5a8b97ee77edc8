#include "storage/drivers/erofs-mount-internal.h"
#include <errno.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/mem.h"

/* The kernel says in words why, one line a read, "e " first. */
static int context_error(int context, int errnum, struct err *err)
{
        char line[256];
        ssize_t n = read(context, line, sizeof(line) - 1);
        line[n > 2 ? n : 0] = '\0';
        line[strcspn(line, "\n")] = '\0';
        err_sysnum(err, errnum, "mount erofs%s%s", n > 2 ? ": " : "", n > 2 ? line + 2 : "");
        /* No erofs, or one that wants a block device. */
        if (errnum == ENODEV || errnum == ENOTBLK || errnum == EPERM)
                err->kind = ERR_UNSUPPORTED;
        return -1;
}

/* By descriptor, since a value is at most 255 bytes and a path may be longer. */
static int file_set(int context, const char *key, int fd)
{
        char path[FD_PATH_SIZE];
        return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, fd_path(fd, path), 0);
}

int erofs_mount_detached(int index_fd, const int *backings, size_t count, struct err *err)
{
        _cleanup_close_ int context = (int)syscall(SYS_fsopen, "erofs", FSOPEN_CLOEXEC);
        if (context < 0)
                return context_error(context, errno, err);
        if (file_set(context, "source", index_fd) < 0)
                return context_error(context, errno, err);
        for (size_t i = 0; i < count; i++)
                if (file_set(context, "device", backings[i]) < 0)
                        return context_error(context, errno, err);
        if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return context_error(context, errno, err);
        int fd = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
        return fd < 0 ? context_error(context, errno, err) : fd;
}
