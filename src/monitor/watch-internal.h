/* What epoll watches: one `struct watch` a descriptor, which remembers what the kernel was told, so that asking again
 * for the same costs nothing.
 *
 * watch_init() once, then watch_set() as often as wished; watch_close() forgets and closes. No memory is taken. */
#ifndef TARE_MONITOR_WATCH_INTERNAL_H
#define TARE_MONITOR_WATCH_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

enum watch_kind { WATCH_SIGNALS, WATCH_STREAM, WATCH_INPUT, WATCH_LISTEN, WATCH_SESSION, WATCH_OOM };

#define WATCH_NOTHING UINT32_MAX /* not even hang-ups, which epoll reports whatever was asked for */

struct watch {
        int fd; /* -1: none */
        uint32_t events; /* WATCH_NOTHING: epoll does not know it */
        enum watch_kind kind;
        uint32_t index; /* which of its kind */
};

void watch_init(struct watch *w, int fd, enum watch_kind kind, uint32_t index);
/* Events 0 still report hang-up and error; -1 with errno. */
int watch_set(struct watch *w, int epoll_fd, uint32_t events);
void watch_close(struct watch *w, int epoll_fd);
/* Kind and index from an event's data. */
enum watch_kind watch_kind_of(uint64_t data);
uint32_t watch_index_of(uint64_t data);

#endif
