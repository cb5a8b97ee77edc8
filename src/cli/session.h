/* The client's side of an attach session: our terminal or pipes on one side, a container's monitor (or a pty master) on the other. */
#ifndef TARE_CLI_SESSION_H
#define TARE_CLI_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct session_options {
        int fd;                        /* attach stream; stays the caller's */
        bool tty;                      /* the container has a terminal: ours becomes raw where it is one */
        bool want_stdin;
        /* Hands a signal of ours on to the container (never with a terminal); NULL: signals are ours. It does not go through the stream: input
         * that nobody reads may be waiting there. */
        void (*signal)(void *data, int signo);
        void *data;
        bool no_stdout, no_stderr;
        const char *detach_keys;       /* NULL: ctrl-p,ctrl-q */
};
/* Runs until the container's exit frame (*ret_exit) or the detach keys (*ret_detached). ERR_UNAVAILABLE when the monitor goes away. */
int session_run(const struct session_options *o, int32_t *ret_exit, bool *ret_detached, struct err *err);
/* As above with a bare pty master and a process of our own (exec -t): ends when the master hangs up. */
int session_run_console(int console_fd, bool want_stdin, const char *detach_keys, bool *ret_detached, struct err *err);

/* "ctrl-p,ctrl-q", "a,b": bytes; ERR_INVALID. At most 16. */
int detach_keys_parse(const char *text, uint8_t ret_keys[16], unsigned *ret_count, struct err *err);
/* Size of our terminal, 0 when there is none. */
void terminal_size(uint16_t *ret_rows, uint16_t *ret_columns);

/* Raw mode of standard input; terminal_restore() is safe to call at any time and is also called at exit. */
int terminal_raw(struct err *err);
void terminal_restore(void);

#endif
