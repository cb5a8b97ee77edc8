#include <stdlib.h>
#include <string.h>

#include "base/proc.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/foreign-internal.h"
#include "engine/top-internal.h"
#include "runtime/cgroup.h"

#define OUTPUT_MAX ((size_t)64 << 20)
static const char blanks[] = " \t\n\v\f\r";

void top_result_done(struct top_result *t)
{
        strv_free(t->titles);
        for (size_t i = 0; i < t->row_count; i++)
                strv_free(t->rows[i]);
        free(t->rows);
        *t = (struct top_result){ 0 };
}

/* "-o uid=PID" would make another column look like ours. */
int top_args_check(char *const *args, struct err *err)
{
        STRV_FOREACH (arg, args)
                for (const char *equals = strchr(*arg, '='); equals; equals = strchr(equals + 1, '='))
                        if (str_starts(equals + 1 + strspn(equals + 1, blanks), "PID"))
                                return err_set(err, ERR_INVALID, "specifying \"%s\" is not allowed", *arg);
        return 0;
}

/* At most max fields of a line; the last takes all that is left. */
static char **fields_of(const char *line, size_t max)
{
        char **fields = NULL;
        for (size_t n = 0; *(line += strspn(line, blanks)); n++) {
                size_t len = n + 1 == max ? strlen(line) : strcspn(line, blanks);
                while (len && strchr(blanks, line[len - 1]))
                        len--;
                strv_push_take(&fields, xstrndup(line, len));
                line += len;
        }
        return fields;
}

static int pid_compare(const void *a, const void *b)
{
        pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
        return (x > y) - (x < y);
}

/* The pid of a row; 0 for the thread rows of "-T" and the like, where it is "-": those belong to the row before. */
static int pid_of(char *const *row, size_t column, pid_t *ret, struct err *err)
{
        uint32_t pid;
        struct err ignored = ERR_INIT;
        *ret = 0;
        if (column >= strv_len(row))
                return err_set(err, ERR_INVALID, "Unexpected pid '': the output of ps has a short line");
        if (str_eq(row[column], "-"))
                return 0;
        if (parse_u32(row[column], &pid, &ignored) < 0)
                return err_set(err, ERR_INVALID, "Unexpected pid '%s'", row[column]);
        *ret = (pid_t)pid;
        return 0;
}

static void row_take(struct top_result *t, char ***row)
{
        t->rows = xreallocarray(t->rows, t->row_count + 1, sizeof(*t->rows));
        t->rows[t->row_count++] = TAKE_PTR(*row);
}

static int rows_parse(char *const *lines, const pid_t *pids, size_t count, size_t column, struct top_result *t, struct err *err)
{
        bool wanted = false;
        STRV_FOREACH (line, lines) {
                pid_t pid;
                _cleanup_strv_ char **row = fields_of(*line, strv_len(t->titles));
                if (!row)
                        continue;
                if (pid_of(row, column, &pid, err) < 0)
                        return -1;
                if (pid != 0)
                        wanted = count && bsearch(&pid, pids, count, sizeof(*pids), pid_compare);
                if (wanted)
                        row_take(t, &row);
        }
        return 0;
}

int top_parse(const char *text, const pid_t *pids, size_t count, struct top_result *ret, struct err *err)
{
        _cleanup_(top_result_done) struct top_result t = { 0 };
        _cleanup_strv_ char **lines = strv_split(text, "\n", false);
        _cleanup_free_ pid_t *sorted = count ? xmemdup(pids, count * sizeof(*pids)) : NULL;
        t.titles = fields_of(lines ? lines[0] : "", SIZE_MAX);
        size_t column = 0;
        while (t.titles && t.titles[column] && !str_eq(t.titles[column], "PID"))
                column++;
        if (!t.titles || !t.titles[column])
                return err_set(err, ERR_INVALID, "Couldn't find PID field in ps output");
        if (count)
                qsort(sorted, count, sizeof(*sorted), pid_compare);
        if (rows_parse(lines + 1, sorted, count, column, &t, err) < 0)
                return -1;
        *ret = t;
        t = (struct top_result){ 0 };
        return 0;
}

static int ps_run(char *const *args, struct buf *output, struct err *err)
{
        int status;
        _cleanup_strv_ char **argv = NULL;
        strv_push(&argv, "ps");
        if (args && *args)
                strv_extend(&argv, args);
        else
                strv_push(&argv, "-ef");
        struct proc_spawn spawn = { .path = "ps", .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 };
        if (proc_run(&spawn, NULL, 0, output, &status, err) < 0)
                return err_add(err, "error running ps");
        return status == 0 ? 0 : err_set(err, ERR_INVALID, "error running ps: exit status %d", status);
}

static int pids_read(struct engine *e, const struct container *c, pid_t **ret, size_t *ret_count, struct err *err)
{
        _cleanup_free_ char *path = container_cgroup_path(c);
        _cleanup_(cgroup_freep) struct cgroup *group = NULL;
        if (runtime_is_foreign(c->config.runtime))
                return foreign_pids(e, c, ret, ret_count, err);
        return cgroup_open(path, &group, err) < 0 ? -1 : cgroup_pids(group, ret, ret_count, err);
}

int container_top(struct engine *e, const char *name, char *const *ps_args, struct top_result *ret, struct err *err)
{
        _cleanup_container_ struct container c = { 0 };
        _cleanup_buf_ struct buf output = BUF_INIT(OUTPUT_MAX);
        _cleanup_free_ pid_t *pids = NULL;
        size_t count = 0;
        container_config_init(&c.config);
        if (top_args_check(ps_args, err) < 0 || container_load(e, name, &c, err) < 0)
                return -1;
        if (c.status.state == STATE_RESTARTING)
                return err_set(err, ERR_CONFLICT, "Container %s is restarting, wait until the container is running", c.id);
        if (!container_is_running(&c))
                return err_set(err, ERR_CONFLICT, "Container %s is not running", c.id);
        if (ps_run(ps_args, &output, err) < 0 || pids_read(e, &c, &pids, &count, err) < 0)
                return -1;
        if (top_parse(output.data ? output.data : "", pids, count, ret, err) < 0)
                return -1;
        container_tell(e, &c, "top", NULL);
        return 0;
}
