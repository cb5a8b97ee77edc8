#include <string.h>
#include "base/str.h"
#include "runtime/dbus-internal.h"

/* Bodies are ours and small: a buffer at its maximum is a mistake of the caller that sending then tells. */
static void put(struct buf *b, const void *data, size_t len)
{
        struct err unused = ERR_INIT;
        (void)buf_add(b, data, len, &unused);
}

void dbus_align(struct buf *b, size_t to)
{
        static const char zeros[8];
        put(b, zeros, (to - b->len % to) % to);
}

void dbus_add_byte(struct buf *b, uint8_t value)
{
        put(b, &value, 1);
}

void dbus_add_u32(struct buf *b, uint32_t value)
{
        dbus_align(b, 4);
        put(b, &value, 4);
}

void dbus_add_u64(struct buf *b, uint64_t value)
{
        dbus_align(b, 8);
        put(b, &value, 8);
}

void dbus_add_string(struct buf *b, const char *s)
{
        dbus_add_u32(b, (uint32_t)strlen(s));
        put(b, s, strlen(s) + 1);
}

void dbus_add_signature(struct buf *b, const char *s)
{
        dbus_add_byte(b, (uint8_t)strlen(s));
        put(b, s, strlen(s) + 1);
}

size_t dbus_array_begin(struct buf *b, size_t to)
{
        dbus_add_u32(b, 0);
        size_t mark = b->len;
        dbus_align(b, to);
        return mark;
}

/* The length counts from the first element, not from the padding before it. */
void dbus_array_end(struct buf *b, size_t mark, size_t to)
{
        size_t first = mark + (to - mark % to) % to;
        uint32_t len = (uint32_t)(b->len - first);
        memcpy(b->data + mark - 4, &len, 4);
}

void dbus_read_align(struct dbus_reader *r, size_t to)
{
        r->at += (to - r->at % to) % to;
}

static const unsigned char *take(struct dbus_reader *r, size_t len)
{
        if (r->failed || r->at > r->len || r->len - r->at < len) {
                r->failed = true;
                return NULL;
        }
        r->at += len;
        return r->data + r->at - len;
}

uint32_t dbus_read_u32(struct dbus_reader *r)
{
        uint32_t value = 0;
        dbus_read_align(r, 4);
        const unsigned char *at = take(r, 4);
        if (at)
                memcpy(&value, at, 4);
        return value;
}

static const char *text(struct dbus_reader *r, size_t len)
{
        const unsigned char *at = take(r, len + 1);
        if (!at || at[len] || strlen((const char *)at) != len) {
                r->failed = true;
                return "";
        }
        return (const char *)at;
}

const char *dbus_read_string(struct dbus_reader *r)
{
        return text(r, dbus_read_u32(r));
}

const char *dbus_read_signature(struct dbus_reader *r)
{
        const unsigned char *len = take(r, 1);
        return len ? text(r, *len) : "";
}

void dbus_message_done(struct dbus_message *m)
{
        free(m->path);
        free(m->interface);
        free(m->member);
        free(m->error_name);
        free(m->sender);
        free(m->signature);
        buf_done(&m->body);
}
