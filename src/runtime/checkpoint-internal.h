/* What checkpoint and restore tell criu alike. */
#ifndef TARE_RUNTIME_CHECKPOINT_INTERNAL_H
#define TARE_RUNTIME_CHECKPOINT_INTERNAL_H

#include "runtime/checkpoint.h"
#include "runtime/criu-internal.h"
#include "runtime/protobuf-internal.h"

#define CHECKPOINT_DESCRIPTORS "descriptors.json"

/* Starts criu with the folders of the options (criu.folders[0]: that of the images) and tells it what both tell. `start` has
 * what only one of them wants. */
int checkpoint_open(const struct checkpoint_options *o, const char *log_name, struct criu_start *start, struct criu *ret,
                    struct buf *options, struct err *err);
/* What namespaces that are joined are called: 1 and their number; 0 for those that criu joins itself or does not know. */
bool checkpoint_namespace(const struct criu *c, const struct oci_spec *spec, enum oci_namespace_kind kind, const char **ret_word,
                          const char **ret_key);

#endif
