/* The options that checkpoint and restore share. */
#ifndef TARE_OCIRUNTIME_CHECKPOINT_INTERNAL_H
#define TARE_OCIRUNTIME_CHECKPOINT_INTERNAL_H

#include "ociruntime/program-internal.h"
#include "runtime/checkpoint.h"

struct checkpoint_paths {              /* what the options point to */
        char *images, *work, *criu, *config_file;
};
void checkpoint_paths_done(struct checkpoint_paths *paths);
/* Paths are relative to the working directory of the call: to be read before a verb changes into the bundle. */
int checkpoint_read_options(const struct program *p, const struct verb_options *o, struct checkpoint_paths *paths,
                            struct checkpoint_options *ret, struct err *err);
/* The file of criu's own options: as the annotation org.criu.config says, "": none; else runc's. */
void checkpoint_choose_config(char *const *annotations, struct checkpoint_paths *paths, struct checkpoint_options *options);

#endif
