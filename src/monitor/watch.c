#include "monitor/watch-internal.h"

#include <sys/epoll.h>
#include <unistd.h>

void watch_init(struct watch *w, int fd, enum watch_kind kind, uint32_t index)
{
        *w = (struct watch){ .fd = fd, .events = WATCH_NOTHING, .kind = kind, .index = index };
}

int watch_set(struct watch *w, int epoll_fd, uint32_t events)
{
        if (w->fd < 0 || w->events == events)
                return 0;
        struct epoll_event event = { .events = events, .data.u64 = (uint64_t)w->kind << 32 | w->index };
        int how = w->events == WATCH_NOTHING ? EPOLL_CTL_ADD : events == WATCH_NOTHING ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
        if (epoll_ctl(epoll_fd, how, w->fd, &event) < 0)
                return -1;
        w->events = events;
        return 0;
}

void watch_close(struct watch *w, int epoll_fd)
{
        if (w->fd < 0)
                return;
        watch_set(w, epoll_fd, WATCH_NOTHING);
        close(w->fd);
        w->fd = -1;
}

enum watch_kind watch_kind_of(uint64_t data)
{
        return (enum watch_kind)(data >> 32);
}

uint32_t watch_index_of(uint64_t data)
{
        return (uint32_t)data;
}
