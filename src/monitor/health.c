/* When the container's health is looked at. The timers are here; each check is a short-lived process, `tare container
 * probe ID` (engine/probe.c), which runs the test, keeps what it found in health.json, and tells us by its exit code. It
 * dies with us. If it is killed its test has nobody to end it, and we do: the file `probe` says which process it is.
 *
 * Waiting is epoll's timeout, which the kernel lets expire together with others (0.1 % late at most), and nothing is
 * done in between. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/timefmt.h"
#include "monitor/monitor-internal.h"

/* As docker: the start interval counts until the start period is over or a check has succeeded. */
static void health_schedule(struct monitor *m, int64_t now)
{
        const struct health *h = &m->health;
        bool starting = !h->settled && now < h->period_end;
        m->health.next = now + (starting ? m->o.health_start_interval : m->o.health_interval);
}

void health_init(struct monitor *m)
{
        int64_t now = time_monotonic();
        if (m->o.health_interval <= 0)
                return;
        m->health.period_end = now + m->o.health_start_period;
        health_schedule(m, now);
}

static int probe_start(struct monitor *m)
{
        char *argv[] = { (char *)(uintptr_t) "tare", (char *)(uintptr_t) "container", (char *)(uintptr_t) "probe", m->o.id, NULL };
        return program_start(m, argv, -1, true, &m->health.probe);
}

int64_t health_step(struct monitor *m, int64_t now)
{
        struct health *h = &m->health;
        if (m->phase != RUNNING || !h->next)
                return INT64_MAX;
        if (now < h->next)
                return h->next;
        if (faccessat(m->run_dir, "paused", F_OK, 0) < 0 && probe_start(m) == 0) {
                h->next = 0; /* the interval begins when it has ended */
                m->busy = true;
                return INT64_MAX;
        }
        health_schedule(m, now);
        return h->next;
}

/* The test is the leader of a process group. Its number is nobody else's for as long as one of the group lives. */
static void test_kill(struct monitor *m)
{
        char text[64];
        struct err gone = ERR_INIT;
        _cleanup_close_ int fd = openat(m->run_dir, "probe", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return;
        text[n] = 0;
        char *rest;
        long pid = strtol(text, &rest, 10);
        uint64_t then = strtoull(rest, NULL, 10), now = 0;
        if (pid > 1 && pid <= INT32_MAX && (proc_start_time((pid_t)pid, &now, &gone) < 0 || now == then))
                kill(-(pid_t)pid, SIGKILL);
        unlinkat(m->run_dir, "probe", 0);
}

bool health_reaped(struct monitor *m, pid_t pid, int wait_status)
{
        struct health *h = &m->health;
        if (!h->probe || pid != h->probe)
                return false;
        h->probe = 0;
        if (WIFSIGNALED(wait_status))
                test_kill(m);
        else if (WEXITSTATUS(wait_status) == PROBE_HEALTHY || WEXITSTATUS(wait_status) == PROBE_UNHEALTHY)
                h->settled = true;
        if (m->phase == RUNNING)
                health_schedule(m, time_monotonic());
        return true;
}
