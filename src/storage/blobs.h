/* The content store: bytes named by their digest under ROOT/blobs/sha256/<hex>, in ten functions.
 *
 * A blob appears only by rename after it was verified and synced; nothing is ever visible half-written. A broken transfer
 * leaves ROOT/ingest/<hex>, from which blob_begin() resumes. Removal is by the caller's knowledge of reachability, under
 * storage_lock(). All functions are safe from several threads and processes at once. */
#ifndef TARE_STORAGE_BLOBS_H
#define TARE_STORAGE_BLOBS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"

struct blobs;
struct ingest;

int blobs_open(const char *root, struct blobs **ret, struct err *err);           /* directories are made */
void blobs_close(struct blobs *b);
DEFINE_CLEANUP(struct blobs *, blobs_close)

bool blob_exists(struct blobs *b, const char *digest, uint64_t *ret_size);       /* ret_size may be NULL */
int blob_open(struct blobs *b, const char *digest, uint64_t *ret_size, struct err *err);     /* read-only descriptor; ERR_NOT_FOUND */
/* Reads a whole small blob as it is: it was verified when it came, and `system check` looks for rot. For the start of a container. */
int blob_load(struct blobs *b, const char *digest, size_t max, struct buf *ret, struct err *err);
/* Reads and verifies a whole small blob (documents). */
int blob_read(struct blobs *b, const char *digest, size_t max, struct buf *ret, struct err *err);
/* Stores bytes at once; an existing blob is success. durable as everything here. */
int blob_put(struct blobs *b, const void *data, size_t len, char ret_digest[DIGEST_SIZE], struct err *err);
int blob_remove(struct blobs *b, const char *digest, struct err *err);
/* Calls fn for every blob; a non-zero return ends the walk and is returned. */
int blobs_walk(struct blobs *b, int (*fn)(void *data, const char *digest, uint64_t size, int64_t mtime, struct err *err), void *data,
               struct err *err);

/* Streaming in. expected NULL: any content, named by what it turns out to be (not resumable). With a digest: bytes of an
 * earlier broken attempt are kept (re-hashed) and *ret_offset says where to go on; one writer per digest at a time, a second
 * waits; when that other one finished the blob, *ret_offset is its whole size and commit succeeds at once. size_max: more is
 * ERR_TOO_LARGE. */
int blob_begin(struct blobs *b, const char *expected, uint64_t size_max, struct ingest **ret, uint64_t *ret_offset, struct err *err);
/* For content whose digest is told only at its end (a push): begun and resumed under a name of the caller's, [a-z0-9]{8,64},
 * as one with a digest is. One writer per name at a time, a second waits. */
int blob_begin_named(struct blobs *b, const char *name, uint64_t size_max, struct ingest **ret, uint64_t *ret_offset, struct err *err);
/* Tells the digest that ingest_commit() is to verify; after the last byte. */
int ingest_expect(struct ingest *in, const char *digest, struct err *err);
int ingest_write(struct ingest *in, const void *data, size_t len, struct err *err);
/* Throws away what came so far (a server that ignored our Range). */
int ingest_restart(struct ingest *in, struct err *err);
/* Verifies, syncs, renames. ERR_CORRUPT (and the bytes are dropped) when the digest differs. *ret_digest may be NULL. */
int ingest_commit(struct ingest *in, char *ret_digest, uint64_t *ret_size, struct err *err);
/* A second descriptor on what came so far, from byte 0: a resumed pull feeds the earlier bytes to its unpacking from here. */
int ingest_reader(struct ingest *in, struct err *err);
/* Without commit: partial bytes stay for a resume when a digest was expected or a name given, else are removed. */
void ingest_free(struct ingest *in);
DEFINE_CLEANUP(struct ingest *, ingest_free)

#endif
