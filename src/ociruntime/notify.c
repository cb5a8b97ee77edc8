#include "ociruntime/notify-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"

#define FOLDER "notify" /* in the container's */
#define INSIDE "/run/notify"
#define BARRIER_MS 30000

static const char *host_address(void)
{
        const char *address = getenv("NOTIFY_SOCKET");
        return str_empty(address) || !strchr("/@", address[0]) ? NULL : address;
}

int notify_prepare(struct launch *l, struct err *err)
{
        const struct container *c = &l->container;
        if (!host_address())
                return 0;
        if (mkdirat(c->dir_fd, FOLDER, 0755) < 0 || fchmodat(c->dir_fd, FOLDER, 0755, 0) < 0)
                return err_sys(err, "make the folder of NOTIFY_SOCKET");
        _cleanup_free_ char *source = xasprintf("%s/%s/" FOLDER, c->root, c->name);
        oci_spec_add_mount(&l->spec, INSIDE, "bind", source, "bind,nosuid,noexec,nodev,ro");
        strv_env_set(&l->spec.process.env, "NOTIFY_SOCKET=" INSIDE "/notify.sock");
        return 0;
}

int notify_listen(const struct container *c, int *ret_fd, struct err *err)
{
        struct sockaddr_un address;
        _cleanup_close_ int folder = -1, fd = -1;
        if (!host_address())
                return 0;
        folder = openat(c->dir_fd, FOLDER, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder < 0)
                return errno == ENOENT ? 0 : err_sys(err, "NOTIFY_SOCKET"); /* created without one */
        fd_socket_address(folder, "notify.sock", &address);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || fchmodat(folder, "notify.sock", 0777, 0) < 0)
                return err_sys(err, "NOTIFY_SOCKET");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* ---- to whoever started us ---- */

static int connect_host(struct err *err)
{
        const char *address = host_address();
        struct sockaddr_un abstract = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return err_sys(err, "socket");
        if (address[0] == '/')
                return socket_connect(fd, address, err) < 0 ? -1 : TAKE_FD(fd);
        size_t len = strlen(address);
        if (len > sizeof(abstract.sun_path))
                return err_set(err, ERR_INVALID, "NOTIFY_SOCKET: \"%s\" is too long", address);
        memcpy(abstract.sun_path + 1, address + 1, len - 1);
        if (connect(fd, (struct sockaddr *)&abstract, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
                return err_sys(err, "connect to %s", address);
        return TAKE_FD(fd);
}

static int say(int fd, const char *text, size_t len, struct err *err)
{
        return send(fd, text, len, MSG_NOSIGNAL) < 0 ? err_sys(err, "NOTIFY_SOCKET") : 0;
}

/* sd_notify_barrier(3): the other end of this pipe is closed once what came before was dealt with. Who is told a main process and sees us end
 * before that takes the service for ended. */
static int wait_barrier(int fd, struct err *err)
{
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        _cleanup_close_ int ours = ends[0], theirs = ends[1];
        if (fd_send(fd, &theirs, 1, "BARRIER=1", strlen("BARRIER=1"), err) < 0)
                return err_add(err, "NOTIFY_SOCKET");
        mem_closep(&theirs);
        struct pollfd p = { .fd = ours };
        int n;
        while ((n = poll(&p, 1, BARRIER_MS)) < 0 && errno == EINTR)
                ;
        return n == 0 ? err_set(err, ERR_TIMEOUT, "NOTIFY_SOCKET: no answer") : 0;
}

static int pass_on(const char *line, pid_t main_pid, struct err *err)
{
        _cleanup_free_ char *ready = xasprintf("%s\n", line), *pid = xasprintf("MAINPID=%d\n", (int)main_pid);
        _cleanup_close_ int fd = connect_host(err);
        if (fd < 0 || say(fd, ready, strlen(ready), err) < 0 || say(fd, pid, strlen(pid), err) < 0)
                return -1;
        return wait_barrier(fd, err);
}

int notify_take(int fd, pid_t main_pid, struct err *err)
{
        char data[4096];
        ssize_t n = recv(fd, data, sizeof(data) - 1, MSG_DONTWAIT);
        if (n <= 0)
                return n == 0 || errno == EAGAIN || errno == EINTR ? 0 : err_sys(err, "NOTIFY_SOCKET");
        data[n] = 0;
        char *rest = NULL;
        for (char *line = strtok_r(data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                if (str_starts(line, "READY="))
                        return pass_on(line, main_pid, err) < 0 ? -1 : 1;
        return 0;
}

int notify_wait(int fd, pid_t pid, uint64_t start_time, struct err *err)
{
        struct err gone = ERR_INIT;
        _cleanup_close_ int pidfd = fd < 0 ? -1 : proc_open(pid, start_time, &gone);
        int r = 0;
        while (pidfd >= 0 && r == 0) {
                struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
                if (poll(p, ELEMENTS(p), -1) < 0 && errno != EINTR)
                        return err_sys(err, "NOTIFY_SOCKET");
                if (!p[0].revents && p[1].revents)
                        return 0; /* it ended, and never was ready */
                r = p[0].revents ? notify_take(fd, pid, err) : 0;
        }
        return r < 0 ? -1 : 0;
}
