#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/monitor-internal.h"

static void end_tell(struct monitor *m, int code)
{
        char status[16];
        pid_t pid;
        snprintf(status, sizeof(status), "%d", code);
        char *argv[] = { (char *)(uintptr_t) "tare", (char *)(uintptr_t) "container", (char *)(uintptr_t) "exec-ended",
                         (char *)(uintptr_t) "--exec", m->o.exec_id, (char *)(uintptr_t) "--status", status, m->o.id, NULL };
        program_start(m, argv, -1, false, &pid);
}

/* What ends programs does not end us, and nobody speaks to us: there is only the one wait. */
void hold(struct monitor *m)
{
        int status = 0;
        pid_t pid;
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        signal(SIGCHLD, SIG_DFL);
        m->oom_score_fd = -1;
        do
                pid = waitpid(m->o.pid, &status, 0);
        while (pid < 0 && errno == EINTR);
        if (pid == m->o.pid)
                end_tell(m, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
