#include "monitor/monitor-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/mem.h"
#include "base/timefmt.h"

#define ROUNDS 8 /* chunks read before others have their turn */
#define TERMINAL_LEFT (1 << 20) /* at most this much is read from a terminal after the exit */
#define TERMINAL_RETRY 100000000 /* ns */

static uint8_t buffers[2][RECORD_LINE_MAX + CHUNK] __attribute__((aligned(4096)));

static uint8_t *stream_buffer(const struct stream *s)
{
        return buffers[s->frame == ATTACH_STDERR];
}

/* While a slave is open here the master does not report a hang-up when the container's processes have closed theirs
 * for a while. */
static void terminal_hold(struct monitor *m)
{
        mem_closep(&m->terminal_fd);
        m->terminal_fd = ioctl(m->o.console_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

void streams_init(struct monitor *m)
{
        bool tty = m->o.console_fd >= 0;
        m->terminal_fd = -1;
        m->streams[0].frame = ATTACH_STDOUT;
        m->streams[1].frame = ATTACH_STDERR;
        watch_init(&m->streams[0].watch, tty ? m->o.console_fd : m->o.out_fd, WATCH_STREAM, 0);
        watch_init(&m->streams[1].watch, tty ? -1 : m->o.err_fd, WATCH_STREAM, 1);
        for (int i = 0; i < 2; i++)
                if (m->streams[i].watch.fd >= 0)
                        fd_set_nonblock(m->streams[i].watch.fd, true);
        if (tty)
                terminal_hold(m);
}

void streams_watch(struct monitor *m, bool wanted)
{
        for (int i = 0; i < 2; i++)
                watch_set(&m->streams[i].watch, m->epoll_fd, wanted && !m->streams[i].retry ? EPOLLIN : WATCH_NOTHING);
}

static void stream_log(struct monitor *m, struct stream *s, size_t len, bool last)
{
        uint8_t *data = stream_buffer(s);
        size_t all = s->carry + len;
        /* A line that comes in small pieces is not looked at again for every piece. */
        if (!last && all < RECORD_LINE_MAX && !memchr(data + s->carry, '\n', len)) {
                s->carry = log_wanted(&m->log) ? all : 0;
                return;
        }
        struct log_chunk chunk = { .data = data, .len = all, .is_stderr = s->frame == ATTACH_STDERR, .last = last, .time = time_now() };
        size_t taken = log_lines(&m->log, &chunk);
        log_flush(&m->log);
        s->carry = all - taken;
        if (taken && s->carry)
                memmove(data, data + taken, s->carry);
}

static void stream_close(struct monitor *m, struct stream *s)
{
        if (s->watch.fd == m->o.console_fd)
                m->o.console_fd = -1;
        watch_close(&s->watch, m->epoll_fd);
}

/* End of file. A living container's terminal may come back, as when a getty inside hangs it up. */
static void stream_hangup(struct monitor *m, struct stream *s)
{
        if (s->watch.fd == m->o.console_fd && m->phase == RUNNING) {
                watch_set(&s->watch, m->epoll_fd, WATCH_NOTHING);
                s->retry = time_monotonic() + TERMINAL_RETRY;
                return;
        }
        s->left = 0;
        if (m->phase == RUNNING)
                stream_close(m, s);
}

/* Reads one chunk; false when nothing more is to be had now. */
static bool stream_chunk(struct monitor *m, struct stream *s)
{
        uint8_t *data = stream_buffer(s) + s->carry;
        ssize_t n;
        while ((n = read(s->watch.fd, data, CHUNK)) < 0 && errno == EINTR)
                ;
        if (n < 0 && errno == EAGAIN)
                return false;
        if (n <= 0) {
                stream_hangup(m, s);
                return false;
        }
        m->busy = true;
        s->left -= n;
        sessions_output(m, s->frame, data, (size_t)n);
        stream_log(m, s, (size_t)n, false);
        return true;
}

void stream_ready(struct monitor *m, struct stream *s)
{
        for (int i = 0; i < ROUNDS && s->watch.fd >= 0 && sessions_have_room(m); i++)
                if (!stream_chunk(m, s))
                        return;
}

/* What was written before the exit is in the pipe now. Others may hold its end and go on writing: that is not waited
 * for. */
void streams_drain_begin(struct monitor *m)
{
        for (int i = 0; i < 2; i++) {
                struct stream *s = &m->streams[i];
                int waiting = 0;
                if (s->watch.fd >= 0 && s->watch.fd != m->o.console_fd && ioctl(s->watch.fd, FIONREAD, &waiting) < 0)
                        waiting = CHUNK;
                s->left = s->watch.fd == m->o.console_fd ? TERMINAL_LEFT : waiting;
                s->retry = 0;
        }
        streams_watch(m, false);
}

bool streams_drain(struct monitor *m)
{
        bool done = true;
        for (int i = 0; i < 2; i++) {
                struct stream *s = &m->streams[i];
                while (s->watch.fd >= 0 && s->left > 0 && sessions_have_room(m))
                        if (!stream_chunk(m, s))
                                s->left = 0;
                done &= s->watch.fd < 0 || s->left <= 0;
        }
        return done;
}

void streams_end(struct monitor *m)
{
        for (int i = 0; i < 2; i++) {
                if (m->streams[i].carry)
                        stream_log(m, &m->streams[i], 0, true);
                stream_close(m, &m->streams[i]);
        }
        mem_closep(&m->terminal_fd);
        m->terminal_fd = -1;
}

void streams_rest(struct monitor *m)
{
        for (int i = 0; i < 2; i++)
                if (m->streams[i].carry == 0)
                        madvise(buffers[i], sizeof(buffers[i]), MADV_DONTNEED);
}

int64_t streams_retry(struct monitor *m, int64_t now)
{
        struct stream *s = &m->streams[0];
        if (!s->retry)
                return INT64_MAX;
        if (now < s->retry)
                return s->retry;
        s->retry = 0;
        terminal_hold(m);
        return INT64_MAX;
}
