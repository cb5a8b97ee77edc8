/* What the prune commands share. */
#ifndef TARE_CLI_PRUNE_INTERNAL_H
#define TARE_CLI_PRUNE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

/* Asks on the terminal; true without asking when `force`. 1 yes, 0 no. */
int prune_confirm(bool force, const char *warning);
/* Prints a heading before the first line and nothing when there is none. */
struct prune_told {
        const char *heading;
        unsigned count;
        bool lower;
};
void prune_tell(void *told, const char *line);
/* "Total reclaimed space: 0B" below what was told. */
int prune_total(const struct prune_told *told, size_t count, uint64_t bytes, struct err *err);

#endif
