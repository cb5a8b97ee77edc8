#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/mem.h"
#include "base/timefmt.h"

enum { STAT_SIZE = 4096 };

struct proc_stat {
        char state;
        uint64_t start;
};

/* Reads proc(5)'s stat. The command's name in it is in parentheses and may itself hold blanks and parentheses, so
 * fields are counted from the last one that closes: state is the 3rd, starttime the 22nd. */
static int stat_read(pid_t pid, struct proc_stat *ret)
{
        char path[32], text[STAT_SIZE];
        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -1;
        ssize_t n = fd_read_full(fd, text, sizeof(text) - 1);
        if (n < 0)
                return -1;
        text[n] = '\0';
        char *p = strrchr(text, ')');
        errno = EBADMSG;
        if (!p || p[1] != ' ' || !p[2])
                return -1;
        struct proc_stat st = { .state = p[2] };
        for (int number = 2; p && number < 22; number++)
                p = strchr(p + 1, ' ');
        if (!p)
                return -1;
        st.start = strtoull(p + 1, NULL, 10);
        *ret = st;
        return 0;
}

static bool is_dead(char state)
{
        return state == 'Z' || state == 'X' || state == 'x';
}

int proc_start_time(pid_t pid, uint64_t *ret_ticks, struct err *err)
{
        struct proc_stat st;
        if (stat_read(pid, &st) < 0)
                return errno == ENOENT || errno == ESRCH ? err_set(err, ERR_NOT_FOUND, "no process %d", (int)pid)
                                                         : err_sys(err, "read /proc/%d/stat", (int)pid);
        *ret_ticks = st.start;
        return 0;
}

bool proc_alive(pid_t pid, uint64_t start_ticks)
{
        struct proc_stat st;
        return pid > 0 && stat_read(pid, &st) == 0 && st.start == start_ticks && !is_dead(st.state);
}

int proc_open(pid_t pid, uint64_t start_ticks, struct err *err)
{
        _cleanup_close_ int fd = pid > 0 ? pidfd_open(pid, 0) : -1;
        if (fd < 0 && pid > 0 && errno != ESRCH && errno != EINVAL)
                return err_sys(err, "open process %d", (int)pid);
        /* Checked after opening: a process of this start time that has the pid now is the one the descriptor names,
         * since one that took the pid later would have started later. */
        if (fd < 0 || !proc_alive(pid, start_ticks))
                return err_set(err, ERR_NOT_FOUND, "no process %d", (int)pid);
        return TAKE_FD(fd);
}

int proc_signal(int pidfd, int signo, struct err *err)
{
        if (pidfd_send_signal(pidfd, signo, NULL, 0) == 0)
                return 0;
        if (errno == ESRCH)
                return err_set(err, ERR_NOT_FOUND, "the process has ended");
        return err_sys(err, "send signal %d", signo);
}

int proc_wait_gone(int pidfd, int timeout_ms, struct err *err)
{
        int64_t end = time_monotonic() + (int64_t)timeout_ms * 1000000;
        for (int left = timeout_ms;;) {
                struct pollfd p = { .fd = pidfd, .events = POLLIN };
                int n = poll(&p, 1, left);
                if (n > 0)
                        return p.revents & POLLNVAL ? err_sysnum(err, EBADF, "wait for a process") : 0;
                if (n < 0 && errno != EINTR)
                        return err_sys(err, "wait for a process");
                if (timeout_ms < 0)
                        continue;
                int64_t rest = end - time_monotonic();
                if (n == 0 || rest <= 0)
                        return err_set(err, ERR_TIMEOUT, "the process did not end within %d ms", timeout_ms);
                left = (int)((rest + 999999) / 1000000);
        }
}

int proc_wait(pid_t pid, int *ret_status, struct err *err)
{
        int status;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return err_sys(err, "wait for process %d", (int)pid);
        *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        return 0;
}

/* Collects stdout to its end, or until the program has ended: a daemon that it left behind may hold the pipe for
 * ever. */
static int collect(int from, int pidfd, struct buf *output, struct err *err)
{
        bool ended = false;
        while (!ended) {
                struct pollfd p[] = { { .fd = from, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
                if (poll(p, ELEMENTS(p), -1) < 0 && errno != EINTR)
                        return err_sys(err, "wait for output");
                ended = (p[1].revents & POLLIN) != 0;
                ssize_t n;
                char data[8192];
                while ((n = read(from, data, sizeof(data))) > 0)
                        if (buf_add(output, data, (size_t)n, err) < 0)
                                return err_add(err, "output");
                if (n == 0)
                        return 0;
                if (errno != EAGAIN && errno != EINTR)
                        return err_sys(err, "read output");
        }
        return 0;
}

/* No zombie stays behind, whatever went wrong; the first error is the one told. */
static int end_child(pid_t pid, int pidfd, bool failed, int *ret_status, struct err *err)
{
        struct err second = ERR_INIT;
        if (failed)
                pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
        return proc_wait(pid, ret_status, failed ? &second : err) < 0 || failed ? -1 : 0;
}

int proc_run(const struct proc_spawn *spawn, const void *input, size_t len, struct buf *output, int *ret_status,
             struct err *err)
{
        struct proc_spawn s = *spawn;
        int ends[2] = { -1, -1 };
        _cleanup_close_ int input_fd = -1;
        if (input) {
                /* A memfd and not a pipe: nobody must be there to feed it, and a reader that leaves raises no
                 * SIGPIPE. */
                input_fd = fd_memfd("input", input, len, err);
                if (input_fd < 0)
                        return err_add(err, "run %s", spawn->path);
                s.stdin_fd = input_fd;
        }
        if (output && pipe2(ends, O_CLOEXEC) < 0)
                return err_sys(err, "run %s: pipe", spawn->path);
        _cleanup_close_ int from = ends[0], to = ends[1], pidfd = -1;
        if (output)
                s.stdout_fd = to;
        pid_t pid;
        if (proc_spawn(&s, &pid, &pidfd, err) < 0)
                return -1;
        mem_closep(&to);
        int r = 0, status = 0;
        if (output)
                r = fd_set_nonblock(from, true) < 0 ? err_sys(err, "pipe") : collect(from, pidfd, output, err);
        if (end_child(pid, pidfd, r < 0, &status, err) < 0)
                return err_add(err, "run %s", spawn->path);
        *ret_status = status;
        return 0;
}
