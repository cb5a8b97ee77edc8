/* The parts of docker inspect's document of a container: field names, order and empty values are the Engine API's ContainerInspectResponse. */
#ifndef TARE_ENGINE_INSPECT_INTERNAL_H
#define TARE_ENGINE_INSPECT_INTERNAL_H

#include "engine/containers.h"

struct inspection {
        struct engine *engine;
        struct storage *storage;
        const struct container *container;
};
json_t *inspect_state(const struct inspection *x);
json_t *inspect_config(const struct inspection *x);
json_t *inspect_host(const struct inspection *x);
json_t *inspect_mounts(const struct inspection *x);
json_t *inspect_network(const struct inspection *x);

/* "" for NULL, as Go's empty string. */
json_t *inspect_text(const char *s);
/* docker's times; 0 is Go's zero time. */
json_t *inspect_time(int64_t ns);
/* True for the volume of a bare "-v /x" or an image's VOLUME. */
bool inspect_is_anonymous(const struct inspection *x, const struct mount_request *m);
/* {"80/tcp": {}} from a list of names. */
json_t *inspect_set(char *const *names);

#endif
