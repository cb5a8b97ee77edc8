/* What the drivers share whose roots are overlays: upper and work directories, mounted over what the driver makes of a layer. */
#ifndef TARE_STORAGE_OVERLAY_INTERNAL_H
#define TARE_STORAGE_OVERLAY_INTERNAL_H

#include "storage/snapshot-internal.h"

int overlay_probe(struct snapshots *s, struct err *err);
int overlay_root_prepare(struct snapshots *s, int root_fd, char *const *chain, struct err *err);
int overlay_root_mount(struct snapshots *s, const char *id, int root_fd, char *const *chain, bool transient, struct oci_mount *ret,
                       struct err *err);
int overlay_root_open(struct snapshots *s, const char *id, int root_fd, char *const *chain, bool writable, struct err *err);

#endif
