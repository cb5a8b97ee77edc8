/* Folders of one container: RUN/containers/<id> while it runs, ROOT/containers/<id> for what outlives a reboot. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"

char *run_dir_path(const struct engine *e, const char *id) { return xasprintf("%s/containers/%s", engine_run(e), id); }

char *container_dir_path(const struct engine *e, const char *id) { return xasprintf("%s/containers/%s", engine_root(e), id); }

int run_dir_open(struct engine *e, const char *id, struct err *err)
{
        _cleanup_free_ char *path = run_dir_path(e, id);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd >= 0 ? fd : err_sys(err, "%s", path);
}

static int run_dir_make(struct engine *e, const char *id, struct err *err)
{
        _cleanup_free_ char *path = run_dir_path(e, id);
        if (mkdir(path, 0700) < 0 && errno == ENOENT) {
                _cleanup_free_ char *parent = xasprintf("%s/containers", engine_run(e));
                if (path_mkdirs(parent, 0711, err) < 0)
                        return -1;
                if (mkdir(path, 0700) < 0 && errno != EEXIST)
                        return err_sys(err, "%s", path);
        }
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd >= 0 ? fd : err_sys(err, "%s", path);
}

/* The lock of a folder that was removed meanwhile locks nothing. */
static bool still_there(struct engine *e, const char *id, int fd)
{
        _cleanup_free_ char *path = run_dir_path(e, id);
        struct stat have, now;
        return fstat(fd, &have) == 0 && stat(path, &now) == 0 && have.st_ino == now.st_ino && have.st_dev == now.st_dev;
}

int container_lock(struct engine *e, const char *id, struct err *err)
{
        for (;;) {
                _cleanup_close_ int fd = run_dir_make(e, id, err);
                if (fd < 0)
                        return err->sys == ENOENT ? container_lock(e, id, err) : -1;
                int locked;
                while ((locked = flock(fd, LOCK_EX)) < 0 && errno == EINTR)
                        ;
                if (locked < 0)
                        return err_sys(err, "lock of container %.12s", id);
                if (still_there(e, id, fd))
                        return TAKE_FD(fd);
        }
}

int run_dir_remove(struct engine *e, const char *id, struct err *err)
{
        _cleanup_free_ char *path = run_dir_path(e, id);
        return tree_remove_at(AT_FDCWD, path, err);
}

bool stop_is_marked(int run_dir_fd) { return faccessat(run_dir_fd, "stop", F_OK, 0) == 0; }

int run_dir_watch(struct engine *e, const char *id)
{
        _cleanup_free_ char *path = run_dir_path(e, id), *parent = xasprintf("%s/containers", engine_run(e));
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (fd < 0 || inotify_add_watch(fd, path, IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR | IN_DONT_FOLLOW) >= 0)
                return TAKE_FD(fd);
        return inotify_add_watch(fd, parent, IN_CREATE | IN_ONLYDIR | IN_DONT_FOLLOW) >= 0 ? TAKE_FD(fd) : -1;
}

void run_dir_wait(int watch, int timeout_ms)
{
        char changes[4096];
        struct pollfd p = { .fd = watch, .events = POLLIN };
        poll(&p, 1, timeout_ms);
        while (watch >= 0 && read(watch, changes, sizeof(changes)) > 0)
                ;
}

bool monitor_alive(int run_dir_fd)
{
        _cleanup_close_ int fd = openat(run_dir_fd, "monitor.pid", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

bool monitor_lock_is(int run_dir_fd, int lock)
{
        struct stat held, now;
        return lock >= 0 && fstat(lock, &held) == 0 && fstatat(run_dir_fd, "monitor.pid", &now, AT_SYMLINK_NOFOLLOW) == 0 &&
               held.st_ino == now.st_ino && held.st_dev == now.st_dev && flock(lock, LOCK_EX | LOCK_NB) == 0;
}

int monitor_lock(int run_dir_fd, struct err *err)
{
        _cleanup_close_ int fd = openat(run_dir_fd, "monitor.pid", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return err_sys(err, "monitor.pid");
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return err_set(err, ERR_CONFLICT, "the container is running already");
        return TAKE_FD(fd);
}
