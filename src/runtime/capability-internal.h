/* Capability sets as masks, for the last steps before exec (capabilities(7)). */
#ifndef TARE_RUNTIME_CAPABILITY_INTERNAL_H
#define TARE_RUNTIME_CAPABILITY_INTERNAL_H

#include <stdint.h>
#include "oci/runtime_spec.h"

struct capability_sets { uint64_t bounding, permitted, effective, inheritable, ambient; };

/* This process's bounding set. */
uint64_t capability_bounding(void);
/* The sets of a process, cut to what this process can give: "all capabilities" means all of ours. */
void capability_sets(const struct oci_process *process, struct capability_sets *ret);

#endif
