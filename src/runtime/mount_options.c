#include "runtime/words.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"

/* config.md "Linux mount options": one row a word. Attributes act on the mount; the recursive forms (r...) on all below. */
static const struct attribute_row {
        const char *name;
        uint64_t set, clear;
} attribute_rows[] = {
        { "ro", MOUNT_ATTR_RDONLY, 0 },
        { "rw", 0, MOUNT_ATTR_RDONLY },
        { "nosuid", MOUNT_ATTR_NOSUID, 0 },
        { "suid", 0, MOUNT_ATTR_NOSUID },
        { "nodev", MOUNT_ATTR_NODEV, 0 },
        { "dev", 0, MOUNT_ATTR_NODEV },
        { "noexec", MOUNT_ATTR_NOEXEC, 0 },
        { "exec", 0, MOUNT_ATTR_NOEXEC },
        { "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
        { "atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "norelatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
        { "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
        { "nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
        { "diratime", 0, MOUNT_ATTR_NODIRATIME },
        { "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0 },
        { "symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW },
};

static const struct propagation_row {
        const char *name;
        uint64_t flag;
} propagation_rows[] = {
        { "private", MS_PRIVATE },
        { "shared", MS_SHARED },
        { "slave", MS_SLAVE },
        { "unbindable", MS_UNBINDABLE },
};

static const struct {
        const char *name;
        size_t offset;
} flag_rows[] = {
        { "bind", offsetof(struct mount_words, bind) },
        { "remount", offsetof(struct mount_words, remount) },
        { "tmpcopyup", offsetof(struct mount_words, copy_up) },
        { "idmap", offsetof(struct mount_words, idmap) },
        { "src-nofollow", offsetof(struct mount_words, source_nofollow) },
};

static const char *const recursive_flags[] = { "rbind", "ridmap" };

/* Words that say what is so anyway, or that only mount(8) itself reads. */
static const char *const ignored[] = { "defaults", "silent", "loud",   "nofail", "auto",
                                       "noauto",   "user",   "nouser", "_netdev",
                                       "iversion", "noiversion" }; /* the file system's own affair since Linux 5.17 */

/* What the kernel takes for every file system: these words go with the data. */
static const char *const superblock_words[] = { "async", "dirsync", "lazytime", "mand", "nolazytime", "nomand", "sync" };

char **mount_option_names(void)
{
        char **names = NULL;
        for (size_t i = 0; i < ELEMENTS(attribute_rows); i++) {
                strv_push(&names, attribute_rows[i].name);
                strv_push_take(&names, xasprintf("r%s", attribute_rows[i].name));
        }
        for (size_t i = 0; i < ELEMENTS(propagation_rows); i++) {
                strv_push(&names, propagation_rows[i].name);
                strv_push_take(&names, xasprintf("r%s", propagation_rows[i].name));
        }
        for (size_t i = 0; i < ELEMENTS(flag_rows); i++)
                strv_push(&names, flag_rows[i].name);
        for (size_t i = 0; i < ELEMENTS(recursive_flags); i++)
                strv_push(&names, recursive_flags[i]);
        for (size_t i = 0; i < ELEMENTS(ignored); i++)
                strv_push(&names, ignored[i]);
        for (size_t i = 0; i < ELEMENTS(superblock_words); i++)
                strv_push(&names, superblock_words[i]);
        strv_sort(names);
        return names;
}

void mount_words_done(struct mount_words *w)
{
        strv_free(w->data);
        w->data = NULL;
}

static bool take_attribute(struct mount_words *w, const char *word)
{
        for (size_t i = 0; i < ELEMENTS(attribute_rows); i++) {
                const struct attribute_row *row = &attribute_rows[i];
                if (str_eq(word, row->name)) {
                        w->set = (w->set & ~row->clear) | row->set;
                        w->clear = (w->clear & ~row->set) | row->clear;
                        if (row->set == MOUNT_ATTR_RDONLY || row->clear == MOUNT_ATTR_RDONLY)
                                w->read_only = row->set != 0;
                        return true;
                }
                if (word[0] == 'r' && str_eq(word + 1, row->name)) {
                        w->all_set = (w->all_set & ~row->clear) | row->set;
                        w->all_clear = (w->all_clear & ~row->set) | row->clear;
                        return true;
                }
        }
        return false;
}

static bool take_propagation(struct mount_words *w, const char *word)
{
        for (size_t i = 0; i < ELEMENTS(propagation_rows); i++) {
                bool all = word[0] == 'r' && str_eq(word + 1, propagation_rows[i].name);
                if (!all && !str_eq(word, propagation_rows[i].name))
                        continue;
                w->propagation = propagation_rows[i].flag;
                w->propagation_all = all;
                return true;
        }
        return false;
}

static bool take_flag(struct mount_words *w, const char *word)
{
        if (str_eq(word, recursive_flags[0]))
                return w->bind = w->recursive = true;
        if (str_eq(word, recursive_flags[1]))
                return w->idmap = w->idmap_all = true;
        for (size_t i = 0; i < ELEMENTS(flag_rows); i++)
                if (str_eq(word, flag_rows[i].name))
                        return *(bool *)((char *)w + flag_rows[i].offset) = true;
        for (size_t i = 0; i < ELEMENTS(ignored); i++)
                if (str_eq(word, ignored[i]))
                        return true;
        return str_starts(word, "x-") || str_starts(word, "X-");
}

void mount_words_parse(const struct oci_mount *m, struct mount_words *ret)
{
        *ret = (struct mount_words){ 0 };
        /* "ro" first: "rro" in the same list is a row of its own and not "ro" with an r before it. */
        STRV_FOREACH (word, m->options)
                if (!take_attribute(ret, *word) && !take_propagation(ret, *word) && !take_flag(ret, *word))
                        strv_push(&ret->data, *word);
        if (str_eq(m->type, "bind"))
                ret->bind = true;
        if (m->uid_map_count || m->gid_map_count)
                ret->idmap = true;
}

bool mount_words_propagates(const struct mount_words *w)
{
        return w->bind && (w->propagation & (MS_SHARED | MS_SLAVE));
}
