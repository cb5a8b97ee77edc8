#include "registry/store-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "registry/names-internal.h"

#define ENTRY_TEXT_MAX ((size_t)1 << 20)
#define TOUCH_AGE (INT64_C(600) * 1000000000) /* ns; more often would only wear the disk */

static int folder_make(int dir_fd, const char *path, struct err *err)
{
        _cleanup_close_ int fd = path_mkdirs_in(dir_fd, path, 0700, (uid_t)-1, (gid_t)-1, err);
        return fd < 0 ? -1 : 0;
}

int store_open(const char *root, struct store *ret, struct err *err)
{
        _cleanup_(blobs_closep) struct blobs *blobs = NULL;

        if (blobs_open(root, &blobs, err) < 0)
                return -1;
        _cleanup_close_ int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return err_sys(err, "%s", root);
        if (folder_make(root_fd, "repositories", err) < 0 || folder_make(root_fd, "uploads", err) < 0)
                return err_add(err, "%s", root);
        ret->root_fd = TAKE_FD(root_fd);
        ret->blobs = TAKE_PTR(blobs);
        return 0;
}

void store_done(struct store *s)
{
        blobs_close(s->blobs);
        mem_closep(&s->root_fd);
        *s = (struct store){ .root_fd = -1 };
}

int store_lock(struct store *s, bool exclusive, struct err *err)
{
        return file_lock_at(s->root_fd, "lock", exclusive, true, err);
}

int store_serving_lock(struct store *s, bool exclusive, bool wait, struct err *err)
{
        return file_lock_at(s->root_fd, "serving", exclusive, wait, err);
}

static char *folder_path(const char *name, const char *folder)
{
        return xasprintf("repositories/%s/%s", name, folder);
}

static char *entry_path(const char *name, const char *folder, const char *entry)
{
        return xasprintf("repositories/%s/%s/%s", name, folder, entry);
}

static int names_read(int fd, char ***ret, struct err *err)
{
        _cleanup_closedir_ DIR *d = fdopendir(fd);
        size_t count = 0, cap = 64;
        struct dirent *e;

        if (!d) {
                mem_closep(&fd);
                return err_sys(err, "read directory");
        }
        char **names = xreallocarray(NULL, cap + 1, sizeof(*names));
        while ((e = readdir(d))) {
                if (*e->d_name == '.')
                        continue; /* also the temporary names of writers */
                if (count == cap)
                        names = xreallocarray(names, (cap *= 2) + 1, sizeof(*names));
                names[count++] = xstrdup(e->d_name);
        }
        names[count] = NULL;
        strv_sort(names);
        *ret = names;
        return 0;
}

static int directory_open(int dir_fd, const char *path)
{
        return openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int repository_entries(struct store *s, const char *name, const char *folder, char ***ret, struct err *err)
{
        _cleanup_free_ char *path = folder_path(name, folder);
        int fd = directory_open(s->root_fd, path);

        if (fd >= 0)
                return names_read(fd, ret, err);
        if (errno != ENOENT)
                return err_sys(err, "%s", path);
        *ret = NULL;
        return 0;
}

bool repository_exists(struct store *s, const char *name)
{
        return entry_exists(s, name, "_manifests", "") || entry_exists(s, name, "_layers", "");
}

static bool repository_wanted(struct store *s, const char *name, bool with_empty)
{
        _cleanup_strv_ char **manifests = NULL;
        struct err ignored = ERR_INIT;

        if (with_empty)
                return repository_exists(s, name);
        return repository_entries(s, name, "_manifests", &manifests, &ignored) == 0 && strv_len(manifests) > 0;
}

struct repository_list {
        struct store *store;
        bool with_empty;
        char **names;
        size_t count, cap;
};

static void list_add(struct repository_list *l, const char *name)
{
        if (l->count == l->cap)
                l->names = xreallocarray(l->names, (l->cap = l->cap ? l->cap * 2 : 64) + 1, sizeof(*l->names));
        l->names[l->count++] = xstrdup(name);
        l->names[l->count] = NULL;
}

/* Repositories may lie within each other: "a" and "a/b". Depth is bounded by the longest name. */
static int tree_walk(struct repository_list *l, const char *prefix, struct err *err)
{
        _cleanup_strv_ char **names = NULL;
        _cleanup_free_ char *path = xasprintf("repositories/%s", prefix);
        int fd = directory_open(l->store->root_fd, path);

        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, "%s", path);
        if (names_read(fd, &names, err) < 0)
                return -1;
        STRV_FOREACH (name, names) {
                _cleanup_free_ char *full = *prefix ? xasprintf("%s/%s", prefix, *name) : xstrdup(*name);
                if (!repository_name_valid(full))
                        continue;
                if (repository_wanted(l->store, full, l->with_empty))
                        list_add(l, full);
                if (tree_walk(l, full, err) < 0)
                        return -1;
        }
        return 0;
}

int repositories_list(struct store *s, bool with_empty, char ***ret, struct err *err)
{
        struct repository_list l = { .store = s, .with_empty = with_empty };

        if (tree_walk(&l, "", err) < 0) {
                strv_free(l.names);
                return -1;
        }
        strv_sort(l.names);
        *ret = l.names;
        return 0;
}

int entry_get(struct store *s, const char *name, const char *folder, const char *entry, struct buf *ret,
              struct err *err)
{
        _cleanup_free_ char *path = entry_path(name, folder, entry);

        ret->max = ENTRY_TEXT_MAX;
        if (buf_add(ret, "", 0, err) < 0)
                return -1;
        return file_read_at(s->root_fd, path, ret, err);
}

int entry_put(struct store *s, const char *name, const char *folder, const char *entry, const char *text,
              struct err *err)
{
        _cleanup_free_ char *path = entry_path(name, folder, entry), *dir = folder_path(name, folder);

        if (folder_make(s->root_fd, dir, err) < 0)
                return err_add(err, "repository %s", name);
        return file_write_at(s->root_fd, path, text, strlen(text), 0600, true, err);
}

int entry_remove(struct store *s, const char *name, const char *folder, const char *entry, struct err *err)
{
        _cleanup_free_ char *path = entry_path(name, folder, entry);
        return unlinkat(s->root_fd, path, 0) < 0 ? err_sys(err, "%s", path) : 0;
}

bool entry_exists(struct store *s, const char *name, const char *folder, const char *entry)
{
        _cleanup_free_ char *path = entry_path(name, folder, entry);
        return file_exists_at(s->root_fd, path);
}

bool layer_held(struct store *s, const char *name, const char *digest, uint64_t *ret_size)
{
        return entry_exists(s, name, "_layers", digest_hex(digest)) && blob_exists(s->blobs, digest, ret_size);
}

int layer_hold(struct store *s, const char *name, const char *digest, struct err *err)
{
        blob_touch(s, digest);
        return entry_exists(s, name, "_layers", digest_hex(digest))
                       ? 0
                       : entry_put(s, name, "_layers", digest_hex(digest), "", err);
}

void blob_touch(struct store *s, const char *digest)
{
        struct err ignored = ERR_INIT;
        _cleanup_close_ int fd = blob_open(s->blobs, digest, NULL, &ignored);
        struct stat st;

        if (fd >= 0 && fstat(fd, &st) == 0 && time_now() - st.st_mtim.tv_sec * INT64_C(1000000000) > TOUCH_AGE)
                futimens(fd, NULL);
}

bool digest_from_hex(const char *hex, char ret[DIGEST_SIZE])
{
        const char *algorithm = strlen(hex) == 64 ? "sha256" : "sha512";
        return snprintf(ret, DIGEST_SIZE, "%s:%s", algorithm, hex) < DIGEST_SIZE && digest_valid(ret);
}
