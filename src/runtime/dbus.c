#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/str.h"
#include "runtime/dbus-internal.h"

#define TIMEOUT_MS 30000
#define HEADER_MAX 65536
#define BODY_MAX (4u << 20)

enum { FIELD_PATH = 1, FIELD_INTERFACE, FIELD_MEMBER, FIELD_ERROR, FIELD_REPLY, FIELD_DESTINATION, FIELD_SENDER, FIELD_SIGNATURE };

static int64_t now_ms(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void dbus_set_timeout(struct dbus *d, int64_t ms)
{
        d->deadline_ms = now_ms() + ms;
}

void dbus_close(struct dbus *d)
{
        mem_closep(&d->fd);
}

/* ---- bytes ---- */

static int wait_for(struct dbus *d, short events, struct err *err)
{
        int64_t left = d->deadline_ms - now_ms();
        struct pollfd p = { .fd = d->fd, .events = events };
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (n < 0 && errno != EINTR)
                return err_sys(err, "D-Bus");
        return n == 0 ? err_set(err, ERR_TIMEOUT, "no answer came over D-Bus") : 0;
}

/* All of it in one direction, waiting where the socket would. */
static int transfer(struct dbus *d, short direction, void *data, size_t len, struct err *err)
{
        char *at = data;
        while (len > 0) {
                ssize_t n = direction == POLLOUT ? send(d->fd, at, len, MSG_NOSIGNAL) : recv(d->fd, at, len, 0);
                if (n == 0 && direction == POLLIN)
                        return err_set(err, ERR_UNAVAILABLE, "the bus ended the connection");
                if (n < 0 && errno == EAGAIN) {
                        if (wait_for(d, direction, err) < 0)
                                return -1;
                        continue;
                }
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_sys(err, "D-Bus");
                at += n;
                len -= (size_t)n;
        }
        return 0;
}

static int write_all(struct dbus *d, const void *data, size_t len, struct err *err)
{
        return transfer(d, POLLOUT, (void *)data, len, err);
}

static int read_all(struct dbus *d, void *data, size_t len, struct err *err)
{
        return transfer(d, POLLIN, data, len, err);
}

/* ---- messages ---- */

static void add_field(struct buf *b, uint8_t code, const char *type, const char *value)
{
        if (!value)
                return;
        dbus_align(b, 8);
        dbus_add_byte(b, code);
        dbus_add_signature(b, type);
        if (*type == 'g')
                dbus_add_signature(b, value);
        else
                dbus_add_string(b, value);
}

static void build(struct buf *b, uint8_t type, uint32_t serial, uint32_t reply_serial, const struct dbus_call *c)
{
        dbus_add_byte(b, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B');
        dbus_add_byte(b, type);
        dbus_add_byte(b, 0);
        dbus_add_byte(b, 1);
        dbus_add_u32(b, c->body ? (uint32_t)c->body->len : 0);
        dbus_add_u32(b, serial);
        size_t fields = dbus_array_begin(b, 8);
        add_field(b, FIELD_PATH, "o", c->path);
        add_field(b, FIELD_INTERFACE, "s", c->interface);
        add_field(b, type == 3 ? FIELD_ERROR : FIELD_MEMBER, "s", c->member);
        add_field(b, FIELD_DESTINATION, "s", c->destination);
        add_field(b, FIELD_SIGNATURE, "g", c->signature);
        if (reply_serial) {
                dbus_align(b, 8);
                dbus_add_byte(b, FIELD_REPLY);
                dbus_add_signature(b, "u");
                dbus_add_u32(b, reply_serial);
        }
        dbus_array_end(b, fields, 8);
        dbus_align(b, 8);
}

int dbus_send(struct dbus *d, uint8_t type, uint32_t reply_serial, const struct dbus_call *call, uint32_t *ret_serial, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(BODY_MAX + HEADER_MAX);
        uint32_t serial = ++d->serial;
        build(&b, type, serial, reply_serial, call);
        if (call->body && call->body->len && buf_add(&b, call->body->data, call->body->len, err) < 0)
                return -1;
        if (write_all(d, b.data, b.len, err) < 0)
                return -1;
        *ret_serial = serial;
        return 0;
}

static int parse_fields(struct dbus_reader *r, size_t end, struct dbus_message *m, struct err *err)
{
        char **texts[] = { [FIELD_PATH] = &m->path,       [FIELD_INTERFACE] = &m->interface, [FIELD_MEMBER] = &m->member,
                           [FIELD_ERROR] = &m->error_name, [FIELD_SENDER] = &m->sender,       [FIELD_SIGNATURE] = &m->signature };
        while (!r->failed && r->at < end) {
                dbus_read_align(r, 8);
                uint8_t code = r->at < r->len ? r->data[r->at++] : 0;
                char type = dbus_read_signature(r)[0];
                if (type == 'u') {
                        uint32_t value = dbus_read_u32(r);
                        m->reply_serial = code == FIELD_REPLY ? value : m->reply_serial;
                        continue;
                }
                if (type != 's' && type != 'o' && type != 'g')
                        return err_set(err, ERR_CORRUPT, "a D-Bus header of type %d", type);
                const char *value = type == 'g' ? dbus_read_signature(r) : dbus_read_string(r);
                if (code < ELEMENTS(texts) && texts[code])
                        str_replace(texts[code], value);
        }
        return r->failed ? err_set(err, ERR_CORRUPT, "a D-Bus header that ends early") : 0;
}

int dbus_receive(struct dbus *d, struct dbus_message *ret, struct err *err)
{
        _cleanup_dbus_message_ struct dbus_message m = { .body = BUF_INIT(BODY_MAX) };
        unsigned char head[16];
        uint32_t numbers[3]; /* body, serial, fields */
        if (read_all(d, head, sizeof(head), err) < 0)
                return -1;
        memcpy(numbers, head + 4, sizeof(numbers));
        if (head[0] != (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B') || head[3] != 1 || numbers[0] > BODY_MAX ||
            numbers[2] > HEADER_MAX)
                return err_set(err, ERR_CORRUPT, "not a D-Bus message of ours");
        /* Fields are aligned from the start of the message, of which 16 bytes are read: a multiple of 8. */
        size_t padded = (numbers[2] + 7u) & ~7u;
        _cleanup_free_ unsigned char *fields = xmalloc(padded + 1);
        struct dbus_reader r = { .data = fields, .len = numbers[2] };
        if (read_all(d, fields, padded, err) < 0 || parse_fields(&r, numbers[2], &m, err) < 0 ||
            buf_reserve(&m.body, numbers[0] + 1, err) < 0 || read_all(d, m.body.data, numbers[0], err) < 0)
                return -1;
        m.body.len = numbers[0];
        buf_terminate(&m.body);
        m.type = head[1];
        m.serial = numbers[1];
        *ret = m;
        m = (struct dbus_message){ 0 };
        return 0;
}

static int service_error(const struct dbus_message *m, char **ret_error, struct err *err)
{
        struct dbus_reader r = { .data = (const unsigned char *)m->body.data, .len = m->body.len };
        const char *words = m->signature && m->signature[0] == 's' ? dbus_read_string(&r) : "";
        if (ret_error)
                *ret_error = xstrdup(m->error_name ? m->error_name : "");
        bool denied = m->error_name && (str_ends(m->error_name, ".AccessDenied") || str_ends(m->error_name, ".InteractiveAuthorizationRequired"));
        bool absent = m->error_name && (str_ends(m->error_name, ".ServiceUnknown") || str_ends(m->error_name, ".NameHasNoOwner"));
        return err_set(err, denied ? ERR_DENIED : absent ? ERR_UNAVAILABLE : ERR_INVALID, "%s: %s", m->error_name ? m->error_name : "error", words);
}

int dbus_call(struct dbus *d, const struct dbus_call *call, dbus_signal_fn fn, void *data, struct dbus_message *ret, char **ret_error,
              struct err *err)
{
        uint32_t serial;
        if (dbus_send(d, 1, 0, call, &serial, err) < 0)
                return err_add(err, "%s", call->member);
        for (;;) {
                _cleanup_dbus_message_ struct dbus_message m = { 0 };
                if (dbus_receive(d, &m, err) < 0)
                        return err_add(err, "%s", call->member);
                if (m.type == 4 && fn)
                        fn(data, &m);
                if ((m.type != 2 && m.type != 3) || m.reply_serial != serial)
                        continue;
                if (m.type == 3)
                        return service_error(&m, ret_error, err);
                *ret = m;
                m = (struct dbus_message){ 0 };
                return 0;
        }
}

/* ---- connecting ---- */

/* The value of a key in "unix:path=/a%20b,guid=..", unescaped; NULL: not there. */
static char *address_value(const char *address, const char *key)
{
        size_t len = strlen(key);
        for (const char *at = address; at; at = strchr(at, ',')) {
                at += *at == ',';
                if (strncmp(at, key, len) != 0 || at[len] != '=')
                        continue;
                char *value = xstrndup(at + len + 1, strcspn(at + len + 1, ",;")), *to = value;
                for (const char *from = value; *from; from++) {
                        unsigned byte = (unsigned char)*from;
                        if (*from == '%' && sscanf(from + 1, "%2x", &byte) == 1 && from[1] && from[2])
                                from += 2;
                        *to++ = (char)byte;
                }
                *to = 0;
                return value;
        }
        return NULL;
}

static int connect_one(const char *address, struct err *err)
{
        struct sockaddr_un sun = { .sun_family = AF_UNIX };
        const char *values = str_after(address, "unix:");
        _cleanup_free_ char *path = values ? address_value(values, "path") : NULL,
                            *abstract = values && !path ? address_value(values, "abstract") : NULL;
        const char *name = path ? path : abstract;
        if (str_empty(name) || strlen(name) > sizeof(sun.sun_path) - 2)
                return err_set(err, ERR_INVALID, "the D-Bus address \"%s\" is no unix socket", address);
        memcpy(sun.sun_path + (abstract ? 1 : 0), name, strlen(name));
        socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&sun, len) < 0) {
                err_sys(err, "D-Bus at %s", name);
                err->kind = ERR_UNAVAILABLE;
                return -1;
        }
        return TAKE_FD(fd);
}

static int read_line(struct dbus *d, char *line, size_t size, struct err *err)
{
        for (size_t i = 0; i + 1 < size; i++) {
                if (read_all(d, line + i, 1, err) < 0)
                        return -1;
                if (line[i] == '\n') {
                        line[i > 0 && line[i - 1] == '\r' ? i - 1 : i] = 0;
                        return 0;
                }
        }
        return err_set(err, ERR_CORRUPT, "a line of the bus is too long");
}

/* Who we are the bus takes from the socket: our id may be another in our user namespace. */
static int authenticate(struct dbus *d, struct err *err)
{
        static const char words[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
        char line[512];
        if (write_all(d, words, sizeof(words) - 1, err) < 0 || read_line(d, line, sizeof(line), err) < 0)
                return -1;
        if (str_starts(line, "DATA") && read_line(d, line, sizeof(line), err) < 0)
                return -1;
        return str_starts(line, "OK") ? 0 : err_set(err, ERR_DENIED, "the bus does not let us in: %s", line);
}

int dbus_open(const char *address, struct dbus *ret, struct err *err)
{
        _cleanup_(dbus_close) struct dbus d = { .fd = -1 };
        _cleanup_strv_ char **list = strv_split(address, ";", false);
        if (!list)
                return err_set(err, ERR_INVALID, "an empty D-Bus address");
        STRV_FOREACH (one, list) {
                err_clear(err);
                if ((d.fd = connect_one(*one, err)) >= 0)
                        break;
        }
        if (d.fd < 0)
                return -1;
        dbus_set_timeout(&d, TIMEOUT_MS);
        struct dbus_call hello = { .destination = "org.freedesktop.DBus",
                                   .path = "/org/freedesktop/DBus",
                                   .interface = "org.freedesktop.DBus",
                                   .member = "Hello" };
        _cleanup_dbus_message_ struct dbus_message m = { 0 };
        if (authenticate(&d, err) < 0 || dbus_call(&d, &hello, NULL, NULL, &m, NULL, err) < 0)
                return err_add(err, "D-Bus");
        *ret = d;
        d.fd = -1;
        return 0;
}
