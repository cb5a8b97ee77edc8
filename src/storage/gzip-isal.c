/* gzip by ISA-L: three times zlib's speed on inflate. RFC 1952. */
#include <isa-l/igzip_lib.h>
#include <string.h>
#include "base/mem.h"
#include "storage/compress-internal.h"

/* Level 2 packs nearly as well as gzip -5 at several times its speed; ISA-L has none above 3. */
#define LEVEL_DEFAULT 2

static const uint32_t level_sizes[] = { ISAL_DEF_LVL0_DEFAULT, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
                                        ISAL_DEF_LVL3_DEFAULT };

struct gzip_encoder {
        struct isal_zstream stream;
        unsigned char *level_buffer;
};

static void *gzip_encode_start(int level)
{
        struct gzip_encoder *e = xcalloc(1, sizeof(*e));
        uint32_t own = level <= 0 ? LEVEL_DEFAULT : level > 3 ? 3 : (uint32_t)level;
        isal_deflate_init(&e->stream);
        e->level_buffer = xmalloc(level_sizes[own] + 1);
        e->stream.level = own;
        e->stream.level_buf = e->level_buffer;
        e->stream.level_buf_size = level_sizes[own];
        e->stream.gzip_flag = IGZIP_GZIP; /* its header has no time and no name */
        return e;
}

static int gzip_encode(void *state, const void *data, size_t len, bool end, struct codec_out *out, struct err *err)
{
        struct gzip_encoder *e = state;
        e->stream.next_in = (uint8_t *)(uintptr_t)data;
        e->stream.avail_in = (uint32_t)len;
        e->stream.end_of_stream = end;
        for (;;) {
                e->stream.next_out = out->bytes + out->len;
                e->stream.avail_out = (uint32_t)(out->cap - out->len);
                if (isal_deflate(&e->stream) != COMP_OK)
                        return err_set(err, ERR_SYSTEM, "compression failed");
                out->len = out->cap - e->stream.avail_out;
                if (out->len == out->cap && codec_flush(out, err) < 0)
                        return -1;
                if (e->stream.avail_in == 0 &&
                    (end ? e->stream.internal_state.state == ZSTATE_END : e->stream.avail_out > 0))
                        return 0;
        }
}

static void gzip_encode_stop(void *state)
{
        struct gzip_encoder *e = state;
        free(e->level_buffer);
        free(e);
}

const struct encoder encoder_gzip = { gzip_encode_start, gzip_encode, gzip_encode_stop };

struct gzip_decoder {
        struct inflate_state state;
        bool between; /* a member ended and no other has begun */
};

static void member_begin(struct gzip_decoder *d)
{
        isal_inflate_init(&d->state);
        d->state.crc_flag = ISAL_GZIP;
}

static void *gzip_decode_start(void)
{
        struct gzip_decoder *d = xcalloc(1, sizeof(*d));
        member_begin(d);
        return d;
}

/* Inflates until the member or the input ends. */
static int member_run(struct gzip_decoder *d, const unsigned char **data, size_t *len, struct codec_out *out,
                      struct err *err)
{
        d->state.next_in = (uint8_t *)(uintptr_t)*data;
        d->state.avail_in = (uint32_t)*len;
        for (;;) {
                d->state.next_out = out->bytes + out->len;
                d->state.avail_out = (uint32_t)(out->cap - out->len);
                int r = isal_inflate(&d->state);
                out->len = out->cap - d->state.avail_out;
                if (r < 0 || r == ISAL_NEED_DICT)
                        return err_set(err, ERR_CORRUPT, "gzip data is damaged (%s)",
                                       r == ISAL_INCORRECT_CHECKSUM ? "checksum" : "format");
                bool full = out->len == out->cap;
                if (full && codec_flush(out, err) < 0)
                        return -1;
                d->between = d->state.block_state == ISAL_BLOCK_FINISH;
                if (d->between || (d->state.avail_in == 0 && !full))
                        break;
        }
        *data += *len - d->state.avail_in;
        *len = d->state.avail_in;
        return 0;
}

static int gzip_decode(void *state, const void *data, size_t len, struct codec_out *out, struct err *err)
{
        struct gzip_decoder *d = state;
        const unsigned char *bytes = data;
        while (len > 0) {
                if (d->between) {
                        ssize_t skip = gzip_padding(bytes, len);
                        if (skip < 0)
                                return err_set(err, ERR_CORRUPT, "gzip data is followed by something else");
                        bytes += skip;
                        len -= (size_t)skip;
                        if (len == 0)
                                break;
                        member_begin(d);
                        d->between = false;
                }
                size_t part = len > (1U << 30) ? 1U << 30 : len, rest = part;
                if (member_run(d, &bytes, &rest, out, err) < 0)
                        return -1;
                len -= part - rest;
        }
        return 0;
}

static bool gzip_decode_ended(const void *state)
{
        return ((const struct gzip_decoder *)state)->between;
}

const struct decoder decoder_gzip = { gzip_decode_start, gzip_decode, gzip_decode_ended, free };
