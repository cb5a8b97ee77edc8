/* gzip by zlib, where ISA-L is missing. RFC 1952. */
#include <string.h>
#include <zlib.h>
#include "base/mem.h"
#include "storage/compress-internal.h"

enum { WINDOW_GZIP = 15 + 16, PART_MAX = 1 << 30 };

static void *gzip_encode_start(int level)
{
        z_stream *z = xcalloc(1, sizeof(*z));
        /* Fails only without memory; no header is given, so it has no time and no name. */
        if (deflateInit2(z, level <= 0 || level > 9 ? Z_DEFAULT_COMPRESSION : level, Z_DEFLATED, WINDOW_GZIP, 8,
                         Z_DEFAULT_STRATEGY) != Z_OK)
                abort();
        return z;
}

static int gzip_encode(void *state, const void *data, size_t len, bool end, struct codec_out *out, struct err *err)
{
        z_stream *z = state;
        z->next_in = (unsigned char *)(uintptr_t)data;
        z->avail_in = (uInt)len;
        for (;;) {
                z->next_out = out->bytes + out->len;
                z->avail_out = (uInt)(out->cap - out->len);
                int r = deflate(z, end ? Z_FINISH : Z_NO_FLUSH);
                out->len = out->cap - z->avail_out;
                if (r == Z_STREAM_ERROR)
                        return err_set(err, ERR_SYSTEM, "compression failed");
                bool full = out->len == out->cap;
                if (full && codec_flush(out, err) < 0)
                        return -1;
                if (end ? r == Z_STREAM_END : z->avail_in == 0 && !full)
                        return 0;
        }
}

static void gzip_encode_stop(void *state)
{
        deflateEnd(state);
        free(state);
}

const struct encoder encoder_gzip = { gzip_encode_start, gzip_encode, gzip_encode_stop };

struct gzip_decoder {
        z_stream z;
        bool between;
};

static void *gzip_decode_start(void)
{
        struct gzip_decoder *d = xcalloc(1, sizeof(*d));
        if (inflateInit2(&d->z, WINDOW_GZIP) != Z_OK)
                abort();
        return d;
}

static int member_run(struct gzip_decoder *d, const unsigned char **data, size_t *len, struct codec_out *out,
                      struct err *err)
{
        d->z.next_in = (unsigned char *)(uintptr_t)*data;
        d->z.avail_in = (uInt)*len;
        for (;;) {
                d->z.next_out = out->bytes + out->len;
                d->z.avail_out = (uInt)(out->cap - out->len);
                int r = inflate(&d->z, Z_NO_FLUSH);
                out->len = out->cap - d->z.avail_out;
                if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
                        return err_set(err, ERR_CORRUPT, "gzip data is damaged (%s)", d->z.msg ? d->z.msg : "format");
                bool full = out->len == out->cap;
                if (full && codec_flush(out, err) < 0)
                        return -1;
                d->between = r == Z_STREAM_END;
                if (d->between || (d->z.avail_in == 0 && !full))
                        break;
        }
        *data += *len - d->z.avail_in;
        *len = d->z.avail_in;
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
                        inflateReset(&d->z);
                        d->between = false;
                }
                size_t part = len > PART_MAX ? PART_MAX : len, rest = part;
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

static void gzip_decode_stop(void *state)
{
        struct gzip_decoder *d = state;
        inflateEnd(&d->z);
        free(d);
}

const struct decoder decoder_gzip = { gzip_decode_start, gzip_decode, gzip_decode_ended, gzip_decode_stop };
