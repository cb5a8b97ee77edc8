#include "storage/place-internal.h"
#include <limits.h>
#include "base/str.h"
#include "storage/acl-internal.h"

/* Cleans a name into ret (at least PATH_MAX): no leading slash, no "." and no empty components. "" is the root. */
int place_name_clean(const char *name, char ret[4096], struct err *err)
{
        size_t len = 0;
        for (const char *at = name; *at;) {
                size_t part = strcspn(at, "/");
                const char *here = at;
                at += part + (at[part] == '/');
                if (part == 0 || (part == 1 && here[0] == '.'))
                        continue;
                if (part == 2 && here[0] == '.' && here[1] == '.')
                        return err_set(err, ERR_INVALID, "entry %.200s leads out of the archive", name);
                if (part > NAME_MAX || len + part + 2 > 4096)
                        return err_set(err, ERR_INVALID, "the name of entry %.200s is too long", name);
                if (len)
                        ret[len++] = '/';
                memcpy(ret + len, here, part);
                len += part;
        }
        ret[len] = '\0';
        return 0;
}

/* --- attributes --- */

void place_attributes_done(struct attributes *a)
{
        for (size_t i = 0; i < a->xattr_count; i++) {
                free(a->xattrs[i].name);
                free(a->xattrs[i].value);
        }
        free(a->xattrs);
        *a = (struct attributes){ 0 };
}

static bool xattr_wanted(const char *name)
{
        return !xattr_is_private(name) && (str_starts(name, "user.") || str_starts(name, "security.") ||
                                           str_starts(name, "trusted.") || str_starts(name, "system.posix_acl_"));
}

void placer_xattr_add(struct attributes *a, const char *name, const void *value, size_t len)
{
        a->xattrs = xreallocarray(a->xattrs, a->xattr_count + 1, sizeof(*a->xattrs));
        a->xattrs[a->xattr_count++] =
                (struct attribute){ xstrdup(name), xmemdup(len ? value : "", len ? len : 1), len };
}

int place_attributes_read(const struct placer_options *o, struct archive_entry *e, struct attributes *ret, struct err *err)
{
        const char *name;
        const void *value;
        size_t len;
        int64_t uid = archive_entry_uid(e), gid = archive_entry_gid(e);
        if (!o->keep_owner) {
                uid = o->uid;
                gid = o->gid;
        }
        if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
                return err_set(err, ERR_INVALID, "owner %lld:%lld is out of range", (long long)uid, (long long)gid);
        *ret = (struct attributes){ .mode = archive_entry_perm(e) & 07777, .uid = (uid_t)uid, .gid = (gid_t)gid };
        ret->mtime.tv_sec = archive_entry_mtime(e);
        ret->mtime.tv_nsec = archive_entry_mtime_nsec(e);
        if (ret->mtime.tv_nsec < 0 || ret->mtime.tv_nsec > 999999999)
                ret->mtime.tv_nsec = 0;
        if (ret->mtime.tv_sec < 0 && ret->mtime.tv_nsec > 0) {
                /* "-1.2" comes as -1 and .2 */
                ret->mtime.tv_sec--;
                ret->mtime.tv_nsec = 1000000000 - ret->mtime.tv_nsec;
        }
        archive_entry_xattr_reset(e);
        while (archive_entry_xattr_next(e, &name, &value, &len) == ARCHIVE_OK)
                if (name && xattr_wanted(name))
                        placer_xattr_add(ret, name, value, len);
        acl_from_entry(e, ret);
        return 0;
}

/* --- what is not placed --- */

int place_middle_check(const char *path, const char *name, struct err *err)
{
        for (const char *at = path; at < name; at = strchr(at, '/') + 1) {
                if (str_starts(at, WHITEOUT_META))
                        return 1;
                if (str_starts(at, WHITEOUT))
                        return err_set(err, ERR_INVALID, "entry /%s lies below a whiteout", path);
        }
        return 0;
}

int place_count_add(struct place_count *c, const struct layer_limits *l, struct archive_entry *e, struct err *err)
{
        if (l->max_files && ++c->files > l->max_files)
                return err_set(err, ERR_TOO_LARGE, "archive has more than %llu entries",
                               (unsigned long long)l->max_files);
        /* A sparse file counts as what its readers will see. */
        uint64_t size = archive_entry_filetype(e) == AE_IFREG && archive_entry_size(e) > 0
                                ? (uint64_t)archive_entry_size(e)
                                : 0;
        if (l->max_bytes && (size > l->max_bytes || c->bytes > l->max_bytes - size))
                return err_set(err, ERR_TOO_LARGE, "archive unpacks to more than %llu bytes",
                               (unsigned long long)l->max_bytes);
        c->bytes += archive_entry_hardlink(e) ? 0 : size;
        return 0;
}
