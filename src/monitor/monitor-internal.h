/* The state of tare-monitor, one static object, and what its files ask of each other.
 *
 * Life: setup (main.c) -> RUNNING -> init exits (exit.c) -> DRAINING, what it left in the pipes is read -> ENDED:
 * status.json is written, the sessions are told -> the remains are cleared away by a client that asked for it or by
 * the cleanup program, for which the lock is let go -> the process ends when the sessions have taken what was theirs.
 *
 * Slow clients. Each session has a bounded backlog. While one has no room the container's output is not read, which
 * is the backpressure a pipe gives. After PATIENCE without room a session is ended, for a client that does not read
 * must not stop the log. The session that started the container (`tare run x | less`) gets a file to spill into
 * first; it alone may wait for ever where no log is kept. */
#ifndef TARE_MONITOR_MONITOR_INTERNAL_H
#define TARE_MONITOR_MONITOR_INTERNAL_H

#include <sys/types.h>

#include "base/mem.h"
#include "monitor/backlog-internal.h"
#include "monitor/log-internal.h"
#include "monitor/watch-internal.h"
#include "runtime/attach.h"
#include "runtime/meter_file.h"

#define SESSIONS_MAX 64
#define PORTS_MAX 256 /* that come while it runs; further ones are published and not kept */
#define CHUNK ATTACH_PAYLOAD_MAX /* one read of output, one frame */
#define PATIENCE 5000000000 /* ns */
#define REST 1000000000 /* ns of quiet after which buffers are given back */

enum phase { RUNNING, DRAINING, ENDED };

/* stdout or stderr of the container; with a terminal the first is its master. */
struct stream {
        struct watch watch;
        enum attach_frame frame;
        size_t carry; /* bytes of a line without an end, at the start of its buffer */
        int64_t left; /* after the exit: bytes still to be read */
        int64_t retry; /* a terminal that was hung up is opened again then; 0: it was not */
};

/* The container's standard input, and what it has not taken yet. */
struct input {
        struct watch watch; /* fd -1: closed or never there */
        size_t at, len; /* of the pending bytes */
        bool closing; /* when they are gone */
};

struct session {
        struct watch watch; /* fd -1: a free slot */
        bool greeted, first; /* first: it started the container */
        bool wants_in, wants_out, wants_err;
        bool clean_mine, waits_input;
        bool gone; /* takes no more output; its input is still read */
        uint8_t head[ATTACH_HEADER];
        uint32_t head_len;
        enum attach_frame type;
        uint32_t left; /* payload still to come */
        uint8_t payload[8]; /* of a small frame */
        uint32_t payload_len;
        struct backlog backlog;
        int64_t full_since; /* 0: there is room */
};

/* When the next check is due; see health.c. */
struct health {
        int64_t next; /* monotonic; 0: none is due, or one runs */
        int64_t period_end; /* of the start period */
        pid_t probe; /* 0: none */
        bool settled; /* a check has said healthy or unhealthy: the start period is over */
};

/* What the run uses, as far as only its monitor can know (runtime/meter_file.h). */
struct meter {
        struct meter_file sums;
        int64_t next, pause; /* ns: when the next sample is due, and from that one to the one after */
};

struct monitor {
        struct monitor_options o;
        int epoll_fd, run_dir, terminal_fd,
                lock_fd; /* terminal_fd: a slave held open so that the master never hangs up */
        enum phase phase;
        struct watch signals, listen, oom;
        struct stream streams[2];
        struct input input;
        struct session sessions[SESSIONS_MAX];
        struct log log;
        struct health health;
        struct meter meter;
        int ports[PORTS_MAX], port_count;
        int64_t finished; /* when init ended */
        int32_t exit_code;
        uint64_t oom_kills;
        int64_t oom_told;
        bool oom_seen;
        bool accept_ready, busy; /* busy: buffers hold pages to give back */
        bool cleaned, handed_over;
        int oom_score_fd; /* open for writing: the score to give back before a program is started */
        char oom_score[16];
};

/* ---- stream.c ---- */
void streams_init(struct monitor *m);
void streams_watch(struct monitor *m, bool wanted);
void stream_ready(struct monitor *m, struct stream *s);
/* After the exit: reads on; true when all is read. */
bool streams_drain(struct monitor *m);
void streams_drain_begin(struct monitor *m);
void streams_end(struct monitor *m);
void streams_rest(struct monitor *m);
/* The time a hung-up terminal is to be tried again, INT64_MAX: none. */
int64_t streams_retry(struct monitor *m, int64_t now);

/* ---- input.c ---- */
void input_init(struct monitor *m);
/* Takes from a session's socket at most `len` bytes: the count, 0 at its end, -1 with errno; EBUSY while earlier ones
 * wait. */
ssize_t input_take(struct monitor *m, int from, size_t len, bool wanted);
void input_flush(struct monitor *m);
/* No more input: closed when what is pending has gone. */
void input_end(struct monitor *m);
void input_drop(struct monitor *m);
void input_rest(struct monitor *m);

/* ---- session.c ---- */
void sessions_init(struct monitor *m);
void session_add(struct monitor *m, int fd, bool first);
void sessions_accept(struct monitor *m);
void session_close(struct monitor *m, struct session *s);
/* The peer takes no more; what it sent before is still read. */
void session_mute(struct monitor *m, struct session *s);
void session_send(struct monitor *m, struct session *s, enum attach_frame type, const void *data, size_t len);
void session_ready(struct monitor *m, struct session *s, uint32_t events);
void session_exit(struct monitor *m, struct session *s);
void sessions_output(struct monitor *m, enum attach_frame frame, const uint8_t *data, size_t len);
void sessions_resume(struct monitor *m); /* the input has room again */
void sessions_rest(struct monitor *m);
bool sessions_have_room(const struct monitor *m);
/* Ends those that had no room for too long; returns when to look again, INT64_MAX: no need. */
int64_t sessions_patience(struct monitor *m, int64_t now);
/* Somebody has said that it clears the remains away. */
bool sessions_clean(const struct monitor *m);
bool sessions_pending(const struct monitor *m);

/* ---- frames.c ---- */
void session_read(struct monitor *m, struct session *s);

/* ---- health.c ---- */
void health_init(struct monitor *m);
/* Starts a check that is due; returns when to look again, INT64_MAX: no need. */
int64_t health_step(struct monitor *m, int64_t now);
/* False: that child was no check. */
bool health_reaped(struct monitor *m, pid_t pid, int wait_status);

/* ---- program.c ---- */
/* Starts `tare` (the cleanup program) with these words, and with the OOM score that is not ours; keep_fd -1: none. 0, or -1. */
int program_start(struct monitor *m, char *const *argv, int keep_fd, bool dies_with_us, pid_t *ret_pid);

/* ---- hold.c ---- */
/* The other life of this program: see monitor_options.exec_id. Returns when all is done. */
void hold(struct monitor *m);

/* ---- exit.c ---- */
void exit_reap(struct monitor *m);
/* Moves on through the phases; true when the process may end. */
bool exit_step(struct monitor *m);

/* ---- ports.c ---- */
/* False: the port is not kept. */
bool ports_change(struct monitor *m, const struct attach_port *p);
void ports_release(struct monitor *m);

/* ---- meter.c ---- */
void meter_begin(struct monitor *m);
/* Takes a sample when one is due; returns when the next is. */
int64_t meter_due(struct monitor *m, int64_t now);
/* Init has ended: the last numbers are taken and its network is let go. */
void meter_end(struct monitor *m);

void status_running(struct monitor *m);

/* ---- oom.c ---- */
bool oom_killed(const char *cgroup_path);
void oom_watch(struct monitor *m);
void oom_ready(struct monitor *m);

#endif
