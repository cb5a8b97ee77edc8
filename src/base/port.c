#include "base/port.h"

#include <sys/socket.h>

#include "base/mem.h"

int port_keep(int type, int protocol, struct in_addr address, uint16_t port)
{
        _cleanup_close_ int fd = socket(AF_INET, type | SOCK_CLOEXEC, protocol);
        if (fd < 0)
                return -1;
        /* Set for the bind, so that connections of a program that just ended (TIME_WAIT) do not count; cleared after it, so that
         * nobody else gets the port by setting it too. Not listening: what nftables did not lead away is refused. */
        int on = 1, off = 0, least = 1;
        if (type != SOCK_DGRAM)
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = address, .sin_port = htons(port) };
        if (bind(fd, (void *)&a, sizeof(a)) < 0)
                return -1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off));
        return TAKE_FD(fd);
}
