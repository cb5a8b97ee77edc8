/* Names of things that exist, for completion. */
#ifndef TARE_CLI_COMPLETE_INTERNAL_H
#define TARE_CLI_COMPLETE_INTERNAL_H

#include "cli/command.h"

/* kind: "CONTAINER", "IMAGE", "VOLUME", "NETWORK". One candidate a line on stdout. */
typedef int complete_names_fn(struct cli *cli, const char *kind, const char *prefix, struct err *err);

#endif
