#include "engine/meter-internal.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/timefmt.h"
#include "runtime/meter_file.h"

_Static_assert(METER_NUMBERS == 19, "the SQL below has as many");
#define PEAK (offsetof(struct container_meter, memory_peak) / sizeof(uint64_t))

static uint64_t *numbers(struct container_meter *m) { return (uint64_t *)m; }

void meter_add(struct container_meter *to, const struct container_meter *more)
{
        uint64_t *a = numbers(to);
        const uint64_t *b = (const uint64_t *)more;
        for (size_t i = 0; i < METER_NUMBERS; i++)
                a[i] = i == PEAK ? (a[i] > b[i] ? a[i] : b[i]) : a[i] + b[i];
}

/* A run too short for a sample: never more than its peak is known, so that is what it had. */
static void memory_set(struct container_meter *m, const struct cgroup_stats *s, struct meter_file *f, bool running)
{
        uint64_t now = (uint64_t)time_monotonic() / 1000000;
        if (running && !f->ended)
                meter_file_add(f, now, stats_memory(s));
        m->run_ms = f->at_ms > f->started_ms ? f->at_ms - f->started_ms : 0;
        m->memory_byte_ms = f->samples ? f->byte_ms : s->memory_max_usage * m->run_ms;
        m->received = f->received;
        m->sent = f->sent;
}

bool meter_of_group(const struct cgroup_stats *s, int run_dir_fd, bool running, struct container_meter *ret)
{
        struct meter_file f = { 0 };
        struct container_meter m = {
                .runs = 1, .cpu_ns = s->cpu_usage_ns, .cpu_user_ns = s->cpu_user_ns, .cpu_system_ns = s->cpu_system_ns,
                .memory_peak = s->memory_max_usage, .io_read_bytes = s->io_read_bytes, .io_write_bytes = s->io_write_bytes,
                .io_read_ops = s->io_read_ops, .io_write_ops = s->io_write_ops, .oom_kills = s->oom_kills,
                .cpu_waiting_us = s->cpu_waiting_us, .memory_waiting_us = s->memory_waiting_us, .memory_stalled_us = s->memory_stalled_us,
                .io_waiting_us = s->io_waiting_us, .io_stalled_us = s->io_stalled_us };
        if (run_dir_fd >= 0 && meter_file_read(run_dir_fd, &f))
                memory_set(&m, s, &f, running);
        *ret = m;
        return true;
}

bool meter_of_run(struct engine *e, const struct container *c, struct container_meter *ret)
{
        struct err ignored = ERR_INIT;
        struct cgroup_stats s;
        _cleanup_free_ char *path = container_cgroup_path(c);
        _cleanup_(cgroup_reader_freep) struct cgroup_reader *reader = NULL;
        if (cgroup_reader_open("/", &reader, &ignored) < 0 || cgroup_reader_stats(reader, path + 1, CGROUP_ENDED, &s, &ignored) < 0)
                return false;
        _cleanup_close_ int run_dir = run_dir_open(e, c->id, &ignored);
        return meter_of_group(&s, run_dir, false, ret);
}

static void from_row(struct db_stmt *stmt, int first, struct container_meter *m)
{
        for (size_t i = 0; i < METER_NUMBERS; i++)
                numbers(m)[i] = (uint64_t)db_i64(stmt, first + (int)i);
}

#define COLUMNS "runs, run_ms, cpu_ns, cpu_user_ns, cpu_system_ns, memory_byte_ms, memory_peak, io_read_bytes, io_write_bytes, io_read_ops," \
        " io_write_ops, received, sent, oom_kills, cpu_waiting_us, memory_waiting_us, memory_stalled_us, io_waiting_us, io_stalled_us"
/* sum() would fail at 2^63, total() is a float: neither comes near, 2^63 byte-milliseconds are 100 GiB for two and a half years. */
#define SUMS "coalesce(sum(runs), 0), coalesce(sum(run_ms), 0), coalesce(sum(cpu_ns), 0), coalesce(sum(cpu_user_ns), 0), coalesce(sum(cpu_system_ns), 0)," \
        " coalesce(sum(memory_byte_ms), 0), coalesce(max(memory_peak), 0), coalesce(sum(io_read_bytes), 0), coalesce(sum(io_write_bytes), 0)," \
        " coalesce(sum(io_read_ops), 0), coalesce(sum(io_write_ops), 0), coalesce(sum(received), 0), coalesce(sum(sent), 0), coalesce(sum(oom_kills), 0)," \
        " coalesce(sum(cpu_waiting_us), 0), coalesce(sum(memory_waiting_us), 0), coalesce(sum(memory_stalled_us), 0), coalesce(sum(io_waiting_us), 0)," \
        " coalesce(sum(io_stalled_us), 0)"

/* A container that is restarted for ever has three rows. */
static int fold(struct engine *e, const char *id, int64_t before, struct err *err)
{
        int64_t changed;
        if (db_exec(engine_db(e), &changed, err,
                    "INSERT OR REPLACE INTO meters (container, started, " COLUMNS ") SELECT container, 0, " SUMS
                    " FROM meters WHERE container = ?1 AND started < ?2 GROUP BY container HAVING count(*) > 2",
                    "si", id, before) < 0)
                return -1;
        return changed == 0 ? 0 : db_exec(engine_db(e), NULL, err, "DELETE FROM meters WHERE container = ? AND started > 0 AND started < ?", "si", id, before);
}

int meter_row_write(struct engine *e, const char *id, int64_t started, const struct container_meter *m, struct err *err)
{
        const int64_t *v = (const int64_t *)m;
        if (fold(e, id, started, err) < 0)
                return -1;
        return db_exec(engine_db(e), NULL, err,
                       "INSERT OR REPLACE INTO meters (container, started, " COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                       "siiiiiiiiiiiiiiiiiiii", id, started, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12], v[13],
                       v[14], v[15], v[16], v[17], v[18]);
}

int meter_row_sum(struct engine *e, const char *id, int64_t but_started, struct container_meter *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(engine_db(e), &stmt, err, "SELECT " SUMS " FROM meters WHERE container = ? AND (started <> ? OR started = 0)", "si", id, but_started) < 0)
                return -1;
        int more = db_step(stmt, err);
        if (more < 0)
                return -1;
        *ret = (struct container_meter){ 0 };
        if (more)
                from_row(stmt, 0, ret);
        return 0;
}

char **meter_attributes(const struct container_meter *m)
{
        char **list = NULL;
        strv_push_take(&list, xasprintf("cpuSeconds=%.6f", (double)m->cpu_ns / 1e9));
        strv_push_take(&list, xasprintf("memoryByteSeconds=%" PRIu64, m->memory_byte_ms / 1000));
        strv_push_take(&list, xasprintf("blockReadBytes=%" PRIu64, m->io_read_bytes));
        strv_push_take(&list, xasprintf("blockWriteBytes=%" PRIu64, m->io_write_bytes));
        strv_push_take(&list, xasprintf("networkReceivedBytes=%" PRIu64, m->received));
        strv_push_take(&list, xasprintf("networkSentBytes=%" PRIu64, m->sent));
        return list;
}
