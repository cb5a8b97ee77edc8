/* tare-monitor: the parent of one container's init. See monitor/monitor-internal.h for its life and runtime/attach.h
 * for what it is told and what it says. Static and small, as there is one a container: no heap but what a slow client
 * needs, buffers are given back when it is quiet. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "monitor/monitor-internal.h"

#define EVENTS 32

static struct monitor monitor;

/* What ends programs does not end us: the container would lose its parent, its log and its exit code. */
static int signals_setup(struct monitor *m)
{
        static const int ignored[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGALRM, SIGTERM,
                                       SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU, SIGVTALRM,
                                       SIGPROF, SIGIO,   SIGPWR,  SIGXCPU, SIGXFSZ };
        sigset_t set;
        for (size_t i = 0; i < ELEMENTS(ignored); i++)
                signal(ignored[i], SIG_IGN);
        signal(SIGCHLD, SIG_DFL); /* ignored it would take the exit codes away */
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_SETMASK, &set, NULL);
        watch_init(&m->signals, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), WATCH_SIGNALS, 0);
        return m->signals.fd < 0 ? -1 : watch_set(&m->signals, m->epoll_fd, EPOLLIN);
}

/* The last process to be killed for want of memory. Root without CAP_SYS_RESOURCE may not ask for it. */
static void oom_protect(struct monitor *m)
{
        m->oom_score_fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
        ssize_t n = m->oom_score_fd < 0 ? -1 : pread(m->oom_score_fd, m->oom_score, sizeof(m->oom_score) - 1, 0);
        if (n > 0 && write(m->oom_score_fd, "-999", 4) == 4)
                return;
        mem_closep(&m->oom_score_fd);
        m->oom_score_fd = -1;
}

static int lock_setup(struct monitor *m, struct err *err)
{
        char line[64];
        uint64_t ticks = 0;
        m->lock_fd = m->o.lock_fd >= 0 ? m->o.lock_fd : file_lock_at(m->run_dir, "monitor.pid", true, false, err);
        if (m->lock_fd < 0)
                return -1;
        if (proc_start_time(getpid(), &ticks, err) < 0)
                return -1;
        int length = snprintf(line, sizeof(line), "%d %" PRIu64 "\n", (int)getpid(), ticks);
        if (ftruncate(m->lock_fd, 0) < 0 || pwrite(m->lock_fd, line, (size_t)length, 0) < 0)
                return 0; /* for people to read; the lock is what counts */
        return 0;
}

static void process_setup(void)
{
        prctl(PR_SET_NAME, "tare-monitor");
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        umask(022);
        if (chdir("/") < 0)
                return; /* then somebody's folder stays busy; not worth ending for */
}

/* What every record says stands in a file, as a command line is for all to read. */
static void log_setup(struct monitor *m)
{
        struct err ignored = ERR_INIT;
        _cleanup_buf_ struct buf fixed = BUF_INIT(RECORD_FIXED_MAX);
        if (file_read_at(m->run_dir, "log-fixed", &fixed, &ignored) < 0)
                buf_reset(&fixed);
        size_t len = fixed.len;
        log_init(&m->log, &m->o, len ? buf_take(&fixed) : NULL, len);
}

static int monitor_setup(struct monitor *m, struct err *err)
{
        const struct monitor_options *o = &m->o;
        if (!o->id || !o->run_dir || o->pid <= 1)
                return err_set(err, ERR_INVALID, "id, run-dir and pid are needed");
        fd_cloexec_from(3);
        m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        m->run_dir = open(o->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (m->epoll_fd < 0 || m->run_dir < 0 || signals_setup(m) < 0)
                return err_sys(err, "%s", o->run_dir);
        if (lock_setup(m, err) < 0)
                return -1;
        log_setup(m);
        sessions_init(m);
        streams_init(m);
        input_init(m);
        health_init(m);
        oom_watch(m);
        meter_begin(m);
        if (o->client_fd >= 0)
                session_add(m, o->client_fd, true);
        watch_init(&m->listen, o->listen_fd, WATCH_LISTEN, 0);
        if (o->listen_fd >= 0)
                fd_set_nonblock(o->listen_fd, true);
        watch_set(&m->listen, m->epoll_fd, EPOLLIN);
        return 0;
}

static void signals_ready(struct monitor *m)
{
        struct signalfd_siginfo info;
        while (read(m->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
                if (info.ssi_signo == SIGUSR1)
                        log_reopen(&m->log);
        exit_reap(m);
}

static void dispatch(struct monitor *m, const struct epoll_event *e)
{
        uint32_t index = watch_index_of(e->data.u64);
        switch (watch_kind_of(e->data.u64)) {
        case WATCH_SIGNALS:
                signals_ready(m);
                break;
        case WATCH_STREAM:
                stream_ready(m, &m->streams[index]);
                break;
        case WATCH_INPUT:
                input_flush(m);
                break;
        case WATCH_LISTEN:
                m->accept_ready = true;
                break;
        case WATCH_OOM:
                oom_ready(m);
                break;
        case WATCH_SESSION:
                session_ready(m, &m->sessions[index], e->events);
                break;
        }
}

/* Accepted last, so that no event of this round can be taken for one of a new session in an old slot. */
static void accept_if_ready(struct monitor *m)
{
        if (m->accept_ready && m->listen.fd >= 0)
                sessions_accept(m);
        m->accept_ready = false;
}

static int timeout_of(const struct monitor *m, int64_t now, int64_t next)
{
        if (m->busy && now + REST < next)
                next = now + REST;
        if (next == INT64_MAX)
                return -1;
        int64_t ms = (next - now + 999999) / 1000000;
        return ms <= 0 ? 0 : ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static int64_t earliest(int64_t a, int64_t b, int64_t c)
{
        int64_t first = a < b ? a : b;
        return first < c ? first : c;
}

/* It has been quiet for a while: memory that only throughput needs goes back. */
static void rest(struct monitor *m)
{
        log_rest(&m->log);
        streams_rest(m);
        input_rest(m);
        sessions_rest(m);
        m->busy = false;
}

static void monitor_run(struct monitor *m)
{
        struct epoll_event events[EVENTS];
        exit_reap(m); /* it may have ended before we were its keeper */
        while (!exit_step(m)) {
                int64_t now = time_monotonic(), next = sessions_patience(m, now), retry = streams_retry(m, now), check = health_step(m, now);
                if (m->phase == RUNNING)
                        streams_watch(m, sessions_have_room(m));
                int64_t due = meter_due(m, now);
                int n = epoll_wait(m->epoll_fd, events, EVENTS, timeout_of(m, now, earliest(due < next ? due : next, retry, check)));
                for (int i = 0; i < n; i++)
                        dispatch(m, &events[i]);
                accept_if_ready(m);
                if (n == 0 && m->busy)
                        rest(m);
        }
}

int main(int argc, char **argv)
{
        struct err err = ERR_INIT;
        struct monitor *m = &monitor;
        if (monitor_options_from_argv(argc, argv, &m->o, &err) < 0)
                return 2;
        process_setup();
        if (m->o.exec_id) {
                hold(m);
                return 0;
        }
        if (monitor_setup(m, &err) < 0) {
                if (m->o.pid > 1)
                        kill(m->o.pid, SIGKILL); /* a container that nobody keeps must not run */
                return 1;
        }
        oom_protect(m);
        monitor_run(m);
        if (m->o.remove_at_end)
                tree_remove_at(AT_FDCWD, m->o.remove_at_end, &err);
        return 0;
}
