/* What `tare` and its monitors say to each other, and the files a monitor keeps. Both sides of the fence include this.
 *
 * A monitor is made like this: the engine forks; the child (setsid, subreaper) calls runtime_create()/runtime_start()
 * and then becomes tare-monitor by execve, so that the tiny static program is the parent of init without ever having
 * loaded what creating needs. Its arguments are in `struct monitor_options` order, given as --name=value.
 *
 * Run directory of a container: /run/tare/containers/<id>/ (0700)
 *     status.json    written by the monitor by rename at every change; see struct container_status
 *     attach.sock    SOCK_STREAM: a connection is one attach session
 *     health.json    what the checks found, by rename (engine/health.h); probe: "<pid> <start ticks>\n" of one that runs
 *     monitor.pid    "<pid> <start ticks>\n", locked (flock) by the monitor for its life: a lock that can be had
 * means it died
 *
 * Attach stream. Client to monitor: one struct attach_hello, then frames. Monitor to client: frames. A frame is
 * docker's multiplexed-stream header {type, 0, 0, 0, be32 length} and payload. Types 0-2 are stdin, stdout, stderr;
 * ours begin at 16.
 *
 * A client's frames are taken in order: while the container does not read its stdin, what the client sent after it
 * waits. A signal that must not wait goes to init itself or through a second session. The end of one client's stdin
 * (ATTACH_STDIN_EOF, hanging up) is the end of the container's when stdin_once is set and there is no terminal, else
 * it means nothing. A client that takes no output for some seconds loses its session, by a hang-up without
 * ATTACH_EXIT (see monitor/monitor-internal.h). At most 64 sessions.
 */
#ifndef TARE_RUNTIME_ATTACH_H
#define TARE_RUNTIME_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"

enum attach_frame {
        ATTACH_STDIN = 0, ATTACH_STDOUT = 1, ATTACH_STDERR = 2,
        ATTACH_RESIZE = 16,        /* client: be16 rows, be16 columns */
        ATTACH_STDIN_EOF = 17,     /* client: no more input */
        ATTACH_EXIT = 18,          /* monitor: be32 exit status; the last frame */
        ATTACH_CLEAN_MINE = 19,    /* client: "I clean up after the exit; do it yourself only if I vanish before ATTACH_CLEANED" */
        ATTACH_CLEANED = 20,       /* client: done; the monitor ends */
        ATTACH_READY = 21,         /* monitor: the session is registered, nothing of the output is missed from here on */
        ATTACH_SIGNAL = 22,        /* client: be32 signal for init (sig-proxy) */
        ATTACH_PORT = 23,          /* client: struct attach_port, to be kept from host programs or let go; monitor: the same, when it is done */
};
#define ATTACH_HEADER 8
#define ATTACH_PAYLOAD_MAX 32768   /* bytes of one frame */
#define ATTACH_MAGIC 0x74617265u   /* "tare" */
struct attach_hello { uint32_t magic; uint8_t stdin_, stdout_, stderr_, reserved; };

struct attach_port { uint32_t address; uint16_t port; uint8_t protocol, hold; };         /* network order; IPPROTO_TCP...; answered hold 2: failed */

int attach_send(int fd, enum attach_frame type, const void *data, uint32_t len, struct err *err);
void attach_header(uint8_t ret_header[ATTACH_HEADER], enum attach_frame type, uint32_t len);
/* Parses a header; ERR_INVALID on an impossible one. */
int attach_parse(const uint8_t header[ATTACH_HEADER], enum attach_frame *ret_type, uint32_t *ret_len, struct err *err);

enum container_state { STATE_CREATED, STATE_RUNNING, STATE_PAUSED, STATE_RESTARTING, STATE_REMOVING, STATE_EXITED, STATE_DEAD };
const char *container_state_name(enum container_state s);         /* "created", ... */
int container_state_parse(const char *name, enum container_state *ret, struct err *err);

/* status.json:
 * {"state","pid","start_ticks","started","finished","exit_code","oom","restarts","error","monitor","monitor_ticks"} */
struct container_status {
        enum container_state state;
        pid_t pid;                     /* 0 when not running */
        uint64_t start_ticks;
        int64_t started, finished;     /* ns since the epoch, 0: never */
        int32_t exit_code;
        bool oom_killed;
        uint32_t restarts;
        pid_t monitor;
        uint64_t monitor_ticks;
        uint64_t log_lost;             /* records that found no room; known after the end, absent where none did */
        char error[256];
};
/* Reads/writes status.json in an open run directory. The reader needs no jansson: it takes only what the writer
 * writes. */
int container_status_read(int run_dir_fd, struct container_status *ret, struct err *err);
int container_status_write(int run_dir_fd, const struct container_status *status, struct err *err);

/* What `tare container probe ID` exits with: how healthy the container is after the check. Anything else: nothing was found out. */
enum probe_exit { PROBE_HEALTHY = 0, PROBE_UNHEALTHY = 1, PROBE_STARTING = 2 };

/* Command line of tare-monitor; the engine formats it, the monitor parses it (one table serves both). */
struct monitor_options {
        char *id;
        char *name;
        char *run_dir;                 /* absolute */
        pid_t pid;                     /* init */
        uint64_t start_ticks;
        int64_t started;
        int out_fd, err_fd, in_fd;     /* our ends of the container's stdio pipes, -1: none */
        int console_fd;                /* or the pty master */
        int client_fd;                 /* a connected socket of the client that started us: its attach session; -1 */
        int listen_fd;                 /* attach.sock, bound and listening already; -1 */
        int lock_fd;                   /* monitor.pid, flock'd already: kept open for life; -1: the monitor locks it itself */
        bool open_stdin, stdin_once;   /* docker's OpenStdin, StdinOnce */
        /* The log; what is the same in every record stands in the file `log-fixed` of the run directory (monitor/log-internal.h). */
        char *log_driver;              /* "json-file", "local", "k8s-file", "journald", "syslog", "none" */
        char *log_path;
        uint64_t log_max_size;         /* bytes, 0: unbounded */
        uint32_t log_max_files;
        char *log_packer;              /* program that compresses rotated files; NULL: they stay as they are */
        char *log_address, *log_format;/* syslog; log_address also journald's socket */
        uint32_t log_facility;         /* syslog */
        uint64_t log_ring;             /* mode=non-blocking: bytes that may wait; 0: blocking */
        char *restart;                 /* "no", "on-failure:5", "always", "unless-stopped" */
        uint32_t restarts;             /* so far */
        bool auto_remove;
        char *cleanup_program;         /* spawned as `tare container exited ID` after the exit, when no client does it */
        char *remove_at_end;           /* a tree that the client may leave to be removed; it need not be there */
        char *cgroup_path;             /* to tell an OOM kill from another SIGKILL */
        int net_fd;                    /* /proc/PID/net/dev of init, which keeps its counters; -1: it has no network of its own */
        int port_fds_first, port_fds_count;   /* sockets that reserve published host ports, held until exit */
        char *exec_id;                 /* not a container's init but a detached exec's process: its end is told, and nothing else done */
        bool watch_oom;                /* tell of processes that die for want of memory while it runs */
        int64_t health_interval, health_start_interval, health_start_period;  /* of the checks, ns; interval 0: there are none */
};
void monitor_options_init(struct monitor_options *o);
char **monitor_options_to_argv(const struct monitor_options *o, const char *program);     /* strv */
int monitor_options_from_argv(int argc, char **argv, struct monitor_options *ret, struct err *err);  /* strings point into argv */

#endif
