/* The layers of one image brought into storage, several at once: fetched, verified, decompressed and unpacked in one pass, and made
 * visible in order. What pull (bytes from a registry) and load (bytes already blobs) have in common.
 *
 * A layer whose chain id and blob are here is left alone; one whose blob is here is unpacked from it; of one whose chain id is here only
 * the blob is fetched, so that what was pulled can be pushed and saved byte for byte. Failure of one layer stops the others; complete
 * layers and partial blobs stay for the next attempt and are garbage until then. */
#ifndef TARE_IMAGE_BRING_INTERNAL_H
#define TARE_IMAGE_BRING_INTERNAL_H

#include "image/progress-internal.h"
#include "image/transfer.h"

struct bring {
        struct storage *st;
        const struct descriptor *layers;
        char *const *diff_ids, *const *chain;
        size_t count;
        unsigned parallel; /* layers at once, 0: 3 */
        const struct layer_limits *limits;
        struct progress *progress; /* or NULL */
        /* Pushes the bytes of a blob from `offset` on into the sink; called from several threads. NULL: every blob is here. */
        int (*fetch)(void *data, const struct descriptor *blob, uint64_t offset, const struct blob_sink *sink,
                     struct err *err);
        void *data;
};
int bring_layers(const struct bring *b, struct err *err);
/* A document (configuration), likewise fetched into a blob when it is not here. */
int bring_document(const struct bring *b, const struct descriptor *blob, struct err *err);

#endif
