/* A small epoll event loop with timers and signals, no heap growth per event: for the monitor, attach and servers. */
#ifndef TARE_BASE_LOOP_H
#define TARE_BASE_LOOP_H

#include <stdint.h>
#include "base/err.h"
#include "base/mem.h"

struct loop;
struct loop_source;
/* events: EPOLLIN etc. The handler may remove its own source. */
typedef void (*loop_fd_fn)(struct loop *loop, struct loop_source *source, uint32_t events, void *data);
typedef void (*loop_timer_fn)(struct loop *loop, struct loop_source *source, void *data);
typedef void (*loop_signal_fn)(struct loop *loop, int signo, void *data);

int loop_new(struct loop **ret_loop, struct err *err);
void loop_free(struct loop *loop);
DEFINE_CLEANUP(struct loop *, loop_free)
/* Descriptors stay the caller's. */
int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *data, struct loop_source **ret,
                struct err *err);
int loop_set_events(struct loop *loop, struct loop_source *source, uint32_t events, struct err *err);
/* One-shot timer at a CLOCK_MONOTONIC time in ns (INT64_MAX: not armed); re-arm with loop_set_timer. */
int loop_add_timer(struct loop *loop, int64_t when, loop_timer_fn fn, void *data, struct loop_source **ret,
                   struct err *err);
void loop_set_timer(struct loop *loop, struct loop_source *source, int64_t when);
/* Blocks the signals (ended by 0) until loop_free and delivers them in the loop; once per loop. */
int loop_add_signals(struct loop *loop, const int *signals, loop_signal_fn fn, void *data, struct err *err);
void loop_remove(struct loop *loop, struct loop_source *source);
/* Runs until loop_stop; returns the code given to it, or -1 with err. */
int loop_run(struct loop *loop, struct err *err);
void loop_stop(struct loop *loop, int code);

#endif
