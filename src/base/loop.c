#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include "base/timefmt.h"

enum { BATCH = 32 };

enum source_kind { SOURCE_FD, SOURCE_TIMER };

/* A removed source stays linked, dead, until no event of the running batch can name it any more. */
struct loop_source {
        struct loop_source *next;
        enum source_kind kind;
        bool dead;
        bool polled; /* a descriptor epoll does not take, a regular file: always ready */
        int fd;
        uint32_t events;
        int64_t when; /* INT64_MAX: not armed */
        union {
                loop_fd_fn on_fd;
                loop_timer_fn on_timer;
        };
        void *data;
};

struct loop {
        int epoll_fd, signal_fd;
        struct loop_source *sources;
        loop_signal_fn on_signal;
        void *signal_data;
        sigset_t before; /* mask to restore, when signal_fd is open */
        bool stopped, any_dead;
        int code;
        size_t polled; /* how many live sources are */
};

int loop_new(struct loop **ret_loop, struct err *err)
{
        int fd = epoll_create1(EPOLL_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "epoll");
        struct loop *loop = xcalloc(1, sizeof(*loop));
        loop->epoll_fd = fd;
        loop->signal_fd = -1;
        *ret_loop = loop;
        return 0;
}

static void free_sources(struct loop *loop, bool only_dead)
{
        struct loop_source **at = &loop->sources;
        while (*at) {
                struct loop_source *source = *at;
                if (only_dead && !source->dead) {
                        at = &source->next;
                        continue;
                }
                *at = source->next;
                free(source);
        }
        loop->any_dead = false;
}

void loop_free(struct loop *loop)
{
        if (!loop)
                return;
        free_sources(loop, false);
        if (loop->signal_fd >= 0)
                pthread_sigmask(SIG_SETMASK, &loop->before, NULL);
        mem_closep(&loop->signal_fd);
        mem_closep(&loop->epoll_fd);
        free(loop);
}

static struct loop_source *source_link(struct loop *loop, enum source_kind kind, void *data)
{
        struct loop_source *source = xcalloc(1, sizeof(*source));
        source->kind = kind;
        source->fd = -1;
        source->when = INT64_MAX;
        source->data = data;
        source->next = loop->sources;
        loop->sources = source;
        return source;
}

int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *data, struct loop_source **ret,
                struct err *err)
{
        struct loop_source *source = source_link(loop, SOURCE_FD, data);
        struct epoll_event event = { .events = events, .data.ptr = source };
        if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
                if (errno != EPERM) {
                        err_sys(err, "watch descriptor %d", fd);
                        loop->sources = source->next;
                        free(source);
                        return -1;
                }
                source->polled = true;
                loop->polled++;
        }
        source->fd = fd;
        source->events = events;
        source->on_fd = fn;
        if (ret)
                *ret = source;
        return 0;
}

int loop_set_events(struct loop *loop, struct loop_source *source, uint32_t events, struct err *err)
{
        struct epoll_event event = { .events = events, .data.ptr = source };
        if (!source->polled && epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0)
                return err_sys(err, "watch descriptor %d", source->fd);
        source->events = events;
        return 0;
}

int loop_add_timer(struct loop *loop, int64_t when, loop_timer_fn fn, void *data, struct loop_source **ret,
                   struct err *err)
{
        struct loop_source *source = source_link(loop, SOURCE_TIMER, data);
        source->on_timer = fn;
        source->when = when;
        if (ret)
                *ret = source;
        return 0;
}

void loop_set_timer(struct loop *loop, struct loop_source *source, int64_t when)
{
        source->when = when;
}

int loop_add_signals(struct loop *loop, const int *signals, loop_signal_fn fn, void *data, struct err *err)
{
        if (loop->signal_fd >= 0)
                return err_set(err, ERR_INVALID, "a loop takes its signals once");
        sigset_t set, before;
        sigemptyset(&set);
        for (const int *s = signals; *s; s++)
                sigaddset(&set, *s);
        _cleanup_close_ int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return err_sys(err, "signalfd");
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL }; /* NULL: the signals */
        if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                return err_sys(err, "watch signals");
        pthread_sigmask(SIG_BLOCK, &set, &before);
        loop->before = before;
        loop->on_signal = fn;
        loop->signal_data = data;
        loop->signal_fd = TAKE_FD(fd);
        return 0;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
        if (!source || source->dead)
                return;
        source->dead = true;
        loop->any_dead = true;
        if (source->polled)
                loop->polled--;
        else if (source->kind == SOURCE_FD)
                epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL); /* fails when it was closed already */
}

void loop_stop(struct loop *loop, int code)
{
        loop->stopped = true;
        loop->code = code;
}

static int64_t first_timer(const struct loop *loop)
{
        int64_t first = INT64_MAX;
        for (const struct loop_source *s = loop->sources; s; s = s->next)
                if (s->kind == SOURCE_TIMER && !s->dead && s->when < first)
                        first = s->when;
        return first;
}

static int wait_events(struct loop *loop, struct epoll_event events[BATCH])
{
        int64_t first = loop->polled ? 0 : first_timer(loop), left = 0;
        if (first == INT64_MAX)
                return epoll_wait(loop->epoll_fd, events, BATCH, -1);
        if (first > 0)
                left = first - time_monotonic();
        if (left < 0)
                left = 0;
        struct timespec timeout = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
        int n = epoll_pwait2(loop->epoll_fd, events, BATCH, &timeout, NULL);
        if (n >= 0 || errno != ENOSYS)
                return n;
        int64_t ms = (left + 999999) / 1000000;
        return epoll_wait(loop->epoll_fd, events, BATCH, ms > 60000 ? 60000 : (int)ms);
}

static void run_timers(struct loop *loop)
{
        int64_t now = 0;
        for (struct loop_source *s = loop->sources; s && !loop->stopped; s = s->next) {
                if (s->kind != SOURCE_TIMER || s->dead || s->when == INT64_MAX)
                        continue;
                if (now == 0)
                        now = time_monotonic();
                if (s->when > now)
                        continue;
                s->when = INT64_MAX; /* before the call, which may arm it again */
                s->on_timer(loop, s, s->data);
        }
}

static void run_signals(struct loop *loop)
{
        struct signalfd_siginfo info;
        while (!loop->stopped && read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
                loop->on_signal(loop, (int)info.ssi_signo, loop->signal_data);
}

static void run_polled(struct loop *loop)
{
        for (struct loop_source *s = loop->sources; s && loop->polled && !loop->stopped; s = s->next)
                if (s->polled && !s->dead && (s->events & (EPOLLIN | EPOLLOUT)))
                        s->on_fd(loop, s, s->events & (EPOLLIN | EPOLLOUT), s->data);
}

static void run_events(struct loop *loop, const struct epoll_event *events, int count)
{
        for (int i = 0; i < count && !loop->stopped; i++) {
                struct loop_source *source = events[i].data.ptr;
                if (!source)
                        run_signals(loop);
                else if (!source->dead)
                        source->on_fd(loop, source, events[i].events, source->data);
        }
}

int loop_run(struct loop *loop, struct err *err)
{
        struct epoll_event events[BATCH];
        while (!loop->stopped) {
                int n = wait_events(loop, events);
                if (n < 0 && errno != EINTR)
                        return err_sys(err, "wait for events");
                run_events(loop, events, n);
                run_polled(loop);
                run_timers(loop);
                if (loop->any_dead)
                        free_sources(loop, true);
        }
        loop->stopped = false; /* so that it can be run again */
        return loop->code;
}
