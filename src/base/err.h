/* The one error type of tare.
 *
 * An `struct err` is owned by the caller, holds no pointers and is never freed; a child may write it down a pipe as
 * bytes. A function that can fail takes `struct err *err` as its last parameter and returns 0 on success, -1 on failure
 * (or NULL where it returns a pointer); on failure *err is set and every `ret_` output is untouched. `err` is
 * never NULL.
 *
 * Each room boundary adds context with err_add(), so that the message reads from the outside in:
 *     pull debian:12: layer sha256:ab12..: connection reset by peer
 * Libraries never print and never exit; the program's main prints one line and maps the kind to an exit code.
 */
#ifndef TARE_BASE_ERR_H
#define TARE_BASE_ERR_H

#include <stdarg.h>

enum err_kind {
        ERR_NONE = 0,
        ERR_INVALID,          /* the caller's words are wrong: flag, name, reference, document. HTTP 400 */
        ERR_UNAUTHORIZED,     /* credentials are missing or refused. HTTP 401 */
        ERR_DENIED,           /* known who asks, and not allowed. HTTP 403 */
        ERR_NOT_FOUND,        /* no such container, image, file. HTTP 404 */
        ERR_CONFLICT,         /* exists already, is running, is in use. HTTP 409 */
        ERR_TOO_LARGE,        /* a declared maximum was exceeded. HTTP 413 */
        ERR_CORRUPT,          /* content does not match its digest or its format. HTTP 500 */
        ERR_UNSUPPORTED,      /* this kernel or this build cannot. HTTP 501 */
        ERR_UNAVAILABLE,      /* a peer does not answer or refuses; trying again may help. HTTP 503 */
        ERR_TIMEOUT,          /* HTTP 504 */
        ERR_CANNOT_RUN,       /* the container's command exists and cannot be executed. exit 126 */
        ERR_NO_COMMAND,       /* the container's command does not exist. exit 127 */
        ERR_SYSTEM,           /* the system said no; `sys` holds errno. HTTP 500 */
        ERR_KIND_COUNT
};

struct err {
        enum err_kind kind;
        int sys;              /* errno where a system call failed, else 0 */
        char msg[512];        /* one line, no newline, no trailing period; truncated from the right */
};

#define ERR_INIT { .kind = ERR_NONE }

/* Sets *err and returns -1, so that `return err_set(...)` reads well. Control characters in arguments that came from
 * outside are replaced by '?', so that a hostile name cannot move a terminal's cursor. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with the text of `errnum` appended after ": ", and the kind that errnum suggests (ENOENT: ERR_NOT_FOUND,
 * EACCES/EPERM: ERR_DENIED, EEXIST/EBUSY: ERR_CONFLICT, others: ERR_SYSTEM). */
int err_sysnum(struct err *err, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* err_sysnum with the current errno. */
#define err_sys(err, ...) err_sysnum((err), errno, __VA_ARGS__)

/* Puts "context: " before the message already in *err, keeps its kind, and returns -1. */
int err_add(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Empties *err. */
void err_clear(struct err *err);

#endif
