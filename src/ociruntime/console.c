#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <fcntl.h>
#include "base/fd.h"
#include "ociruntime/program-internal.h"

int console_check(bool terminal, bool detach, const char *socket, struct err *err)
{
        if (detach && terminal && !socket)
                return err_set(err, ERR_INVALID, "cannot allocate tty if tare-oci will detach without setting console socket");
        if ((!detach || !terminal) && socket)
                return err_set(err, ERR_INVALID, "cannot use console socket if tare-oci will not detach or allocate tty");
        return 0;
}

int socket_connect(int sock, const char *path, struct err *err)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char link[FD_PATH_SIZE];
        _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "%s", path);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", fd_path(fd, link));
        return connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0 ? err_sys(err, "connect to %s", path) : 0;
}

/* name: what a receiver may show; it needs one byte at least. */
static int send_to(const char *path, int fd, const char *name, struct err *err)
{
        _cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (sock < 0)
                return err_sys(err, "socket");
        return socket_connect(sock, path, err) < 0 ? -1 : fd_send(sock, &fd, 1, name, strlen(name), err);
}

int console_send(const char *path, int master, struct err *err)
{
        return send_to(path, master, "/dev/ptmx", err) < 0 ? err_add(err, "console socket") : 0;
}

int pidfd_send(const char *path, int pidfd, struct err *err)
{
        return send_to(path, pidfd, "pidfd", err) < 0 ? err_add(err, "pidfd socket") : 0;
}
