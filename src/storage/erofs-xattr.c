#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include "base/str.h"
#include "storage/erofs-format-internal.h"
#include "storage/erofs-tree-internal.h"

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

static const struct prefix {
        const char *text;
        uint8_t index;
        bool whole; /* nothing follows */
} prefixes[] = {
        { "user.", EROFS_PREFIX_USER, false },
        { "trusted.", EROFS_PREFIX_TRUSTED, false },
        { "security.", EROFS_PREFIX_SECURITY, false },
        { ACL_ACCESS, EROFS_PREFIX_ACL_ACCESS, true },
        { ACL_DEFAULT, EROFS_PREFIX_ACL_DEFAULT, true },
};

/* The rest of the name, or NULL where no prefix fits. */
static const char *name_split(const char *name, uint8_t *ret_index)
{
        for (size_t i = 0; i < ELEMENTS(prefixes); i++) {
                const char *rest = str_after(name, prefixes[i].text);
                if (!rest || (*rest == '\0') != prefixes[i].whole)
                        continue;
                *ret_index = prefixes[i].index;
                return rest;
        }
        return NULL;
}

static size_t entry_size(const struct erofs_xattr *x)
{
        uint8_t index;
        size_t size = sizeof(struct erofs_xattr_entry) + strlen(name_split(x->name, &index)) + x->len;
        return (size + 3) & ~(size_t)3;
}

void erofs_xattr_encode(const struct erofs_node *n, unsigned char *ret)
{
        memset(ret, 0, n->xattr_bytes);
        unsigned char *at = ret + sizeof(struct erofs_xattr_head);
        for (const struct erofs_xattr *x = n->xattrs; x; x = x->next) {
                struct erofs_xattr_entry e = { .value_len = htole16((uint16_t)x->len) };
                const char *rest = name_split(x->name, &e.prefix);
                e.name_len = (uint8_t)strlen(rest);
                memcpy(at, &e, sizeof(e));
                memcpy(at + sizeof(e), rest, e.name_len);
                memcpy(at + sizeof(e) + e.name_len, x->value, x->len);
                at += entry_size(x);
        }
}

/* --- what the kernel would make of it --- */

struct acl {
        const struct posix_acl_xattr_entry *entries;
        size_t count;
};

/* Owner, named users by id, group, named groups, mask, others: as the kernel wants them, or it does not take them. */
static bool acl_parse(const void *value, size_t len, struct acl *ret)
{
        static const uint16_t order[] = { ACL_USER_OBJ, ACL_USER, ACL_GROUP_OBJ, ACL_GROUP, ACL_MASK, ACL_OTHER };
        const struct posix_acl_xattr_header *head = value;
        size_t stage = 0, single[ELEMENTS(order)] = { 0 };
        if (len < sizeof(*head) || (len - sizeof(*head)) % sizeof(struct posix_acl_xattr_entry) ||
            le32toh(head->a_version) != POSIX_ACL_XATTR_VERSION)
                return false;
        struct acl acl = { (const void *)(head + 1), (len - sizeof(*head)) / sizeof(struct posix_acl_xattr_entry) };
        for (size_t i = 0; i < acl.count; i++) {
                uint16_t tag = le16toh(acl.entries[i].e_tag);
                while (stage < ELEMENTS(order) && order[stage] != tag)
                        stage++;
                if (stage == ELEMENTS(order) || le16toh(acl.entries[i].e_perm) > 7)
                        return false;
                bool named = tag == ACL_USER || tag == ACL_GROUP;
                if ((single[stage]++ && !named) || (named && le32toh(acl.entries[i].e_id) == (uint32_t)ACL_UNDEFINED_ID))
                        return false;
        }
        if (!single[0] || !single[2] || !single[5] || ((single[1] || single[3]) && !single[4]))
                return false;
        *ret = acl;
        return true;
}

/* Permissions that an access ACL gives to owner, group (the mask where there is one) and others. */
static mode_t acl_mode(const struct acl *acl)
{
        mode_t mode = 0;
        for (size_t i = 0; i < acl->count; i++) {
                mode_t perm = le16toh(acl->entries[i].e_perm);
                uint16_t tag = le16toh(acl->entries[i].e_tag);
                if (tag == ACL_USER_OBJ)
                        mode |= perm << 6;
                else if (tag == ACL_OTHER)
                        mode |= perm;
                else if (tag == ACL_GROUP_OBJ)
                        mode |= perm << 3;
                else if (tag == ACL_MASK)
                        mode = (mode & ~(mode_t)070) | perm << 3;
        }
        return mode;
}

/* True when it is to be kept. */
static bool acl_take(struct erofs_node *n, bool access, const void *value, size_t len)
{
        struct acl acl;
        if (S_ISLNK(n->mode) || (!access && !S_ISDIR(n->mode)) || !acl_parse(value, len, &acl))
                return false;
        if (!access)
                return true;
        n->mode = (n->mode & ~(mode_t)0777) | acl_mode(&acl);
        return acl.count > 3; /* else the mode says it all */
}

static int capability_check(const void *value, size_t len, struct err *err)
{
        const struct vfs_cap_data *cap = value;
        uint32_t version = len >= 4 ? le32toh(cap->magic_etc) & VFS_CAP_REVISION_MASK : 0;
        if ((version == VFS_CAP_REVISION_2 && len == XATTR_CAPS_SZ_2) ||
            (version == VFS_CAP_REVISION_3 && len == XATTR_CAPS_SZ_3))
                return 0;
        return err_sysnum(err, EINVAL, "set attribute security.capability");
}

static bool attribute_wanted(struct erofs_node *n, const char *name, const void *value, size_t len)
{
        if (str_eq(name, ACL_ACCESS) || str_eq(name, ACL_DEFAULT))
                return acl_take(n, str_eq(name, ACL_ACCESS), value, len);
        return !str_starts(name, "user.") || S_ISREG(n->mode) || S_ISDIR(n->mode);
}

static struct erofs_xattr *attribute_place(struct erofs_tree *t, struct erofs_node *n, const char *name)
{
        struct erofs_xattr **at = &n->xattrs;
        while (*at && !str_eq((*at)->name, name))
                at = &(*at)->next;
        if (!*at) {
                *at = erofs_tree_alloc(t, sizeof(**at));
                **at = (struct erofs_xattr){ .name = erofs_tree_text(t, name, strlen(name)) };
        }
        return *at;
}

int erofs_xattr_set(struct erofs_tree *t, struct erofs_node *n, const char *name, const void *value, size_t len, struct err *err)
{
        uint8_t index;
        const char *rest = name_split(name, &index);
        if (str_eq(name, "security.capability") && capability_check(value, len, err) < 0)
                return -1;
        if (!rest || !attribute_wanted(n, name, value, len))
                return 0;
        if (strlen(rest) > 255 || len > EROFS_XATTR_BYTES_MAX)
                return err_set(err, ERR_TOO_LARGE, "attribute %.100s of %zu bytes", name, len);
        if (!n->xattrs)
                n->xattr_bytes = sizeof(struct erofs_xattr_head);
        struct erofs_xattr *x = attribute_place(t, n, name);
        n->xattr_bytes -= x->value ? entry_size(x) : 0;
        x->value = erofs_tree_text(t, value, len);
        x->len = len;
        n->xattr_bytes += entry_size(x);
        if (n->xattr_bytes > EROFS_XATTR_BYTES_MAX)
                return err_set(err, ERR_TOO_LARGE, "attributes of more than %zu bytes", EROFS_XATTR_BYTES_MAX);
        return 0;
}
