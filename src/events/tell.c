#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "events/events-internal.h"

static int folder_open(const char *root, struct err *err)
{
        _cleanup_free_ char *path = xasprintf("%s/events", root);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT && path_mkdirs(path, 0700, err) == 0)
                fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? err_sys(err, "open %s", path) : fd;
}

static int log_open(int folder, struct stat *ret, struct err *err)
{
        _cleanup_close_ int fd = openat(folder, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || fstat(fd, ret) < 0)
                return err_sys(err, "open events/log");
        return TAKE_FD(fd);
}

/* Who finds the file full moves it on; of several the first does, and the others find a small one. */
static int rotate(int folder, struct err *err)
{
        _cleanup_close_ int lock = file_lock_at(folder, "lock", true, true, err);
        struct stat st;
        if (lock < 0)
                return -1;
        if (fstatat(folder, "log", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size < EVENTS_FILE_MAX)
                return 0;
        for (int i = EVENTS_FILES - 1; i > 0; i--) {
                char old[16] = "log", new[16];
                if (i > 1)
                        snprintf(old, sizeof(old), "log.%d", i - 1);
                snprintf(new, sizeof(new), "log.%d", i);
                if (renameat(folder, old, folder, new) < 0 && errno != ENOENT)
                        return err_sys(err, "rename events/%s", old);
        }
        return 0;
}

static int append(const char *root, const struct event *e, struct err *err)
{
        struct stat st;
        _cleanup_free_ char *line = event_line(e);
        size_t len = strlen(line);
        if (len >= EVENT_LINE_MAX)
                return err_set(err, ERR_TOO_LARGE, "%zu bytes of attributes", len);
        _cleanup_close_ int folder = folder_open(root, err);
        _cleanup_close_ int fd = folder < 0 ? -1 : log_open(folder, &st, err);
        if (fd < 0)
                return -1;
        if (st.st_size >= EVENTS_FILE_MAX) {
                if (rotate(folder, err) < 0)
                        return -1;
                close(fd);
                fd = log_open(folder, &st, err);
                if (fd < 0)
                        return -1;
        }
        line[len] = '\n';
        ssize_t n = write(fd, line, len + 1);
        return n == (ssize_t)len + 1 ? 0 : n < 0 ? err_sys(err, "write events/log") : err_set(err, ERR_SYSTEM, "events/log: no room");
}

void events_tell(const char *root, const char *type, const char *action, const char *id, char *const *attributes)
{
        struct err err = ERR_INIT;
        struct event e = { .time = time_now(), .type = (char *)type, .action = (char *)action, .id = (char *)id, .attributes = (char **)attributes };
        if (append(root, &e, &err) < 0)
                log_debug("event %s %s: %s", type, action, err.msg);
}
