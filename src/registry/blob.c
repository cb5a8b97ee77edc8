#include <inttypes.h>
#include "base/str.h"
#include "registry/client.h"
#include "registry/http-internal.h"
#include "registry/names-internal.h"

#define WORTH_PATIENCE ((uint64_t)1 << 20) /* bytes after which a cut connection counts as a new one */

struct download {
        const struct blob_sink *sink;
        uint64_t at, size; /* bytes the sink has, bytes there are */
        bool ours; /* the sink failed, or the answer is wrong: no use to try again */
};

/* First byte of "bytes A-B/C"; -1 when malformed. */
static int64_t content_range_start(const char *text)
{
        const char *s = text ? str_after(text, "bytes ") : NULL;
        struct err ignored = ERR_INIT;
        uint64_t start;

        if (!s)
                return -1;
        _cleanup_free_ char *number = xstrndup(s, strspn(s, "0123456789"));
        return parse_u64(number, &start, &ignored) < 0 || start > INT64_MAX ? -1 : (int64_t)start;
}

static int download_begin(void *data, const struct http_reply *reply, struct err *err)
{
        struct download *d = data;
        bool partial = reply->status == 206;

        d->ours = true;
        if (partial && content_range_start(reply->content_range) != (int64_t)d->at)
                return err_set(err, ERR_CORRUPT, "the registry sent another range than was asked for");
        if (!partial && d->at > 0) {
                if (d->sink->restart && d->sink->restart(d->sink->data, err) < 0)
                        return -1;
                if (!d->sink->restart)
                        return err_set(err, ERR_UNAVAILABLE, "the registry cannot resume");
                d->at = 0;
        }
        if (reply->length >= 0 && (uint64_t)reply->length != d->size - d->at)
                return err_set(err, ERR_CORRUPT,
                               "the registry offers %" PRId64 " bytes where %" PRIu64 " were expected", reply->length,
                               d->size - d->at);
        d->ours = false;
        return 0;
}

static int download_write(void *data, const void *bytes, size_t len, struct err *err)
{
        struct download *d = data;

        d->ours = true;
        if (len > d->size - d->at)
                return err_set(err, ERR_CORRUPT, "the registry sends more than the expected %" PRIu64 " bytes",
                               d->size);
        if (d->sink->write(d->sink->data, bytes, len, err) < 0)
                return -1;
        d->at += len;
        d->ours = false;
        return 0;
}

/* One request for what is still missing. 1: it broke where another may succeed. */
static int download_try(struct registry *r, const char *url, const char *scope, struct download *d, struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;
        _cleanup_free_ char *range = xasprintf("Range: bytes=%" PRIu64 "-", d->at);
        char *lines[] = { range, NULL };
        const struct http_sink sink = { download_begin, download_write, d };
        const struct http_request q = { .method = "GET",
                                        .url = url,
                                        .scope = scope,
                                        .headers = d->at > 0 ? lines : NULL,
                                        .sink = &sink,
                                        .once = true };
        if (http_exchange(r, &q, &reply, err) < 0)
                return !d->ours && reply.cut ? 1 : -1;
        if (reply.status < 200 || reply.status >= 300) {
                http_reply_error(&reply, err);
                token_redact(r, err);
                return reply.status >= 500 ? 1 : -1;
        }
        if (d->at == d->size)
                return 0;
        err_set(err, ERR_CORRUPT, "the registry sent %" PRIu64 " bytes where %" PRIu64 " were expected", d->at,
                d->size);
        return 1;
}

static int download(struct registry *r, const char *url, const char *scope, struct download *d, struct err *err)
{
        uint64_t mark = d->at;

        for (unsigned tries = 0;;) {
                int rc = download_try(r, url, scope, d, err);
                if (rc <= 0)
                        return rc;
                if (d->at > mark && d->at - mark >= WORTH_PATIENCE) {
                        mark = d->at;
                        tries = 0;
                }
                if (++tries > r->retries)
                        return -1;
                http_pause(tries);
                err_clear(err);
        }
}

int registry_blob_get(struct registry *r, const char *path, const char *digest, uint64_t offset, uint64_t size,
                      const struct blob_sink *sink, struct err *err)
{
        struct download d = { .sink = sink, .at = offset, .size = size };

        if (registry_names_check(path, NULL, err) < 0 || registry_digest_check(digest, err) < 0)
                return -1;
        if (offset > size)
                return err_set(err, ERR_INVALID, "blob %s: offset %" PRIu64 " is past its end", digest, offset);
        if (offset == size)
                return 0;
        _cleanup_free_ char *url = xasprintf("/v2/%s/blobs/%s", path, digest),
                            *scope = xasprintf("repository:%s:pull", path);
        if (download(r, url, scope, &d, err) < 0)
                return err_add(err, "blob %s", digest);
        return 0;
}

int registry_blob_exists(struct registry *r, const char *path, const char *digest, bool *ret, struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;

        if (registry_names_check(path, NULL, err) < 0 || registry_digest_check(digest, err) < 0)
                return -1;
        _cleanup_free_ char *url = xasprintf("/v2/%s/blobs/%s", path, digest),
                            *scope = xasprintf("repository:%s:pull", path);
        const struct http_request q = { .method = "HEAD", .url = url, .scope = scope };
        if (http_exchange(r, &q, &reply, err) < 0)
                return err_add(err, "blob %s", digest);
        if (reply.status != 404 && (reply.status < 200 || reply.status >= 300)) {
                http_reply_error(&reply, err);
                return err_add(err, "blob %s", digest);
        }
        *ret = reply.status != 404;
        return 0;
}
