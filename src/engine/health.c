/* What a container's checks have found: RUN/containers/<id>/health.json, docker's State.Health document. One check runs at a time, so its
 * writer is alone; readers see the file before or the file after. */
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/engine-internal.h"
#include "engine/inspect-internal.h"

#define HEALTH_FILE "health.json"
#define HEALTH_FILE_MAX ((size_t)CONTAINER_HEALTH_LOG * (CONTAINER_HEALTH_OUTPUT * 6 + 1024)) /* every byte escaped */
#define SECOND ((int64_t)1000000000)

static const char *const names[] = { [HEALTH_NONE] = "none", [HEALTH_STARTING] = "starting", [HEALTH_HEALTHY] = "healthy",
                                     [HEALTH_UNHEALTHY] = "unhealthy" };

const char *container_health_name(enum container_health h) { return names[h]; }

static int64_t given_or(int64_t value, int64_t otherwise) { return value > 0 ? value : otherwise; }

bool health_plan(const struct container_config *c, struct health_plan *ret)
{
        const struct healthcheck *h = &c->healthcheck;
        if (strv_len(h->test) < 2 || (!str_eq(h->test[0], "CMD") && !str_eq(h->test[0], "CMD-SHELL")))
                return false;
        *ret = (struct health_plan){
                .interval = given_or(h->interval, 30 * SECOND), .timeout = given_or(h->timeout, 30 * SECOND), .start_period = h->start_period,
                .start_interval = given_or(h->start_interval, 5 * SECOND),
                .retries = h->retries > 0 && h->retries <= UINT32_MAX ? (uint32_t)h->retries : 3,
        };
        return true;
}

static json_t *fresh(enum container_health h)
{
        return json_pack("{s:s, s:i, s:[]}", "Status", names[h], "FailingStreak", 0, "Log");
}

/* NULL: there is none, or it is not one of ours. */
static json_t *file_read(int dir)
{
        struct err missing = ERR_INIT;
        json_t *o = dir < 0 ? NULL : json_read_file_at(dir, HEALTH_FILE, HEALTH_FILE_MAX, &missing);
        if (o && json_is_string(json_object_get(o, "Status")) && json_is_array(json_object_get(o, "Log")))
                return o;
        json_decref(o);
        return NULL;
}

static enum container_health status_of(const json_t *o)
{
        const char *name = json_string_value(json_object_get(o, "Status"));
        for (int i = HEALTH_STARTING; i <= HEALTH_UNHEALTHY; i++)
                if (str_eq(name, names[i]))
                        return (enum container_health)i;
        return HEALTH_STARTING;
}

enum container_health health_now(const struct container *c, int run_dir)
{
        struct health_plan plan;
        if (!health_plan(&c->config, &plan) || c->status.state == STATE_CREATED)
                return HEALTH_NONE;
        if (!container_is_running(c))
                return HEALTH_UNHEALTHY;
        _cleanup_json_ json_t *o = file_read(run_dir);
        return o ? status_of(o) : HEALTH_STARTING;
}

/* A failure before the first success counts only when the start period is over. */
static enum container_health judge(const struct container *c, const struct health_result *r, enum container_health before, json_int_t *streak)
{
        struct health_plan plan;
        if (!health_plan(&c->config, &plan))
                return HEALTH_NONE;
        if (r->exit_code == 0) {
                *streak = 0;
                return HEALTH_HEALTHY;
        }
        if (before == HEALTH_STARTING && r->start - c->status.started < plan.start_period)
                return before;
        return ++*streak >= (json_int_t)plan.retries ? HEALTH_UNHEALTHY : before;
}

static json_t *result_json(const struct health_result *r)
{
        char start[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE];
        return json_pack("{s:s, s:s, s:i, s:o}", "Start", time_format(r->start, start), "End", time_format(r->end, end), "ExitCode",
                         (int)r->exit_code, "Output", inspect_text(r->output));
}

static int file_write(int dir, const json_t *o, struct err *err)
{
        _cleanup_free_ char *text = json_text(o);
        return file_write_at(dir, HEALTH_FILE, text, strlen(text), 0600, false, err);
}

int health_record(const struct container *c, int run_dir, const struct health_result *r, enum container_health *ret, bool *ret_changed,
                  struct err *err)
{
        _cleanup_json_ json_t *o = file_read(run_dir);
        if (!o)
                o = fresh(HEALTH_STARTING);
        enum container_health before = status_of(o);
        json_int_t streak = json_integer_value(json_object_get(o, "FailingStreak"));
        enum container_health after = judge(c, r, before, &streak);
        json_t *log = json_object_get(o, "Log");
        while (json_array_size(log) >= CONTAINER_HEALTH_LOG)
                json_array_remove(log, 0);
        json_array_append_new(log, result_json(r));
        json_object_set_new(o, "Status", json_string(names[after]));
        json_object_set_new(o, "FailingStreak", json_integer(streak));
        if (file_write(run_dir, o, err) < 0)
                return -1;
        *ret = after;
        *ret_changed = after != before;
        return 0;
}

json_t *health_document(struct engine *e, const struct container *c)
{
        struct err ignored = ERR_INIT;
        if (c->health == HEALTH_NONE)
                return NULL;
        bool running = container_is_running(c);
        _cleanup_free_ char *kept = container_dir_path(e, c->id);
        _cleanup_close_ int dir = running ? run_dir_open(e, c->id, &ignored) : open(kept, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        json_t *o = file_read(dir);
        if (!o)
                return fresh(c->health);
        if (!running)
                json_object_set_new(o, "Status", json_string(names[c->health]));
        return o;
}

void health_forget(int run_dir)
{
        unlinkat(run_dir, HEALTH_FILE, 0);
        unlinkat(run_dir, "probe", 0);
        unlinkat(run_dir, UNHEALTHY_MARK, 0);
}

void health_keep(struct engine *e, const struct container *c)
{
        struct err ignored = ERR_INIT;
        struct health_plan plan;
        if (c->config.auto_remove || !health_plan(&c->config, &plan))
                return;
        _cleanup_close_ int run_dir = run_dir_open(e, c->id, &ignored);
        _cleanup_json_ json_t *o = file_read(run_dir);
        _cleanup_free_ char *path = container_dir_path(e, c->id);
        if (!o || path_mkdirs(path, 0700, &ignored) < 0)
                return;
        _cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (dir >= 0)
                file_write(dir, o, &ignored);
}
