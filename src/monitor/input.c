#include "monitor/monitor-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/fd.h"

static uint8_t pending[CHUNK] __attribute__((aligned(4096)));

/* A terminal is written through a descriptor of its own, so that waiting for room and waiting for output are two
 * things to epoll. */
void input_init(struct monitor *m)
{
        int fd = m->o.console_fd >= 0 ? fcntl(m->o.console_fd, F_DUPFD_CLOEXEC, 3) : m->o.in_fd;
        watch_init(&m->input.watch, fd, WATCH_INPUT, 0);
        if (fd >= 0)
                fd_set_nonblock(fd, true);
}

void input_drop(struct monitor *m)
{
        watch_close(&m->input.watch, m->epoll_fd);
        m->input.at = m->input.len = 0;
        sessions_resume(m);
}

static void input_emptied(struct monitor *m)
{
        m->input.at = m->input.len = 0;
        watch_set(&m->input.watch, m->epoll_fd, WATCH_NOTHING);
        if (m->input.closing)
                input_drop(m);
        else
                sessions_resume(m);
}

void input_flush(struct monitor *m)
{
        struct input *in = &m->input;
        while (in->at < in->len && in->watch.fd >= 0) {
                ssize_t n = write(in->watch.fd, pending + in->at, in->len - in->at);
                if (n >= 0) {
                        in->at += (size_t)n;
                        continue;
                }
                if (errno == EINTR)
                        continue;
                if (errno == EAGAIN) {
                        watch_set(&in->watch, m->epoll_fd, EPOLLOUT);
                        return;
                }
                if (m->o.console_fd < 0) /* the container has closed its input; a terminal may come back */
                        in->closing = true;
                break;
        }
        input_emptied(m);
}

ssize_t input_take(struct monitor *m, int from, size_t len, bool wanted)
{
        struct input *in = &m->input;
        bool keep = wanted && in->watch.fd >= 0 && !in->closing;
        uint8_t scratch[4096];
        if (keep && in->len) {
                errno = EBUSY;
                return -1;
        }
        size_t room = keep ? sizeof(pending) : sizeof(scratch);
        ssize_t n;
        while ((n = read(from, keep ? pending : scratch, len < room ? len : room)) < 0 && errno == EINTR)
                ;
        if (n > 0 && keep) {
                m->busy = true;
                in->len = (size_t)n;
                input_flush(m);
        }
        return n;
}

void input_end(struct monitor *m)
{
        if (m->input.watch.fd < 0 || m->o.console_fd >= 0)
                return;
        m->input.closing = true;
        if (m->input.len == 0)
                input_drop(m);
}

void input_rest(struct monitor *m)
{
        if (m->input.len == 0)
                madvise(pending, sizeof(pending), MADV_DONTNEED);
}
