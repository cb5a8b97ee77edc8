/* A detached mount of an EROFS index and the files it is over, straight from the files (Linux 6.12), without a loop device. */
#ifndef TARE_STORAGE_EROFS_MOUNT_INTERNAL_H
#define TARE_STORAGE_EROFS_MOUNT_INTERNAL_H

#include <stddef.h>
#include "base/err.h"

/* backings: in the order of the index's device table. The mount keeps the files itself. Returns the descriptor of the mount's root,
 * O_PATH alike; closing it unmounts where nobody else uses it. ERR_UNSUPPORTED: this kernel cannot. */
int erofs_mount_detached(int index_fd, const int *backings, size_t count, struct err *err);

#endif
