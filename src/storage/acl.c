#include "storage/acl-internal.h"
#include <endian.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/str.h"

/* The kernel takes what fits into 64 KiB; a hostile text may name more. */
#define ENTRIES_MAX 1024

static const struct {
        int archive;
        uint16_t kernel;
        bool has_id;
} tags[] = {
        { ARCHIVE_ENTRY_ACL_USER, ACL_USER, true },   { ARCHIVE_ENTRY_ACL_USER_OBJ, ACL_USER_OBJ, false },
        { ARCHIVE_ENTRY_ACL_GROUP, ACL_GROUP, true }, { ARCHIVE_ENTRY_ACL_GROUP_OBJ, ACL_GROUP_OBJ, false },
        { ARCHIVE_ENTRY_ACL_MASK, ACL_MASK, false },  { ARCHIVE_ENTRY_ACL_OTHER, ACL_OTHER, false },
};

static bool entry_convert(int permset, int tag, int id, struct posix_acl_xattr_entry *ret)
{
        for (size_t i = 0; i < ELEMENTS(tags); i++) {
                if (tags[i].archive != tag)
                        continue;
                ret->e_tag = htole16(tags[i].kernel);
                ret->e_perm = htole16((uint16_t)(permset & 7));
                ret->e_id = htole32(tags[i].has_id ? (uint32_t)id : (uint32_t)ACL_UNDEFINED_ID);
                return !tags[i].has_id || id >= 0;
        }
        return false;
}

/* The kernel wants them by tag, then by id. */
static int entry_compare(const void *a, const void *b)
{
        const struct posix_acl_xattr_entry *x = a, *y = b;
        uint16_t tx = le16toh(x->e_tag), ty = le16toh(y->e_tag);
        uint32_t ix = le32toh(x->e_id), iy = le32toh(y->e_id);
        return tx != ty ? (tx < ty ? -1 : 1) : ix < iy ? -1 : ix > iy;
}

static void acl_convert(struct archive_entry *e, int want, const char *name, struct attributes *a)
{
        int type, permset, tag, id, count = archive_entry_acl_reset(e, want);
        const char *who;
        size_t used = 0;
        for (size_t i = 0; i < a->xattr_count; i++)
                if (str_eq(a->xattrs[i].name, name))
                        return;
        if (count <= 0 || count > ENTRIES_MAX)
                return;
        struct posix_acl_xattr_header *text =
                xcalloc(1, sizeof(*text) + (size_t)(count + 3) * sizeof(struct posix_acl_xattr_entry));
        struct posix_acl_xattr_entry *entries = (void *)(text + 1);
        text->a_version = htole32(POSIX_ACL_XATTR_VERSION);
        while (used < (size_t)count + 3 &&
               archive_entry_acl_next(e, want, &type, &permset, &tag, &id, &who) == ARCHIVE_OK)
                if (entry_convert(permset, tag, id, &entries[used]))
                        used++;
        qsort(entries, used, sizeof(*entries), entry_compare);
        if (used > 0)
                placer_xattr_add(a, name, text, sizeof(*text) + used * sizeof(*entries));
        free(text);
}

void acl_from_entry(struct archive_entry *e, struct attributes *a)
{
        int types = archive_entry_acl_types(e);
        if (types & ARCHIVE_ENTRY_ACL_TYPE_ACCESS)
                acl_convert(e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access", a);
        if (types & ARCHIVE_ENTRY_ACL_TYPE_DEFAULT)
                acl_convert(e, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default", a);
}
