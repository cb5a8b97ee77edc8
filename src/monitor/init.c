/* tare-init: process 1 of a container started with --init, called as `/sbin/docker-init -- command arguments`. It
 * runs the command in a process group of its own, in the terminal's foreground where there is one, passes every
 * signal on to it, reaps what others leave behind, and ends as the command ended. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Signals of our own mistakes are left to kill us; these two only say that a terminal is somebody else's now. */
static const int faults[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS };
static const int terminal_signals[] = { SIGTTIN, SIGTTOU };

static void say(const char *what, const char *why)
{
        const char *parts[] = { "tare-init: ", what, ": ", why, "\n" };
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
                        return;
}

static int fail(const char *what)
{
        int saved = errno;
        say(what, strerrordesc_np(saved));
        return saved == ENOENT ? 127 : 126;
}

static void signals_block(sigset_t *ret_all, sigset_t *ret_before)
{
        sigfillset(ret_all);
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
                sigdelset(ret_all, faults[i]);
        for (size_t i = 0; i < 2; i++)
                sigdelset(ret_all, terminal_signals[i]);
        sigprocmask(SIG_SETMASK, ret_all, ret_before);
        for (size_t i = 0; i < 2; i++)
                signal(terminal_signals[i], SIG_IGN);
}

/* SIGTTOU is still ignored here, or a background group could not take the terminal. */
static int child_run(char **argv, const sigset_t *before)
{
        if (setpgid(0, 0) < 0)
                return fail("setpgid");
        if (tcsetpgrp(STDIN_FILENO, getpgrp()) < 0 && errno != ENOTTY && errno != ENXIO && errno != EBADF)
                return fail("tcsetpgrp");
        for (size_t i = 0; i < 2; i++)
                signal(terminal_signals[i], SIG_DFL);
        sigprocmask(SIG_SETMASK, before, NULL);
        execvp(argv[0], argv);
        return fail(argv[0]);
}

/* All that have ended; the command's status to *ret_code and true when it was among them. */
static int reap(pid_t child, int *ret_code)
{
        int status, ended = 0;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
                if (pid != child)
                        continue;
                *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                ended = 1;
        }
        return ended;
}

static int serve(pid_t child, const sigset_t *all)
{
        int code = 0;
        for (;;) {
                siginfo_t info;
                if (sigwaitinfo(all, &info) < 0)
                        continue; /* EINTR only: the set is ours */
                if (info.si_signo != SIGCHLD)
                        kill(child, info.si_signo);
                else if (reap(child, &code))
                        return code;
        }
}

int main(int argc, char **argv)
{
        char **command = argv + 1;
        sigset_t all, before;
        if (argc > 1 && strcmp(*command, "--") == 0)
                command++;
        if (argc < 2 || !*command) {
                say("usage", "tare-init -- COMMAND [ARGUMENT...]");
                return 1;
        }
        if (getpid() != 1)
                prctl(PR_SET_CHILD_SUBREAPER, 1);
        signals_block(&all, &before);
        pid_t child = fork();
        if (child < 0)
                return fail("fork");
        if (child == 0)
                return child_run(command, &before);
        return serve(child, &all);
}
