/* What a root holds against the layers below it, read from the driver's directories without mounting anything. */
#ifndef TARE_STORAGE_DIFF_INTERNAL_H
#define TARE_STORAGE_DIFF_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include "storage/snapshot-internal.h"

struct change {
        char kind; /* 'A' added, 'C' changed, 'D' deleted */
        bool opaque; /* a directory that hides what the layers have in it: all it holds is listed as added */
        char *path; /* relative; "" the root itself */
};
struct changes {
        struct change *list; /* sorted by path */
        size_t count, cap;
};
void changes_done(struct changes *c);
#define _cleanup_changes_ _cleanup_(changes_done)

/* markers: directories that were replaced are told by `opaque`, and the root itself is listed when its attributes changed: as a layer
 * wants it. Else each name that is gone from them is listed, as people want it. */
int root_compare(struct snapshots *s, int upper_fd, const struct lowers *below, bool markers, struct changes *ret,
                 struct err *err);
/* Do two files of one type differ in anything but their names? compare_content: also read them where all else is equal. */
int file_differs(int a, const struct stat *sa, int b, const struct stat *sb, bool compare_content, bool *ret,
                 struct err *err);

#endif
