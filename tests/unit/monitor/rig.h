/* A monitor with an "init" under it, made as the engine makes one: fork, fork of init, exec of tare-monitor.
 * Everything is checked from outside: files, frames, processes. rig_start(), use, rig_done() which fails the test
 * when the monitor does not end. */
#ifndef TARE_TESTS_UNIT_MONITOR_RIG_H
#define TARE_TESTS_UNIT_MONITOR_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <sys/types.h>
#include "base/buf.h"
#include "runtime/attach.h"

struct rig_options {
        const char *command; /* of /bin/sh -c */
        bool tty, open_stdin, stdin_once, listen, no_log, own_lock;
        bool attach, attach_stdin, clean_mine; /* a first session, as `tare run` has */
        uint64_t log_max_size;
        uint32_t log_max_files;
        const char *log_driver; /* NULL: json-file */
        const char *log_fixed, *log_address, *log_format, *log_packer;
        uint64_t log_ring;
        uint64_t file_size_max; /* as of a full disk; 0: none */
        const char *cgroup_path;
        int port_fd; /* 0: none */
        int64_t health_interval, health_start_interval, health_start_period;
        const char *probe; /* of /bin/sh: what a check does */
};

struct rig {
        char *dir; /* scratch: run/, log, cleanup, marker */
        int dir_fd, run_fd;
        pid_t monitor;
        bool cleaned; /* set by a test that told the monitor so: the cleanup program does not run */
        int client; /* our end of the first session, -1 */
};

void rig_start(struct rig *r, const struct rig_options *o);
void rig_done(struct rig *r);
/* Waits until the monitor has ended; fails after 20 s. Its exit status. */
int rig_wait(struct rig *r);
char *rig_path(const struct rig *r, const char *name);
void rig_status(const struct rig *r, struct container_status *ret);
/* The whole log, NUL-terminated; suffix "" or ".1". NULL when there is none. */
char *rig_log(const struct rig *r, const char *suffix, size_t *ret_len);
/* All "log" texts of one stream in order. */
void rig_log_text(const struct rig *r, const char *stream, struct buf *ret);
/* What the cleanup program saw, or NULL when it did not run (wait: for up to 10 s). */
char *rig_marker(const struct rig *r, bool wait);
/* Waits (20 s) until `path` in the scratch folder exists. */
void rig_wait_file(const struct rig *r, const char *name);

/* ---- sessions ---- */
int session_open(const struct rig *r, bool in, bool out, bool err);
/* The next frame; false at the end of the stream. Fails after 20 s. */
bool session_next(int fd, enum attach_frame *ret_type, struct buf *ret_payload);
/* Everything to the end or the exit frame: stdout and stderr texts, the exit code (-1: none came). */
int32_t session_collect(int fd, struct buf *out, struct buf *err);
void session_type(int fd, enum attach_frame type, const void *data, size_t len);
/* Reads stdout until `text` has come. */
void session_expect(int fd, const char *text);

void busy_wait_ms(int ms);

#endif
