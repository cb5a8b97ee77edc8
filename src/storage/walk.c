#include "storage/walk-internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/path.h"
#include "base/str.h"
#include "storage/keymap-internal.h"

static int name_compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_read(int top_fd, const char *path, struct namelist *ret, struct err *err)
{
        int fd = path_open_nolink(top_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0, err);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return fd < 0 ? -1 : err_sys(err, "read /%s", path);
        for (struct dirent *e; (e = readdir(dir));)
                if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
                        namelist_add(ret, e->d_name);
        if (ret->count)
                qsort(ret->list, ret->count, sizeof(*ret->list), name_compare);
        return 0;
}

/* Visits one entry; 1: it is a directory to go into. */
static int entry_visit(int top_fd, const char *path, walk_fn fn, void *data, struct err *err)
{
        struct stat st;
        _cleanup_close_ int fd = path_open_nolink(top_fd, path, O_PATH | O_NOFOLLOW, 0, err);
        if (fd < 0 && err->sys == ENOENT) {
                err_clear(err); /* removed meanwhile */
                return 0;
        }
        if (fd < 0 || fstat(fd, &st) < 0)
                return fd < 0 ? -1 : err_sys(err, "/%s", path);
        int r = fn(data, path, fd, &st, err);
        return r != 0 ? (r < 0 ? -1 : 0) : S_ISDIR(st.st_mode);
}

static int dir_walk(int top_fd, const char *path, walk_fn fn, void *data, struct err *err)
{
        _cleanup_(namelist_done) struct namelist names = { 0 };
        if (names_read(top_fd, path, &names, err) < 0)
                return -1;
        for (size_t i = 0; i < names.count; i++) {
                _cleanup_free_ char *child = *path ? xasprintf("%s/%s", path, names.list[i]) : xstrdup(names.list[i]);
                int r = entry_visit(top_fd, child, fn, data, err);
                if (r < 0 || (r > 0 && dir_walk(top_fd, child, fn, data, err) < 0))
                        return -1;
        }
        return 0;
}

int sorted_walk(int top_fd, walk_fn fn, void *data, struct err *err)
{
        struct stat st;
        if (fstat(top_fd, &st) < 0)
                return err_sys(err, "stat the top");
        int r = fn(data, "", top_fd, &st, err);
        if (r != 0 || !S_ISDIR(st.st_mode))
                return r < 0 ? -1 : 0;
        return dir_walk(top_fd, "", fn, data, err);
}
