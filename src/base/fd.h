/* File descriptors: whole reads and writes, passing them over sockets. Every descriptor is opened O_CLOEXEC. */
#ifndef TARE_BASE_FD_H
#define TARE_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"

/* Reads until `len` bytes or end of file; returns the count, or -1 with errno. EINTR is retried. */
ssize_t fd_read_full(int fd, void *data, size_t len);
/* Writes all of it; 0, or -1 with errno. Waits with poll() where the descriptor is non-blocking. */
int fd_write_full(int fd, const void *data, size_t len);
/* Appends everything up to end of file. */
int fd_read_all(int fd, struct buf *b, struct err *err);
/* Copies until end of file with copy_file_range, splice or read/write, whichever the kernel takes. */
int fd_copy(int from, int to, uint64_t *ret_bytes, struct err *err);
int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);
/* A sealed memfd with the given content, read position 0; or -1. */
int fd_memfd(const char *name, const void *data, size_t len, struct err *err);
/* Sends `count` descriptors (at most 253) with one message of at least one byte over a unix socket, without SIGPIPE;
 * receives likewise (O_CLOEXEC set). Both lengths 0: the peer has closed. More than there is room for is
 * ERR_TOO_LARGE, and the descriptors that came are closed. */
int fd_send(int sock, const int *fds, size_t count, const void *data, size_t len, struct err *err);
int fd_receive(int sock, int *fds, size_t max_fds, size_t *ret_count, void *data, size_t max_len, size_t *ret_len,
               struct err *err);
/* Marks every descriptor >= first close-on-exec (close_range with CLOSE_RANGE_CLOEXEC). */
int fd_cloexec_from(int first);
/* Path of a descriptor through /proc/self/fd, in the caller's buffer of at least FD_PATH_SIZE. */
#define FD_PATH_SIZE 32
const char *fd_path(int fd, char path[FD_PATH_SIZE]);
/* The address of a unix socket `name` (short, ours) in a folder, through its descriptor: a path may be longer than the 107 bytes of unix(7). */
struct sockaddr_un;
void fd_socket_address(int dir_fd, const char *name, struct sockaddr_un *ret);

#endif
