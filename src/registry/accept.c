#include "registry/accept-internal.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#define FULL_MS 20
#define AT_ONCE 64 /* before stop_fd is looked at again */

static bool daemon_full(struct MHD_Daemon *daemon, unsigned most)
{
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

        return info && info->num_connections >= most;
}

/* False: there is nothing to open a connection with. */
static bool accept_some(int listen_fd, struct MHD_Daemon *daemon)
{
        for (unsigned i = 0; i < AT_ONCE; i++) {
                struct sockaddr_storage from = { 0 };
                socklen_t len = sizeof(from);
                int fd = accept4(listen_fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd >= 0)
                        MHD_add_connection(daemon, fd, (struct sockaddr *)&from, len); /* closes it if it fails */
                else if (errno == EAGAIN)
                        return true;
                else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                        return false;
        }
        return true;
}

void accept_until(int listen_fd, int stop_fd, struct MHD_Daemon *daemon, unsigned most)
{
        struct pollfd p[] = { { .fd = stop_fd, .events = POLLIN }, { .fd = listen_fd, .events = POLLIN } };
        bool full = false;

        for (;;) {
                int ready = poll(p, full ? 1 : 2, full ? FULL_MS : -1);

                if (ready > 0 && p[0].revents != 0)
                        return;
                if (!full && ready > 0)
                        full = !accept_some(listen_fd, daemon);
                else
                        full = false;
                full = full || daemon_full(daemon, most);
        }
}
