/* What verbs do to a container that stands: its end, its hooks, where its filters are cached. */
#ifndef TARE_OCIRUNTIME_LIFECYCLE_INTERNAL_H
#define TARE_OCIRUNTIME_LIFECYCLE_INTERNAL_H

#include "ociruntime/program-internal.h"
#include "ociruntime/state.h"

/* Kills what is left, removes the cgroup, runs the poststop hooks and forgets it. Missing parts are no error. */
int container_destroy(struct container *c, struct err *err);
/* Runs hooks whose failure changes nothing any more: it is logged. spec NULL: as saved, if the state knows of such hooks. */
void hooks_tell(struct container *c, const struct oci_spec *spec, enum oci_hook_kind kind, const char *status);
/* Folder of compiled filters, shared by all containers of this root; heap. */
char *seccomp_cache(const struct program *p);
/* Sends a signal to init, "container not running" when it is gone. */
int init_signal(const struct container *c, int signo, struct err *err);

#endif
