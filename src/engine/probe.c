/* One check of a container's health: its test run inside, with a time limit and little of its output kept.
 *
 * We are a child of the container's monitor and die with it; if we die alone, the monitor ends the test, whose process the file `probe`
 * names. So whatever is killed, nothing of a check is left. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/engine-internal.h"

#define PROBE_FILE "probe"

struct probe {
        struct engine *engine;
        struct container *container;
        struct health_plan plan;
        int run_dir, output_fd;
        struct exec_session session;
        char output[CONTAINER_HEALTH_OUTPUT + 128];    /* what comes, or why it did not run */
        size_t len;
        bool more;                     /* than is kept */
        bool late;
};

static char **test_command(const struct container_config *c)
{
        char **args = NULL;
        char *const *test = c->healthcheck.test;
        if (str_eq(test[0], "CMD-SHELL")) {
                strv_push(&args, "/bin/sh");
                strv_push(&args, "-c");
        }
        strv_extend(&args, test + 1);
        return args;
}

/* By this the monitor finds it when we are killed. */
static int test_note(struct probe *p, struct err *err)
{
        char text[64];
        uint64_t ticks = 0;
        struct err ended = ERR_INIT;
        if (proc_start_time(p->session.pid, &ticks, &ended) < 0)
                return 0;
        int length = snprintf(text, sizeof(text), "%d %" PRIu64 "\n", (int)p->session.pid, ticks);
        return file_write_at(p->run_dir, PROBE_FILE, text, (size_t)length, 0600, false, err);
}

static int test_start(struct probe *p, struct err *err)
{
        int ends[2];
        struct exec_request x = { .quiet = true, .args = test_command(&p->container->config) };
        if (pipe2(ends, O_CLOEXEC) < 0) {
                exec_request_done(&x);
                return err_sys(err, "pipe");
        }
        _cleanup_close_ int ours = ends[0];
        _cleanup_close_ int theirs = ends[1];
        const int stdio[3] = { -1, theirs, theirs };
        int started = container_exec(p->engine, p->container->id, &x, stdio, &p->session, err);
        exec_request_done(&x);
        if (started < 0)
                return -1;
        fd_set_nonblock(ours, true);
        p->output_fd = TAKE_FD(ours);
        if (test_note(p, err) == 0)
                return 0;
        kill(-p->session.pid, SIGKILL);
        return -1;
}

/* False at the end of it. What is too much is read and dropped, so that the test does not wait for us. */
static bool output_read(struct probe *p)
{
        char dropped[4096];
        for (;;) {
                size_t room = CONTAINER_HEALTH_OUTPUT - p->len;
                ssize_t n = read(p->output_fd, room ? p->output + p->len : dropped, room ? room : sizeof(dropped));
                if (n < 0)
                        return errno == EAGAIN || errno == EINTR;
                if (n == 0)
                        return false;
                if (room)
                        p->len += (size_t)n;
                else
                        p->more = true;
        }
}

/* Until the test has ended, whoever still holds its output; or its time is up. */
static void test_watch(struct probe *p)
{
        int64_t end = time_monotonic() + p->plan.timeout;
        bool open = true;
        for (;;) {
                struct pollfd fds[] = { { .fd = p->session.pidfd, .events = POLLIN }, { .fd = open ? p->output_fd : -1, .events = POLLIN } };
                int64_t left = (end - time_monotonic() + 999999) / 1000000;
                if (left <= 0)
                        break;
                if (poll(fds, ELEMENTS(fds), left > INT32_MAX ? INT32_MAX : (int)left) < 0 && errno != EINTR)
                        break;
                if (fds[1].revents)
                        open = output_read(p);
                if (fds[0].revents) {
                        output_read(p);
                        return;
                }
        }
        p->late = true;
        kill(-p->session.pid, SIGKILL);
        kill(p->session.pid, SIGKILL);
}

/* A v1-frozen process takes the signal when it is thawed: nobody waits for that. */
static bool is_paused(const struct probe *p) { return faccessat(p->run_dir, "paused", F_OK, 0) == 0; }

static int test_run(struct probe *p, struct health_result *r, struct err *err)
{
        int status = 0;
        r->start = time_now();
        if (test_start(p, err) < 0) {
                r->exit_code = -1;
                p->len = (size_t)snprintf(p->output, CONTAINER_HEALTH_OUTPUT, "%s", err->msg);
                r->end = time_now();
                if (err->kind == ERR_CONFLICT || err->kind == ERR_NOT_FOUND || is_paused(p))
                        return -1;
                err_clear(err); /* that it cannot be run, for want of processes even, is a failure as docker counts */
                return 0;
        }
        test_watch(p);
        if (p->late && is_paused(p))
                return err_set(err, ERR_CONFLICT, "it was paused meanwhile");
        if (proc_wait(p->session.pid, &status, err) < 0)
                return -1;
        r->exit_code = p->late ? -1 : status;
        r->end = time_now();
        unlinkat(p->run_dir, PROBE_FILE, 0);
        return 0;
}

/* docker's words. */
static char *output_text(struct probe *p)
{
        char timeout[32];
        p->output[p->len] = 0;
        for (size_t i = 0; i < p->len; i++)
                if (!p->output[i])
                        p->output[i] = '?';
        if (!p->late)
                return xasprintf("%s%s", p->output, p->more ? "..." : "");
        snprintf(timeout, sizeof(timeout), "%g", (double)p->plan.timeout / 1e9);
        return xasprintf("Health check exceeded timeout (%ss)%s%s", timeout, p->len ? ": " : "", p->output);
}

/* What is known of one that ended meanwhile, and was perhaps started again, is not worth keeping. */
static bool still_the_same(struct probe *p)
{
        struct container_status now;
        struct err ignored = ERR_INIT;
        return container_status_read(p->run_dir, &now, &ignored) == 0 && now.state == STATE_RUNNING && now.pid == p->container->status.pid &&
               now.start_ticks == p->container->status.start_ticks && proc_alive(now.pid, now.start_ticks);
}

static int result_take(struct probe *p, struct health_result *r, enum container_health *ret, struct err *err)
{
        bool changed;
        _cleanup_free_ char *output = output_text(p);
        r->output = output;
        if (!still_the_same(p))
                return err_set(err, ERR_CONFLICT, "it has ended meanwhile");
        if (health_record(p->container, p->run_dir, r, ret, &changed, err) < 0)
                return -1;
        if (changed) {
                _cleanup_free_ char *action = xasprintf("health_status: %s", container_health_name(*ret));
                container_tell(p->engine, p->container, action, NULL);
        }
        if (*ret != HEALTH_UNHEALTHY)
                return 0;
        prctl(PR_SET_PDEATHSIG, 0); /* the monitor will go before we are done */
        return container_end_unhealthy(p->engine, p->container, err);
}

static void probe_done(struct probe *p)
{
        const int fds[] = { p->run_dir, p->output_fd, p->session.pidfd };
        for (size_t i = 0; i < ELEMENTS(fds); i++)
                if (fds[i] >= 0)
                        close(fds[i]);
}

int container_probe(struct engine *e, const char *id, enum container_health *ret, struct err *err)
{
        struct health_result r = { 0 };
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        _cleanup_(probe_done) struct probe p = {
                .engine = e, .container = &c, .run_dir = -1, .output_fd = -1, .session = { .pidfd = -1, .console_fd = -1 }
        };
        if (container_load(e, id, &c, err) < 0)
                return -1;
        if (c.status.state != STATE_RUNNING || !health_plan(&c.config, &p.plan))
                return err_set(err, ERR_CONFLICT, "container %.12s has nothing to be checked", c.id);
        p.run_dir = run_dir_open(e, c.id, err);
        if (p.run_dir < 0 || test_run(&p, &r, err) < 0)
                return -1;
        return result_take(&p, &r, ret, err);
}
