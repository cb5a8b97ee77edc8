/* POSIX ACLs of an archive that are given as text (SCHILY.acl.*) as the extended attribute the kernel keeps (acl(5), the version 2 format
 * of linux/posix_acl_xattr.h). */
#ifndef TARE_STORAGE_ACL_INTERNAL_H
#define TARE_STORAGE_ACL_INTERNAL_H

#include "storage/place-internal.h"

/* Appends system.posix_acl_access and _default where the entry has such texts and no such attributes. */
void acl_from_entry(struct archive_entry *e, struct attributes *a);
void placer_xattr_add(struct attributes *a, const char *name, const void *value, size_t len);

#endif
