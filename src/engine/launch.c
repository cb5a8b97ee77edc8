/* The fork that becomes a container's monitor.
 *
 * The child makes the container with everything this process has loaded already, tells the result through a pipe, and becomes the tiny static
 * tare-monitor by execve: it stays the parent of init and the owner of its stdio. Its lock on monitor.pid is taken before anything exists
 * and never let go, so that whoever finds the lock free knows that nobody cares for the container any more. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/close_range.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/create-internal.h"
#include "engine/engine-internal.h"
#include "engine/foreign-internal.h"
#include "engine/spec-internal.h"
#include "runtime/container.h"

struct launch {
        struct engine *engine;
        const struct container *container;
        const struct network *network;         /* NULL: none of ours */
        const struct container_start *how;
        struct start_plan plan;
        struct health_plan health;
        int run_dir, net_fd;
        int client;                            /* the monitor's end of the first attach session, -1 */
        int *port_fds;
        size_t port_fd_count;
        char *monitor, *cleanup, *init;
        char *leavings;                        /* where container_finish_session() leaves the root of a container that removes itself, or NULL */
};

static void launch_done(struct launch *l)
{
        for (size_t i = 0; i < l->port_fd_count; i++)
                close(l->port_fds[i]);
        free(l->port_fds);
        if (l->client >= 0)
                close(l->client);
        if (l->net_fd >= 0)
                close(l->net_fd);
        start_plan_done(&l->plan);
        free(l->monitor);
        free(l->cleanup);
        free(l->init);
        free(l->leavings);
}

/* Ends of the container's stdio: [0] ours, [1] the container's. */
struct stdio { int in[2], out[2], err[2]; };

static int stdio_make(const struct container_config *c, struct stdio *s, struct err *err)
{
        int in[2] = { -1, -1 };
        *s = (struct stdio){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
        if (c->tty)
                return 0;
        if (c->open_stdin) {
                if (pipe2(in, O_CLOEXEC) < 0)
                        return err_sys(err, "pipe");
                s->in[0] = in[1];
                s->in[1] = in[0];
        }
        if (pipe2(s->out, O_CLOEXEC) < 0 || pipe2(s->err, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        return 0;
}

static int attach_listen(int run_dir, struct err *err)
{
        struct sockaddr_un address;
        fd_socket_address(run_dir, "attach.sock", &address);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return err_sys(err, "socket");
        unlinkat(run_dir, "attach.sock", 0);
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0)
                return err_sys(err, "attach.sock");
        return TAKE_FD(fd);
}

static int limit_rates(const struct container *c, int netns, struct err *err)
{
        uint64_t in = 0, out = 0;
        if (c->config.net_rate_in && net_rate_parse(c->config.net_rate_in, &in, err) < 0)
                return -1;
        if (c->config.net_rate_out && net_rate_parse(c->config.net_rate_out, &out, err) < 0)
                return -1;
        return in || out ? network_shape(&c->endpoint, netns, in, out, err) : 0;
}

static int attach_network(void *data, pid_t pid, int netns, struct err *err)
{
        struct launch *l = data;
        const struct container *c = l->container;
        if (c->endpoint.container[0])
                return network_attach(l->network, &c->endpoint, netns, err) < 0 ? -1 : limit_rates(c, netns, err);
        return str_eq(c->config.network_mode, "none") ? network_loopback_up(netns, err) : 0;
}

static int runtime_make(struct launch *l, const struct stdio *s, struct runtime_container *ret, struct err *err)
{
        const struct container_config *c = &l->container->config;
        _cleanup_free_ char *cache = path_join(engine_root(l->engine), "seccomp");
        struct err ignored = ERR_INIT;
        path_mkdirs(cache, 0700, &ignored);
        struct runtime_create request = {
                .id = l->container->id, .spec = &l->plan.spec, .bundle_fd = -1, .rootfs = &l->plan.rootfs,
                .stdio = { s->in[1], s->out[1], s->err[1] }, .seccomp_cache = cache, .init_process = c->init, .init_path = l->init,
                .on_namespaces = attach_network, .data = l,
        };
        return runtime_create(&request, ret, err);
}

/* Another runtime makes the network namespace and not the network, which is complete before the start all the same. */
static int foreign_make(struct launch *l, const struct stdio *s, struct runtime_container *r, struct err *err)
{
        const int stdio[3] = { s->in[1], s->out[1], s->err[1] };
        struct foreign_create how = { .stdio = stdio, .init = l->init };
        char path[64];
        if (foreign_create(l->engine, l->container, &l->plan, &how, r, err) < 0)
                return -1;
        snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)r->pid);
        _cleanup_close_ int netns = open(path, O_RDONLY | O_CLOEXEC);
        return netns < 0 ? err_sys(err, "open the network namespace") : attach_network(l, r->pid, netns, err);
}

static bool is_foreign(const struct launch *l) { return runtime_is_foreign(l->container->config.runtime); }

static int container_make(struct launch *l, const struct stdio *s, struct runtime_container *r, struct err *err)
{
        return is_foreign(l) ? foreign_make(l, s, r, err) : runtime_make(l, s, r, err);
}

static int container_let_go(struct launch *l, struct runtime_container *r, struct err *err)
{
        return is_foreign(l) ? foreign_start(l->engine, l->container, err) : runtime_start(r, err);
}

static void container_undo(struct launch *l, struct runtime_container *r)
{
        struct err ignored = ERR_INIT;
        if (is_foreign(l))
                foreign_delete(l->engine, l->container, &ignored);
        else
                runtime_remove(r, &ignored);
}

static int status_running(struct launch *l, const struct runtime_container *r, int64_t started, struct err *err)
{
        struct container_status status = { .state = STATE_RUNNING, .pid = r->pid, .start_ticks = r->start_time, .started = started,
                                           .restarts = l->container->status.restarts, .monitor = getpid() };
        return container_status_write(l->run_dir, &status, err);
}

static void keep(int fd)
{
        if (fd >= 0)
                fd_set_cloexec(fd, false);
}

/* Descriptors of the reserved ports become neighbours, as the monitor is told a first one and a count. */
static void keep_ports(struct launch *l, struct monitor_options *o)
{
        int first = 200;
        for (size_t i = 0; i < l->port_fd_count; i++) /* above them all: dup2 would close one not yet copied */
                first = l->port_fds[i] >= first ? l->port_fds[i] + 1 : first;
        for (size_t i = 0; i < l->port_fd_count; i++)
                if (dup2(l->port_fds[i], first + (int)i) < 0)
                        return;
        o->port_fds_first = first;
        o->port_fds_count = (int)l->port_fd_count;
}

/* The monitor keeps what the root is mounted upon within reach of other containers. */
static void keep_mounts(struct launch *l)
{
        struct storage *st;
        struct err ignored = ERR_INIT;
        if (engine_storage(l->engine, &st, &ignored) == 0)
                snapshots_keep_mounts(st->snapshots);
}

static void become_monitor(struct launch *l, const struct stdio *s, struct runtime_container *r, int lock, int listening, int64_t started)
{
        const struct container *c = l->container;
        _cleanup_free_ char *run_dir = run_dir_path(l->engine, c->id);
        struct monitor_options o;
        monitor_options_init(&o);
        o = (struct monitor_options){
                .id = (char *)(uintptr_t)c->id, .name = c->name, .run_dir = run_dir, .pid = r->pid, .start_ticks = r->start_time, .started = started,
                .out_fd = s->out[0], .err_fd = s->err[0], .in_fd = s->in[0], .console_fd = r->console_fd, .client_fd = l->client,
                .listen_fd = listening, .lock_fd = lock, .net_fd = l->net_fd, .open_stdin = c->config.open_stdin, .stdin_once = c->config.stdin_once,
                .log_driver = (char *)(uintptr_t)l->plan.log.driver, .log_path = l->plan.log.path, .log_max_size = l->plan.log.max_size,
                .log_max_files = l->plan.log.max_files, .log_packer = l->plan.log.packer, .log_address = l->plan.log.address,
                .log_format = (char *)(uintptr_t)l->plan.log.format, .log_facility = l->plan.log.facility, .log_ring = l->plan.log.ring,
                .restart = c->config.restart_policy, .restarts = c->status.restarts, .auto_remove = c->config.auto_remove,
                .watch_oom = c->config.memory > 0, .health_interval = l->health.interval, .health_start_interval = l->health.start_interval,
                .health_start_period = l->health.start_period,
                .cleanup_program = l->cleanup, .remove_at_end = l->leavings, .cgroup_path = l->plan.spec.cgroups_path, .port_fds_first = -1,
        };
        const int kept[] = { o.out_fd, o.err_fd, o.in_fd, o.console_fd, o.client_fd, o.listen_fd, o.lock_fd, o.net_fd };
        for (size_t i = 0; i < ELEMENTS(kept); i++)
                keep(kept[i]);
        keep_ports(l, &o);
        keep_mounts(l);
        char **argv = monitor_options_to_argv(&o, "tare-monitor");
        execv(l->monitor, argv);
}

/* Opened while init waits for its start: the shortest run is counted. What an earlier run left is not taken for this one's. */
static void counters_open(struct launch *l, pid_t pid)
{
        char path[64];
        unlinkat(l->run_dir, "meter", 0);
        if (!l->container->endpoint.container[0])
                return;
        snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
        l->net_fd = open(path, O_RDONLY | O_CLOEXEC);
}

static void stdio_null(void)
{
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int fd = 0; null >= 0 && fd < 3; fd++)
                dup2(null, fd);
}

/* What the caller left open to us is none of the monitor's: a pipe held by it would keep the caller's reader waiting for its end. */
static void inherited_close_on_exec(void) { close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); }

static int launch_make(struct launch *l, struct stdio *s, struct runtime_container *r, int *ret_lock, int *ret_listen, int64_t started,
                       struct err *err)
{
        if ((*ret_lock = monitor_lock(l->run_dir, err)) < 0 || (*ret_listen = attach_listen(l->run_dir, err)) < 0 ||
            stdio_make(&l->container->config, s, err) < 0)
                return -1;
        int made = container_make(l, s, r, err);
        if (made == 0)
                counters_open(l, r->pid);
        if (made == 0 && status_running(l, r, started, err) == 0 && container_let_go(l, r, err) == 0)
                return 0;
        unlinkat(l->run_dir, "status.json", 0);
        if (made == 0 || r->pid > 0)
                container_undo(l, r);
        return -1;
}

/* The child: never returns. result: where the outcome goes, a struct err of kind 0 for success. */
static void launch_child(struct launch *l, int result)
{
        struct err err = ERR_INIT;
        struct stdio s;
        struct runtime_container r = RUNTIME_CONTAINER_INIT;
        int64_t started = time_now();
        int lock = -1, listening = -1;
        db_forget(engine_db(l->engine));
        setsid();
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        stdio_null();
        inherited_close_on_exec();
        int made = launch_make(l, &s, &r, &lock, &listening, started, &err);
        if (made == 0)
                err_clear(&err);
        if (fd_write_full(result, &err, sizeof(err)) == 0 && made == 0)
                become_monitor(l, &s, &r, lock, listening, started);
        if (r.pid > 0)
                kill(r.pid, SIGKILL);
        _exit(1);
}

/* The first attach session begins before the container does, so that it misses nothing. */
static int client_make(struct launch *l, int *ret_ours, struct err *err)
{
        int pair[2];
        if (!l->how->attach)
                return 0;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return err_sys(err, "socketpair");
        _cleanup_close_ int ours = pair[0];
        l->client = pair[1];
        struct attach_hello hello = { .magic = ATTACH_MAGIC, .stdin_ = l->how->attach_stdin, .stdout_ = true, .stderr_ = true };
        if (fd_write_full(ours, &hello, sizeof(hello)) < 0)
                return err_sys(err, "attach");
        if (l->how->clean_mine && attach_send(ours, ATTACH_CLEAN_MINE, NULL, 0, err) < 0)
                return -1;
        *ret_ours = TAKE_FD(ours);
        return 0;
}

static int launch_wait(int result, pid_t child, struct err *err)
{
        struct err told;
        ssize_t n = fd_read_full(result, &told, sizeof(told));
        if (n == (ssize_t)sizeof(told) && told.kind == ERR_NONE)
                return 0;
        waitpid(child, NULL, 0);
        if (n != (ssize_t)sizeof(told))
                return err_set(err, ERR_SYSTEM, "the process that starts the container was killed");
        *err = told;
        return -1;
}

static int launch_fork(struct launch *l, struct err *err)
{
        int result[2];
        if (pipe2(result, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        _cleanup_close_ int ours = result[0];
        _cleanup_close_ int theirs = result[1];
        pid_t child = fork();
        if (child < 0)
                return err_sys(err, "fork");
        if (child == 0)
                launch_child(l, theirs);
        close(TAKE_FD(theirs));
        return launch_wait(ours, child, err);
}

int container_launch(struct engine *e, struct container *c, const struct network *network, int run_dir, const struct container_start *how,
                     int *ret_client, struct err *err)
{
        _cleanup_close_ int ours = -1;
        _cleanup_(launch_done) struct launch l = { .engine = e, .container = c, .network = network, .how = how, .run_dir = run_dir, .net_fd = -1,
                                                   .client = -1 };
        if (engine_program("tare-monitor", &l.monitor, err) < 0 || engine_program("tare", &l.cleanup, err) < 0 ||
            (c->config.init && engine_program("tare-init", &l.init, err) < 0) ||
            start_plan_make(e, c, run_dir, &l.plan, err) < 0)
                return -1;
        if (health_plan(&c->config, &l.health))
                health_forget(run_dir);
        if (c->config.memory > 0)
                unlinkat(run_dir, OOM_MARK, 0);
        struct storage *st;
        if (c->config.auto_remove && how->clean_mine && engine_storage(e, &st, err) == 0)
                l.leavings = root_discarded_path(st->snapshots, c->id);
        l.plan.spec.process.console_height = how->rows;
        l.plan.spec.process.console_width = how->columns;
        if (c->endpoint.container[0] && network_hold_ports(&c->endpoint, &l.port_fds, &l.port_fd_count, err) < 0)
                return -1;
        if (client_make(&l, &ours, err) < 0 || launch_fork(&l, err) < 0)
                return -1;
        if (ret_client)
                *ret_client = TAKE_FD(ours);
        return 0;
}
