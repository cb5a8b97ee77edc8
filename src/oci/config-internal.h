/* Shared by config.c and image_exec.c. */
#ifndef TARE_OCI_CONFIG_INTERNAL_H
#define TARE_OCI_CONFIG_INTERNAL_H

#include "oci/config.h"

/* NULL-terminated names of the members of "config" that struct image_exec holds; all others are extra. */
extern const char *const image_exec_members[];

#endif
