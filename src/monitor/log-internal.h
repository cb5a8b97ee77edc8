/* Where a container's output goes: one contract, a driver for each place (drivers/), chosen by name.
 *
 * log_init() once; log_lines() as output comes, log_flush() after each; log_close() at the end. Nothing here fails and nothing waits for
 * long: what a full disk or a deaf server does not take is lost and counted, never half of a record, and never stops the container.
 * Drivers run in the monitor's only thread, or with a ring (mode=non-blocking, log_ring.c) in one of their own, and in no other. */
#ifndef TARE_MONITOR_LOG_INTERNAL_H
#define TARE_MONITOR_LOG_INTERNAL_H

#include <stdatomic.h>
#include <sys/uio.h>
#include "monitor/logfile-internal.h"
#include "monitor/record-internal.h"
#include "runtime/attach.h"

/* A piece of one stream. */
struct log_chunk {
        const uint8_t *data;
        size_t len;
        bool is_stderr;
        bool last; /* nothing follows: a line without an end is taken too */
        int64_t time;
};

struct log;
struct log_driver {
        const char *name;
        /* The time to look at the options; NULL: nothing to do. */
        void (*init)(struct log *l);
        /* Takes the records that begin in the chunk and returns the bytes they were; what has no end yet is given again. */
        size_t (*lines)(struct log *l, const struct log_chunk *c);
        void (*flush)(struct log *l);
        void (*close)(struct log *l);
};
extern const struct log_driver log_driver_json_file, log_driver_local, log_driver_k8s_file, log_driver_journald, log_driver_syslog;

struct log_ring;
struct log {
        const struct log_driver *driver; /* NULL: none */
        const struct monitor_options *options;
        char *fixed; /* what is the same in every record: attributes, fields, a tag; as the driver writes it */
        size_t fixed_len;
        struct logfile file;
        int64_t page_time, page_time_written; /* local: of the last record; of the last one in the file */
        int fd; /* of a socket, -1 */
        int64_t retry; /* when to connect again */
        uint32_t pieces; /* journald: of the line that is going on */
        struct log_ring *ring;
        _Atomic uint64_t lost; /* records */
};

/* fixed: owned by the log from here on. */
void log_init(struct log *l, const struct monitor_options *o, char *fixed, size_t fixed_len);
size_t log_lines(struct log *l, const struct log_chunk *c);
void log_flush(struct log *l);
void log_close(struct log *l);
/* Gives buffers back until they are needed again. */
void log_rest(struct log *l);
/* Who rotates the file has moved it away: the next record makes a new one. */
void log_reopen(struct log *l);
bool log_wanted(const struct log *l);

/* One record of a chunk for the drivers that write them one by one: a line without its newline, or as much as one record takes. */
struct log_piece {
        const uint8_t *text;
        size_t len, used; /* used 0: the line has no end yet */
        bool open; /* no newline follows */
};
void log_piece_next(const struct log_chunk *c, size_t at, struct log_piece *ret);
size_t log_lines_count(const uint8_t *data, size_t len);

/* ---- log_ring.c ---- */
/* NULL when there is no memory or thread for it: then the log is written as ever. */
struct log_ring *log_ring_new(struct log *l, uint64_t size);
size_t log_ring_add(struct log_ring *r, const struct log_chunk *c);
/* Waits until all that was taken is written. */
void log_ring_close(struct log_ring *r);
void log_ring_reopen(struct log_ring *r);

/* ---- logsocket.c ---- */
/* "unix:PATH", "unixgram:PATH", "udp:ADDRESS:PORT", "tcp:ADDRESS:PORT"; an address is numeric. -1 when it is none or nobody listens. */
int logsocket_open(const char *address);
/* All of it within seconds, or -1 with errno. */
int logsocket_send(int fd, const struct iovec *parts, int count);

#endif
