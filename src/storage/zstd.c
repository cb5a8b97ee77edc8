/* Zstandard by libzstd. RFC 8878. */
#include <zstd.h>
#include "base/mem.h"
#include "storage/compress-internal.h"

#define LEVEL_DEFAULT 3
/* What a peer may make us keep in memory: 128 MiB, as zstd's own tools without --long. */
#define WINDOW_LOG_MAX 27

static void *zstd_encode_start(int level)
{
        ZSTD_CCtx *c = ZSTD_createCCtx();
        if (!c)
                abort();
        ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level <= 0 ? LEVEL_DEFAULT : level);
        ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
        return c;
}

static int zstd_encode(void *state, const void *data, size_t len, bool end, struct codec_out *out, struct err *err)
{
        ZSTD_inBuffer in = { data, len, 0 };
        for (;;) {
                ZSTD_outBuffer o = { out->bytes, out->cap, out->len };
                size_t left = ZSTD_compressStream2(state, &o, &in, end ? ZSTD_e_end : ZSTD_e_continue);
                if (ZSTD_isError(left))
                        return err_set(err, ERR_SYSTEM, "compression failed: %s", ZSTD_getErrorName(left));
                out->len = o.pos;
                bool full = out->len == out->cap;
                if (full && codec_flush(out, err) < 0)
                        return -1;
                if (in.pos == in.size && (end ? left == 0 : !full))
                        return 0;
        }
}

static void zstd_encode_stop(void *state)
{
        ZSTD_freeCCtx(state);
}

const struct encoder encoder_zstd = { zstd_encode_start, zstd_encode, zstd_encode_stop };

struct zstd_decoder {
        ZSTD_DCtx *context;
        bool ended;
};

static void *zstd_decode_start(void)
{
        struct zstd_decoder *d = xcalloc(1, sizeof(*d));
        d->context = ZSTD_createDCtx();
        if (!d->context)
                abort();
        ZSTD_DCtx_setParameter(d->context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
        return d;
}

static int zstd_decode(void *state, const void *data, size_t len, struct codec_out *out, struct err *err)
{
        struct zstd_decoder *d = state;
        ZSTD_inBuffer in = { data, len, 0 };
        for (;;) {
                ZSTD_outBuffer o = { out->bytes, out->cap, out->len };
                size_t before = in.pos, left = ZSTD_decompressStream(d->context, &o, &in);
                if (ZSTD_isError(left))
                        return err_set(err, ERR_CORRUPT, "zstd data is damaged (%s)", ZSTD_getErrorName(left));
                bool moved = in.pos > before || o.pos > out->len;
                out->len = o.pos;
                /* 0: at the end of a frame. Called there once more without input it asks for the next frame's header, which says nothing. */
                if (left == 0 || moved)
                        d->ended = left == 0;
                bool full = out->len == out->cap;
                if (full && codec_flush(out, err) < 0)
                        return -1;
                if (in.pos == in.size && !full)
                        return 0;
        }
}

static bool zstd_decode_ended(const void *state)
{
        return ((const struct zstd_decoder *)state)->ended;
}

static void zstd_decode_stop(void *state)
{
        struct zstd_decoder *d = state;
        ZSTD_freeDCtx(d->context);
        free(d);
}

const struct decoder decoder_zstd = { zstd_decode_start, zstd_decode, zstd_decode_ended, zstd_decode_stop };
