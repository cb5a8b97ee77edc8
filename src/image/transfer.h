/* Pull and push. Layers of one pull are fetched, verified, decompressed and unpacked in one streaming pass, several at once. */
#ifndef TARE_IMAGE_TRANSFER_H
#define TARE_IMAGE_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>
#include "image/images.h"
#include "storage/layer.h"
#include "registry/client.h"

enum transfer_state { TRANSFER_WAITING, TRANSFER_EXISTS, TRANSFER_DOWNLOADING, TRANSFER_EXTRACTING, TRANSFER_PULLED,
                      TRANSFER_PREPARING, TRANSFER_PUSHING, TRANSFER_MOUNTED, TRANSFER_PUSHED };
struct transfer_progress {             /* called from several threads, serialised by transfer.c; may draw */
        void (*layer)(void *data, const char *digest, enum transfer_state state, uint64_t done, uint64_t total);
        void (*line)(void *data, const char *text);    /* "Digest: sha256:..", "Status: Downloaded newer image for x" */
        void *data;
};

struct transfer_options {
        struct registry_options registry;      /* domain is filled in */
        const struct platform *platform;       /* NULL: the host's */
        bool all_tags;
        unsigned parallel;             /* layers at once, 0: 3 */
        const struct transfer_progress *progress;      /* or NULL */
        struct layer_limits limits;
};
/* Pulls a reference; *ret is the recorded image. Already there with the same digest: "Status: Image is up to date for x". */
int image_pull(struct db *db, struct storage *st, const struct reference *name, const struct transfer_options *o, struct image *ret,
               struct err *err);
/* Pushes what `name` points at, under that name, manifest bytes unchanged; blobs the registry has are skipped or mounted. */
int image_push(struct db *db, struct storage *st, const struct reference *name, const struct transfer_options *o,
               char ret_digest[DIGEST_SIZE], struct err *err);

#endif
