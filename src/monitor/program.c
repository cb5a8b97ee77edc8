#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "monitor/monitor-internal.h"

static void oom_score_set(struct monitor *m, const char *score)
{
        if (m->oom_score_fd >= 0 && pwrite(m->oom_score_fd, score, strlen(score), 0) < 0)
                return; /* then we are as likely to be killed as anybody */
}

/* It must not inherit our protection from the OOM killer, as it may start the container anew. */
int program_start(struct monitor *m, char *const *argv, int keep_fd, bool dies_with_us, pid_t *ret_pid)
{
        struct err ignored = ERR_INIT;
        struct proc_spawn spawn = { .path = m->o.cleanup_program,
                                    .argv = argv,
                                    .stdin_fd = -1,
                                    .stdout_fd = -1,
                                    .stderr_fd = -1,
                                    .keep_fds = &keep_fd,
                                    .keep_count = keep_fd >= 0 ? 1 : 0,
                                    .new_session = true,
                                    .death_signal = dies_with_us ? SIGKILL : 0 };
        if (!m->o.cleanup_program || !m->o.id)
                return -1;
        oom_score_set(m, m->oom_score);
        int started = proc_spawn(&spawn, ret_pid, NULL, &ignored);
        oom_score_set(m, "-999");
        return started;
}
