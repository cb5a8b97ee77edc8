/* The codecs behind compressor and decompressor. Input comes in fixed steps and output goes out in whole buffers, so that the same bytes
 * in give the same bytes out however the caller cut them. */
#ifndef TARE_STORAGE_COMPRESS_INTERNAL_H
#define TARE_STORAGE_COMPRESS_INTERNAL_H

#include <stdbool.h>
#include "storage/layer.h"

#define COMPRESS_STEP ((size_t)256 << 10)

struct codec_out {
        compress_sink_fn sink;
        void *data;
        unsigned char *bytes; /* filled up to len, then given to the sink */
        size_t cap, len;
        unsigned char *own; /* ours to free; `bytes` may be the caller's */
};

struct encoder {
        void *(*start)(int level);
        /* Takes all of the input; `end`: and finishes. */
        int (*run)(void *state, const void *data, size_t len, bool end, struct codec_out *out, struct err *err);
        void (*stop)(void *state);
};
struct decoder {
        void *(*start)(void);
        int (*run)(void *state, const void *data, size_t len, struct codec_out *out, struct err *err);
        bool (*ended)(const void *state); /* between two members, or after the last */
        void (*stop)(void *state);
};
extern const struct encoder encoder_gzip, encoder_zstd;
extern const struct decoder decoder_gzip, decoder_zstd;

int codec_flush(struct codec_out *out, struct err *err);
/* What may stand between gzip members: nothing or zeros. Returns the bytes to skip, -1 for anything that begins no member. */
ssize_t gzip_padding(const unsigned char *data, size_t len);

/* Lets the decompressor write into the caller's memory from now on (called before the first write, or inside the sink, where the
 * buffer just handed over is the sink's to keep). */
void decompressor_output(struct decompressor *d, void *bytes, size_t cap);
/* Other compressions than ours pass as they are, for somebody else to undo. */
void decompressor_pass_foreign(struct decompressor *d);

#endif
