/* What musl lacks of Linux and base/ uses, for the small programs that are linked with it: found in place of glibc's <sys/pidfd.h>, and included
 * before every source. pidfd_open(2), pidfd_send_signal(2), close_range(2). */
#ifndef TARE_MONITOR_MUSL_H
#define TARE_MONITOR_MUSL_H

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int pidfd_open(pid_t pid, unsigned flags)
{
        return (int)syscall(SYS_pidfd_open, pid, flags);
}

static inline int pidfd_send_signal(int pidfd, int signo, siginfo_t *info, unsigned flags)
{
        return (int)syscall(SYS_pidfd_send_signal, pidfd, signo, info, flags);
}

static inline int close_range(unsigned first, unsigned last, int flags)
{
        return (int)syscall(SYS_close_range, first, last, flags);
}

static inline const char *strerrordesc_np(int number)
{
        return strerror(number);
}

#endif
