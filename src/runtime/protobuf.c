#include "runtime/protobuf-internal.h"

#include <string.h>

enum wire_type { WIRE_NUMBER = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
#define FIELD_MAX ((1u << 29) - 1)

static int add_varint(struct buf *b, uint64_t value, struct err *err)
{
        char bytes[10];
        size_t len = 0;
        for (; value >= 0x80; value >>= 7)
                bytes[len++] = (char)(value | 0x80);
        bytes[len++] = (char)value;
        return buf_add(b, bytes, len, err);
}

static int add_key(struct buf *b, uint32_t field, enum wire_type type, struct err *err)
{
        return add_varint(b, (uint64_t)field << 3 | type, err);
}

int protobuf_number(struct buf *b, uint32_t field, uint64_t value, struct err *err)
{
        return add_key(b, field, WIRE_NUMBER, err) < 0 ? -1 : add_varint(b, value, err);
}

int protobuf_bytes(struct buf *b, uint32_t field, const void *data, size_t len, struct err *err)
{
        if (add_key(b, field, WIRE_BYTES, err) < 0 || add_varint(b, len, err) < 0)
                return -1;
        return len ? buf_add(b, data, len, err) : 0;
}

int protobuf_text(struct buf *b, uint32_t field, const char *text, struct err *err)
{
        return text ? protobuf_bytes(b, field, text, strlen(text), err) : 0;
}

/* ---- reading ---- */

static int no_message(struct err *err)
{
        return err_set(err, ERR_CORRUPT, "no protocol buffer message");
}

static int take_varint(struct protobuf_reader *r, uint64_t *ret, struct err *err)
{
        uint64_t value = 0;
        for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
                unsigned char byte = *r->at++;
                if (shift == 63 && byte > 1)
                        break;
                value |= (uint64_t)(byte & 0x7f) << shift;
                if (byte & 0x80)
                        continue;
                *ret = value;
                return 0;
        }
        return no_message(err);
}

static int take_bytes(struct protobuf_reader *r, uint64_t len, struct protobuf_field *f, struct err *err)
{
        if (len > (uint64_t)(r->end - r->at))
                return no_message(err);
        f->data = (const char *)r->at;
        f->len = (size_t)len;
        r->at += len;
        return 0;
}

static int take_value(struct protobuf_reader *r, unsigned type, struct protobuf_field *f, struct err *err)
{
        uint64_t len = 0;
        switch (type) {
        case WIRE_NUMBER:
                f->is_number = true;
                return take_varint(r, &f->value, err);
        case WIRE_BYTES:
                return take_varint(r, &len, err) < 0 ? -1 : take_bytes(r, len, f, err);
        case WIRE_64:
                return take_bytes(r, 8, f, err);
        case WIRE_32:
                return take_bytes(r, 4, f, err);
        default:
                return no_message(err);
        }
}

int protobuf_next(struct protobuf_reader *r, struct protobuf_field *ret, struct err *err)
{
        struct protobuf_field f = { 0 };
        uint64_t key = 0;
        if (r->at >= r->end)
                return 0;
        if (take_varint(r, &key, err) < 0)
                return -1;
        if (key >> 3 == 0 || key >> 3 > FIELD_MAX)
                return no_message(err);
        f.number = (uint32_t)(key >> 3);
        if (take_value(r, key & 7, &f, err) < 0)
                return -1;
        *ret = f;
        return 1;
}
