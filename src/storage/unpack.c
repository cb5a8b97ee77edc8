#include "storage/unpack-internal.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "storage/compress-internal.h"
#include "storage/erofs-layer-internal.h"

/* Slots that stay in a core's cache between the stages, enough of them to bridge a slow file. */
enum { IN_SLOTS = 16, IN_SIZE = 128 << 10, PLAIN_SLOTS = 24, PLAIN_SIZE = 256 << 10 };

#define RATIO_DEFAULT 1000
/* Below this a good ratio harms nobody, and a file of zeros is a legitimate thing. */
#define RATIO_FROM ((uint64_t)256 << 20)

struct layer_unpack {
        struct unpack_options options;
        char diff_id[DIGEST_SIZE]; /* expected, or empty */
        struct ring in, plain;
        pthread_t decoder_thread, placer_thread;
        unsigned threads; /* how many were started */
        pthread_mutex_t lock;
        struct err err; /* the first failure */
        /* of the decoding stage */
        struct decompressor *decompressor;
        unsigned char *slot;
        uint64_t compressed, unpacked;
        /* of the placing stage, which has time for hashing while the other inflates */
        struct digest *digest;
        uint64_t bytes;
        /* of the caller */
        unsigned char *space;
        size_t space_len;
};

static void failure_note(struct layer_unpack *u, const struct err *err)
{
        pthread_mutex_lock(&u->lock);
        if (u->err.kind == ERR_NONE)
                u->err = *err;
        pthread_mutex_unlock(&u->lock);
}

static int failure_report(struct layer_unpack *u, struct err *err)
{
        pthread_mutex_lock(&u->lock);
        *err = u->err;
        pthread_mutex_unlock(&u->lock);
        return err->kind == ERR_NONE ? err_set(err, ERR_INVALID, "unpacking was stopped") : -1;
}

/* --- stage 1: decompress --- */

static int ratio_check(struct layer_unpack *u, struct err *err)
{
        uint64_t ratio = u->options.place.limits.max_ratio ? u->options.place.limits.max_ratio : RATIO_DEFAULT;
        if (u->unpacked < RATIO_FROM || u->unpacked / ratio < u->compressed)
                return 0;
        return err_set(err, ERR_TOO_LARGE, "archive unpacks to more than %llu times its size",
                       (unsigned long long)ratio);
}

static int slot_put(struct layer_unpack *u, size_t len, struct err *err)
{
        u->unpacked += len;
        ring_put(&u->plain, len);
        u->slot = ring_space(&u->plain);
        if (!u->slot)
                return err_set(err, ERR_INVALID, "unpacking was stopped");
        decompressor_output(u->decompressor, u->slot, PLAIN_SIZE);
        return ratio_check(u, err);
}

/* The decoders write into the slot itself; only bytes that were not compressed are copied. */
static int plain_sink(void *data, const void *bytes, size_t len, struct err *err)
{
        struct layer_unpack *u = data;
        if (bytes == u->slot)
                return slot_put(u, len, err);
        for (const unsigned char *at = bytes; len > 0;) {
                size_t part = len < PLAIN_SIZE ? len : PLAIN_SIZE;
                memcpy(u->slot, at, part);
                if (slot_put(u, part, err) < 0)
                        return -1;
                at += part;
                len -= part;
        }
        return 0;
}

static int decoder_run(struct layer_unpack *u, struct err *err)
{
        const unsigned char *bytes;
        size_t len;
        bool cut = false;
        u->slot = ring_space(&u->plain);
        if (!u->slot)
                return err_set(err, ERR_INVALID, "unpacking was stopped");
        decompressor_output(u->decompressor, u->slot, PLAIN_SIZE);
        while ((bytes = ring_take(&u->in, &len, &cut))) {
                u->compressed += len;
                if (decompressor_write(u->decompressor, bytes, len, err) < 0)
                        return -1;
        }
        return cut ? err_set(err, ERR_INVALID, "unpacking was stopped") : decompressor_finish(u->decompressor, err);
}

static void *decoder_main(void *data)
{
        struct layer_unpack *u = data;
        struct err err = ERR_INIT;
        int r = decoder_run(u, &err);
        /* Where the placing stage gave up, its reason is noted already. */
        if (r < 0)
                failure_note(u, &err);
        ring_end(&u->plain, r < 0);
        ring_stop(&u->in);
        return NULL;
}

/* --- stage 2: hash, parse and place --- */

static int placer_run(struct layer_unpack *u, struct err *err)
{
        _cleanup_(placer_freep) struct placer *p = NULL;
        if (placer_new(&u->options.place, &p, err) < 0)
                return -1;
        const struct tar_sink sink = placer_sink(p);
        if (tar_parse(&u->plain, u->digest, u->options.foreign, &sink, err) < 0)
                return -1;
        u->bytes = placer_bytes(p);
        return 0;
}

static int indexer_run(struct layer_unpack *u, struct err *err)
{
        struct layer_staging *l = u->options.place.layer;
        if (erofs_layer_begin(l, &u->options.place.limits, err) < 0)
                return -1;
        const struct tar_sink sink = erofs_layer_sink(l->packed);
        if (tar_parse(&u->plain, u->digest, u->options.foreign, &sink, err) < 0)
                return -1;
        u->bytes = l->packed->count.bytes;
        return 0;
}

static void *placer_main(void *data)
{
        struct layer_unpack *u = data;
        struct err err = ERR_INIT;
        const struct layer_staging *layer = u->options.place.layer;
        if ((layer && layer->s->driver->packed ? indexer_run : placer_run)(u, &err) < 0)
                failure_note(u, &err);
        ring_stop(&u->plain);
        return NULL;
}

/* --- the caller's side --- */

static int threads_start(struct layer_unpack *u, struct err *err)
{
        void *(*const mains[])(void *) = { decoder_main, placer_main };
        pthread_t *const threads[] = { &u->decoder_thread, &u->placer_thread };
        sigset_t all, old;
        int r = 0;
        /* Signals are for the program's own threads. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        for (size_t i = 0; i < ELEMENTS(mains) && r == 0; i++) {
                r = pthread_create(threads[i], NULL, mains[i], u);
                u->threads += r == 0;
        }
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        return r ? err_sysnum(err, r, "start a thread") : 0;
}

int unpack_begin(const struct unpack_options *options, struct layer_unpack **ret, struct err *err)
{
        if (options->diff_id && !digest_valid(options->diff_id))
                return err_set(err, ERR_INVALID, "not a digest: %.150s", options->diff_id);
        _cleanup_(layer_unpack_freep) struct layer_unpack *u = xcalloc(1, sizeof(*u));
        u->options = *options;
        if (options->diff_id)
                snprintf(u->diff_id, sizeof(u->diff_id), "%s", options->diff_id);
        pthread_mutex_init(&u->lock, NULL);
        ring_init(&u->in, IN_SLOTS, IN_SIZE);
        ring_init(&u->plain, PLAIN_SLOTS, PLAIN_SIZE);
        u->digest = str_starts(u->diff_id, "sha512:") ? digest_new_named("sha512") : digest_new();
        if (decompressor_new(options->compression, plain_sink, u, &u->decompressor, err) < 0)
                return -1;
        if (options->foreign)
                decompressor_pass_foreign(u->decompressor);
        if (threads_start(u, err) < 0)
                return -1;
        *ret = TAKE_PTR(u);
        return 0;
}

int layer_unpack_begin(struct layer_staging *into, enum compression compression, const char *diff_id,
                       const struct layer_limits *limits, struct layer_unpack **ret, struct err *err)
{
        struct unpack_options options = {
                .place = { .root_fd = into->tree_fd, .layer = into, .keep_owner = true },
                .compression = compression,
                .diff_id = diff_id,
        };
        if (limits)
                options.place.limits = *limits;
        return unpack_begin(&options, ret, err);
}

static void space_put(struct layer_unpack *u)
{
        if (u->space && u->space_len)
                ring_put(&u->in, u->space_len);
        u->space = NULL;
        u->space_len = 0;
}

int layer_unpack_write(struct layer_unpack *u, const void *data, size_t len, struct err *err)
{
        for (const unsigned char *at = data; len > 0;) {
                if (!u->space && !(u->space = ring_space(&u->in)))
                        return failure_report(u, err);
                size_t part = IN_SIZE - u->space_len < len ? IN_SIZE - u->space_len : len;
                memcpy(u->space + u->space_len, at, part);
                u->space_len += part;
                at += part;
                len -= part;
                if (u->space_len == IN_SIZE)
                        space_put(u);
        }
        return 0;
}

static void threads_join(struct layer_unpack *u)
{
        if (u->threads > 0)
                pthread_join(u->decoder_thread, NULL);
        if (u->threads > 1)
                pthread_join(u->placer_thread, NULL);
        u->threads = 0;
}

int layer_unpack_finish(struct layer_unpack *u, char ret_diff_id[DIGEST_SIZE], uint64_t *ret_size, struct err *err)
{
        char actual[DIGEST_SIZE];
        if (u->threads == 0)
                return err_set(err, ERR_INVALID, "unpacking was finished already");
        space_put(u);
        ring_end(&u->in, false);
        threads_join(u);
        if (u->err.kind != ERR_NONE)
                return failure_report(u, err);
        digest_final(u->digest, actual);
        if (u->diff_id[0] && !str_eq(actual, u->diff_id))
                return err_set(err, ERR_CORRUPT, "the uncompressed layer is %s, expected %s", actual, u->diff_id);
        if (ret_diff_id)
                snprintf(ret_diff_id, DIGEST_SIZE, "%s", actual);
        if (ret_size)
                *ret_size = u->bytes;
        return 0;
}

void layer_unpack_free(struct layer_unpack *u)
{
        if (!u)
                return;
        if (u->threads) {
                ring_end(&u->in, true);
                ring_stop(&u->plain);
                /* Where only the first thread runs, nobody empties the second ring, and it is stopped; so both come to an end. */
                ring_end(&u->plain, true);
                threads_join(u);
        }
        decompressor_free(u->decompressor);
        digest_free(u->digest);
        ring_done(&u->in);
        ring_done(&u->plain);
        pthread_mutex_destroy(&u->lock);
        free(u);
}

int unpack_pump(struct layer_unpack *u, int fd, struct err *err)
{
        for (;;) {
                /* Straight into the ring: a file or pipe is read where the decoder will look. */
                if (!u->space && !(u->space = ring_space(&u->in)))
                        return failure_report(u, err);
                ssize_t n = read(fd, u->space + u->space_len, IN_SIZE - u->space_len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_sys(err, "read the archive");
                if (n == 0)
                        return 0;
                u->space_len += (size_t)n;
                if (u->space_len == IN_SIZE)
                        space_put(u);
        }
}

int layer_unpack_fd(struct layer_staging *into, int fd, enum compression compression, const char *diff_id,
                    const struct layer_limits *limits, char ret_diff_id[DIGEST_SIZE], uint64_t *ret_size,
                    struct err *err)
{
        _cleanup_(layer_unpack_freep) struct layer_unpack *u = NULL;
        if (layer_unpack_begin(into, compression, diff_id, limits, &u, err) < 0 || unpack_pump(u, fd, err) < 0)
                return -1;
        return layer_unpack_finish(u, ret_diff_id, ret_size, err);
}
