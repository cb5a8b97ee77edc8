/* Where a stage stands: its configuration, its layers as descriptors and as chain ids. What docker calls the
 * intermediate image; its id is the digest of the configuration, which holds diff ids and history and so stands for
 * everything that led here. */
#ifndef TARE_BUILD_STATE_INTERNAL_H
#define TARE_BUILD_STATE_INTERNAL_H

#include "base/digest.h"
#include "base/err.h"
#include "build/args-internal.h"
#include "build/cache-internal.h"
#include "image/images.h"
#include "oci/config.h"
#include "storage/layer.h"
#include "storage/storage.h"

struct stage_state {
        struct image_config config;
        struct descriptor *layers; /* one per diff id */
        size_t layer_count;
        char **chain; /* chain ids, lowest first */
        char id[DIGEST_SIZE];
        char *base; /* id of the image it began with; NULL: scratch */
        bool changed; /* a step was run upon the base */
        bool done; /* all of its steps were */
        bool cmd_set;
        struct arg_scope args;
};
void state_done(struct stage_state *s);
void state_scratch(struct stage_state *s, const struct platform *platform);
int state_from_image(struct stage_state *s, struct storage *st, const struct image *image, struct err *err);
void state_from_state(struct stage_state *s, const struct stage_state *from);
/* Computes the id anew after the configuration was altered. */
void state_identify(struct stage_state *s);
/* Ends a step: history, and the layer when one was made (made NULL: none). */
struct step_layer {
        const char *diff_id, *digest, *media_type, *chain;
        uint64_t size;
};
void state_commit(struct stage_state *s, int64_t created, const char *created_by, const struct step_layer *made);
/* Puts a cached step's result in place of the state; ERR_CORRUPT when it does not follow from it. */
int state_restore(struct stage_state *s, const struct cache_entry *e, struct err *err);
/* Makes sure that all layers are on disk. */
int state_ensure(const struct stage_state *s, struct storage *st, struct err *err);
const char *state_top(const struct stage_state *s); /* chain id, NULL when there is no layer */
/* First 12 digits of an id, as docker shows it. */
const char *short_id(const char *id, char text[13]);

#endif
