/* The table of mounts that a process sees (proc(5), /proc/PID/mountinfo). Only for what asks the kernel nothing else can
 * say; no start reads it. */
#ifndef TARE_RUNTIME_MOUNTINFO_INTERNAL_H
#define TARE_RUNTIME_MOUNTINFO_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/mem.h"

struct mountinfo_row {
        uint64_t id, parent;
        char *place, *type;            /* seen from the process's root */
};
struct mountinfo {
        struct mountinfo_row *list;
        size_t count;
};
/* pid "self" or a number. */
int mountinfo_read(const char *pid, struct mountinfo *ret, struct err *err);
int mountinfo_parse(char *text, struct mountinfo *ret, struct err *err);
void mountinfo_done(struct mountinfo *m);
#define _cleanup_mountinfo_ _cleanup_(mountinfo_done)
const struct mountinfo_row *mountinfo_find(const struct mountinfo *m, uint64_t id);
/* Whether the mount lies on the other one, or on one that does. */
bool mountinfo_is_on(const struct mountinfo *m, const struct mountinfo_row *row, uint64_t id);
/* The mount a descriptor is in, and whether it is its root. */
int mountinfo_id(int fd, uint64_t *ret_id, bool *ret_root, struct err *err);

#endif
