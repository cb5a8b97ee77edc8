/* What a container wrote, read back from its log files; with follow, until its present run has ended. */
#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/str.h"
#include "base/timefmt.h"
#include "engine/engine-internal.h"
#include "base/linefiles.h"
#include "engine/log_record-internal.h"

/* A wake-up that is lost costs this long, ms. */
#define PATIENCE 1000

struct log_reading {
        struct engine *engine;
        const struct container *container;
        const struct log_options *options;
        log_line_fn fn;
        void *data;
        struct line_files files;
        char *text;                    /* decoded; grows with the longest line */
        size_t text_size;
        bool past_until;
};

static void reading_done(struct log_reading *r)
{
        line_files_done(&r->files);
        free(r->text);
}

static int record_give(struct log_reading *r, const struct log_record *record, struct err *err)
{
        const struct log_options *o = r->options;
        if (o->until > 0 && record->time > o->until) {
                r->past_until = true;
                return 0;
        }
        if ((o->since > 0 && record->time < o->since) || !(record->is_stderr ? o->err_ : o->out))
                return 0;
        if (record->len > r->text_size) {
                r->text_size = record->len;
                r->text = xreallocarray(r->text, r->text_size, 1);
        }
        size_t len = record->len ? log_text_decode(r->text, record->text, record->len) : 0;
        return r->fn(r->data, record->is_stderr, record->time, len ? r->text : "", len, err);
}

/* Everything there is now; what is no record (a torn write of a killed monitor) is passed over. */
static int read_all(struct log_reading *r, struct err *err)
{
        const char *line;
        size_t len;
        int more = 0;
        struct log_record record;
        while (!r->past_until && (more = line_files_line(&r->files, &line, &len, err)) == 1)
                if (log_record_parse(line, len, &record) && record_give(r, &record, err) < 0)
                        return -1;
        return more < 0 ? -1 : 0;
}

/* True when nothing more will be written by the run that was going on at the beginning: its monitor closes the log before it says that
 * the container has ended. */
static bool run_over(struct log_reading *r)
{
        struct err ignored = ERR_INIT;
        struct container_status now = { 0 };
        _cleanup_close_ int run_dir = run_dir_open(r->engine, r->container->id, &ignored);
        if (run_dir < 0 || !monitor_alive(run_dir) || container_status_read(run_dir, &now, &ignored) < 0)
                return true;
        return now.state != STATE_RUNNING || now.started != r->container->status.started;
}

/* The folder comes with the first line. Until it is there, whatever comes into the one that holds it wakes us to look again. */
static int log_watch(int fd, const char *log_dir, struct err *err)
{
        _cleanup_free_ char *parent = xstrndup(log_dir, (size_t)(strrchr(log_dir, '/') - log_dir));
        if (inotify_add_watch(fd, log_dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR) >= 0)
                return 0;
        if (errno == ENOENT && (inotify_add_watch(fd, parent, IN_CREATE | IN_ONLYDIR) >= 0 || errno == ENOENT))
                return 0;
        return err_sys(err, "inotify: %s", log_dir);
}

static int watch_open(struct log_reading *r, struct err *err)
{
        _cleanup_free_ char *run_dir = run_dir_path(r->engine, r->container->id);
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (fd < 0)
                return err_sys(err, "inotify");
        /* a folder that is gone already shows itself as an ended run */
        if (inotify_add_watch(fd, run_dir, IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR) < 0 && errno != ENOENT)
                return err_sys(err, "inotify: container %.12s", r->container->id);
        return TAKE_FD(fd);
}

static int change_wait(const struct log_reading *r, int watch)
{
        char events[4096];
        int patience = PATIENCE;
        if (r->options->until > 0) {
                int64_t left = (r->options->until - time_now()) / 1000000 + 1;
                if (left <= 0)
                        return 0;
                if (left < patience)
                        patience = (int)left;
        }
        struct pollfd p = { .fd = watch, .events = POLLIN };
        poll(&p, 1, patience);
        while (read(watch, events, sizeof(events)) > 0)
                ;
        return 1;
}

static int follow(struct log_reading *r, struct err *err)
{
        _cleanup_free_ char *log_dir = container_dir_path(r->engine, r->container->id);
        _cleanup_close_ int watch = watch_open(r, err);
        if (watch < 0)
                return -1;
        while (!r->past_until) {
                bool over = run_over(r);       /* asked before reading, so that the last bytes are read after it was true */
                if (log_watch(watch, log_dir, err) < 0 || read_all(r, err) < 0)
                        return -1;
                if (over || !change_wait(r, watch))
                        break;
        }
        return 0;
}

static bool record_time(const char *line, size_t len, int64_t *ret)
{
        struct log_record record;
        if (!log_record_parse(line, len, &record))
                return false;
        *ret = record.time;
        return true;
}

int container_logs(struct engine *e, const char *name, const struct log_options *o, log_line_fn fn, void *data, struct err *err)
{
        _cleanup_container_ struct container c = { 0 };
        _cleanup_(reading_done) struct log_reading r = { .engine = e, .container = &c, .options = o, .fn = fn, .data = data, .files = { .fd = -1 } };
        container_config_init(&c.config);
        if (container_load(e, name, &c, err) < 0)
                return -1;
        if (!o->out && !o->err_)
                return err_set(err, ERR_INVALID, "Bad parameters: you must choose at least one stream");
        if (str_eq(c.config.log_driver, "none"))
                return err_set(err, ERR_UNSUPPORTED, "configured logging driver does not support reading");
        _cleanup_free_ char *dir = container_dir_path(e, c.id), *path = xasprintf("%s/%s-json.log", dir, c.id);
        if (line_files_open(path, o->tail, o->since, record_time, &r.files, err) < 0)
                return -1;
        /* as docker does: what is not running now is not waited for */
        return o->follow && container_is_running(&c) ? follow(&r, err) : read_all(&r, err);
}
