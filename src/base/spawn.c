/* proc_spawn: a child that borrows our memory until it executes its program, so that starting costs the same
 * whatever our size is, clone(2) with CLONE_VM | CLONE_VFORK. Between clone and exec the child therefore may only
 * make system calls and write to its `struct child`; it runs on a stack of its own that lies in the waiting parent's
 * frame. */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/close_range.h>
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

enum { STACK_SIZE = 32768 };

struct child {
        const struct proc_spawn *spawn;
        const char *program;
        char *const *env;
        int fds[3]; /* what becomes 0, 1, 2 */
        int error;
};

#define NO_ASAN __attribute__((no_sanitize("address"), no_sanitize("undefined")))

NO_ASAN static int child_signals(void)
{
        /* Past libc, which would refuse the two that it keeps for itself: whoever started us may have left them ignored. */
        struct { void (*handler)(int); unsigned long flags; void (*restorer)(void); uint64_t mask; } plain = { .handler = SIG_DFL };
        for (int signo = 1; signo < NSIG; signo++)
                syscall(SYS_rt_sigaction, signo, &plain, NULL, sizeof(plain.mask));
        sigset_t none;
        sigemptyset(&none);
        return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* First every source that lies on 0..2 is moved away, then all are put in place: so any permutation of them works. */
NO_ASAN static int child_stdio(struct child *c)
{
        for (int i = 0; i < 3; i++) {
                if (c->fds[i] > 2 || c->fds[i] == i)
                        continue;
                c->fds[i] = fcntl(c->fds[i], F_DUPFD_CLOEXEC, 3);
                if (c->fds[i] < 0)
                        return -1;
        }
        for (int i = 0; i < 3; i++) {
                int r = c->fds[i] == i ? fcntl(i, F_SETFD, 0) : dup2(c->fds[i], i);
                if (r < 0)
                        return -1;
        }
        return 0;
}

NO_ASAN static int child_descriptors(struct child *c)
{
        if (child_stdio(c) < 0 || close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
                return -1;
        for (size_t i = 0; i < c->spawn->keep_count; i++)
                if (fcntl(c->spawn->keep_fds[i], F_SETFD, 0) < 0)
                        return -1;
        return 0;
}

NO_ASAN static int child_main(void *data)
{
        struct child *c = data;
        if (child_signals() == 0 && (!c->spawn->new_session || setsid() >= 0) &&
            (!c->spawn->death_signal || prctl(PR_SET_PDEATHSIG, c->spawn->death_signal) == 0) && child_descriptors(c) == 0)
                execve(c->program, c->spawn->argv, c->env);
        c->error = errno;
        _exit(127);
}

static bool is_program(const char *path)
{
        struct stat st;
        return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Searched here and not by execvp in the child, whose stack is small. */
static char *program_find(const char *name)
{
        if (strchr(name, '/'))
                return xstrdup(name);
        const char *dirs = getenv("PATH");
        _cleanup_strv_ char **v =
                strv_split(dirs ? dirs : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ":", false);
        STRV_FOREACH (dir, v) {
                _cleanup_free_ char *path = xasprintf("%s/%s", *dir, name);
                if (**dir == '/' && is_program(path))
                        return TAKE_PTR(path);
        }
        return NULL;
}

/* The clone itself, with every signal blocked: a handler of ours must not run in a child that shares our memory. */
static pid_t clone_child(struct child *c, int *ret_pidfd)
{
        alignas(16) char stack[STACK_SIZE];
        sigset_t all, before;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before);
        pid_t pid =
                clone(child_main, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, c, ret_pidfd);
        int saved = errno;
        sigprocmask(SIG_SETMASK, &before, NULL);
        errno = saved;
        return pid;
}

int proc_spawn(const struct proc_spawn *spawn, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
        for (size_t i = 0; i < spawn->keep_count; i++)
                if (spawn->keep_fds[i] < 3)
                        return err_set(err, ERR_INVALID, "run %s: cannot keep descriptor %d", spawn->path,
                                       spawn->keep_fds[i]);
        _cleanup_free_ char *program = program_find(spawn->path);
        if (!program)
                return err_set(err, ERR_NOT_FOUND, "run %s: no such program in PATH", spawn->path);
        struct child c = { .spawn = spawn,
                           .program = program,
                           .env = spawn->env ? spawn->env : environ,
                           .fds = { spawn->stdin_fd, spawn->stdout_fd, spawn->stderr_fd } };
        _cleanup_close_ int null_fd = -1, pidfd = -1;
        for (size_t i = 0; i < ELEMENTS(c.fds); i++) {
                if (c.fds[i] >= 0)
                        continue;
                if (null_fd < 0 && (null_fd = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
                        return err_sys(err, "run %s: open /dev/null", spawn->path);
                c.fds[i] = null_fd;
        }
        pid_t pid = clone_child(&c, &pidfd);
        if (pid < 0)
                return err_sys(err, "run %s: clone", spawn->path);
        if (c.error) {
                struct err unused = ERR_INIT;
                int status;
                proc_wait(pid, &status, &unused);
                return err_sysnum(err, c.error, "run %s", spawn->path);
        }
        *ret_pid = pid;
        if (ret_pidfd)
                *ret_pidfd = TAKE_FD(pidfd);
        return 0;
}
