/* A detached overlay mount from a description with "lowerdir+=" options, on any kernel.
 *
 * Since 6.7 by fsopen/fsconfig/fsmount. Before, lowerdir+ is unknown and a list of lower directories does not fit fsconfig's 255
 * bytes: a thread with a mount namespace of its own mounts by mount(2) and hands out a clone of the mount. */
#ifndef TARE_STORAGE_OVERLAY_MOUNT_INTERNAL_H
#define TARE_STORAGE_OVERLAY_MOUNT_INTERNAL_H

#include <stdbool.h>
#include "base/err.h"
#include "oci/runtime_spec.h"

/* Returns the descriptor of the mount's root; closing it unmounts. */
int overlay_mount_detached(const struct oci_mount *m, bool readonly, struct err *err);

#endif
