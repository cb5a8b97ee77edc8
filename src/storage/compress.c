#include <string.h>
#include "base/mem.h"
#include "storage/compress-internal.h"
#include "storage/layer.h"

struct compressor {
        const struct encoder *encoder; /* NULL: bytes pass as they are */
        void *state;
        struct codec_out out;
        unsigned char *in;
        size_t in_len;
};

#define MAGIC_MAX 6
struct decompressor {
        enum compression kind;
        const struct decoder *decoder; /* NULL: bytes pass as they are, or kind is not known yet */
        void *state;
        struct codec_out out;
        bool pass_foreign;
        unsigned char head[MAGIC_MAX];
        size_t head_len;
};

static const struct codec {
        enum compression kind;
        const struct encoder *encoder;
        const struct decoder *decoder;
} codecs[] = {
        { COMPRESSION_NONE, NULL, NULL },
        { COMPRESSION_GZIP, &encoder_gzip, &decoder_gzip },
        { COMPRESSION_ZSTD, &encoder_zstd, &decoder_zstd },
};

static const struct codec *codec_find(enum compression kind)
{
        for (size_t i = 0; i < ELEMENTS(codecs); i++)
                if (codecs[i].kind == kind)
                        return &codecs[i];
        return NULL;
}

int codec_flush(struct codec_out *out, struct err *err)
{
        size_t len = out->len;
        out->len = 0;
        return len ? out->sink(out->data, out->bytes, len, err) : 0;
}

static void out_init(struct codec_out *out, compress_sink_fn sink, void *data)
{
        out->own = xmalloc(COMPRESS_STEP);
        out->bytes = out->own;
        out->cap = COMPRESS_STEP;
        out->sink = sink;
        out->data = data;
}

/* --- in --- */

int compressor_new(enum compression kind, int level, compress_sink_fn sink, void *data, struct compressor **ret,
                   struct err *err)
{
        const struct codec *codec = codec_find(kind);
        if (!codec)
                return err_set(err, ERR_UNSUPPORTED, "no such compression");
        struct compressor *c = xcalloc(1, sizeof(*c));
        c->encoder = codec->encoder;
        c->state = c->encoder ? c->encoder->start(level) : NULL;
        c->in = xmalloc(COMPRESS_STEP);
        out_init(&c->out, sink, data);
        *ret = c;
        return 0;
}

int compressor_write(struct compressor *c, const void *data, size_t len, struct err *err)
{
        const unsigned char *bytes = data;
        if (!c->encoder)
                return c->out.sink(c->out.data, data, len, err);
        while (len > 0) {
                size_t part = COMPRESS_STEP - c->in_len < len ? COMPRESS_STEP - c->in_len : len;
                memcpy(c->in + c->in_len, bytes, part);
                c->in_len += part;
                bytes += part;
                len -= part;
                if (c->in_len < COMPRESS_STEP)
                        break;
                if (c->encoder->run(c->state, c->in, c->in_len, false, &c->out, err) < 0)
                        return -1;
                c->in_len = 0;
        }
        return 0;
}

int compressor_finish(struct compressor *c, struct err *err)
{
        if (!c->encoder)
                return 0;
        if (c->encoder->run(c->state, c->in, c->in_len, true, &c->out, err) < 0)
                return -1;
        c->in_len = 0;
        return codec_flush(&c->out, err);
}

void compressor_free(struct compressor *c)
{
        if (!c)
                return;
        if (c->encoder)
                c->encoder->stop(c->state);
        free(c->in);
        free(c->out.own);
        free(c);
}

/* --- out --- */

enum compression compression_of_magic(const void *data, size_t len)
{
        static const struct {
                enum compression kind;
                const char *magic;
                size_t len;
        } magics[] = {
                { COMPRESSION_GZIP, "\x1f\x8b\x08", 3 },
                { COMPRESSION_ZSTD, "\x28\xb5\x2f\xfd", 4 },
                { COMPRESSION_UNKNOWN, "\xfd\x37zXZ\0", 6 },
                { COMPRESSION_UNKNOWN, "BZh", 3 },
        };
        const unsigned char *bytes = data;
        for (size_t i = 0; i < ELEMENTS(magics); i++)
                if (len >= magics[i].len && memcmp(data, magics[i].magic, magics[i].len) == 0)
                        return magics[i].kind;
        /* A zstd stream may begin with skippable frames. */
        if (len >= 4 && (bytes[0] & 0xf0) == 0x50 && memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0)
                return COMPRESSION_ZSTD;
        return COMPRESSION_NONE;
}

static int decoder_choose(struct decompressor *d, enum compression kind, struct err *err)
{
        const struct codec *codec = codec_find(kind);
        if (!codec)
                return err_set(err, ERR_UNSUPPORTED, "compression other than gzip and zstd");
        d->kind = kind;
        d->decoder = codec->decoder;
        d->state = d->decoder ? d->decoder->start() : NULL;
        return 0;
}

int decompressor_new(enum compression kind, compress_sink_fn sink, void *data, struct decompressor **ret,
                     struct err *err)
{
        _cleanup_(decompressor_freep) struct decompressor *d = xcalloc(1, sizeof(*d));
        d->kind = COMPRESSION_UNKNOWN;
        out_init(&d->out, sink, data);
        if (kind != COMPRESSION_UNKNOWN && decoder_choose(d, kind, err) < 0)
                return -1;
        *ret = TAKE_PTR(d);
        return 0;
}

void decompressor_output(struct decompressor *d, void *bytes, size_t cap)
{
        d->out.bytes = bytes;
        d->out.cap = cap;
}

void decompressor_pass_foreign(struct decompressor *d)
{
        d->pass_foreign = true;
}

static int decoder_run(struct decompressor *d, const void *data, size_t len, struct err *err)
{
        if (len == 0)
                return 0;
        return d->decoder ? d->decoder->run(d->state, data, len, &d->out, err)
                          : d->out.sink(d->out.data, data, len, err);
}

/* The kind is judged by the first bytes; they may come one at a time. */
static int head_end(struct decompressor *d, struct err *err)
{
        enum compression kind = compression_of_magic(d->head, d->head_len);
        if (kind == COMPRESSION_UNKNOWN && d->pass_foreign)
                kind = COMPRESSION_NONE;
        return decoder_choose(d, kind, err) < 0 ? -1 : decoder_run(d, d->head, d->head_len, err);
}

int decompressor_write(struct decompressor *d, const void *data, size_t len, struct err *err)
{
        const unsigned char *bytes = data;
        while (d->kind == COMPRESSION_UNKNOWN && len > 0) {
                d->head[d->head_len++] = *bytes++;
                len--;
                if (d->head_len == MAGIC_MAX && head_end(d, err) < 0)
                        return -1;
        }
        return decoder_run(d, bytes, len, err);
}

int decompressor_finish(struct decompressor *d, struct err *err)
{
        if (d->kind == COMPRESSION_UNKNOWN && head_end(d, err) < 0)
                return -1;
        if (d->decoder && !d->decoder->ended(d->state))
                return err_set(err, ERR_CORRUPT, "compressed data is truncated");
        return codec_flush(&d->out, err);
}

void decompressor_free(struct decompressor *d)
{
        if (!d)
                return;
        if (d->decoder)
                d->decoder->stop(d->state);
        free(d->out.own);
        free(d);
}

ssize_t gzip_padding(const unsigned char *data, size_t len)
{
        size_t zeros = 0;
        while (zeros < len && data[zeros] == 0)
                zeros++;
        if (zeros == len)
                return (ssize_t)zeros;
        return data[zeros] == 0x1f ? (ssize_t)zeros : -1;
}
