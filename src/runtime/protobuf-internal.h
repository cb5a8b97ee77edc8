/* The wire format of protocol buffers (protobuf.dev, "Encoding"), as far as criu's messages use it: numbers and texts,
 * messages in messages as texts. Fields come and go by number; what they mean is criu_message.c's.
 *
 * Writing appends to a buffer whose maximum was declared. Reading goes from field to field over bytes that stay the
 * caller's; unknown fields are passed over by whoever reads. ERR_CORRUPT for what is no message. */
#ifndef TARE_RUNTIME_PROTOBUF_INTERNAL_H
#define TARE_RUNTIME_PROTOBUF_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

int protobuf_number(struct buf *b, uint32_t field, uint64_t value, struct err *err);
int protobuf_bytes(struct buf *b, uint32_t field, const void *data, size_t len, struct err *err);
/* NULL: the field is left out. */
int protobuf_text(struct buf *b, uint32_t field, const char *text, struct err *err);

struct protobuf_reader {
        const unsigned char *at, *end;
};
struct protobuf_field {
        uint32_t number;
        bool is_number;
        uint64_t value;                /* of a number */
        const char *data;              /* of everything else, in the reader's bytes */
        size_t len;
};
static inline struct protobuf_reader protobuf_read(const void *data, size_t len)
{
        return (struct protobuf_reader){ data, (const unsigned char *)data + len };
}
/* 1: a field; 0: there are no more. */
int protobuf_next(struct protobuf_reader *r, struct protobuf_field *ret, struct err *err);

#endif
