#include "storage/settle-internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#define FOLDER "unsettled"
#define CLAIMED ".settling"
#define FRESH ".new"           /* an entry before its names; nobody's when seen under the lock */
#define NEVER_CAME 600         /* s */

/* A folder that is there anyhow: a file made for this by a settler would get in the way of who removes the store. */
static int folder_lock(struct snapshots *s, const char *name, bool wait, struct err *err)
{
        _cleanup_close_ int fd = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "open %s/%s", s->dir, name);
        while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0)
                if (errno != EINTR)
                        return errno == EWOULDBLOCK ? err_set(err, ERR_CONFLICT, "%s/%s is locked", s->dir, name)
                                                    : err_sys(err, "lock %s/%s", s->dir, name);
        return TAKE_FD(fd);
}

int unsettled_lock(struct snapshots *s, struct err *err)
{
        return folder_lock(s, "layers", true, err);
}

/* -1 with ENOENT when nothing is unsettled. */
static int folder_open(struct snapshots *s)
{
        return openat(s->dir_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Plain or claimed name to the layer's; false: not an entry. */
static bool entry_layer(const char *entry, char ret_name[LAYER_NAME_SIZE], bool *ret_claimed)
{
        struct err ignored = ERR_INIT;
        size_t len = strcspn(entry, ".");
        char chain_id[DIGEST_SIZE];
        if (len != 64 && len != 128)
                return false;
        snprintf(chain_id, sizeof(chain_id), "%s:%.*s", len == 128 ? "sha512" : "sha256", (int)len, entry);
        *ret_claimed = str_eq(entry + len, CLAIMED);
        return (!entry[len] || *ret_claimed) && layer_name(chain_id, ret_name, &ignored) == 0;
}

static bool entry_is_ours(int folder, const char *entry, const char *boot)
{
        char text[64];
        _cleanup_close_ int fd = openat(folder, entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n < 0)
                return false;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return str_eq(text, boot);
}

struct visit {
        struct snapshots *s;
        int folder;
        char boot[40];
        size_t count;          /* as the visitor counts */
        int64_t max_age;
};

/* Calls fn for every entry; others' names are passed over. */
static int entries_visit(struct visit *v, int (*fn)(struct visit *v, const char *entry, const char *layer, bool claimed, struct err *err),
                         struct err *err)
{
        int fd = openat(v->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return err_sys(err, "open %s/" FOLDER, v->s->dir);
        for (struct dirent *e; (e = readdir(dir));) {
                char layer[LAYER_NAME_SIZE];
                bool claimed;
                if (entry_layer(e->d_name, layer, &claimed) && fn(v, e->d_name, layer, claimed, err) < 0)
                        return -1;
        }
        return 0;
}

static int entry_remove(struct visit *v, const char *entry, struct err *err)
{
        return unlinkat(v->folder, entry, 0) < 0 && errno != ENOENT ? err_sys(err, "remove " FOLDER "/%s", entry) : 0;
}

/* --- after a restart of the machine --- */

static int suspect_count(struct visit *v, const char *entry, const char *layer, bool claimed, struct err *err)
{
        v->count += !entry_is_ours(v->folder, entry, v->boot);
        return 0;
}

static int suspect_discard(struct visit *v, const char *entry, const char *layer, bool claimed, struct err *err)
{
        char random[17];
        if (entry_is_ours(v->folder, entry, v->boot))
                return 0;
        random_hex(random, 16);
        _cleanup_free_ char *trash = xasprintf("trash/" LAYER_SUSPECT "%s", random);
        if (renameat(v->s->dir_fd, layer, v->s->dir_fd, trash) < 0 && errno != ENOENT)
                return err_sys(err, "remove %s, which the machine went down with", layer);
        return 0;
}

static int suspect_forget(struct visit *v, const char *entry, const char *layer, bool claimed, struct err *err)
{
        return entry_is_ours(v->folder, entry, v->boot) ? 0 : entry_remove(v, entry, err);
}

static int folder_sync(struct snapshots *s, const char *name, struct err *err)
{
        _cleanup_close_ int fd = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "open %s/%s", s->dir, name);
        return file_sync_dir(fd, err);
}

int unsettled_recover(struct snapshots *s, struct err *err)
{
        _cleanup_close_ int folder = folder_open(s);
        struct visit v = { .s = s, .folder = folder };
        if (folder < 0)
                return errno == ENOENT ? 0 : err_sys(err, "open %s/" FOLDER, s->dir);
        if (boot_id_read(v.boot, err) < 0 || entries_visit(&v, suspect_count, err) < 0)
                return -1;
        if (v.count == 0)
                return 0;
        /* Under the lock once more: who came before us has done it, and the layer of today may be there. */
        _cleanup_close_ int lock = unsettled_lock(s, err);
        if (lock < 0 || entries_visit(&v, suspect_discard, err) < 0)
                return -1;
        /* The layers must be gone for good before what says that they are not to be trusted. */
        if (folder_sync(s, "layers", err) < 0 || entries_visit(&v, suspect_forget, err) < 0)
                return -1;
        unlinkat(s->dir_fd, FOLDER, AT_REMOVEDIR);
        return 0;
}

/* --- making entries --- */

/* Opens the folder, making it when it is missing: then its own name has to be synced too. */
static int folder_make(struct snapshots *s, bool *ret_made, struct err *err)
{
        *ret_made = mkdirat(s->dir_fd, FOLDER, 0700) == 0;
        if (!*ret_made && errno != EEXIST)
                return err_sys(err, "create %s/" FOLDER, s->dir);
        int fd = folder_open(s);
        return fd < 0 ? err_sys(err, "open %s/" FOLDER, s->dir) : fd;
}

/* A file with the boot id, not yet named as an entry. */
static int mark_open(struct snapshots *s, int folder, struct err *err)
{
        char boot[40];
        if (boot_id_read(boot, err) < 0)
                return -1;
        unlinkat(folder, FRESH, 0);
        _cleanup_close_ int fd = openat(folder, FRESH, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || fd_write_full(fd, boot, strlen(boot)) < 0)
                return err_sys(err, "create %s/" FOLDER "/" FRESH, s->dir);
        return TAKE_FD(fd);
}

/* All are names of one file, so that one sync does for all. The layers are not there: an entry one may have says nothing and is replaced. */
static int marks_make(struct snapshots *s, const char *const *chain_ids, size_t count, struct err *err)
{
        struct stat st;
        bool made = false;
        _cleanup_close_ int folder = folder_make(s, &made, err);
        _cleanup_close_ int mark = folder < 0 ? -1 : mark_open(s, folder, err);
        if (mark < 0)
                return -1;
        for (size_t i = 0; i < count; i++) {
                const char *hex = digest_hex(chain_ids[i]);
                if (unlinkat(folder, hex, 0) < 0 && errno != ENOENT)
                        return err_sys(err, "remove " FOLDER "/%s", hex);
                if (linkat(folder, FRESH, folder, hex, 0) < 0)
                        return err_sys(err, "create " FOLDER "/%s", hex);
        }
        if (unlinkat(folder, FRESH, 0) < 0 || fstat(mark, &st) < 0 || fsync(mark) < 0)
                return err_sys(err, "write %s/" FOLDER, s->dir);
        if (file_sync_dir(folder, err) < 0 || (made && file_sync_dir(s->dir_fd, err) < 0))
                return -1;
        s->mark_ino = st.st_ino;
        return 0;
}

int unsettled_ensure(struct snapshots *s, const char *chain_id, struct err *err)
{
        struct stat st;
        _cleanup_free_ char *entry = xasprintf(FOLDER "/%s", digest_hex(chain_id));
        /* One that others made may not be on disk yet: they may have been killed before the sync. */
        if (fstatat(s->dir_fd, entry, &st, AT_SYMLINK_NOFOLLOW) == 0 && s->mark_ino && st.st_ino == s->mark_ino)
                return 0;
        return marks_make(s, &chain_id, 1, err);
}

int unsettled_clear(struct snapshots *s, const char *chain_id, struct err *err)
{
        static const char *const suffixes[] = { "", CLAIMED };
        for (size_t i = 0; i < ELEMENTS(suffixes); i++) {
                _cleanup_free_ char *entry = xasprintf(FOLDER "/%s%s", digest_hex(chain_id), suffixes[i]);
                if (unlinkat(s->dir_fd, entry, 0) < 0 && errno != ENOENT)
                        return err_sys(err, "remove %s", entry);
        }
        return 0;
}

int layers_expect(struct snapshots *s, char *const *chain_ids, size_t count, struct err *err)
{
        size_t missing = 0;
        _cleanup_free_ const char **list = xcalloc(count + 1, sizeof(*list));
        _cleanup_close_ int lock = -1;
        for (size_t i = 0; i < count; i++) {
                if (layer_exists(s, chain_ids[i]))
                        continue;
                /* Published under the lock, so what is still missing now stays so. */
                if (lock < 0 && (lock = unsettled_lock(s, err)) < 0)
                        return -1;
                if (!layer_exists(s, chain_ids[i]))
                        list[missing++] = chain_ids[i];
        }
        return missing ? marks_make(s, list, missing, err) : 0;
}

void layers_unexpect(struct snapshots *s)
{
        struct err ignored = ERR_INIT;
        (void)unsettled_sweep(s, 0, &ignored);
}

void layer_derived(struct layer_staging *l)
{
        l->derived = true;
}

bool snapshots_settle_due(const struct snapshots *s)
{
        return s->settle_due;
}

/* --- settling --- */

static int entry_claim(struct visit *v, const char *entry, const char *layer, bool claimed, struct err *err)
{
        if (claimed) {
                v->count++;
                return 0;
        }
        if (!file_exists_at(v->s->dir_fd, layer))
                return 0;
        _cleanup_free_ char *name = xasprintf("%s" CLAIMED, entry);
        if (renameat(v->folder, entry, v->folder, name) < 0)
                return err_sys(err, "rename " FOLDER "/%s", entry);
        v->count++;
        /* Where a killed settler left two names of one file, rename(2) does nothing. */
        return entry_remove(v, entry, err);
}

static int claimed_remove(struct visit *v, const char *entry, const char *layer, bool claimed, struct err *err)
{
        return claimed ? entry_remove(v, entry, err) : 0;
}

static int absent_remove(struct visit *v, const char *entry, const char *layer, bool claimed, struct err *err)
{
        struct stat st;
        if (file_exists_at(v->s->dir_fd, layer) || fstatat(v->folder, entry, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            (v->max_age > 0 && st.st_ctim.tv_sec > time(NULL) - v->max_age))
                return 0;
        return entry_remove(v, entry, err);
}

/* With the lock held. */
static int folder_tidy(struct visit *v, int64_t max_age, struct err *err)
{
        v->max_age = max_age;
        if (entries_visit(v, absent_remove, err) < 0)
                return -1;
        unlinkat(v->folder, FRESH, 0);
        unlinkat(v->s->dir_fd, FOLDER, AT_REMOVEDIR);
        return 0;
}

int unsettled_sweep(struct snapshots *s, int64_t max_age, struct err *err)
{
        _cleanup_close_ int lock = unsettled_lock(s, err), folder = lock < 0 ? -1 : folder_open(s);
        struct visit v = { .s = s, .folder = folder };
        if (lock < 0)
                return -1;
        if (folder < 0)
                return errno == ENOENT ? 0 : err_sys(err, "open %s/" FOLDER, s->dir);
        return folder_tidy(&v, max_age, err);
}

/* One round: what was synced is released and what came meanwhile claimed. 1: there is something to sync; 0: all is settled, and *settling, the
 * lock by which others know that we are at it, is released before anybody can add an entry. */
static int round_turn(struct snapshots *s, bool synced, int *settling, struct err *err)
{
        _cleanup_close_ int lock = unsettled_lock(s, err), folder = lock < 0 ? -1 : folder_open(s);
        struct visit v = { .s = s, .folder = folder };
        if (lock < 0)
                return -1;
        if (folder < 0 && errno != ENOENT)
                return err_sys(err, "open %s/" FOLDER, s->dir);
        if (folder >= 0) {
                if ((synced && entries_visit(&v, claimed_remove, err) < 0) || entries_visit(&v, entry_claim, err) < 0)
                        return -1;
                if (v.count > 0)
                        return 1;
                if (folder_tidy(&v, NEVER_CAME, err) < 0)
                        return -1;
        }
        mem_closep(settling);
        *settling = -1;
        return 0;
}

static int suspects_remove(struct snapshots *s, struct err *err)
{
        int fd = openat(s->dir_fd, "trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return err_sys(err, "open %s/trash", s->dir);
        for (struct dirent *e; (e = readdir(dir));)
                if (str_starts(e->d_name, LAYER_SUSPECT) && tree_remove_at(dirfd(dir), e->d_name, err) < 0)
                        return -1;
        return 0;
}

int snapshots_settle(struct snapshots *s, bool wait, struct err *err)
{
        int more;
        bool synced = false;
        struct err busy = ERR_INIT;
        _cleanup_close_ int layers = openat(s->dir_fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (layers < 0)
                return err_sys(err, "open %s/layers", s->dir);
        _cleanup_close_ int settling = folder_lock(s, "trash", wait, &busy);
        if (settling < 0 && busy.kind == ERR_CONFLICT)
                return 0;
        if (settling < 0) {
                *err = busy;
                return -1;
        }
        if (suspects_remove(s, err) < 0)
                return -1;
        while ((more = round_turn(s, synced, &settling, err)) > 0) {
                if (syncfs(layers) < 0)
                        return err_sys(err, "sync %s", s->dir);
                synced = true;
        }
        return more;
}
