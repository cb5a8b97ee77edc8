/* sd_notify(3) for containers: where NOTIFY_SOCKET is in our environment, the process is given a socket of its own, and its READY is passed on
 * with the MAINPID to watch. As runc does: nothing else of what it says is, and `start` returns once it is ready, or has ended.
 *
 * notify_prepare() when the container's folder is there and init is not; notify_listen() before the start; then notify_wait(), or notify_take()
 * whenever something came. Who started without NOTIFY_SOCKET gets no descriptor (-1), and all of this does nothing. */
#ifndef TARE_OCIRUNTIME_NOTIFY_INTERNAL_H
#define TARE_OCIRUNTIME_NOTIFY_INTERNAL_H

#include "ociruntime/launch-internal.h"

/* Adds mount and environment to the spec. */
int notify_prepare(struct launch *l, struct err *err);
/* *ret_fd is left as it is where there is nothing to listen for. */
int notify_listen(const struct container *c, int *ret_fd, struct err *err);
/* One message, without waiting for it: 1 when it was the one that is passed on. main_pid: who is to be watched. */
int notify_take(int fd, pid_t main_pid, struct err *err);
int notify_wait(int fd, pid_t pid, uint64_t start_time, struct err *err);

#endif
