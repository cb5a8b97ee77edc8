/* What blobs.c and ingest.c share: the open store and the names in it. */
#ifndef TARE_STORAGE_BLOBS_INTERNAL_H
#define TARE_STORAGE_BLOBS_INTERNAL_H

#include <stdbool.h>
#include "storage/blobs.h"

struct blobs {
        int root_fd;
        int blobs_fd; /* ROOT/blobs */
        int ingest_fd; /* ROOT/ingest */
};

#define BLOB_NAME_SIZE (DIGEST_SIZE + 8)
/* "sha256:ab.." -> "sha256/ab.." below ROOT/blobs; ERR_INVALID for anything that is no digest. */
int blob_name(const char *digest, char ret_name[BLOB_NAME_SIZE], struct err *err);
/* Syncs the directory that holds blobs of this digest's algorithm, making it when missing. */
int blob_dir_sync(struct blobs *b, const char *digest, struct err *err);
/* Removes partial files nobody writes to that are older than max_age seconds. */
int blobs_sweep(struct blobs *b, int64_t max_age, unsigned *ret_removed, struct err *err);
int blob_dir_make(struct blobs *b, const char *digest, struct err *err);

#endif
