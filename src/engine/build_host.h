/* What a build needs of the engine for its RUN steps: an address on the default network, name files, and the clearing away of both. The
 * functions are the step_ hooks of struct build_options with a struct build_host as data. */
#ifndef TARE_ENGINE_BUILD_HOST_H
#define TARE_ENGINE_BUILD_HOST_H

#include "base/err.h"
#include "engine/engine.h"
#include "net/network.h"
#include "oci/runtime_spec.h"

struct build_host {
        struct engine *engine;
        const char *network;           /* "default", "host", "none"; NULL: default */
        char *const *add_hosts;        /* --add-host */
        int64_t memory, shm_size;      /* bytes, 0: none given */
        struct network net;            /* of the step under way */
        struct endpoint endpoint;
};
int build_host_prepare(void *host, const char *step_id, struct oci_spec *spec, struct err *err);
int build_host_network(void *host, pid_t pid, int netns_fd, struct err *err);
/* Also for steps of builds that were killed, which were never prepared here. */
void build_host_done(void *host, const char *step_id);

#endif
