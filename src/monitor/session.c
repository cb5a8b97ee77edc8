#include "monitor/monitor-internal.h"

#include <endian.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/mem.h"
#include "base/timefmt.h"

#define ROOM                                                                                                           \
        (CHUNK + 4 * ATTACH_HEADER + 64) /* a chunk, its header, and the frames that must always fit: ready, exit */
/* While the container runs, room is kept for what its pipes or terminal can hold, so that its end never waits for a
 * client. */
#define ROOM_TO_END (ROOM + (192 << 10))

void sessions_init(struct monitor *m)
{
        for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
                watch_init(&m->sessions[i].watch, -1, WATCH_SESSION, i);
                backlog_init(&m->sessions[i].backlog);
        }
}

static bool is_live(const struct session *s)
{
        return s->watch.fd >= 0;
}

static void session_rearm(struct monitor *m, struct session *s)
{
        uint32_t events = (s->waits_input ? 0 : EPOLLIN) | (backlog_empty(&s->backlog) ? 0 : EPOLLOUT);
        /* A peer that has hung up while its input waits would wake us all the time. */
        if (watch_set(&s->watch, m->epoll_fd, s->gone && s->waits_input ? WATCH_NOTHING : events) < 0)
                session_close(m, s);
}

void session_add(struct monitor *m, int fd, bool first)
{
        for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
                struct session *s = &m->sessions[i];
                if (is_live(s))
                        continue;
                *s = (struct session){ .first = first };
                watch_init(&s->watch, fd, WATCH_SESSION, i);
                backlog_init(&s->backlog);
                if (fd_set_nonblock(fd, true) < 0)
                        break;
                session_rearm(m, s);
                if (first)
                        session_read(m, s); /* what it said before we were */
                return;
        }
        close(fd);
}

void sessions_accept(struct monitor *m)
{
        int fd;
        while ((fd = accept4(m->listen.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
                session_add(m, fd, false);
}

void session_close(struct monitor *m, struct session *s)
{
        if (!is_live(s))
                return;
        bool fed = s->greeted && s->wants_in;
        watch_close(&s->watch, m->epoll_fd);
        backlog_done(&s->backlog);
        s->clean_mine = false;
        if (fed && m->o.stdin_once)
                input_end(m);
}

void session_mute(struct monitor *m, struct session *s)
{
        s->gone = true;
        s->wants_out = s->wants_err = false;
        s->full_since = 0;
        backlog_done(&s->backlog);
        session_rearm(m, s);
}

/* What the socket does not take at once goes to the backlog. */
static int send_now(struct session *s, const uint8_t *header, const void *data, size_t len)
{
        struct iovec iov[2] = { { (void *)(uintptr_t)header, ATTACH_HEADER }, { (void *)(uintptr_t)data, len } };
        struct msghdr message = { .msg_iov = iov, .msg_iovlen = len ? 2 : 1 };
        ssize_t n = 0;
        if (backlog_empty(&s->backlog)) {
                while ((n = sendmsg(s->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL)) < 0 && errno == EINTR)
                        ;
                if (n < 0 && errno != EAGAIN)
                        return -1;
        }
        size_t sent = n > 0 ? (size_t)n : 0, of_header = sent < ATTACH_HEADER ? sent : ATTACH_HEADER,
               of_data = sent - of_header;
        if (backlog_add(&s->backlog, header + of_header, ATTACH_HEADER - of_header) < 0 ||
            backlog_add(&s->backlog, (const uint8_t *)data + of_data, len - of_data) < 0) {
                errno = ENOBUFS;
                return -1;
        }
        return 0;
}

void session_send(struct monitor *m, struct session *s, enum attach_frame type, const void *data, size_t len)
{
        uint8_t header[ATTACH_HEADER];
        if (s->gone)
                return;
        attach_header(header, type, (uint32_t)len);
        if (send_now(s, header, data, len) == 0)
                session_rearm(m, s);
        else if (errno == ENOBUFS)
                session_close(m, s); /* its stream has a hole now */
        else
                session_mute(m, s);
}

void session_exit(struct monitor *m, struct session *s)
{
        uint32_t code = htobe32((uint32_t)m->exit_code);
        session_send(m, s, ATTACH_EXIT, &code, sizeof(code));
}

void session_ready(struct monitor *m, struct session *s, uint32_t events)
{
        if (!is_live(s))
                return;
        if (!s->gone && (events & EPOLLOUT)) {
                if (backlog_send(&s->backlog, s->watch.fd) < 0)
                        session_mute(m, s);
                else
                        session_rearm(m, s);
        }
        if (is_live(s) && (events & (EPOLLHUP | EPOLLERR)) && s->waits_input)
                session_mute(m, s);
        else if (is_live(s) && (events & ~(uint32_t)EPOLLOUT))
                session_read(m, s);
}

void sessions_output(struct monitor *m, enum attach_frame frame, const uint8_t *data, size_t len)
{
        for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
                struct session *s = &m->sessions[i];
                if (is_live(s) && s->greeted && (frame == ATTACH_STDERR ? s->wants_err : s->wants_out))
                        session_send(m, s, frame, data, len);
        }
}

void sessions_resume(struct monitor *m)
{
        for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
                struct session *s = &m->sessions[i];
                if (!is_live(s) || !s->waits_input)
                        continue;
                s->waits_input = false;
                session_rearm(m, s);
        }
}

void sessions_rest(struct monitor *m)
{
        for (uint32_t i = 0; i < SESSIONS_MAX; i++)
                backlog_rest(&m->sessions[i].backlog);
}

static bool is_full(const struct monitor *m, const struct session *s)
{
        return is_live(s) && backlog_room(&s->backlog) < (m->phase == RUNNING ? ROOM_TO_END : ROOM);
}

bool sessions_have_room(const struct monitor *m)
{
        for (uint32_t i = 0; i < SESSIONS_MAX; i++)
                if (is_full(m, &m->sessions[i]))
                        return false;
        return true;
}

/* The first session gets a file on the disk that holds the log; with no log there is nothing that it could hold up
 * but itself. */
static void out_of_patience(struct monitor *m, struct session *s)
{
        s->full_since = 0;
        bool alone = !log_wanted(&m->log) && m->phase == RUNNING;
        if (s->first && (alone || backlog_spill(&s->backlog, m->log.file.path) == 0))
                return;
        session_close(m, s);
}

int64_t sessions_patience(struct monitor *m, int64_t now)
{
        int64_t next = INT64_MAX;
        for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
                struct session *s = &m->sessions[i];
                if (m->phase == ENDED || !is_full(m, s)) {
                        s->full_since = 0;
                        continue;
                }
                if (s->full_since && now - s->full_since >= PATIENCE) {
                        out_of_patience(m, s);
                        continue;
                }
                if (!s->full_since)
                        s->full_since = now;
                if (s->full_since + PATIENCE < next)
                        next = s->full_since + PATIENCE;
        }
        return next;
}

bool sessions_clean(const struct monitor *m)
{
        for (uint32_t i = 0; i < SESSIONS_MAX; i++)
                if (is_live(&m->sessions[i]) && m->sessions[i].clean_mine)
                        return true;
        return false;
}

bool sessions_pending(const struct monitor *m)
{
        for (uint32_t i = 0; i < SESSIONS_MAX; i++)
                if (is_live(&m->sessions[i]) && !backlog_empty(&m->sessions[i].backlog))
                        return true;
        return false;
}
