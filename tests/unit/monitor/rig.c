#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/timefmt.h"

#define WAIT_MS 20000

static void buf_put(struct buf *b, const void *data, size_t len)
{
        struct err err = ERR_INIT;
        if (buf_add(b, data, len, &err) < 0)
                fail_msg("%s", err.msg);
}

void busy_wait_ms(int ms)
{
        poll(NULL, 0, ms);
}

char *rig_path(const struct rig *r, const char *name)
{
        return xasprintf("%s/%s", r->dir, name);
}

static void text_to_file(const struct rig *r, const char *name, const char *text, mode_t mode)
{
        struct err err = ERR_INIT;
        assert_int_equal(file_write_at(r->dir_fd, name, text, strlen(text), mode, false, &err), 0);
}

/* Says who it is, whether the lock was free when it came, whether it has inherited it, and what the status was. */
static void cleanup_write(const struct rig *r, const char *probe)
{
        _cleanup_free_ char *text = xasprintf(
                "#!/bin/sh\ncd %s\n[ \"$2\" != probe ] || { echo \"$*\" >>probes; %s\nexit 2; }\nexec >%s/marker.tmp\necho \"$*\"\nflock -n %s/run/monitor.pid echo free || echo held\nflock -n $4 && echo mine\n"
                "cat %s/run/status.json\nls -l /proc/$$/fd >%s/fds\ngrep -c -e socket: -e pipe: -e anon_inode: "
                "%s/fds\nmv %s/marker.tmp %s/marker\n",
                r->dir, probe ? probe : ":", r->dir, r->dir, r->dir, r->dir, r->dir, r->dir, r->dir);
        text_to_file(r, "cleanup", text, 0755);
}

struct ends {
        int in[2], out[2], err[2], console, slave, client[2], listen;
};

static void ends_make(const struct rig *r, const struct rig_options *o, struct ends *e)
{
        *e = (struct ends){ { -1, -1 }, { -1, -1 }, { -1, -1 }, -1, -1, { -1, -1 }, -1 };
        if (o->tty)
                assert_int_equal(openpty(&e->console, &e->slave, NULL, NULL, NULL), 0);
        else
                assert_int_equal(pipe2(e->out, O_CLOEXEC) | pipe2(e->err, O_CLOEXEC) |
                                         (o->open_stdin ? pipe2(e->in, O_CLOEXEC) : 0),
                                 0);
        if (o->attach)
                assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->client), 0);
        if (o->listen) {
                struct sockaddr_un a = { .sun_family = AF_UNIX };
                snprintf(a.sun_path, sizeof(a.sun_path), "%s/run/attach.sock", r->dir);
                e->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(bind(e->listen, (struct sockaddr *)&a, sizeof(a)) | listen(e->listen, 64), 0);
        }
}

static void init_exec(const struct rig_options *o, const struct ends *e)
{
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (o->tty) {
                login_tty(e->slave);
        } else {
                setsid();
                dup2(e->in[0] >= 0 ? e->in[0] : null, 0);
                dup2(e->out[1], 1);
                dup2(e->err[1], 2);
        }
        close_range(3, ~0U, 0);
        signal(SIGPIPE, SIG_DFL);
        execl("/bin/sh", "sh", "-c", o->command, NULL);
        _exit(127);
}

static void monitor_exec(const struct rig *r, const struct rig_options *o, struct ends *e)
{
        struct monitor_options m;
        struct err err = ERR_INIT;
        _cleanup_free_ char *run = rig_path(r, "run"), *log = rig_path(r, "log"), *cleanup = rig_path(r, "cleanup");
        monitor_options_init(&m);
        setsid();
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no process behind */
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        m.lock_fd = o->own_lock ? -1 : file_lock_at(r->run_fd, "monitor.pid", true, false, &err);
        m.pid = fork();
        if (m.pid == 0)
                init_exec(o, e);
        m.id = (char *)(uintptr_t) "0123abcd";
        m.run_dir = run;
        m.started = time_now();
        m.out_fd = e->out[0], m.err_fd = e->err[0], m.in_fd = e->in[1], m.console_fd = e->console;
        m.client_fd = e->client[1], m.listen_fd = e->listen;
        m.open_stdin = o->open_stdin, m.stdin_once = o->stdin_once;
        m.log_driver = (char *)(uintptr_t)(o->no_log ? "none" : o->log_driver ? o->log_driver : "json-file");
        m.log_address = (char *)(uintptr_t)o->log_address, m.log_format = (char *)(uintptr_t)o->log_format;
        m.log_packer = (char *)(uintptr_t)o->log_packer, m.log_facility = 3, m.log_ring = o->log_ring;
        if (o->log_fixed)
                assert_int_equal(file_write_at(r->run_fd, "log-fixed", o->log_fixed, strlen(o->log_fixed), 0600, false, &err), 0);
        if (o->file_size_max)
                setrlimit(RLIMIT_FSIZE, &(struct rlimit){ o->file_size_max, o->file_size_max });
        m.log_path = o->no_log ? NULL : log;
        m.log_max_size = o->log_max_size, m.log_max_files = o->log_max_files;
        m.restarts = 3;
        m.cleanup_program = cleanup;
        m.health_interval = o->health_interval, m.health_start_interval = o->health_start_interval;
        m.health_start_period = o->health_start_period;
        m.cgroup_path = (char *)(uintptr_t)o->cgroup_path;
        if (o->port_fd)
                m.port_fds_first = o->port_fd, m.port_fds_count = 1;
        const int kept[] = { m.out_fd,    m.err_fd,    m.in_fd,   m.console_fd,
                             m.client_fd, m.listen_fd, m.lock_fd, o->port_fd ? o->port_fd : -1 };
        for (size_t i = 0; i < ELEMENTS(kept); i++)
                if (kept[i] >= 0)
                        fd_set_cloexec(kept[i], false);
        if (e->slave >= 0)
                close(e->slave);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int fd = 0; fd < (getenv("TARE_TEST_STDERR") ? 2 : 3); fd++)
                dup2(null, fd);
        execv(getenv("TARE_TEST_MONITOR"), monitor_options_to_argv(&m, "tare-monitor"));
        _exit(127);
}

static void greet_first(struct rig *r, const struct rig_options *o, struct ends *e)
{
        struct err err = ERR_INIT;
        struct attach_hello hello = {
                .magic = ATTACH_MAGIC, .stdin_ = o->attach_stdin, .stdout_ = true, .stderr_ = true
        };
        r->client = e->client[0];
        assert_int_equal(fd_write_full(r->client, &hello, sizeof(hello)), 0);
        if (o->clean_mine)
                assert_int_equal(attach_send(r->client, ATTACH_CLEAN_MINE, NULL, 0, &err), 0);
}

void rig_start(struct rig *r, const struct rig_options *o)
{
        struct ends e;
        assert_non_null(getenv("TARE_TEST_MONITOR"));
        signal(SIGPIPE, SIG_IGN);
        *r = (struct rig){ .dir = xasprintf("%s/tare-monitor.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp"),
                           .client = -1 };
        assert_non_null(mkdtemp(r->dir));
        r->dir_fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mkdirat(r->dir_fd, "run", 0700), 0);
        r->run_fd = openat(r->dir_fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cleanup_write(r, o->probe);
        ends_make(r, o, &e);
        if (o->attach)
                greet_first(r, o, &e);
        r->monitor = fork();
        if (r->monitor == 0)
                monitor_exec(r, o, &e);
        const int theirs[] = { e.in[0],  e.in[1],   e.out[0], e.out[1],    e.err[0],
                               e.err[1], e.console, e.slave,  e.client[1], e.listen };
        for (size_t i = 0; i < ELEMENTS(theirs); i++)
                if (theirs[i] >= 0)
                        close(theirs[i]);
}

int rig_wait(struct rig *r)
{
        int status;
        for (int left = WAIT_MS; left > 0; left -= 5) {
                pid_t pid = waitpid(r->monitor, &status, WNOHANG);
                if (pid == r->monitor) {
                        r->monitor = 0;
                        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                }
                busy_wait_ms(5);
        }
        fail_msg("the monitor does not end");
        return -1;
}

void rig_done(struct rig *r)
{
        struct err err = ERR_INIT;
        if (r->client >= 0)
                close(r->client);
        if (r->monitor)
                assert_int_equal(rig_wait(r), 0);
        if (!r->cleaned)
                rig_wait_file(r, "marker"); /* else the program would write while we remove */
        assert_int_equal(tree_remove_at(AT_FDCWD, r->dir, &err), 0);
        close(r->dir_fd);
        close(r->run_fd);
        free(r->dir);
}

void rig_status(const struct rig *r, struct container_status *ret)
{
        struct err err = ERR_INIT;
        if (container_status_read(r->run_fd, ret, &err) < 0)
                fail_msg("%s", err.msg);
}

char *rig_log(const struct rig *r, const char *suffix, size_t *ret_len)
{
        struct err err = ERR_INIT;
        struct buf b = BUF_INIT((size_t)4 << 30);
        _cleanup_free_ char *name = xasprintf("log%s", suffix);
        if (file_read_at(r->dir_fd, name, &b, &err) < 0)
                return NULL;
        if (ret_len)
                *ret_len = b.len;
        return buf_take(&b);
}

void rig_log_text(const struct rig *r, const char *stream, struct buf *ret)
{
        _cleanup_free_ char *log = rig_log(r, "", NULL);
        assert_non_null(log);
        for (char *line = log, *end; *line; line = end + 1) {
                end = strchr(line, '\n');
                assert_non_null(end);
                json_error_t e;
                json_t *o = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
                if (!o)
                        fail_msg("%s in %.*s", e.text, (int)(end - line > 200 ? 200 : end - line), line);
                json_t *text = json_object_get(o, "log");
                if (str_eq(json_string_value(json_object_get(o, "stream")), stream))
                        buf_put(ret, json_string_value(text), json_string_length(text));
                int64_t time;
                struct err err = ERR_INIT;
                assert_int_equal(time_parse(json_string_value(json_object_get(o, "time")), &time, &err), 0);
                json_decref(o);
        }
}

void rig_wait_file(const struct rig *r, const char *name)
{
        for (int left = WAIT_MS; left > 0 && !file_exists_at(r->dir_fd, name); left -= 5)
                busy_wait_ms(5);
        if (!file_exists_at(r->dir_fd, name))
                fail_msg("%s does not appear", name);
}

char *rig_marker(const struct rig *r, bool wait)
{
        struct err err = ERR_INIT;
        struct buf b = BUF_INIT(65536);
        if (wait)
                rig_wait_file(r, "marker");
        return file_read_at(r->dir_fd, "marker", &b, &err) < 0 ? NULL : buf_take(&b);
}

int session_open(const struct rig *r, bool in, bool out, bool err)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        struct attach_hello hello = { .magic = ATTACH_MAGIC, .stdin_ = in, .stdout_ = out, .stderr_ = err };
        enum attach_frame type;
        struct buf payload = BUF_INIT(ATTACH_PAYLOAD_MAX + 1);
        snprintf(a.sun_path, sizeof(a.sun_path), "%s/run/attach.sock", r->dir);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(fd_write_full(fd, &hello, sizeof(hello)), 0);
        assert_true(session_next(fd, &type, &payload));
        assert_int_equal(type, ATTACH_READY);
        buf_done(&payload);
        return fd;
}

/* All of it; false when the stream ends before the first byte. */
static bool read_wait(int fd, void *data, size_t len)
{
        for (size_t done = 0; done < len;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                if (poll(&p, 1, WAIT_MS) <= 0)
                        fail_msg("nothing comes from the monitor");
                ssize_t n = read(fd, (char *)data + done, len - done);
                if (n <= 0) {
                        assert_int_equal(done, 0);
                        return false;
                }
                done += (size_t)n;
        }
        return true;
}

bool session_next(int fd, enum attach_frame *ret_type, struct buf *ret_payload)
{
        uint8_t header[ATTACH_HEADER];
        uint8_t payload[ATTACH_PAYLOAD_MAX];
        uint32_t len;
        struct err err = ERR_INIT;
        if (!read_wait(fd, header, sizeof(header)))
                return false;
        if (attach_parse(header, ret_type, &len, &err) < 0)
                fail_msg("%s", err.msg);
        if (len)
                assert_true(read_wait(fd, payload, len));
        buf_put(ret_payload, payload, len);
        return true;
}

int32_t session_collect(int fd, struct buf *out, struct buf *err)
{
        for (;;) {
                enum attach_frame type;
                _cleanup_buf_ struct buf payload = BUF_INIT(ATTACH_PAYLOAD_MAX + 1);
                if (!session_next(fd, &type, &payload))
                        return -1;
                const uint8_t *p = (const uint8_t *)payload.data;
                if (type == ATTACH_STDOUT)
                        buf_put(out, payload.data, payload.len);
                else if (type == ATTACH_STDERR)
                        buf_put(err, payload.data, payload.len);
                else if (type == ATTACH_EXIT)
                        return (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
                else
                        assert_int_equal(type, ATTACH_READY);
        }
}

void session_type(int fd, enum attach_frame type, const void *data, size_t len)
{
        struct err err = ERR_INIT;
        assert_int_equal(attach_send(fd, type, data, (uint32_t)len, &err), 0);
}

void session_expect(int fd, const char *text)
{
        _cleanup_buf_ struct buf all = BUF_INIT((size_t)1 << 20);
        for (;;) {
                enum attach_frame type;
                _cleanup_buf_ struct buf payload = BUF_INIT(ATTACH_PAYLOAD_MAX + 1);
                if (!session_next(fd, &type, &payload))
                        fail_msg("the stream ends before \"%s\"", text);
                if (type == ATTACH_STDOUT)
                        buf_put(&all, payload.data, payload.len);
                if (all.len > (1 << 19))
                        buf_consume(&all, all.len - (1 << 18));
                if (all.len && memmem(all.data, all.len, text, strlen(text)))
                        return;
        }
}
