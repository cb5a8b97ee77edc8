#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

char *cgroup_file(const char *top, const char *path, const char *file)
{
        return xasprintf("%s%s%s%s", top, path, *file ? "/" : "", file);
}

int cgroup_write(const char *top, const char *path, const char *file, const char *text, struct err *err)
{
        _cleanup_free_ char *full = cgroup_file(top, path, file);
        return file_poke_at(AT_FDCWD, full, text, err);
}

int cgroup_writef(const char *top, const char *path, const char *file, struct err *err, const char *fmt, ...)
{
        char text[256];
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        return n < 0 || (size_t)n >= sizeof(text) ? err_set(err, ERR_TOO_LARGE, "%s: value too long", file)
                                                  : cgroup_write(top, path, file, text, err);
}

bool cgroup_has(const char *top, const char *path, const char *file)
{
        _cleanup_free_ char *full = cgroup_file(top, path, file);
        return access(full, F_OK) == 0;
}

static bool read_text(const char *top, const char *path, const char *file, struct buf *b)
{
        struct err unused = ERR_INIT;
        _cleanup_free_ char *full = cgroup_file(top, path, file);
        return file_read_at(AT_FDCWD, full, b, &unused) == 0 && b->data;
}

uint64_t cgroup_read_u64(const char *top, const char *path, const char *file, uint64_t otherwise)
{
        _cleanup_buf_ struct buf b = BUF_INIT(4096);
        uint64_t value;
        return read_text(top, path, file, &b) && sscanf(b.data, "%" SCNu64, &value) == 1 ? value : otherwise;
}

uint64_t cgroup_read_key(const char *top, const char *path, const char *file, const char *key, uint64_t otherwise)
{
        _cleanup_buf_ struct buf b = BUF_INIT(1 << 16);
        size_t len = strlen(key);
        if (!read_text(top, path, file, &b))
                return otherwise;
        for (const char *line = b.data; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
                uint64_t value;
                if (strncmp(line, key, len) == 0 && line[len] == ' ' && sscanf(line + len, "%" SCNu64, &value) == 1)
                        return value;
        }
        return otherwise;
}

int cgroup_make(const char *top, const char *path, struct err *err)
{
        _cleanup_free_ char *full = cgroup_file(top, path, "");
        if (mkdir(full, 0755) == 0 || errno == EEXIST)
                return 0;
        return errno == ENOENT ? path_mkdirs(full, 0755, err) : err_sys(err, "make cgroup %s", full);
}

static int walk_below(const char *top, const char *path, int depth, cgroup_walk_fn fn, void *data, bool after,
                      struct err *err)
{
        _cleanup_free_ char *full = cgroup_file(top, path, "");
        _cleanup_closedir_ DIR *dir = depth > 64 ? NULL : opendir(full);
        if (!dir)
                return errno == ENOENT ? 0 : err_sys(err, "cgroup %s", full);
        if (!after && fn(top, path, data, err) < 0)
                return -1;
        for (struct dirent *e; (e = readdir(dir));) {
                if (e->d_type != DT_DIR || str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
                        continue;
                _cleanup_free_ char *child = xasprintf("%s/%s", path, e->d_name);
                if (walk_below(top, child, depth + 1, fn, data, after, err) < 0)
                        return -1;
        }
        return after ? fn(top, path, data, err) : 0;
}

int cgroup_walk(const char *top, const char *path, cgroup_walk_fn fn, void *data, struct err *err)
{
        return walk_below(top, path, 0, fn, data, false, err);
}

static int remove_one(const char *top, const char *path, void *data, struct err *err)
{
        _cleanup_free_ char *full = cgroup_file(top, path, "");
        if (rmdir(full) == 0 || errno == ENOENT)
                return 0;
        return err_sys(err, "remove cgroup %s", full);
}

int cgroup_rmdir(const char *top, const char *path, struct err *err)
{
        _cleanup_free_ char *full = cgroup_file(top, path, "");
        if (rmdir(full) == 0 || errno == ENOENT)
                return 0;
        return walk_below(top, path, 0, remove_one, NULL, true, err);
}
