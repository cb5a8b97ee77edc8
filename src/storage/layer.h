/* Layers as tar: in (unpack), out (diff), and their compression. image-spec layer.md.
 *
 * Parsing and writing of tar itself is libarchive's; every name is placed by openat2 below the target, so that no entry
 * ("..", absolute, through a symlink swapped meanwhile, a hard link's target) reaches outside. Whiteouts `.wh.NAME` and
 * `.wh..wh..opq` become the driver's own form. Owners, modes, nanosecond times, xattrs (security.capability, user.*, ACLs),
 * devices, fifos, hard links are kept.
 */
#ifndef TARE_STORAGE_LAYER_H
#define TARE_STORAGE_LAYER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "oci/image.h"
#include "storage/blobs.h"
#include "storage/snapshot.h"

struct layer_limits {
        uint64_t max_bytes;            /* of unpacked files; 0: no limit */
        uint64_t max_files;            /* 0: no limit */
        uint64_t max_ratio;            /* unpacked : compressed; 0: 1000 */
};

/* --- streaming unpack: compressed bytes are pushed in, a worker thread decompresses, hashes and places --- */
struct layer_unpack;
/* compression UNKNOWN: by magic. Not NULL diff_id: the uncompressed tar's digest must be this. */
int layer_unpack_begin(struct layer_staging *into, enum compression compression, const char *diff_id,
                       const struct layer_limits *limits, struct layer_unpack **ret, struct err *err);
/* Blocks while the worker is behind (bounded buffer). An error of the worker is returned from the next write. */
int layer_unpack_write(struct layer_unpack *u, const void *data, size_t len, struct err *err);
/* End of input; waits. ERR_CORRUPT on a wrong digest or a truncated archive. */
int layer_unpack_finish(struct layer_unpack *u, char ret_diff_id[DIGEST_SIZE], uint64_t *ret_size, struct err *err);
void layer_unpack_free(struct layer_unpack *u);        /* unfinished: stops the worker */
DEFINE_CLEANUP(struct layer_unpack *, layer_unpack_free)
/* All at once from a descriptor (file, pipe). */
int layer_unpack_fd(struct layer_staging *into, int fd, enum compression compression, const char *diff_id,
                    const struct layer_limits *limits, char ret_diff_id[DIGEST_SIZE], uint64_t *ret_size, struct err *err);

/* --- making layers --- */
/* A new layer from a tar stream: compresses (gzip, reproducible: no name, no time) into a blob while unpacking into `into`. */
struct layer_made { char diff_id[DIGEST_SIZE], digest[DIGEST_SIZE]; uint64_t size /* blob */, unpacked_size; const char *media_type; };
int layer_import_fd(struct blobs *b, struct layer_staging *into, int fd, const struct layer_limits *limits, struct layer_made *ret,
                    struct err *err);
/* The changes of a root as a new layer (blob, and committed in the driver upon `parent`): what commit and a build step do. The tar is
 * sorted and reproducible; times older/newer than the clamp (SOURCE_DATE_EPOCH, seconds, -1: none) are cut to it.
 * *ret_chain: heap; *ret_empty: nothing changed and no layer was made. */
int layer_from_root(struct blobs *b, struct snapshots *s, const char *root_id, const char *parent, int64_t clamp,
                    struct layer_made *ret, char **ret_chain, bool *ret_empty, struct err *err);
/* The changes of a root as a plain tar on a descriptor (with whiteouts). */
int root_diff_tar(struct snapshots *s, const char *root_id, int out_fd, struct err *err);
/* Makes sure `chain_id` exists on disk, unpacking from its blob when missing. */
int layer_ensure(struct blobs *b, struct snapshots *s, const char *parent, const char *chain_id, const struct descriptor *blob,
                 const char *diff_id, struct err *err);

/* --- compression alone --- */
struct compressor;
typedef int (*compress_sink_fn)(void *data, const void *bytes, size_t len, struct err *err);
int compressor_new(enum compression kind, int level /* 0: default */, compress_sink_fn sink, void *data, struct compressor **ret,
                   struct err *err);
int compressor_write(struct compressor *c, const void *data, size_t len, struct err *err);
int compressor_finish(struct compressor *c, struct err *err);
void compressor_free(struct compressor *c);
DEFINE_CLEANUP(struct compressor *, compressor_free)
struct decompressor;                                   /* push in, pushed out; concatenated members allowed */
int decompressor_new(enum compression kind, compress_sink_fn sink, void *data, struct decompressor **ret, struct err *err);
int decompressor_write(struct decompressor *d, const void *data, size_t len, struct err *err);
int decompressor_finish(struct decompressor *d, struct err *err);          /* ERR_CORRUPT when truncated */
void decompressor_free(struct decompressor *d);
DEFINE_CLEANUP(struct decompressor *, decompressor_free)
enum compression compression_of_magic(const void *data, size_t len);

#endif
