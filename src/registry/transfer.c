#include "registry/transfer-internal.h"

#include <errno.h>
#include <strings.h>
#include <unistd.h>
#include "base/str.h"
#include "registry/url-internal.h"

#define CONNECT_SECONDS 30L
#define STALL_SECONDS 60L
#define BUFFER_BYTES (512L << 10)
#define USER_AGENT "tare/0.1"

struct transfer {
        const struct http_request *q;
        struct http_reply *reply;
        struct err *err;
        CURL *curl;
        uint64_t sent;
        bool begun; /* the sink has seen the head */
        bool failed; /* ours is the error: *err is set */
        bool enough; /* rest of an error body not wanted */
};

static size_t on_header(char *line, size_t size, size_t count, void *data)
{
        struct transfer *t = data;
        size_t len = size * count;

        if (len > 5 && strncasecmp(line, "HTTP/", 5) == 0)
                http_reply_reset(t->reply); /* what came before was "100 Continue" */
        else
                http_reply_header(t->reply, line, len);
        return len;
}

static bool status_good(long status)
{
        return status >= 200 && status < 300;
}

static void head_read(struct transfer *t)
{
        curl_off_t length = -1;

        curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->reply->status);
        curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        t->reply->length = length;
}

static int sink_begin(struct transfer *t)
{
        if (t->begun)
                return 0;
        t->begun = true;
        return t->q->sink->begin(t->q->sink->data, t->reply, t->err);
}

/* The words of an error are kept to a point; what follows is not worth its transfer. */
static size_t error_body_add(struct transfer *t, const char *data, size_t len)
{
        struct buf *body = &t->reply->body;
        size_t room = HTTP_ERROR_BODY_MAX - body->len;

        if (buf_add(body, data, len < room ? len : room, t->err) < 0)
                t->failed = true;
        t->enough = len > room;
        return t->enough || t->failed ? 0 : len;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
        struct transfer *t = user;
        size_t len = size * count;
        int rc;

        head_read(t);
        if (!status_good(t->reply->status))
                return error_body_add(t, data, len);
        if (t->q->sink) {
                rc = sink_begin(t);
                if (rc == 0)
                        rc = t->q->sink->write(t->q->sink->data, data, len, t->err);
        } else {
                t->reply->body.max = t->q->reply_max ? t->q->reply_max : HTTP_ERROR_BODY_MAX;
                rc = buf_add(&t->reply->body, data, len, t->err);
        }
        t->failed = rc < 0;
        return rc < 0 ? 0 : len;
}

static size_t on_read(char *to, size_t size, size_t count, void *user)
{
        struct transfer *t = user;
        const struct http_file *f = t->q->file;
        uint64_t left = f->size - t->sent;
        size_t want = size * count < left ? size * count : (size_t)left;
        ssize_t n;

        do
                n = pread(f->fd, to, want, (off_t)(f->offset + t->sent));
        while (n < 0 && errno == EINTR);
        if (n < 0 || (n == 0 && want > 0)) {
                if (n < 0)
                        err_sys(t->err, "read what is to be sent");
                else
                        err_set(t->err, ERR_CORRUPT, "what is to be sent is shorter than it was");
                t->failed = true;
                return CURL_READFUNC_ABORT;
        }
        t->sent += (uint64_t)n;
        if (f->progress)
                f->progress(f->data, f->offset + t->sent);
        return (size_t)n;
}

static int on_seek(void *user, curl_off_t offset, int origin)
{
        struct transfer *t = user;

        if (origin != SEEK_SET || offset < 0)
                return CURL_SEEKFUNC_CANTSEEK;
        t->sent = (uint64_t)offset;
        return CURL_SEEKFUNC_OK;
}

static void connection_setup(struct transfer *t, struct registry *r, bool own_host)
{
        CURL *curl = t->curl;

        curl_easy_setopt(curl, CURLOPT_SHARE, r->share);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
        curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
        curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
        curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
        /* Every handle has a connection of its own, so that streams of HTTP/2 would only add their windows. */
        curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT);
        if (own_host && r->loopback)
                curl_easy_setopt(curl, CURLOPT_PROXY, "");
        trust_apply(&r->trust, curl, own_host, !r->insecure);
}

static void body_setup(struct transfer *t)
{
        const struct http_request *q = t->q;
        CURL *curl = t->curl;
        bool sends = str_eq(q->method, "POST") || str_eq(q->method, "PUT") || str_eq(q->method, "PATCH");

        if (q->file && sends) {
                curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
                curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->file->size);
                curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
                curl_easy_setopt(curl, CURLOPT_READDATA, t);
                curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
                curl_easy_setopt(curl, CURLOPT_SEEKDATA, t);
        } else if (sends) {
                curl_easy_setopt(curl, CURLOPT_POST, 1L);
                curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
                curl_easy_setopt(curl, CURLOPT_POSTFIELDS, q->body ? q->body : "");
        } else if (str_eq(q->method, "HEAD")) {
                curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
                return;
        }
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, q->method);
}

static struct curl_slist *headers_setup(struct transfer *t, const char *authorization)
{
        /* Expect would cost a round trip before every upload; content codings would change what digests are of. */
        struct curl_slist *list = curl_slist_append(NULL, "Expect:");
        bool typed = false;

        list = curl_slist_append(list, "Accept-Encoding: identity");
        STRV_FOREACH (line, t->q->headers) {
                typed = typed || strncasecmp(*line, "Content-Type:", 13) == 0;
                list = curl_slist_append(list, *line);
        }
        if (!typed)
                list = curl_slist_append(list, "Content-Type:");
        if (authorization)
                list = curl_slist_append(list, authorization);
        curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, list);
        return list;
}

static void headers_free(struct curl_slist *list)
{
        for (struct curl_slist *l = list; l; l = l->next)
                explicit_bzero(l->data, strlen(l->data));
        curl_slist_free_all(list);
}

static const struct curl_failure {
        CURLcode code;
        enum err_kind kind;
        bool again;
} curl_failures[] = {
        { CURLE_COULDNT_RESOLVE_HOST, ERR_UNAVAILABLE, true }, { CURLE_COULDNT_RESOLVE_PROXY, ERR_UNAVAILABLE, true },
        { CURLE_COULDNT_CONNECT, ERR_UNAVAILABLE, true },      { CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT, true },
        { CURLE_GOT_NOTHING, ERR_UNAVAILABLE, true },          { CURLE_SEND_ERROR, ERR_UNAVAILABLE, true },
        { CURLE_RECV_ERROR, ERR_UNAVAILABLE, true },           { CURLE_PARTIAL_FILE, ERR_UNAVAILABLE, true },
        { CURLE_SSL_CONNECT_ERROR, ERR_UNAVAILABLE, false },   { CURLE_PEER_FAILED_VERIFICATION, ERR_DENIED, false },
        { CURLE_WEIRD_SERVER_REPLY, ERR_CORRUPT, false },
};

/* url: without its query, which may hold a signature. */
static int failure_set(struct transfer *t, CURLcode code, const char *words, const char *url)
{
        _cleanup_free_ char *shown = url_shown(url);
        enum err_kind kind = ERR_UNAVAILABLE;

        for (size_t i = 0; i < ELEMENTS(curl_failures); i++)
                if (curl_failures[i].code == code) {
                        kind = curl_failures[i].kind;
                        t->reply->cut = curl_failures[i].again;
                }
        return err_set(t->err, kind, "%s %s: %s", t->q->method, shown, *words ? words : curl_easy_strerror(code));
}

static int transfer_finish(struct transfer *t, CURLcode code, const char *words, const char *url)
{
        head_read(t);
        if (!t->failed && code == CURLE_OK && t->q->sink && status_good(t->reply->status))
                t->failed = sink_begin(t) < 0;
        if (t->failed)
                return -1;
        if (code != CURLE_OK && !(t->enough && code == CURLE_WRITE_ERROR))
                return failure_set(t, code, words, url);
        t->reply->url = xstrdup(url);
        return 0;
}

int http_transfer(struct registry *r, const struct http_request *q, const char *url, const char *authorization,
                  bool own_host, struct http_reply *ret, struct err *err)
{
        char words[CURL_ERROR_SIZE] = "";
        CURL *curl = registry_handle_take(r);
        struct transfer t = { .q = q, .reply = ret, .err = err, .curl = curl };

        connection_setup(&t, r, own_host);
        body_setup(&t);
        struct curl_slist *headers = headers_setup(&t, authorization);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
        curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(curl, CURLOPT_HEADERDATA, &t);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &t);
        CURLcode code = curl_easy_perform(curl);
        int rc = transfer_finish(&t, code, words, url);
        registry_handle_give(r, curl);
        headers_free(headers);
        if (rc == 0) {
                pthread_mutex_lock(&r->lock);
                r->reached = true;
                pthread_mutex_unlock(&r->lock);
        }
        return rc;
}
