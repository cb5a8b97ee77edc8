#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/metrics-internal.h"

#define SHARED 1000000000 /* ns a collection serves for */
#define CHECKPOINT 60000000000
#define CONNECTIONS_MAX 256u
#define CONNECTION_MEMORY ((size_t)16 << 10)
#define IDLE_SECONDS 15u

struct service {
        struct stats_collector *collector;
        struct MHD_Response *response; /* of the last collection */
        int64_t collected;
};

/* ---- where ---- */

union address { struct sockaddr any; struct sockaddr_in four; struct sockaddr_in6 six; struct sockaddr_un path; };

/* "[::1]:80", "127.0.0.1:80", ":80", "localhost:80" */
static int address_parse(const char *text, union address *ret, socklen_t *ret_len, struct err *err)
{
        const char *colon = strrchr(text, ':');
        uint32_t port;
        struct err wrong = ERR_INIT;
        *ret = (union address){ 0 };
        if (!colon || parse_u32(colon + 1, &port, &wrong) < 0 || port > UINT16_MAX)
                return err_set(err, ERR_INVALID, "%s is not an address with a port, nor the path of a socket", text);
        _cleanup_free_ char *host = xstrndup(text, (size_t)(colon - text));
        const char *four = !*host || str_eq(host, "localhost") ? "127.0.0.1" : host;
        if (str_eq(host, "[::1]")) {
                ret->six = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback, .sin6_port = htons((uint16_t)port) };
                *ret_len = sizeof(ret->six);
                return 0;
        }
        ret->four = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        *ret_len = sizeof(ret->four);
        if (inet_pton(AF_INET, four, &ret->four.sin_addr) != 1)
                return err_set(err, ERR_INVALID, "%s is not an address", host);
        if (ntohl(ret->four.sin_addr.s_addr) >> 24 != 127)
                return err_set(err, ERR_INVALID, "%s can be reached by others: metrics are served at loopback addresses and unix sockets only", host);
        return 0;
}

static int listen_inet(const char *text, char **ret_name, struct err *err)
{
        union address a;
        socklen_t len;
        int on = 1;
        char host[INET6_ADDRSTRLEN];
        if (address_parse(text, &a, &len, err) < 0)
                return -1;
        _cleanup_close_ int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 || bind(fd, &a.any, len) < 0 || listen(fd, 64) < 0 ||
            getsockname(fd, &a.any, &len) < 0)
                return err_sys(err, "listen on %s", text);
        bool six = a.any.sa_family == AF_INET6;
        inet_ntop(a.any.sa_family, six ? (void *)&a.six.sin6_addr : (void *)&a.four.sin_addr, host, sizeof(host));
        *ret_name = xasprintf(six ? "[%s]:%u" : "%s:%u", host, ntohs(six ? a.six.sin6_port : a.four.sin_port));
        return TAKE_FD(fd);
}

/* One that nobody listens on any more is of a server that was killed. */
static int stale_remove(int dir, const char *name, const struct sockaddr_un *a, struct err *err)
{
        struct stat st;
        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : err_sys(err, "%s", name);
        if (!S_ISSOCK(st.st_mode))
                return err_set(err, ERR_CONFLICT, "%s is there and is not a socket", name);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0)
                return err_set(err, ERR_CONFLICT, "another server listens on %s", name);
        return unlinkat(dir, name, 0) < 0 ? err_sys(err, "%s", name) : 0;
}

static int listen_unix(const char *path, struct err *err)
{
        struct sockaddr_un a;
        _cleanup_free_ char *copy = xstrdup(path);
        char *slash = strrchr(copy, '/');
        const char *name = slash + 1, *folder = slash == copy ? "/" : copy;
        *slash = '\0';
        if (!*name || strlen(name) > 64)
                return err_set(err, ERR_INVALID, "%s is no name for a socket", path);
        _cleanup_close_ int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return err_sys(err, "%s", folder);
        fd_socket_address(dir, name, &a);
        if (stale_remove(dir, name, &a, err) < 0)
                return -1;
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        mode_t before = umask(0117);
        int bound = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&a, sizeof(a));
        umask(before);
        if (bound < 0 || listen(fd, 64) < 0)
                return err_sys(err, "listen on %s", path);
        return TAKE_FD(fd);
}

static const char *unix_path(const char *address)
{
        const char *rest = str_after(address, "unix:");
        return rest && rest[0] == '/' ? rest : address[0] == '/' ? address : NULL;
}

/* ---- answers ---- */

static int collect(struct service *s, struct err *err)
{
        _cleanup_buf_ struct buf text = BUF_INIT(METRICS_MAX);
        if (metrics_collect(s->collector, &text, err) < 0)
                return -1;
        struct MHD_Response *fresh = MHD_create_response_from_buffer(text.len, text.data, MHD_RESPMEM_MUST_COPY);
        if (!fresh)
                return err_set(err, ERR_SYSTEM, "no memory for an answer");
        MHD_add_response_header(fresh, MHD_HTTP_HEADER_CONTENT_TYPE, METRICS_TYPE);
        if (s->response)
                MHD_destroy_response(s->response);
        s->response = fresh;
        s->collected = time_monotonic();
        return 0;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, const char *text)
{
        struct MHD_Response *r = MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
        if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
                MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
        enum MHD_Result result = MHD_queue_response(connection, status, r);
        MHD_destroy_response(r);
        return result;
}

static enum MHD_Result on_call(void *data, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
                               const char *body, size_t *body_len, void **slot)
{
        static int seen;
        struct service *s = data;
        struct err err = ERR_INIT;
        if (!*slot || *body_len) {     /* answered when the request is whole; what a body says is not looked at */
                *slot = &seen;
                *body_len = 0;
                return MHD_YES;
        }
        if (!str_eq(method, "GET") && !str_eq(method, "HEAD"))
                return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only\n");
        if (!str_eq(path, "/metrics"))
                return answer_text(connection, MHD_HTTP_NOT_FOUND, "metrics are at /metrics\n");
        if ((!s->response || time_monotonic() - s->collected >= SHARED) && collect(s, &err) < 0) {
                log_warning("%s", err.msg);
                return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "collection failed\n");
        }
        return MHD_queue_response(connection, MHD_HTTP_OK, s->response);
}

/* ---- the loop: one thread, as the engine's handle is for one ---- */

static void checkpoint(struct service *s)
{
        struct err err = ERR_INIT;
        if (collect(s, &err) < 0 || stats_checkpoint(s->collector, &err) < 0)
                log_warning("%s", err.msg);
}

static int wait_ms(struct MHD_Daemon *daemon, int64_t until)
{
        MHD_UNSIGNED_LONG_LONG idle;
        int64_t ms = (until - time_monotonic()) / 1000000 + 1;
        if (MHD_get_timeout(daemon, &idle) == MHD_YES && (int64_t)idle < ms)
                ms = (int64_t)idle;
        return ms < 0 ? 0 : (int)ms;
}

static void run(struct service *s, struct MHD_Daemon *daemon, int stop_fd)
{
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
        int64_t due = time_monotonic() + CHECKPOINT;
        for (;;) {
                struct pollfd fds[] = { { stop_fd, POLLIN, 0 }, { info->epoll_fd, POLLIN, 0 } };
                if (poll(fds, ELEMENTS(fds), wait_ms(daemon, due)) < 0 && errno != EINTR)
                        return;
                if (fds[0].revents)
                        return;
                MHD_run(daemon);
                if (time_monotonic() >= due) {
                        checkpoint(s);
                        due = time_monotonic() + CHECKPOINT;
                }
        }
}

static int serve(struct service *s, int listening, int stop_fd, const char *name, void (*on_ready)(const char *address), struct err *err)
{
        struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_call, s, MHD_OPTION_LISTEN_SOCKET, listening,
                                                     MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                                     CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_END);
        if (!daemon) {
                close(listening);
                return err_set(err, ERR_SYSTEM, "the HTTP server could not be started");
        }
        on_ready(name);
        run(s, daemon, stop_fd);
        checkpoint(s);
        MHD_stop_daemon(daemon);       /* closes the socket */
        if (s->response)
                MHD_destroy_response(s->response);
        return 0;
}

int metrics_serve(struct stats_collector *c, const struct metrics_server *o, struct err *err)
{
        struct service s = { .collector = c };
        const char *path = unix_path(o->address);
        _cleanup_free_ char *name = NULL;
        int fd = path ? listen_unix(path, err) : listen_inet(o->address, &name, err);
        if (fd < 0)
                return -1;
        int r = serve(&s, fd, o->stop_fd, path ? path : name, o->on_ready, err);
        if (path)
                unlink(path);
        return r;
}
