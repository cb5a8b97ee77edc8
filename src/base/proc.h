/* Processes: spawning programs, pidfds, and identity that survives pid reuse. */
#ifndef TARE_BASE_PROC_H
#define TARE_BASE_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"

struct proc_spawn {
        const char *path;             /* absolute, or searched in PATH */
        char *const *argv;
        char *const *env;             /* NULL: ours */
        int stdin_fd, stdout_fd, stderr_fd;    /* -1: /dev/null; 0..2 may be given to inherit */
        const int *keep_fds;          /* further descriptors the child keeps under the same numbers */
        size_t keep_count;
        bool new_session;             /* setsid */
        int death_signal;             /* sent to it when we die (PR_SET_PDEATHSIG); 0: none */
};

/* Starts a program with vfork semantics; all signal handlers default, mask empty, other descriptors closed. */
int proc_spawn(const struct proc_spawn *spawn, pid_t *ret_pid, int *ret_pidfd, struct err *err);
/* Waits for a child; returns its shell-style status: exit code, or 128 + signal. */
int proc_wait(pid_t pid, int *ret_status, struct err *err);
/* Runs a program to its end with input (NULL: stdin_fd as given), collecting at most output->max bytes of its stdout
 * (output may be NULL). */
int proc_run(const struct proc_spawn *spawn, const void *input, size_t len, struct buf *output, int *ret_status,
             struct err *err);
/* Field 22 of /proc/PID/stat (clock ticks since boot). With the pid it names a process for good. */
int proc_start_time(pid_t pid, uint64_t *ret_ticks, struct err *err);
/* A pidfd of exactly that process (start time checked after opening); ERR_NOT_FOUND when gone, a zombie, or another. */
int proc_open(pid_t pid, uint64_t start_ticks, struct err *err);
bool proc_alive(pid_t pid, uint64_t start_ticks);      /* zombies are dead */
int proc_signal(int pidfd, int signo, struct err *err);
/* Waits until the pidfd's process has ended; timeout in ms, -1: for ever. ERR_TIMEOUT. */
int proc_wait_gone(int pidfd, int timeout_ms, struct err *err);

#endif
