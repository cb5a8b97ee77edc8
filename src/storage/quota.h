/* Limits of how much a folder and all below it may hold: project quotas of ext4 and XFS, by quotactl_fd(2) (Linux 5.14) and FS_IOC_FSSETXATTR
 * (linux/fs.h). A project is a number of the file system, which every file made below the folder inherits; whose number it is is the
 * caller's affair. No mount and no helper program is needed.
 *
 *     quota_probe -> quota_project_free -> (the number is kept) -> quota_apply on each folder, while it is empty
 *     the files are removed, then quota_clear
 *
 * Errors: ERR_UNSUPPORTED says what the file system or the kernel has not. */
#ifndef TARE_STORAGE_QUOTA_H
#define TARE_STORAGE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct quota_limit {
        uint64_t bytes, inodes; /* 0: none */
};
/* "size=10G", "inodes=1000": 1. 0 for an option that is none of a quota, -1 for a bad value. */
int quota_option_parse(const char *option, struct quota_limit *limit, struct err *err);
/* Whether the file system of a folder counts and enforces projects. */
int quota_probe(const char *folder, struct err *err);
/* Whether nothing is counted for or limited by that number. */
int quota_project_free(const char *folder, uint32_t project, bool *ret_free, struct err *err);
/* Limits the project, and puts the folder into it; what is in the folder already stays outside. */
int quota_apply(const char *folder, uint32_t project, const struct quota_limit *limit, struct err *err);
/* Takes the limits away; what still lies in the project is no longer bound. Nothing to do where there are no quotas. */
int quota_clear(const char *folder, uint32_t project, struct err *err);

#endif
