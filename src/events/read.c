#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/file.h"
#include "base/linefiles.h"
#include "base/path.h"
#include "base/timefmt.h"
#include "events/events-internal.h"

/* A wake-up that is lost costs this long, ms. */
#define PATIENCE 1000

struct reading {
        const struct events_query *query;
        event_fn fn;
        void *data;
        struct line_files files;
        bool ended;
};

static void reading_done(struct reading *r) { line_files_done(&r->files); }

static int give(struct reading *r, const struct event *e, struct err *err)
{
        const struct events_query *q = r->query;
        if ((q->since > 0 && e->time < q->since) || (q->until > 0 && e->time > q->until) || !event_filter_passes(q->filter, e))
                return 0;
        int more = r->fn(r->data, e, err);
        r->ended = more == 1;
        return more < 0 ? -1 : 0;
}

/* Everything there is now; what is no event (a torn write) is passed over. */
static int read_all(struct reading *r, struct err *err)
{
        const char *line;
        size_t len;
        int more = 0;
        while (!r->ended && (more = line_files_line(&r->files, &line, &len, err)) == 1) {
                _cleanup_event_ struct event e = { 0 };
                struct err torn = ERR_INIT;
                if (event_line_parse(line, len, &e, &torn) == 0 && give(r, &e, err) < 0)
                        return -1;
        }
        return more < 0 ? -1 : 0;
}

/* Made before the first read, so that nothing falls between. */
static int watch_open(const char *root, struct err *err)
{
        _cleanup_free_ char *folder = xasprintf("%s/events", root);
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (path_mkdirs(folder, 0700, err) < 0)
                return -1;
        if (fd < 0 || inotify_add_watch(fd, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
                return err_sys(err, "inotify: %s", folder);
        return TAKE_FD(fd);
}

/* False when `until` has come. */
static bool change_wait(const struct reading *r, int watch)
{
        char changes[4096];
        int patience = PATIENCE;
        if (r->query->until > 0) {
                int64_t left = (r->query->until - time_now()) / 1000000 + 1;
                if (left <= 0)
                        return false;
                patience = left < patience ? (int)left : patience;
        }
        struct pollfd p = { .fd = watch, .events = POLLIN };
        poll(&p, 1, patience);
        while (read(watch, changes, sizeof(changes)) > 0)
                ;
        return true;
}

int events_read(const char *root, const struct events_query *q, event_fn fn, void *data, struct err *err)
{
        _cleanup_(reading_done) struct reading r = { .query = q, .fn = fn, .data = data, .files = { .file = { .fd = -1 } } };
        _cleanup_close_ int watch = q->follow ? watch_open(root, err) : -1;
        _cleanup_free_ char *path = xasprintf("%s/events/log", root);
        if ((q->follow && watch < 0) || line_files_open(path, -1, q->since, event_line_time, &r.files, err) < 0)
                return -1;
        bool time_left = true;
        for (;;) {
                if (read_all(&r, err) < 0)
                        return -1;
                if (r.ended || !q->follow || !time_left)
                        return 0;
                time_left = change_wait(&r, watch);
        }
}
