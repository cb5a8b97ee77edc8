/* A process in the foreground: its signals are ours, its terminal is ours, its exit code will be ours. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include "base/fd.h"
#include "base/proc.h"
#include "ociruntime/notify-internal.h"
#include "ociruntime/program-internal.h"
#include "runtime/container.h"

struct foreground {
        pid_t pid;
        int pidfd, signal_fd, console_fd, notify_fd;
        bool raw, input_open;
        struct termios before;
        bool ended;
        int status;
};

static void held_signals(sigset_t *set)
{
        static const int not_ours[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPIPE, SIGTTIN, SIGTTOU };
        sigfillset(set);
        for (size_t i = 0; i < ELEMENTS(not_ours); i++)
                sigdelset(set, not_ours[i]);
}

void foreground_begin(void)
{
        sigset_t set;
        held_signals(&set);
        sigprocmask(SIG_BLOCK, &set, NULL);
}

static void resize(const struct foreground *f)
{
        struct winsize size;
        if (f->console_fd >= 0 && ioctl(0, TIOCGWINSZ, &size) == 0)
                (void)ioctl(f->console_fd, TIOCSWINSZ, &size);
}

static void terminal_raw(struct foreground *f)
{
        struct termios t;
        if (tcgetattr(0, &f->before) < 0)
                return; /* no terminal here: the container has one all the same */
        t = f->before;
        cfmakeraw(&t);
        t.c_oflag |= OPOST; /* ends of lines are completed here, and not by the container's terminal */
        f->raw = tcsetattr(0, TCSANOW, &t) == 0;
}

static void foreground_done(struct foreground *f)
{
        if (f->raw)
                (void)tcsetattr(0, TCSANOW, &f->before);
        mem_closep(&f->signal_fd);
        mem_closep(&f->console_fd);
        mem_closep(&f->notify_fd);
}

/* Orphans of the container come to us too where we are the subreaper. */
static void reap(struct foreground *f)
{
        int status;
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
                if (pid != f->pid)
                        continue;
                f->ended = true;
                f->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
}

static void take_signal(struct foreground *f)
{
        struct signalfd_siginfo info;
        if (read(f->signal_fd, &info, sizeof(info)) != sizeof(info))
                return;
        if (info.ssi_signo == SIGCHLD)
                reap(f);
        else if (info.ssi_signo == SIGWINCH && f->console_fd >= 0)
                resize(f);
        else if (info.ssi_signo != SIGURG)
                (void)pidfd_send_signal(f->pidfd, (int)info.ssi_signo, NULL, 0);
}

/* false: nothing more will come that way. */
static bool carry(int from, int to)
{
        char data[8192];
        ssize_t n = read(from, data, sizeof(data));
        if (n < 0)
                return errno == EINTR || errno == EAGAIN;
        return n > 0 && fd_write_full(to, data, (size_t)n) == 0;
}

/* The process that a service manager watches is us, who end with its exit code. */
static void take_notification(struct foreground *f)
{
        struct err err = ERR_INIT;
        int r = notify_take(f->notify_fd, getpid(), &err);
        if (r < 0)
                log_error(err.msg);
        if (r != 0)
                mem_closep(&f->notify_fd);
}

static int step(struct foreground *f, int timeout)
{
        struct pollfd p[] = { { .fd = f->signal_fd, .events = POLLIN },
                              { .fd = f->console_fd, .events = POLLIN },
                              { .fd = f->console_fd >= 0 && f->input_open ? 0 : -1, .events = POLLIN },
                              { .fd = f->notify_fd, .events = POLLIN } };
        int n = poll(p, ELEMENTS(p), timeout);
        if (n < 0)
                return errno == EINTR;
        if (p[1].revents && !carry(f->console_fd, 1))
                mem_closep(&f->console_fd);
        if (p[2].revents && f->console_fd >= 0)
                f->input_open = carry(0, f->console_fd);
        if (p[3].revents)
                take_notification(f);
        if (p[0].revents)
                take_signal(f);
        return n;
}

int foreground_wait(pid_t pid, int pidfd, int console_fd, int notify_fd, int *ret_status, struct err *err)
{
        _cleanup_(foreground_done) struct foreground f = {
                .pid = pid, .pidfd = pidfd, .signal_fd = -1, .console_fd = console_fd, .notify_fd = notify_fd, .input_open = true
        };
        sigset_t set;
        held_signals(&set);
        f.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (f.signal_fd < 0)
                return err_sys(err, "wait for the process");
        if (console_fd >= 0) {
                runtime_plain_lines(console_fd); /* one that was restored */
                terminal_raw(&f);
                resize(&f);
        }
        reap(&f); /* it may have ended before its signal was held back */
        while (!f.ended)
                (void)step(&f, -1);
        while (f.console_fd >= 0 && step(&f, 50) > 0) /* what it still said */
                ;
        *ret_status = f.status;
        return 0;
}
