/* Properties of systemd's units as they stand in a message: each a (sv), appended to an array of them. */
#ifndef TARE_RUNTIME_SYSTEMD_INTERNAL_H
#define TARE_RUNTIME_SYSTEMD_INTERNAL_H

#include <sys/types.h>
#include "base/buf.h"
#include "runtime/systemd.h"

/* name NULL: nothing is added */
void property_string(struct buf *b, const char *name, const char *value);
void property_string_list(struct buf *b, const char *name, const char *value);       /* of one */
void property_bool(struct buf *b, const char *name, bool value);
void property_u64(struct buf *b, const char *name, uint64_t value);
void property_pid(struct buf *b, const char *name, pid_t pid);
/* What the resources name, in the words of systemd `version` for v2 or v1. */
int property_resources(struct buf *b, const struct oci_resources *r, bool unified, unsigned version, struct err *err);
/* "org.systemd.property.NAME=VALUE", VALUE in GVariant's text: 'text', true, 5, uint64 5, ['a', 'b']. */
int property_annotations(struct buf *b, char *const *annotations, struct err *err);

#endif
