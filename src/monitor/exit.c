#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/proc.h"
#include "base/timefmt.h"
#include "monitor/monitor-internal.h"

static void init_exited(struct monitor *m, int32_t code)
{
        m->exit_code = code;
        m->finished = time_now();
        m->phase = DRAINING;
        meter_end(m);
        input_drop(m);
        streams_drain_begin(m);
}

/* As subreaper we are the parent of every orphan of the container that is in no pid namespace of its own. */
void exit_reap(struct monitor *m)
{
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                if (pid == m->log.file.packing)
                        m->log.file.packing = 0;
                else if (!health_reaped(m, pid, status) && pid == m->o.pid && m->phase == RUNNING)
                        init_exited(m, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        if (pid < 0 && errno == ECHILD && m->phase == RUNNING)
                init_exited(m, 255); /* not our child: nothing can be learned of it */
}

static void status_ended(struct monitor *m)
{
        struct err ignored = ERR_INIT;
        struct container_status status = { .state = STATE_EXITED,
                                           .started = m->o.started,
                                           .finished = m->finished,
                                           .exit_code = m->exit_code,
                                           .oom_killed = m->oom_seen || oom_killed(m->o.cgroup_path),
                                           .log_lost = m->log.lost + m->log.file.lost,
                                           .restarts = m->o.restarts,
                                           .monitor = getpid() };
        proc_start_time(status.monitor, &status.monitor_ticks, &ignored);
        container_status_write(m->run_dir, &status, &ignored);
}

/* Init runs on, and something has happened to it that others see. */
void status_running(struct monitor *m)
{
        struct err ignored = ERR_INIT;
        struct container_status status = { .state = STATE_RUNNING,
                                           .pid = m->o.pid,
                                           .start_ticks = m->o.start_ticks,
                                           .started = m->o.started,
                                           .oom_killed = m->oom_seen,
                                           .restarts = m->o.restarts,
                                           .log_lost = m->log.lost + m->log.file.lost,
                                           .monitor = getpid() };
        proc_start_time(status.monitor, &status.monitor_ticks, &ignored);
        container_status_write(m->run_dir, &status, &ignored);
}

/* Everything of the output is in the log and on its way to the sessions: now others may know. Who connects from here
 * on is told by the closed socket; who has connected already still gets an answer. */
static void ended(struct monitor *m)
{
        m->phase = ENDED;
        streams_end(m);
        log_close(&m->log);
        status_ended(m);
        if (m->listen.fd >= 0)
                sessions_accept(m);
        watch_close(&m->listen, m->epoll_fd);
        watch_close(&m->oom, m->epoll_fd);
        ports_release(m);
        for (uint32_t i = 0; i < SESSIONS_MAX; i++)
                if (m->sessions[i].watch.fd >= 0 && m->sessions[i].greeted)
                        session_exit(m, &m->sessions[i]);
}

/* The program inherits the lock, so that nobody who looks in between finds a container that nobody cares for. */
static void hand_over(struct monitor *m)
{
        char lock[16];
        pid_t pid;
        m->handed_over = true;
        snprintf(lock, sizeof(lock), "%d", m->lock_fd);
        char *argv[] = { (char *)(uintptr_t) "tare", (char *)(uintptr_t) "container", (char *)(uintptr_t) "exited",
                         (char *)(uintptr_t) "--lock", lock, m->o.id, NULL };
        program_start(m, argv, m->lock_fd, false, &pid);
        mem_closep(&m->lock_fd);
        m->lock_fd = -1;
}

bool exit_step(struct monitor *m)
{
        if (m->phase == RUNNING)
                return false;
        if (m->phase == DRAINING) {
                if (!streams_drain(m))
                        return false;
                ended(m);
        }
        if (m->cleaned) {
                mem_closep(&m->lock_fd);
                m->lock_fd = -1;
        } else if (!m->handed_over && !sessions_clean(m)) {
                hand_over(m);
        }
        return (m->cleaned || m->handed_over) && !sessions_pending(m);
}
