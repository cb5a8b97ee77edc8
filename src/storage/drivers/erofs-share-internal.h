/* One mount of a layer for all containers that run at a time, so that what they read of it is in memory once.
 *
 * Two mounts of the same files are two file systems to the kernel, with a cache each. A mount that nobody can see is only reached by a
 * descriptor: the monitor of each container keeps those of its layers, and whoever starts another takes a copy out of it. Which process has
 * which descriptor is noted in the layer:
 *
 *     ROOT/erofs/layers/<hex>/holders     "BOOT PID START FD", a line a holder; those that are gone are skipped
 *
 * Nothing depends on it: where nobody has the mount, or may not be asked, a new one is made. */
#ifndef TARE_STORAGE_EROFS_SHARE_INTERNAL_H
#define TARE_STORAGE_EROFS_SHARE_INTERNAL_H

/* layer_fd: the layer's directory. A descriptor of its mount that another process has; -1: there is none. */
int erofs_mount_borrow(int layer_fd);
/* This process has the mount under that number, until it ends. */
void erofs_mount_hold(int layer_fd, int mount_fd);

#endif
