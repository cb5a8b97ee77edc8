/* What a container wrote, read back from its log files; with follow, until its present run has ended. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/engine-internal.h"
#include "engine/log-internal.h"

/* A wake-up that is lost costs this long, ms. */
#define PATIENCE 1000
#define LATE 500                       /* ms */

struct log_reading {
        struct engine *engine;
        const struct container *container;
        const struct log_options *options;
        log_line_fn fn;
        void *data;
        struct log_source source;
        const struct log_reader_kind *kind;
        void *reader;
        char *dir, *path;              /* of the log files, path NULL: it has none */
        char *unpacker;
        const char *unpack[4];
        char *details, *details_attrs; /* shown, and what they were made of */
        size_t details_attrs_len;
        bool past_until;
};

static void reading_done(struct log_reading *r)
{
        if (r->reader)
                r->kind->close(r->reader);
        free(r->dir);
        free(r->path);
        free(r->unpacker);
        free(r->details);
        free(r->details_attrs);
}

/* Made once for all records that have the same. */
static const char *details_of(struct log_reading *r, const struct log_entry *entry)
{
        if (r->details && r->details_attrs_len == entry->attrs_len &&
            (entry->attrs_len == 0 || memcmp(r->details_attrs, entry->attrs, entry->attrs_len) == 0))
                return r->details;
        free(r->details);
        free(r->details_attrs);
        r->details_attrs_len = entry->attrs_len;
        r->details_attrs = xmalloc(entry->attrs_len + 1);
        if (entry->attrs_len)
                memcpy(r->details_attrs, entry->attrs, entry->attrs_len);
        r->details = log_details(entry->attrs, entry->attrs_len);
        return r->details;
}

static int entry_give(struct log_reading *r, const struct log_entry *entry, struct err *err)
{
        const struct log_options *o = r->options;
        if (o->until > 0 && entry->time > o->until) {
                r->past_until = true;
                return 0;
        }
        if ((o->since > 0 && entry->time < o->since) || !(entry->is_stderr ? o->err_ : o->out))
                return 0;
        struct log_line line = { .is_stderr = entry->is_stderr, .time = entry->time, .bytes = entry->len ? entry->text : "", .len = entry->len,
                                 .details = o->details ? details_of(r, entry) : NULL };
        return r->fn(r->data, &line, err);
}

/* Everything there is now; what is no record (a torn write of a killed monitor) is passed over. */
static int read_all(struct log_reading *r, struct err *err)
{
        struct log_entry entry;
        int more = 0;
        while (!r->past_until && (more = r->kind->next(r->reader, &entry, err)) == 1)
                if (entry_give(r, &entry, err) < 0)
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

/* The folder comes with the first line. Until it is there, whatever comes into the one that is wakes us to look again. */
static int log_watch(const struct log_reading *r, int fd, struct err *err)
{
        _cleanup_free_ char *folder = r->path ? xstrndup(r->path, (size_t)(strrchr(r->path, '/') - r->path)) : NULL;
        if (!folder || inotify_add_watch(fd, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR) >= 0)
                return 0;
        while (errno == ENOENT && strlen(folder) > strlen(engine_root(r->engine))) {
                *strrchr(folder, '/') = '\0';
                if (inotify_add_watch(fd, folder, IN_CREATE | IN_ONLYDIR) >= 0)
                        return 0;
        }
        return errno == ENOENT ? 0 : err_sys(err, "inotify: %s", folder);
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
        struct pollfd p[] = { { .fd = watch, .events = POLLIN }, { .fd = r->kind->fd ? r->kind->fd(r->reader) : -1, .events = POLLIN } };
        poll(p, ELEMENTS(p), patience);
        while (read(watch, events, sizeof(events)) > 0)
                ;
        return 1;
}

/* What is read through a program may come a little after the end. */
static bool rest_wait(const struct log_reading *r)
{
        struct pollfd p = { .fd = r->kind->fd ? r->kind->fd(r->reader) : -1, .events = POLLIN };
        return p.fd >= 0 && poll(&p, 1, LATE) > 0;
}

static int follow(struct log_reading *r, struct err *err)
{
        _cleanup_close_ int watch = watch_open(r, err);
        if (watch < 0)
                return -1;
        while (!r->past_until) {
                bool over = run_over(r);       /* asked before reading, so that the last bytes are read after it was true */
                if (log_watch(r, watch, err) < 0 || read_all(r, err) < 0)
                        return -1;
                if (over && rest_wait(r))
                        continue;
                if (over || !change_wait(r, watch))
                        break;
        }
        return 0;
}

/* Rotated files that are compressed are read by a program that has the libraries for it. */
static const char *const *unpack_argv(struct log_reading *r)
{
        struct err ignored = ERR_INIT;
        if (engine_program("tare-archive", &r->unpacker, &ignored) < 0)
                return NULL;
        r->unpack[0] = r->unpacker;
        r->unpack[1] = "container";
        r->unpack[2] = "log-unpack";
        return r->unpack;
}

static int reading_open(struct log_reading *r, struct err *err)
{
        const struct container *c = r->container;
        const char *driver = log_driver_name(&c->config);
        r->kind = log_reader_of(driver);
        if (!r->kind)
                return err_set(err, ERR_UNSUPPORTED, "configured logging driver does not support reading");
        r->path = log_file_path(r->dir, c->id, &c->config);
        r->source = (struct log_source){ .path = r->path, .id = c->id, .unpack = unpack_argv(r), .tail = r->options->tail,
                                         .since = r->options->since, .follow = r->options->follow && container_is_running(c) };
        r->reader = r->kind->open(&r->source, err);
        return r->reader ? 0 : -1;
}

int container_logs(struct engine *e, const char *name, const struct log_options *o, log_line_fn fn, void *data, struct err *err)
{
        _cleanup_container_ struct container c = { 0 };
        _cleanup_(reading_done) struct log_reading r = { .engine = e, .container = &c, .options = o, .fn = fn, .data = data };
        container_config_init(&c.config);
        if (container_load(e, name, &c, err) == 0)
                r.dir = container_dir_path(e, c.id);
        else if (err->kind != ERR_NOT_FOUND || log_kept_find(e, name, &c, &r.dir) < 0)
                return -1;
        err_clear(err);
        if (!o->out && !o->err_)
                return err_set(err, ERR_INVALID, "Bad parameters: you must choose at least one stream");
        if (reading_open(&r, err) < 0)
                return -1;
        /* as docker does: what is not running now is not waited for */
        return r.source.follow ? follow(&r, err) : read_all(&r, err);
}

int container_logs_reopen(struct engine *e, const char *name, struct err *err)
{
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_load(e, name, &c, err) < 0)
                return -1;
        if (!container_is_running(&c) || c.status.monitor <= 0)
                return err_set(err, ERR_CONFLICT, "container %s is not running", c.name);
        _cleanup_close_ int pidfd = proc_open(c.status.monitor, c.status.monitor_ticks, err);
        return pidfd < 0 ? -1 : proc_signal(pidfd, SIGUSR1, err);
}
