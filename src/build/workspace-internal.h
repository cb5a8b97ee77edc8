/* The roots and scratch directories of one build, named so that a later build recognises and removes what a killed
 * one left: ROOT/build/<id> is locked while the build lives, its roots are "build-<id><number>", its scratch
 * directory ROOT/build/<id>.d. */
#ifndef TARE_BUILD_WORKSPACE_INTERNAL_H
#define TARE_BUILD_WORKSPACE_INTERNAL_H

#include "base/err.h"
#include "build/build.h"
#include "storage/storage.h"

#define WORKSPACE_ID_SIZE 17
struct workspace {
        struct storage *st;
        int dir_fd, lock_fd;
        char id[WORKSPACE_ID_SIZE];
        unsigned next;
};
#define WORKSPACE_INIT                                                                                                 \
        {                                                                                                              \
                .dir_fd = -1, .lock_fd = -1                                                                            \
        }
/* Sweeps after dead builds too (o->step_done is told of their steps). */
int workspace_open(struct workspace *w, struct storage *st, const struct build_options *o, struct err *err);
void workspace_close(struct workspace *w);
char *workspace_root_id(struct workspace *w); /* a new one; heap */
/* A new empty directory; its absolute path, heap. */
char *workspace_scratch(struct workspace *w, struct err *err);
/* The control group of a step. */
char *workspace_cgroup(const char *root_id);

#endif
