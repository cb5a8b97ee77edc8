#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/proc.h"
#include "runtime/container.h"
#include "runtime/init-internal.h"
#include "runtime/mount-internal.h"

/* "/proc/12/root/dev/shm": the pid's digits and what follows "root" */
static const char *foreign_path(const char *source, int *ret_digits)
{
        const char *rest = str_after(source, "/proc/");
        size_t digits = rest ? strspn(rest, "0123456789") : 0;
        if (digits == 0 || digits > 10 || !str_starts(rest + digits, "/root/"))
                return NULL;
        *ret_digits = (int)digits;
        return rest + digits + strlen("/root");
}

bool mount_is_foreign(const char *source)
{
        int digits;
        return foreign_path(source, &digits) != NULL;
}

static void foreign_child(int namespace, const char *path, bool recursive, int channel)
{
        struct err err = ERR_INIT;
        int fd = -1;
        if (setns(namespace, CLONE_NEWNS) < 0)
                err_sys(&err, "enter the mount namespace");
        else
                fd = mount_clone(AT_FDCWD, path, recursive, &err);
        struct err ignored = ERR_INIT;
        if (fd < 0)
                sync_send_error(channel, &err);
        else
                sync_send_fd(channel, SYNC_READY, fd, &ignored);
        _exit(0);
}

static int foreign_receive(int channel, struct err *err)
{
        struct sync_packet p;
        _cleanup_close_ int fd = -1;
        if (sync_receive(channel, &p, &fd, err) < 0)
                return -1;
        if (p.message.type == SYNC_ERROR) {
                *err = p.error;
                return -1;
        }
        return fd < 0 ? err_set(err, ERR_SYSTEM, "no mount came from the other namespace") : TAKE_FD(fd);
}

int mount_clone_foreign(const char *source, bool recursive, struct err *err)
{
        char file[64];
        int digits, sv[2], status;
        const char *path = foreign_path(source, &digits);
        if (!path)
                return err_set(err, ERR_INVALID, "%s", source);
        snprintf(file, sizeof(file), "/proc/%.*s/ns/mnt", digits, source + strlen("/proc/"));
        _cleanup_close_ int namespace = open(file, O_RDONLY | O_CLOEXEC);
        if (namespace < 0)
                return err_sys(err, "%s", file);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
                return err_sys(err, "socket");
        _cleanup_close_ int ours = sv[0];
        _cleanup_close_ int theirs = sv[1];
        pid_t child = fork();
        if (child < 0)
                return err_sys(err, "fork");
        if (child == 0)
                foreign_child(namespace, path, recursive, theirs);
        close(TAKE_FD(theirs));
        int fd = foreign_receive(ours, err);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
                ;
        return fd < 0 ? err_add(err, "bind %s", source) : fd;
}

int runtime_root_copy(pid_t pid, bool recursive, struct err *err)
{
        char source[64];
        snprintf(source, sizeof(source), "/proc/%d/root/", (int)pid);
        return mount_clone_foreign(source, recursive, err);
}
