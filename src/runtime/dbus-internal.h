/* The little of D-Bus that talking to systemd needs (D-Bus specification: "Message Protocol", "Authentication Protocol",
 * "Server Addresses"): one connection, calls one after the other, values written in order.
 *
 * A body is written with dbus_add_*() and sent by dbus_call() with its signature, which is the caller's to get right: a bus
 * that does not agree ends the connection. What is received is bounded and checked for its lengths. */
#ifndef TARE_RUNTIME_DBUS_INTERNAL_H
#define TARE_RUNTIME_DBUS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

/* ---- writing: values are aligned from the start of the buffer, as the body's are ---- */
void dbus_align(struct buf *b, size_t to);
void dbus_add_byte(struct buf *b, uint8_t value);
void dbus_add_u32(struct buf *b, uint32_t value);          /* also booleans */
void dbus_add_u64(struct buf *b, uint64_t value);
void dbus_add_string(struct buf *b, const char *s);        /* also object paths */
void dbus_add_signature(struct buf *b, const char *s);
/* Elements follow, each aligned to `to` by its own writer. */
size_t dbus_array_begin(struct buf *b, size_t to);
void dbus_array_end(struct buf *b, size_t mark, size_t to);

/* ---- reading ---- */
struct dbus_reader {
        const unsigned char *data;
        size_t len, at;
        bool failed;                   /* past the end: everything read is 0 or "" from then on */
};
uint32_t dbus_read_u32(struct dbus_reader *r);
const char *dbus_read_string(struct dbus_reader *r);       /* into the data */
const char *dbus_read_signature(struct dbus_reader *r);
void dbus_read_align(struct dbus_reader *r, size_t to);

struct dbus_message {
        uint8_t type;                  /* 1 call, 2 return, 3 error, 4 signal */
        uint32_t serial, reply_serial;
        char *path, *interface, *member, *error_name, *sender, *signature;      /* NULL: not told */
        struct buf body;
};
void dbus_message_done(struct dbus_message *m);
#define _cleanup_dbus_message_ _cleanup_(dbus_message_done)

/* ---- a connection ---- */
struct dbus {
        int fd;
        uint32_t serial;
        int64_t deadline_ms;           /* on the monotonic clock: of whatever is waited for */
};
/* address: "unix:path=/run/dbus/system_bus_socket" or "unix:abstract=..."; the first of a list that can be reached. */
int dbus_open(const char *address, struct dbus *ret, struct err *err);
void dbus_close(struct dbus *d);
void dbus_set_timeout(struct dbus *d, int64_t ms);

struct dbus_call {
        const char *destination, *path, *interface, *member, *signature;        /* signature NULL: no body */
        const struct buf *body;
};
/* Signals that arrive while a reply is waited for. */
typedef void (*dbus_signal_fn)(void *data, const struct dbus_message *m);
/* The return of the call; ERR_INVALID with the service's name and words when it answers with an error, whose D-Bus name is in
 * *ret_error (heap) when that is not NULL. */
int dbus_call(struct dbus *d, const struct dbus_call *call, dbus_signal_fn fn, void *data, struct dbus_message *ret, char **ret_error,
              struct err *err);
/* The next message, whatever it is. */
int dbus_receive(struct dbus *d, struct dbus_message *ret, struct err *err);
/* For a service of a test: sends a message as it is. */
int dbus_send(struct dbus *d, uint8_t type, uint32_t reply_serial, const struct dbus_call *call, uint32_t *ret_serial, struct err *err);

#endif
