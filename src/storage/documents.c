/* Whole small blobs with their digests, apart from blobs.c so that who only opens blobs does not link libcrypto. */
#include <stdio.h>
#include "base/str.h"
#include "storage/blobs.h"

static int content_verify(const char *digest, const void *data, size_t len, struct err *err)
{
        char algorithm[16], actual[DIGEST_SIZE];
        snprintf(algorithm, sizeof(algorithm), "%.*s", (int)(digest_hex(digest) - digest - 1), digest);
        struct digest *d = digest_new_named(algorithm);
        if (!d)
                return err_set(err, ERR_UNSUPPORTED, "digest algorithm %s", algorithm);
        digest_update(d, data, len);
        digest_final(d, actual);
        digest_free(d);
        if (!str_eq(actual, digest))
                return err_set(err, ERR_CORRUPT, "blob %s has the content of %s", digest, actual);
        return 0;
}

int blob_read(struct blobs *b, const char *digest, size_t max, struct buf *ret, struct err *err)
{
        _cleanup_buf_ struct buf content = BUF_INIT(max);
        if (blob_load(b, digest, max, &content, err) < 0 ||
            content_verify(digest, content.data ? content.data : "", content.len, err) < 0)
                return -1;
        return buf_add(ret, content.data ? content.data : "", content.len, err);
}

int blob_put(struct blobs *b, const void *data, size_t len, char ret_digest[DIGEST_SIZE], struct err *err)
{
        char digest[DIGEST_SIZE];
        digest_of(data, len, digest);
        if (!blob_exists(b, digest, NULL)) {
                /* Anonymous, so that eight writers of one small document need not wait for each other's sync. */
                _cleanup_(ingest_freep) struct ingest *in = NULL;
                if (blob_begin(b, NULL, len, &in, NULL, err) < 0 || ingest_write(in, data, len, err) < 0 ||
                    ingest_commit(in, NULL, NULL, err) < 0)
                        return err_add(err, "store %s", digest);
        }
        snprintf(ret_digest, DIGEST_SIZE, "%s", digest);
        return 0;
}
