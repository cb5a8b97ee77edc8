#include "storage/snapshot.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/settle-internal.h"
#include "storage/snapshot-internal.h"

/* Best first. */
static const struct snapshot_driver *const drivers[] = { &snapshot_overlay, &snapshot_vfs, &snapshot_erofs };
static const char *const folders[] = { "layers", "staging", "roots", "trash" };

static const struct snapshot_driver *driver_find(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(drivers); i++)
                if (str_eq(drivers[i]->name, name))
                        return drivers[i];
        return NULL;
}

void snapshots_close(struct snapshots *s)
{
        if (!s)
                return;
        layer_mounts_close(s);
        mem_closep(&s->dir_fd);
        free(s->dir);
        free(s);
}

const char *snapshots_driver(const struct snapshots *s)
{
        return s->driver->name;
}

void snapshots_keep_mounts(struct snapshots *s)
{
        if (s->driver->mounts_hold)
                s->driver->mounts_hold(s);
}

/* First use of a driver here: folders, probe, and `ready` last, so that a half-made one is made again. */
static int folder_setup(struct snapshots *s, struct err *err)
{
        for (size_t i = 0; i < ELEMENTS(folders); i++)
                if (mkdirat(s->dir_fd, folders[i], 0700) < 0 && errno != EEXIST)
                        return err_sys(err, "create %s/%s", s->dir, folders[i]);
        if (s->driver->probe(s, err) < 0)
                return err_add(err, "storage driver %s", s->driver->name);
        const char *text = s->user_xattr ? "user\n" : "trusted\n";
        return file_write_at(s->dir_fd, "ready", text, strlen(text), 0600, true, err);
}

static int ready_read(struct snapshots *s, struct err *err)
{
        char text[16];
        _cleanup_close_ int fd = openat(s->dir_fd, "ready", O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return folder_setup(s, err);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n < 0)
                return err_sys(err, "read %s/ready", s->dir);
        text[n] = '\0';
        s->user_xattr = str_eq(text, "user\n");
        return 0;
}

static int driver_open(const char *root, const struct snapshot_driver *driver, struct snapshots **ret, struct err *err)
{
        _cleanup_(snapshots_closep) struct snapshots *s = xcalloc(1, sizeof(*s));
        s->driver = driver;
        s->dir = xasprintf("%s/%s", root, driver->name);
        s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->dir_fd < 0 && errno == ENOENT) {
                if (path_mkdirs(s->dir, 0700, err) < 0)
                        return -1;
                s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        if (s->dir_fd < 0)
                return err_sys(err, "open %s", s->dir);
        if (ready_read(s, err) < 0 || unsettled_recover(s, err) < 0)
                return -1;
        *ret = TAKE_PTR(s);
        return 0;
}

static int driver_record(const char *root, const char *name, struct err *err)
{
        _cleanup_close_ int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return err_sys(err, "open %s", root);
        _cleanup_free_ char *line = xasprintf("%s\n", name);
        return file_write_at(root_fd, "driver", line, strlen(line), 0600, true, err);
}

/* The first driver of the table that works here, or the one asked for; recorded for the next time. */
static int driver_choose(const char *root, const char *wanted, struct snapshots **ret, struct err *err)
{
        _cleanup_(snapshots_closep) struct snapshots *s = NULL;
        for (size_t i = 0; i < ELEMENTS(drivers) && !s; i++)
                if (!wanted || str_eq(drivers[i]->name, wanted))
                        if (driver_open(root, drivers[i], &s, err) < 0 && (wanted || err->kind != ERR_UNSUPPORTED))
                                return -1;
        if (!s)
                return err_add(err, "no storage driver works on %s", root);
        if (driver_record(root, s->driver->name, err) < 0)
                return -1;
        *ret = TAKE_PTR(s);
        return 0;
}

int snapshots_open(const char *root, const char *driver, struct snapshots **ret, struct err *err)
{
        char name[32];
        if (root[0] != '/')
                return err_set(err, ERR_INVALID, "data root %s is not absolute", root);
        if (driver && !driver_find(driver))
                return err_set(err, ERR_INVALID, "unknown storage driver %s", driver);
        if (driver && path_mkdirs(root, 0700, err) < 0)
                return -1;
        _cleanup_free_ char *record = xasprintf("%s/driver", root);
        _cleanup_close_ int fd = open(record, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno != ENOENT)
                return err_sys(err, "open %s", record);
        if (fd < 0)
                return path_mkdirs(root, 0700, err) < 0 ? -1 : driver_choose(root, driver, ret, err);
        ssize_t n = read(fd, name, sizeof(name) - 1);
        if (n < 0)
                return err_sys(err, "read %s", record);
        name[n] = '\0';
        name[strcspn(name, "\n")] = '\0';
        const struct snapshot_driver *found = driver_find(driver ? driver : name);
        if (!found)
                return err_set(err, ERR_UNSUPPORTED,
                               "%s was made with storage driver %s, which this build does not have", root, name);
        return driver_open(root, found, ret, err);
}

int trash_remove(struct snapshots *s, const char *name, struct err *err)
{
        char random[33];
        random_hex(random, 32);
        _cleanup_free_ char *trash = xasprintf("trash/%s", random);
        if (renameat(s->dir_fd, name, s->dir_fd, trash) < 0)
                return errno == ENOENT ? 0 : err_sys(err, "remove %s", name);
        return tree_remove_at(s->dir_fd, trash, err);
}

/* True when somebody holds the lock of this staging, or it is too young to judge. */
static bool staging_busy(int folder_fd, const char *name, int64_t max_age)
{
        struct stat st;
        _cleanup_close_ int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno != ENOENT && errno != ENOTDIR && errno != ELOOP;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return true;
        return max_age > 0 && fstat(fd, &st) == 0 && st.st_mtim.tv_sec > time(NULL) - max_age;
}

static int folder_sweep(struct snapshots *s, const char *folder, int64_t max_age, unsigned *removed, struct err *err)
{
        int fd = openat(s->dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return err_sys(err, "open %s/%s", s->dir, folder);
        for (struct dirent *e; (e = readdir(dir));) {
                if (e->d_name[0] == '.' || (max_age >= 0 && staging_busy(dirfd(dir), e->d_name, max_age)))
                        continue;
                if (tree_remove_at(dirfd(dir), e->d_name, err) < 0)
                        return err_add(err, "sweep %s/%s", s->dir, folder);
                ++*removed;
        }
        return 0;
}

/* A root whose making was cut short has no chain file; nobody can use it. */
static int roots_sweep(struct snapshots *s, int64_t max_age, unsigned *removed, struct err *err)
{
        int fd = openat(s->dir_fd, "roots", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return err_sys(err, "open %s/roots", s->dir);
        for (struct dirent *e; (e = readdir(dir));) {
                if (e->d_name[0] == '.' || root_exists(s, e->d_name) || staging_busy(dirfd(dir), e->d_name, max_age))
                        continue;
                _cleanup_free_ char *name = xasprintf("roots/%s", e->d_name);
                if (trash_remove(s, name, err) < 0)
                        return -1;
                ++*removed;
        }
        return 0;
}

int snapshots_sweep(struct snapshots *s, int64_t max_age, unsigned *ret_removed, struct err *err)
{
        unsigned removed = 0;
        if (folder_sweep(s, "trash", -1, &removed, err) < 0 || folder_sweep(s, "staging", max_age, &removed, err) < 0 ||
            roots_sweep(s, max_age, &removed, err) < 0 || unsettled_sweep(s, max_age, err) < 0)
                return -1;
        *ret_removed += removed;
        return 0;
}
