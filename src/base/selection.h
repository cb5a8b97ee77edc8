/* What the prune commands leave alone: --filter until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]; all given must hold, as in docker. */
#ifndef TARE_BASE_SELECTION_H
#define TARE_BASE_SELECTION_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct selection {
        int64_t until; /* ns; only what was made before it; 0: whenever */
        char *const *filters; /* borrowed */
        bool labels; /* one of them asks for labels */
};
/* ERR_INVALID "invalid filter 'x'". until_allowed: has the time a meaning here? */
int selection_parse(char *const *filters, bool until_allowed, struct selection *ret, struct err *err);
/* labels: "k=v" */
bool selection_wants(const struct selection *s, int64_t created, char *const *labels);
/* "k" or "k=v" */
bool labels_have(char *const *labels, const char *wanted);

#endif
