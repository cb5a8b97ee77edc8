/* What system_check() knows of the database's file, of what was once here, and of monitors whose container is gone. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"
#include "engine/system-internal.h"
#include "events/events.h"

int check_database(struct check *k, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(engine_db(k->engine), &stmt, err, "PRAGMA quick_check(5)", "") < 0)
                return -1;
        while ((more = db_step(stmt, err)) == 1)
                if (!str_eq(db_str(stmt, 0), "ok"))
                        check_found(k, "database: %s; restore it from a copy", db_str(stmt, 0));
        return more;
}

/* --- whose was it --- */

static int id_note(void *data, const struct event *e, struct err *err)
{
        if (str_eq(e->type, "container") && str_eq(e->action, "create"))
                strv_push(data, e->id);
        return 0;
}

static int text_compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

bool check_was_ours(struct check *k, const char *id)
{
        struct err ignored = ERR_INIT;
        _cleanup_free_ char *dir = container_dir_path(k->engine, id);
        if (root_exists(k->storage->snapshots, id) || access(dir, F_OK) == 0)
                return true;
        if (!k->created) {
                events_read(engine_root(k->engine), &(struct events_query){ .until = INT64_MAX }, id_note, &k->created, &ignored);
                strv_sort(k->created);
                if (!k->created)
                        strv_push(&k->created, "");    /* asked, and there is none */
        }
        return bsearch(&id, k->created, strv_len(k->created), sizeof(*k->created), text_compare) != NULL;
}

/* --- monitors without a container --- */

/* The container that a process is the monitor of, by its command line; only with a run directory below ours. Heap or NULL. */
static char *monitor_of(struct check *k, const char *pid)
{
        struct err gone = ERR_INIT;
        _cleanup_buf_ struct buf words = BUF_INIT(1 << 20);
        _cleanup_free_ char *file = xasprintf("/proc/%s/cmdline", pid), *ours = xasprintf("--run-dir=%s/containers/", engine_run(k->engine));
        if (file_read_at(AT_FDCWD, file, &words, &gone) < 0 || words.len == 0 || words.data[words.len - 1] || !strstr(words.data, "tare-monitor"))
                return NULL;
        for (const char *word = words.data; word < words.data + words.len; word += strlen(word) + 1) {
                const char *id = str_after(word, ours);
                if (id && check_is_id(id))
                        return xstrdup(id);
        }
        return NULL;
}

/* Whether it has a run directory in which it, or its container's next monitor, is known. */
static bool monitor_is_known(struct check *k, const char *id)
{
        struct err gone = ERR_INIT;
        _cleanup_close_ int run_dir = run_dir_open(k->engine, id, &gone);
        return run_dir >= 0;
}

static int monitor_end(struct check *k, pid_t pid, uint64_t ticks, const char *id, struct err *err)
{
        struct err gone = ERR_INIT;
        _cleanup_free_ char *path = xasprintf("/tare/%s", id);
        _cleanup_close_ int pidfd = proc_open(pid, ticks, &gone);
        if (pidfd >= 0 && (proc_signal(pidfd, SIGKILL, err) < 0 || proc_wait_gone(pidfd, 10000, err) < 0))
                return -1;
        return check_group_remove(path, err);
}

/* One that is on its way out has a second for it. */
static bool stays(pid_t pid, uint64_t ticks)
{
        for (int wait = 0; wait < 20 && proc_alive(pid, ticks); wait++)
                usleep(50000);
        return proc_alive(pid, ticks);
}

static int monitor_check(struct check *k, const char *name, struct err *err)
{
        uint64_t ticks;
        enum container_state state = STATE_CREATED;
        struct err problem = ERR_INIT;
        pid_t pid = (pid_t)strtol(name, NULL, 10);
        _cleanup_free_ char *id = monitor_of(k, name);
        if (!id || monitor_is_known(k, id) || proc_start_time(pid, &ticks, &problem) < 0)
                return 0;
        int row = check_row(k, id, &state, err);
        if (row < 0)
                return -1;
        if (!row && !check_was_ours(k, id))
                return 0;
        if (!stays(pid, ticks) || monitor_is_known(k, id))
                return 0;
        if (check_found(k, "monitor %d of container %.12s: it has nothing to care for", (int)pid, id) && monitor_end(k, pid, ticks, id, &problem) < 0)
                check_failed(k, &problem);
        return 0;
}

int check_monitors(struct check *k, struct err *err)
{
        _cleanup_strv_ char **names = NULL;
        if (check_names("/proc", &names, err) < 0)
                return -1;
        STRV_FOREACH (name, names)
                if (str_only(*name, "0123456789") && monitor_check(k, *name, err) < 0)
                        return -1;
        return 0;
}
