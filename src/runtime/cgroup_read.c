/* The numbers of `stats`, many groups at a time: each hierarchy keeps a descriptor of the parent, and a file is read once for all that is wanted of it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/str.h"
#include "runtime/cgroup-internal.h"

#define TEXT_MAX 65536
#define UNLIMITED UINT64_C(0x7000000000000000) /* what v1 says for none */
#define CONTROLLERS_MAX 16

/* How a number is found in a file: alone, after "key ", summed over devices after "8:0 Key " (v1) or " key=" (v2), after "total=" of the
 * line that begins with key. */
enum found { ALONE, LINE, BLOCK, FIELD, PRESSURE };
struct row {
        const char *controller, *file;
        enum found found;
        const char *key;
        size_t offset;
        uint64_t scale;
        unsigned of;           /* enum cgroup_numbers, of which CGROUP_ALL has all */
};
#define LIVE CGROUP_LIVE
#define ENDED CGROUP_ENDED
#define S(member) offsetof(struct cgroup_stats, member)

/* Rows of one file stand together. */
static const struct row rows_v1[] = {
        { "cpuacct", "cpuacct.usage", ALONE, "", S(cpu_usage_ns), 1, LIVE | ENDED },
        { "cpuacct", "cpuacct.usage_user", ALONE, "", S(cpu_user_ns), 1, ENDED },
        { "cpuacct", "cpuacct.usage_sys", ALONE, "", S(cpu_system_ns), 1, ENDED },
        { "cpu", "cpu.stat", LINE, "nr_periods", S(periods), 1, 0 },
        { "cpu", "cpu.stat", LINE, "nr_throttled", S(throttled_periods), 1, 0 },
        { "cpu", "cpu.stat", LINE, "throttled_time", S(throttled_ns), 1, 0 },
        { "memory", "memory.usage_in_bytes", ALONE, "", S(memory_usage), 1, LIVE },
        { "memory", "memory.max_usage_in_bytes", ALONE, "", S(memory_max_usage), 1, ENDED },
        { "memory", "memory.stat", LINE, "total_inactive_file", S(memory_inactive_file), 1, LIVE },
        { "memory", "memory.stat", LINE, "total_swap", S(memory_swap), 1, 0 },
        { "memory", "memory.limit_in_bytes", ALONE, "", S(memory_limit), 1, LIVE },
        { "memory", "memory.oom_control", LINE, "oom_kill", S(oom_kills), 1, ENDED },
        { "pids", "pids.current", ALONE, "", S(pids_current), 1, LIVE },
        { "pids", "pids.max", ALONE, "", S(pids_limit), 1, 0 },
        { "blkio", "blkio.throttle.io_service_bytes_recursive", BLOCK, "Read", S(io_read_bytes), 1, LIVE | ENDED },
        { "blkio", "blkio.throttle.io_service_bytes_recursive", BLOCK, "Write", S(io_write_bytes), 1, LIVE | ENDED },
        { "blkio", "blkio.throttle.io_serviced_recursive", BLOCK, "Read", S(io_read_ops), 1, ENDED },
        { "blkio", "blkio.throttle.io_serviced_recursive", BLOCK, "Write", S(io_write_ops), 1, ENDED },
};
/* By v1's names of controllers, so that on a hybrid host each is asked once. */
static const struct row rows_v2[] = {
        { "cpuacct", "cpu.stat", LINE, "usage_usec", S(cpu_usage_ns), 1000, LIVE | ENDED },
        { "cpuacct", "cpu.stat", LINE, "user_usec", S(cpu_user_ns), 1000, ENDED },
        { "cpuacct", "cpu.stat", LINE, "system_usec", S(cpu_system_ns), 1000, ENDED },
        { "cpu", "cpu.stat", LINE, "nr_periods", S(periods), 1, 0 },
        { "cpu", "cpu.stat", LINE, "nr_throttled", S(throttled_periods), 1, 0 },
        { "cpu", "cpu.stat", LINE, "throttled_usec", S(throttled_ns), 1000, 0 },
        { "memory", "memory.current", ALONE, "", S(memory_usage), 1, LIVE },
        { "memory", "memory.peak", ALONE, "", S(memory_max_usage), 1, ENDED },
        { "memory", "memory.stat", LINE, "inactive_file", S(memory_inactive_file), 1, LIVE },
        { "memory", "memory.swap.current", ALONE, "", S(memory_swap), 1, 0 },
        { "memory", "memory.max", ALONE, "", S(memory_limit), 1, LIVE },
        { "memory", "memory.events", LINE, "oom_kill", S(oom_kills), 1, ENDED },
        { "pids", "pids.current", ALONE, "", S(pids_current), 1, LIVE },
        { "pids", "pids.max", ALONE, "", S(pids_limit), 1, 0 },
        { "blkio", "io.stat", FIELD, " rbytes=", S(io_read_bytes), 1, LIVE | ENDED },
        { "blkio", "io.stat", FIELD, " wbytes=", S(io_write_bytes), 1, LIVE | ENDED },
        { "blkio", "io.stat", FIELD, " rios=", S(io_read_ops), 1, ENDED },
        { "blkio", "io.stat", FIELD, " wios=", S(io_write_ops), 1, ENDED },
        { "pressure", "cpu.pressure", PRESSURE, "some", S(cpu_waiting_us), 1, ENDED },
        { "pressure", "memory.pressure", PRESSURE, "some", S(memory_waiting_us), 1, ENDED },
        { "pressure", "memory.pressure", PRESSURE, "full", S(memory_stalled_us), 1, ENDED },
        { "pressure", "io.pressure", PRESSURE, "some", S(io_waiting_us), 1, ENDED },
        { "pressure", "io.pressure", PRESSURE, "full", S(io_stalled_us), 1, ENDED },
};

struct hierarchy { const char *controller; int fd; bool mine; };
struct cgroup_reader {
        struct hierarchy v1[CONTROLLERS_MAX];
        size_t v1_count;
        int unified;           /* -1: not looked at */
        int first;             /* where a group that is there is found */
        char *text;
};

void cgroup_reader_free(struct cgroup_reader *r)
{
        if (!r)
                return;
        for (size_t i = 0; i < r->v1_count; i++)
                if (r->v1[i].mine && r->v1[i].fd >= 0)
                        close(r->v1[i].fd);
        if (r->unified >= 0)
                close(r->unified);
        free(r->text);
        free(r);
}

static int folder_open(const char *top, const char *path)
{
        _cleanup_free_ char *full = cgroup_file(top, path, "");
        return open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Controllers mounted together have one descriptor. */
static void v1_open(struct cgroup_reader *r, const char *path)
{
        for (size_t i = 0; i < ELEMENTS(rows_v1); i++) {
                const char *controller = rows_v1[i].controller, *top = cgroup_top_of(controller);
                bool known = !top;
                for (size_t k = 0; !known && k < r->v1_count; k++)
                        known = str_eq(r->v1[k].controller, controller);
                if (known || r->v1_count == CONTROLLERS_MAX)
                        continue;
                struct hierarchy h = { controller, -1, true };
                for (size_t k = 0; k < r->v1_count; k++)
                        if (str_eq(cgroup_top_of(r->v1[k].controller), top)) {
                                h.fd = r->v1[k].fd;
                                h.mine = false;
                        }
                if (h.mine)
                        h.fd = folder_open(top, path);
                r->v1[r->v1_count++] = h;
        }
}

int cgroup_reader_open(const char *parent, struct cgroup_reader **ret, struct err *err)
{
        const struct cgroup_layout *l = cgroup_layout();
        _cleanup_free_ char *clean = str_eq(parent, "/") ? xstrdup("") : cgroup_path_clean(parent, err);
        if (!clean)
                return -1;
        struct cgroup_reader *r = xcalloc(1, sizeof(*r));
        r->unified = r->first = -1;
        r->text = xmalloc(TEXT_MAX);
        v1_open(r, clean);
        if (l->unified && (!l->count || l->unified_controls || l->unified_joined))
                r->unified = folder_open(l->unified, clean);
        for (size_t i = 0; i < r->v1_count && r->first < 0; i++)
                r->first = r->v1[i].fd;
        r->first = r->first < 0 ? r->unified : r->first;
        if (r->first < 0) {
                cgroup_reader_free(r);
                return err_set(err, ERR_NOT_FOUND, "no cgroup %s", parent);
        }
        *ret = r;
        return 0;
}

/* ---- numbers in a text ---- */

static const char *line_next(const char *line)
{
        const char *end = strchr(line, '\n');
        return end && end[1] ? end + 1 : NULL;
}

static bool digits(const char *s, uint64_t *ret)
{
        if (*s < '0' || *s > '9')
                return false;
        *ret = strtoull(s, NULL, 10);
        return true;
}

static const char *after_word(const char *s, const char *word)
{
        size_t len = strlen(word);
        return strncmp(s, word, len) == 0 && s[len] == ' ' ? s + len + 1 : NULL;
}

/* The value on one line, that of a key among several included. */
static bool on_line(const char *line, const struct row *row, uint64_t *ret)
{
        size_t len = strcspn(line, "\n");
        const char *at = NULL;
        if (row->found == LINE)
                at = after_word(line, row->key);
        else if (row->found == BLOCK && (at = memchr(line, ' ', len)))
                at = after_word(at + 1, row->key);
        else if (row->found == PRESSURE && after_word(line, row->key) && (at = memmem(line, len, " total=", 7)))
                at += 7;
        else if (row->found == FIELD && (at = memmem(line, len, row->key, strlen(row->key))))
                at += strlen(row->key);
        return at && digits(at, ret);
}

static bool value_of(const char *text, const struct row *row, uint64_t *ret)
{
        uint64_t value, sum = 0;
        bool any = false;
        if (row->found == ALONE)
                return digits(text, ret);
        for (const char *line = text; line; line = line_next(line)) {
                if (!on_line(line, row, &value))
                        continue;
                any = true;
                sum += value;
                if (row->found != BLOCK && row->found != FIELD)
                        break;
        }
        *ret = sum;
        return any;
}

/* ---- one group ---- */

static bool text_read(struct cgroup_reader *r, int dir, const char *name, const char *file)
{
        char path[512];
        size_t len = 0;
        if (dir < 0 || snprintf(path, sizeof(path), "%s/%s", name, file) >= (int)sizeof(path))
                return false;
        _cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        ssize_t n = fd < 0 ? -1 : 1;
        while (n > 0 && len < TEXT_MAX - 1 && (n = read(fd, r->text + len, TEXT_MAX - 1 - len)) > 0) {
                len += (size_t)n;
                if (len < 4000) /* files of the kernel come a page at a time */
                        break;
        }
        r->text[len] = '\0';
        return len > 0;
}

static int v1_folder(const struct cgroup_reader *r, const char *controller)
{
        for (size_t i = 0; i < r->v1_count; i++)
                if (str_eq(r->v1[i].controller, controller))
                        return r->v1[i].fd;
        return -1;
}

static void read_rows(struct cgroup_reader *r, const struct row *rows, size_t count, bool unified, const char *name, enum cgroup_numbers wanted,
                      struct cgroup_stats *s)
{
        const char *file = "";
        bool there = false;
        for (size_t i = 0; i < count; i++) {
                const struct row *row = &rows[i];
                int old = v1_folder(r, row->controller), dir = unified ? r->unified : old;
                uint64_t value;
                if ((unified && old >= 0) || (!(row->of & wanted) && wanted != CGROUP_ALL && !str_eq(row->file, file)))
                        continue;
                if (!str_eq(row->file, file)) {
                        there = text_read(r, dir, name, row->file);
                        file = row->file;
                }
                if (there && value_of(r->text, row, &value))
                        *(uint64_t *)((char *)s + row->offset) = value * row->scale;
        }
}

int cgroup_reader_stats(struct cgroup_reader *r, const char *name, enum cgroup_numbers wanted, struct cgroup_stats *ret, struct err *err)
{
        struct cgroup_stats s = { .memory_limit = UINT64_MAX, .pids_limit = UINT64_MAX };
        if (faccessat(r->first, name, F_OK, 0) < 0)
                return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "no cgroup %s", name) : err_sys(err, "cgroup %s", name);
        read_rows(r, rows_v1, ELEMENTS(rows_v1), false, name, wanted, &s);
        if (r->unified >= 0)
                read_rows(r, rows_v2, ELEMENTS(rows_v2), true, name, wanted, &s);
        if (s.memory_limit >= UNLIMITED)
                s.memory_limit = UINT64_MAX;
        *ret = s;
        return 0;
}
