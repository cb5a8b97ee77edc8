#include "registry/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "oci/image.h"
#include "registry/accept-internal.h"
#include "registry/base64-internal.h"
#include "registry/call-internal.h"
#include "registry/listen-internal.h"
#include "registry/route-internal.h"
#include "registry/sessions-internal.h"

#define THREADS_LEAST 8 /* they also wait for disks, so that there are more than processors */
#define THREADS_MOST 64
#define CONNECTIONS_MAX 8192u
#define CONNECTION_MEMORY                                                                                              \
        ((size_t)256 << 10) /* of which a body is read in one piece; mapped, not touched, until then */
#define IDLE_SECONDS 120u
/* Bytes of a refused body that are read all the same: a client that is still sending hears a reset, not the answer. So it is
 * more than the largest manifest. */
#define SWALLOW_MAX ((uint64_t)2 * IMAGE_DOCUMENT_MAX)
#define FINISH_SECONDS 30
#define PEM_MAX ((size_t)1 << 20)

static void *call_start(void *data, const char *url, struct MHD_Connection *connection)
{
        struct service *service = data;
        struct call *c = xcalloc(1, sizeof(*c));

        c->service = service;
        c->connection = connection;
        c->url = xstrdup(url);
        atomic_fetch_add(&service->running, 1);
        return c;
}

static void call_log(struct call *c)
{
        const struct registry_server_options *o = c->service->options;
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        char client[NI_MAXHOST] = "";

        if (!o->on_request)
                return;
        if (info && info->client_addr)
                getnameinfo(info->client_addr,
                            info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                     : sizeof(struct sockaddr_in),
                            client, sizeof(client), NULL, 0, NI_NUMERICHOST);
        o->on_request(o->data, client, c->method ? c->method : "", c->url, c->status, c->answer_bytes);
}

static void call_end(void *data, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode code)
{
        struct call *c = *slot;
        struct service *service;

        if (!c)
                return;
        *slot = NULL;
        service = c->service;
        /* Cut in the middle of an upload: what came is kept for the client to go on. */
        if (c->upload)
                upload_release(service->uploads, c->upload);
        call_log(c);
        if (c->response)
                MHD_destroy_response(c->response);
        buf_done(&c->body);
        free(c->url);
        free(c->method);
        free(c->repository);
        free(c->reference);
        free(c);
        atomic_fetch_sub(&service->running, 1);
}

static void call_authorize(struct call *c)
{
        if (!c->service->users || htpasswd_allows(c->service->users, call_header(c, "Authorization")))
                return;
        answer_error(c, 401, "UNAUTHORIZED", "authentication required");
        answer_header(c, "WWW-Authenticate", "Basic realm=\"tare registry\"");
}

static enum MHD_Result call_answer(struct call *c)
{
        if (!c->response)
                answer_error(c, 500, "UNKNOWN", "internal error");
        return MHD_queue_response(c->connection, c->status, c->response);
}

/* True when the body is not worth reading to its end only for the answer to arrive. */
static bool body_is_large(struct call *c)
{
        const char *length = call_header(c, "Content-Length");
        struct err ignored = ERR_INIT;
        uint64_t len = 0;

        if (!length)
                return call_header(c, "Transfer-Encoding") != NULL;
        return parse_u64(length, &len, &ignored) < 0 || len > SWALLOW_MAX;
}

static enum MHD_Result call_head(struct call *c, const char *path, const char *method)
{
        c->routed = true;
        c->method = xstrdup(method);
        call_authorize(c);
        if (!c->response)
                route_find(c, path);
        if (!c->response && c->route->begin)
                c->route->begin(c);
        return c->response && body_is_large(c) ? call_answer(c) : MHD_YES;
}

static enum MHD_Result on_call(void *data, struct MHD_Connection *connection, const char *path, const char *method,
                               const char *version, const char *bytes, size_t *len, void **slot)
{
        struct call *c = *slot;

        if (!c)
                return MHD_NO;
        if (!c->routed)
                return call_head(c, path, method);
        if (*len > 0) {
                if (!c->response && c->route->data)
                        c->route->data(c, bytes, *len);
                *len = 0;
                return MHD_YES;
        }
        if (!c->response && c->route->end)
                c->route->end(c);
        return call_answer(c);
}

static unsigned thread_count(void)
{
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        long wanted = processors > 0 ? processors * 2 : THREADS_LEAST;

        return (unsigned)(wanted < THREADS_LEAST ? THREADS_LEAST : wanted > THREADS_MOST ? THREADS_MOST : wanted);
}

struct pem {
        char *certificate, *key;
};

static void pem_done(struct pem *p)
{
        free(p->certificate);
        secret_free(p->key);
}

static int pem_load(const char *path, char **ret, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(PEM_MAX);

        if (file_read_at(AT_FDCWD, path, &b, err) < 0)
                return -1;
        *ret = buf_take(&b);
        return 0;
}

static struct MHD_Daemon *daemon_start(struct service *service, const struct pem *pem)
{
        unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET |
                         (pem->certificate ? MHD_USE_TLS : 0u);
        struct MHD_OptionItem tls[] = {
                { MHD_OPTION_HTTPS_MEM_CERT, 0, pem->certificate },
                { MHD_OPTION_HTTPS_MEM_KEY, 0, pem->key },
                { MHD_OPTION_END, 0, NULL },
        };
        struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

        return MHD_start_daemon(flags, 0, NULL, NULL, on_call, service, MHD_OPTION_URI_LOG_CALLBACK, call_start,
                                service, MHD_OPTION_NOTIFY_COMPLETED, call_end, NULL, MHD_OPTION_THREAD_POOL_SIZE,
                                thread_count(), MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
                                IDLE_SECONDS, MHD_OPTION_ARRAY, pem->certificate ? tls : none, MHD_OPTION_END);
}

/* Open requests get their time. */
static void daemon_stop(struct service *service, struct MHD_Daemon *daemon)
{
        const struct timespec step = { .tv_nsec = 20 * 1000000 };

        for (unsigned i = 0; i < FINISH_SECONDS * 50 && atomic_load(&service->running) > 0; i++)
                nanosleep(&step, NULL);
        MHD_stop_daemon(daemon);
}

static int service_serve(struct service *service, struct err *err)
{
        const struct registry_server_options *o = service->options;
        _cleanup_(pem_done) struct pem pem = { 0 };
        uint16_t port = 0;

        if ((o->certificate == NULL) != (o->key == NULL))
                return err_set(err, ERR_INVALID, "a certificate and its key are given together");
        if (o->certificate &&
            (pem_load(o->certificate, &pem.certificate, err) < 0 || pem_load(o->key, &pem.key, err) < 0))
                return -1;
        _cleanup_close_ int fd = listen_open(o->address ? o->address : "127.0.0.1", o->port, &port, err);
        if (fd < 0)
                return -1;
        struct MHD_Daemon *daemon = daemon_start(service, &pem);
        if (!daemon)
                return err_set(err, o->certificate ? ERR_INVALID : ERR_SYSTEM, "the HTTP server does not start%s",
                               o->certificate ? ": are certificate and key a pair?" : "");
        if (o->on_ready)
                o->on_ready(o->data, port);
        accept_until(fd, o->stop_fd, daemon, CONNECTIONS_MAX);
        mem_closep(&fd); /* new connections are refused from here on */
        daemon_stop(service, daemon);
        return 0;
}

static int service_run(struct service *service, struct err *err)
{
        const struct registry_server_options *o = service->options;
        struct err sweep = ERR_INIT;
        int rc;

        if (store_open(o->root, &service->store, err) < 0)
                return -1;
        _cleanup_close_ int serving = store_serving_lock(&service->store, false, true, err);
        if (serving < 0 || (o->htpasswd && htpasswd_open(o->htpasswd, &service->users, err) < 0))
                return -1;
        if (uploads_sweep(&service->store, &sweep) < 0)
                log_warning("registry: old uploads stay: %s", sweep.msg);
        service->uploads = uploads_new(&service->store);
        rc = service_serve(service, err);
        uploads_free(service->uploads);
        return rc;
}

int registry_server_run(const struct registry_server_options *options, struct err *err)
{
        struct service service = { .options = options, .store = { .root_fd = -1 } };
        int rc = service_run(&service, err);

        htpasswd_close(service.users);
        store_done(&service.store);
        return rc < 0 ? err_add(err, "registry") : 0;
}
