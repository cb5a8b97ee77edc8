/* Taking connections in for the HTTP library, which has no listening socket of its own: libmicrohttpd lets its threads and
 * MHD_quiesce_daemon() both take that one out of an epoll set and ends the program when one comes second. */
#ifndef TARE_REGISTRY_ACCEPT_INTERNAL_H
#define TARE_REGISTRY_ACCEPT_INTERNAL_H

#include <microhttpd.h>

/* Until stop_fd is readable, hands every connection made to listen_fd (not blocking) to the daemon. With `most` open ones, or
 * nothing left to open one with, those who come wait in the backlog. */
void accept_until(int listen_fd, int stop_fd, struct MHD_Daemon *daemon, unsigned most);

#endif
