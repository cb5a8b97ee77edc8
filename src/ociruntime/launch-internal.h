/* A bundle on its way to being a container: what create, run and restore do alike. In this order: launch_prepare() reads the
 * bundle and changes into it, launch_make_folder() makes the container's folder and state; then the verb makes init and, when
 * all went well, sets `made` false. launch_done() undoes what was not finished. */
#ifndef TARE_OCIRUNTIME_LAUNCH_INTERNAL_H
#define TARE_OCIRUNTIME_LAUNCH_INTERNAL_H

#include "ociruntime/program-internal.h"
#include "ociruntime/state.h"
#include "runtime/container.h"

struct launch {
        const struct program *program;
        const struct verb_options *options;
        char *bundle, *pid_file, *console_socket, *pidfd_socket;
        struct buf config;
        struct oci_spec spec;
        struct preserved preserved;
        bool own_group;                /* the bundle says which */
        int listen_fd, notify_fd;
        bool made;                     /* container is ours to undo */
        struct container container;
        struct runtime_container runtime;
};
#define LAUNCH_INIT(p, o)                                                                                              \
        { .program = (p), .options = (o), .listen_fd = -1, .notify_fd = -1, .config = BUF_INIT(OCIRUNTIME_CONFIG_MAX),                  \
          .container = CONTAINER_INIT, .runtime = RUNTIME_CONTAINER_INIT }
void launch_done(struct launch *l);
int launch_prepare(struct launch *l, const char *id, bool detach, struct err *err);
/* listen: with the socket that init waits on for the start. */
int launch_make_folder(struct launch *l, const char *id, bool listen, struct err *err);

#endif
