#include "engine/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/meter-internal.h"
#include "runtime/meter_file.h"

/* What a pass needs of a container and does not change during a run. */
struct entry {
        char id[65];
        char *name, *image, *group;
        struct cgroup_reader *reader;  /* borrowed */
        enum container_state state;
        int64_t started;
        pid_t pid;
        bool networked, owns_network;  /* counters to show; and to bill, which those of another's network are not */
        bool loaded;
        uint64_t status;               /* status.json as loaded: each change of it is another file */
        struct container_meter before; /* runs before this one */
};

/* Containers below one parent group are read through one set of descriptors. */
struct parent { char *path; struct cgroup_reader *reader; };

struct stats_collector {
        struct engine *e;
        struct stats_options o;
        char **named;                  /* ids */
        struct entry *entries;
        size_t count;
        struct parent *parents;
        size_t parent_count;
        struct stats_sample *samples;
        size_t sample_count;
        int runs;                      /* RUN/containers */
        int64_t version;               /* of the database when it was listed */
        bool stale;                    /* we changed it ourselves */
};

static void entry_done(struct entry *x)
{
        free(x->name);
        free(x->image);
        free(x->group);
        *x = (struct entry){ 0 };
}

void stats_close(struct stats_collector *c)
{
        if (!c)
                return;
        for (size_t i = 0; i < c->count; i++)
                entry_done(&c->entries[i]);
        for (size_t i = 0; i < c->parent_count; i++) {
                free(c->parents[i].path);
                cgroup_reader_free(c->parents[i].reader);
        }
        mem_closep(&c->runs);
        free(c->entries);
        free(c->parents);
        free(c->samples);
        strv_free(c->named);
        free(c);
}

int stats_open(struct engine *e, const struct stats_options *o, struct stats_collector **ret, struct err *err)
{
        _cleanup_(stats_closep) struct stats_collector *c = xcalloc(1, sizeof(*c));
        c->e = e;
        c->o = *o;
        c->o.names = NULL;
        c->runs = -1;
        c->version = -1;
        STRV_FOREACH (name, o->names) {
                char id[65];
                if (container_resolve(e, *name, id, err) < 0)
                        return -1;
                if (!strv_has(c->named, id))
                        strv_push(&c->named, id);
        }
        *ret = TAKE_PTR(c);
        return 0;
}

/* ---- who there is ---- */

/* The order of a query is the one before, but for who came and went: found from where the last one was. */
static struct entry entry_take(struct stats_collector *c, size_t *cursor, const char *id)
{
        for (size_t i = *cursor; i < c->count; i++)
                if (str_eq(c->entries[i].id, id)) {
                        struct entry x = c->entries[i];
                        c->entries[i] = (struct entry){ 0 };
                        *cursor = i + 1;
                        return x;
                }
        struct entry x = { 0 };
        snprintf(x.id, sizeof(x.id), "%s", id);
        return x;
}

struct listed { struct entry *list; size_t count, cursor; };

static void list_add(struct stats_collector *c, struct listed *l, const char *id, const char *name)
{
        struct entry x = entry_take(c, &l->cursor, id);
        str_replace(&x.name, name);
        if ((l->count & (l->count - 1)) == 0)
                l->list = xreallocarray(l->list, l->count ? l->count * 2 : 1, sizeof(*l->list));
        l->list[l->count++] = x;
}

static int list_running(struct stats_collector *c, struct listed *l, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        int more;
        if (db_query(engine_db(c->e), &stmt, err, "SELECT id, name FROM containers WHERE ? OR state = ? ORDER BY created DESC, id", "ii", (int64_t)c->o.all,
                     (int64_t)STATE_RUNNING) < 0)
                return -1;
        while ((more = db_step(stmt, err)) == 1)
                list_add(c, l, db_str(stmt, 0), db_str(stmt, 1));
        return more;
}

static int list_named(struct stats_collector *c, struct listed *l, struct err *err)
{
        STRV_FOREACH (id, c->named) {
                _cleanup_stmt_ struct db_stmt *stmt = NULL;
                if (db_query(engine_db(c->e), &stmt, err, "SELECT name FROM containers WHERE id = ?", "s", *id) < 0)
                        return -1;
                int more = db_step(stmt, err);
                if (more < 0)
                        return -1;
                if (more)
                        list_add(c, l, *id, db_str(stmt, 0));
        }
        return 0;
}

/* Changes whenever another process has committed something. */
static int database_version(struct stats_collector *c, int64_t *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(engine_db(c->e), &stmt, err, "PRAGMA data_version", "") < 0 || db_step(stmt, err) < 0)
                return -1;
        *ret = db_i64(stmt, 0);
        return 0;
}

static int list_refresh(struct stats_collector *c, struct err *err)
{
        struct listed l = { 0 };
        int64_t version;
        if (database_version(c, &version, err) < 0)
                return -1;
        if (version == c->version && !c->stale)
                return 0;
        int r = c->named ? list_named(c, &l, err) : list_running(c, &l, err);
        for (size_t i = 0; i < c->count; i++)
                entry_done(&c->entries[i]);
        free(c->entries);
        c->entries = l.list;
        c->count = l.count;
        c->version = version;
        c->stale = false;
        return r;
}

/* ---- one container ---- */

static struct cgroup_reader *parent_reader(struct stats_collector *c, const char *group)
{
        struct err ignored = ERR_INIT;
        size_t len = (size_t)(strrchr(group, '/') - group);
        for (size_t i = 0; i < c->parent_count; i++)
                if (strlen(c->parents[i].path) == len && strncmp(c->parents[i].path, group, len) == 0)
                        return c->parents[i].reader;
        _cleanup_free_ char *path = xstrndup(group, len);
        struct cgroup_reader *reader = NULL;
        if (cgroup_reader_open(*path ? path : "/", &reader, &ignored) < 0)
                return NULL;
        c->parents = xreallocarray(c->parents, c->parent_count + 1, sizeof(*c->parents));
        c->parents[c->parent_count++] = (struct parent){ TAKE_PTR(path), reader };
        return reader;
}

static uint64_t status_identity(struct stats_collector *c, const char *id)
{
        char path[96];
        struct stat st;
        if (c->runs < 0) {
                _cleanup_free_ char *runs = xasprintf("%s/containers", engine_run(c->e));
                c->runs = open(runs, O_PATH | O_DIRECTORY | O_CLOEXEC);
        }
        snprintf(path, sizeof(path), "%s/status.json", id);
        return c->runs >= 0 && fstatat(c->runs, path, &st, AT_SYMLINK_NOFOLLOW) == 0
                       ? (uint64_t)st.st_ino << 32 ^ (uint64_t)st.st_mtim.tv_sec << 30 ^ (uint64_t)st.st_mtim.tv_nsec
                       : 0;
}

static void entry_fill(struct stats_collector *c, struct entry *x, const struct container *k)
{
        const char *mode = k->config.network_mode;
        x->state = k->status.state;
        x->started = k->status.started;
        x->pid = k->status.pid;
        x->owns_network = k->endpoint.container[0];
        x->networked = x->owns_network || str_starts(mode ? mode : "", "container:");
        free(x->group);
        x->group = container_cgroup_path(k);
        x->reader = container_is_running(k) ? parent_reader(c, x->group) : NULL;
        str_replace(&x->image, k->config.image ? k->config.image : k->image_id);
}

/* Looks at row and run directory anew. A container that is gone says so by loaded == false. */
static int entry_load(struct stats_collector *c, struct entry *x, struct err *err)
{
        struct err gone = ERR_INIT;
        _cleanup_container_ struct container k = { 0 };
        container_config_init(&k.config);
        x->loaded = false;
        x->status = status_identity(c, x->id);
        if (container_row_load(c->e, x->id, &k, &gone) < 0 || container_repair(c->e, &k, &gone) < 0) {
                c->stale = true;
                return gone.kind == ERR_NOT_FOUND ? 0 : err_set(err, gone.kind, "%s", gone.msg);
        }
        entry_fill(c, x, &k);
        c->stale = c->stale || !container_is_running(&k);
        x->loaded = true;
        return c->o.metering ? meter_row_sum(c->e, x->id, container_is_running(&k) ? x->started : 0, &x->before, err) : 0;
}

static void network_read(const struct entry *x, struct stats_sample *s)
{
        char path[64];
        _cleanup_buf_ struct buf b = BUF_INIT(1 << 16);
        struct err ignored = ERR_INIT;
        if (!x->networked || x->pid <= 0)
                return;
        snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)x->pid);
        if (file_read_at(AT_FDCWD, path, &b, &ignored) == 0 && b.data)
                meter_net_parse(b.data, &s->received, &s->sent);
}

static void total_set(struct stats_collector *c, const struct entry *x, struct stats_sample *s)
{
        struct container_meter *run = &s->run;
        s->total = x->before;
        if (!s->running || !c->o.metering)
                return;
        _cleanup_close_ int run_dir = c->runs >= 0 ? openat(c->runs, x->id, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
        meter_of_group(&s->now, run_dir, true, run);
        if (x->owns_network) {         /* its monitor's numbers may be a minute old */
                run->received = s->received;
                run->sent = s->sent;
        }
        meter_add(&s->total, run);
}

static void entry_measure(struct stats_collector *c, const struct entry *x, struct stats_sample *s)
{
        struct err ignored = ERR_INIT;
        s->at = time_monotonic();
        s->running = x->reader && cgroup_reader_stats(x->reader, strrchr(x->group, '/') + 1, c->o.metering ? CGROUP_ALL : CGROUP_LIVE, &s->now, &ignored) == 0;
        s->working_set = stats_memory(&s->now);
        if (s->running)
                network_read(x, s);
        total_set(c, x, s);
}

static int entry_sample(struct stats_collector *c, struct entry *x, struct stats_sample *s, struct err *err)
{
        if ((!x->loaded || status_identity(c, x->id) != x->status) && entry_load(c, x, err) < 0)
                return -1;
        entry_measure(c, x, s);
        if (x->loaded && x->reader && !s->running) {           /* it ended, or begins another run, just now */
                if (entry_load(c, x, err) < 0)
                        return -1;
                entry_measure(c, x, s);
        }
        s->id = x->id;
        s->name = x->name;
        s->image = x->image;
        s->group = x->group;
        s->state = x->state;
        s->started = x->started;
        return 0;
}

static bool wanted(const struct stats_collector *c, const struct entry *x, const struct stats_sample *s)
{
        return x->loaded && (s->running || c->named || c->o.all);
}

int stats_collect(struct stats_collector *c, const struct stats_sample **ret, size_t *ret_count, struct err *err)
{
        uint64_t host_ns;
        if (list_refresh(c, err) < 0)
                return -1;
        free(c->samples);
        c->samples = xcalloc(c->count + 1, sizeof(*c->samples));
        c->sample_count = 0;
        host_ns = stats_host_ns();
        for (size_t i = 0; i < c->count; i++) {
                struct stats_sample *s = &c->samples[c->sample_count];
                *s = (struct stats_sample){ .host_ns = host_ns };
                if (entry_sample(c, &c->entries[i], s, err) < 0)
                        return -1;
                c->sample_count += wanted(c, &c->entries[i], s);
        }
        *ret = c->samples;
        *ret_count = c->sample_count;
        return 0;
}

int stats_checkpoint(struct stats_collector *c, struct err *err)
{
        if (db_begin(engine_db(c->e), false, err) < 0)
                return -1;
        _cleanup_rollback_ struct db *tx = engine_db(c->e);
        for (size_t i = 0; i < c->sample_count; i++) {
                const struct stats_sample *s = &c->samples[i];
                struct err gone = ERR_INIT;    /* removed since the pass: its row refers to none */
                if (s->running && meter_row_write(c->e, s->id, s->started, &s->run, &gone) < 0 && gone.kind != ERR_CONFLICT)
                        return err_set(err, gone.kind, "%s", gone.msg);
        }
        return db_commit(tx, err);
}
