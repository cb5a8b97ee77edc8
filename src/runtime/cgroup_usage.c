#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/file.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

#define SET_MAX 65536 /* processors or nodes in one set */

static bool read_file(const char *top, const char *path, const char *file, struct buf *b)
{
        struct err unused = ERR_INIT;
        _cleanup_free_ char *full = cgroup_file(top, path, file);
        return file_read_at(AT_FDCWD, full, b, &unused) == 0 && b->data;
}

/* jansson counts to INT64_MAX, which is as good as without limit. */
static json_t *number(uint64_t value)
{
        return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

void usage_u64(json_t *o, const char *key, const char *top, const char *path, const char *file)
{
        _cleanup_buf_ struct buf b = BUF_INIT(4096);
        uint64_t value;
        int64_t negative;
        if (!read_file(top, path, file, &b))
                return;
        if (b.data[0] == '-' && sscanf(b.data, "%" SCNd64, &negative) == 1)
                json_object_set_new(o, key, json_integer(negative));
        else if (sscanf(b.data, "%" SCNu64, &value) == 1)
                json_object_set_new(o, key, number(value));
}

json_t *usage_numbers(const char *top, const char *path, const char *file)
{
        _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
        json_t *list = json_array();
        char *rest = NULL;
        if (!read_file(top, path, file, &b))
                return list;
        for (char *word = strtok_r(b.data, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
                json_array_append_new(list, number(strtoull(word, NULL, 10)));
        return list;
}

json_t *usage_keys(const char *top, const char *path, const char *file)
{
        _cleanup_buf_ struct buf b = BUF_INIT(1 << 18);
        json_t *o = json_object();
        char *rest = NULL;
        if (!read_file(top, path, file, &b))
                return o;
        for (char *line = strtok_r(b.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                char *space = strchr(line, ' ');
                if (!space || space[1] < '0' || space[1] > '9')
                        continue;
                *space = 0;
                json_object_set_new(o, line, number(strtoull(space + 1, NULL, 10)));
        }
        return o;
}

json_t *usage_set(const char *top, const char *path, const char *file)
{
        _cleanup_buf_ struct buf b = BUF_INIT(1 << 16);
        json_t *list = json_array();
        char *rest = NULL;
        if (!read_file(top, path, file, &b))
                return list;
        for (char *word = strtok_r(b.data, ",\n", &rest); word; word = strtok_r(NULL, ",\n", &rest)) {
                unsigned first = 0, last = 0;
                int n = sscanf(word, "%u-%u", &first, &last);
                for (unsigned i = first; n > 0 && i <= (n == 2 ? last : first) && i < SET_MAX; i++)
                        json_array_append_new(list, json_integer(i));
        }
        return list;
}

json_t *usage_object(json_t *parent, const char *key)
{
        json_t *o = json_object();
        json_object_set_new(parent, key, o);
        return o;
}

/* Which sizes there are tell the files of the top: on v2 it has none, so those of the group do. */
void usage_hugetlb(json_t *usage, const char *top, const char *path, const char *current, const char *max, const char *failures)
{
        _cleanup_free_ char *full = cgroup_file(top, path, "");
        _cleanup_closedir_ DIR *dir = opendir(full);
        json_t *o = usage_object(usage, "hugetlb");
        for (struct dirent *e; dir && (e = readdir(dir));) {
                const char *size = str_after(e->d_name, "hugetlb."), *dot = size ? strchr(size, '.') : NULL;
                if (!dot || !str_eq(dot + 1, current))
                        continue;
                _cleanup_free_ char *name = xstrndup(size, (size_t)(dot - size));
                char file[128];
                json_t *one = usage_object(o, name);
                usage_u64(one, "usage", top, path, e->d_name);
                snprintf(file, sizeof(file), "hugetlb.%.32s.%s", name, max);
                usage_u64(one, "max", top, path, file);
                snprintf(file, sizeof(file), "hugetlb.%.32s.%s", name, failures);
                uint64_t failed = str_eq(failures, "events") ? cgroup_read_key(top, path, file, "max", 0) : cgroup_read_u64(top, path, file, 0);
                json_object_set_new(one, "failcnt", number(failed));
        }
}
