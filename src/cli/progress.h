/* Progress of a pull or push: bars redrawn on a terminal, plain lines otherwise, nothing when quiet. */
#ifndef TARE_CLI_PROGRESS_H
#define TARE_CLI_PROGRESS_H

#include <stdbool.h>
#include "image/transfer.h"

struct progress;
struct progress *progress_new(bool quiet);
void progress_free(struct progress *p);
static inline void progress_freep(struct progress **p) { if (*p) progress_free(*p); }
/* To be given to transfer_options; borrowed. */
const struct transfer_progress *progress_hooks(struct progress *p);

#endif
