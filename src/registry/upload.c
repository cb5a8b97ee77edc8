#include <inttypes.h>
#include "base/str.h"
#include "registry/client.h"
#include "registry/http-internal.h"
#include "registry/names-internal.h"
#include "registry/url-internal.h"

#define CHUNK_BYTES ((uint64_t)32 << 20)
#define CHUNK_BYTES_MAX ((uint64_t)1 << 40)
#define WORTH_PATIENCE ((uint64_t)1 << 20)

struct upload {
        struct registry *r;
        const char *path, *digest, *scope;
        int fd;
        uint64_t size;
        void (*progress)(void *data, uint64_t sent);
        void *data;
        char *location; /* of the session, absolute; NULL: none open */
        uint64_t at; /* bytes the registry has */
        uint64_t chunk; /* bytes of a PATCH, 0: all that is left */
        bool chunked; /* a single PUT was refused */
};

static void upload_done(struct upload *u)
{
        free(u->location);
}

/* Where to go on, as the last answer says. */
static int location_take(struct upload *u, const struct http_reply *reply, struct err *err)
{
        char *location = NULL;

        if (str_empty(reply->location))
                return u->location ? 0 : err_set(err, ERR_CORRUPT, "the registry names no upload location");
        if (url_resolve(reply->url, reply->location, str_starts(u->r->base, "http:"), &location, err) < 0)
                return -1;
        free(u->location);
        u->location = location;
        return 0;
}

static uint64_t chunk_size(const struct http_reply *reply)
{
        struct err ignored = ERR_INIT;
        uint64_t least = 0;

        if (reply->chunk_min && parse_u64(reply->chunk_min, &least, &ignored) < 0)
                least = 0;
        return least > CHUNK_BYTES && least < CHUNK_BYTES_MAX ? least : CHUNK_BYTES;
}

static int upload_start(struct upload *u, struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;
        _cleanup_free_ char *url = xasprintf("/v2/%s/blobs/uploads/", u->path);
        const struct http_request q = { .method = "POST", .url = url, .scope = u->scope };

        free(TAKE_PTR(u->location));
        u->at = 0;
        if (http_demand(u->r, &q, &reply, err) < 0)
                return -1;
        if (u->chunked)
                u->chunk = chunk_size(&reply);
        return location_take(u, &reply, err);
}

/* One PUT or PATCH of `len` bytes from where the upload stands. */
static int upload_send(struct upload *u, const char *method, const char *url, uint64_t len, struct http_reply *reply,
                       struct err *err)
{
        const struct http_file file = {
                .fd = u->fd, .offset = u->at, .size = len, .progress = u->progress, .data = u->data
        };
        _cleanup_free_ char *range = xasprintf("Content-Range: %" PRIu64 "-%" PRIu64, u->at, u->at + len - 1);
        char *lines[] = { (char *)"Content-Type: application/octet-stream", NULL, NULL };
        const struct http_request q = {
                .method = method, .url = url, .scope = u->scope, .headers = lines, .file = &file, .once = true
        };

        if (len > 0 && str_eq(method, "PATCH"))
                lines[1] = range;
        return http_exchange(u->r, &q, reply, err);
}

/* 0: done; 1: broken, what the registry has must be asked; -1: failed for good. */
static int reply_judge(struct upload *u, int rc, const struct http_reply *reply, struct err *err)
{
        if (rc < 0)
                return reply->cut ? 1 : -1;
        if (reply->status >= 200 && reply->status < 300)
                return 0;
        http_reply_error(reply, err);
        token_redact(u->r, err);
        return reply->status >= 500 || reply->status == 404 || reply->status == 416 ? 1 : -1;
}

/* Registries in front of which something limits bodies refuse the whole at once and take it in pieces. */
static bool wants_chunks(const struct upload *u, const struct http_reply *reply)
{
        static const long statuses[] = { 400, 405, 411, 413, 415, 416, 501 };

        for (size_t i = 0; !u->chunked && u->size > 0 && i < ELEMENTS(statuses); i++)
                if (reply->status == statuses[i])
                        return true;
        return false;
}

static int upload_finish(struct upload *u, uint64_t len, struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;
        _cleanup_free_ char *url = url_with(u->location, "digest", u->digest);
        int rc = upload_send(u, "PUT", url, len, &reply, err);

        if (rc == 0 && len > 0 && wants_chunks(u, &reply)) {
                u->chunked = true;
                free(TAKE_PTR(u->location));
                return 1;
        }
        rc = reply_judge(u, rc, &reply, err);
        if (rc == 0 && reply.digest && !str_eq(reply.digest, u->digest))
                return err_set(err, ERR_CORRUPT, "the registry stored it as %s", reply.digest);
        return rc;
}

static int upload_chunk(struct upload *u, struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;
        uint64_t left = u->size - u->at, len = u->chunk && u->chunk < left ? u->chunk : left;
        int rc = reply_judge(u, upload_send(u, "PATCH", u->location, len, &reply, err), &reply, err);

        if (rc != 0)
                return rc;
        u->at += len;
        return location_take(u, &reply, err);
}

/* Sends everything. A whole blob goes with the closing PUT; the rest of a broken one by PATCH, which tells its place. */
static int upload_pass(struct upload *u, struct err *err)
{
        if (!u->chunked && u->at == 0)
                return upload_finish(u, u->size, err);
        while (u->at < u->size) {
                int rc = upload_chunk(u, err);
                if (rc != 0)
                        return rc;
        }
        return upload_finish(u, 0, err);
}

/* "0-41" means that 42 bytes are there; "0-0" is what registries say both of one byte and of none. */
static uint64_t range_end(const char *range)
{
        const char *dash = range ? strchr(range, '-') : NULL;
        struct err ignored = ERR_INIT;
        uint64_t last = 0;

        return !dash || parse_u64(dash + 1, &last, &ignored) < 0 || last == 0 ? 0 : last + 1;
}

/* After a break: asks what arrived. Where the session is gone, a new one begins. */
static void upload_ask(struct upload *u)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;
        struct err ignored = ERR_INIT;
        const struct http_request q = { .method = "GET", .url = u->location, .scope = u->scope };
        uint64_t there = 0;

        if (u->location && http_exchange(u->r, &q, &reply, &ignored) == 0 && reply.status == 204 &&
            location_take(u, &reply, &ignored) == 0)
                there = range_end(reply.range);
        if (there == 0 || there > u->size)
                free(TAKE_PTR(u->location));
        else
                u->at = there;
}

/* The answer to the closing PUT may have been lost, and not the blob. */
static bool upload_arrived(struct upload *u)
{
        struct err ignored = ERR_INIT;
        bool there = false;

        return registry_blob_exists(u->r, u->path, u->digest, &there, &ignored) == 0 && there;
}

static int upload_run(struct upload *u, struct err *err)
{
        uint64_t mark = 0;

        for (unsigned tries = 0;;) {
                bool was_chunked = u->chunked;
                if (!u->location && upload_start(u, err) < 0)
                        return -1;
                int rc = upload_pass(u, err);
                if (rc <= 0)
                        return rc;
                if (u->chunked != was_chunked)
                        continue;
                if (++tries > u->r->retries)
                        return -1;
                http_pause(tries);
                if (upload_arrived(u))
                        return 0;
                upload_ask(u);
                if (u->at > mark && u->at - mark >= WORTH_PATIENCE) {
                        mark = u->at;
                        tries = 0;
                }
        }
}

int registry_blob_put(struct registry *r, const char *path, const char *digest, int fd, uint64_t size,
                      void (*progress)(void *data, uint64_t sent), void *data, struct err *err)
{
        if (registry_names_check(path, NULL, err) < 0 || registry_digest_check(digest, err) < 0)
                return -1;
        _cleanup_free_ char *scope = xasprintf("repository:%s:pull,push", path);
        _cleanup_(upload_done) struct upload u = { .r = r,
                                                   .path = path,
                                                   .digest = digest,
                                                   .scope = scope,
                                                   .fd = fd,
                                                   .size = size,
                                                   .progress = progress,
                                                   .data = data };
        if (upload_run(&u, err) < 0)
                return err->kind == ERR_DENIED || err->kind == ERR_UNAUTHORIZED ? -1
                                                                                : err_add(err, "upload %s", digest);
        err_clear(err);
        return 0;
}

/* A declined mount leaves an upload session behind; closing it is a courtesy, so that nothing is said of failures. */
static void session_drop(struct registry *r, const char *scope, const struct http_reply *reply)
{
        _cleanup_http_reply_ struct http_reply gone = HTTP_REPLY_INIT;
        _cleanup_free_ char *location = NULL;
        struct err ignored = ERR_INIT;

        if (str_empty(reply->location) ||
            url_resolve(reply->url, reply->location, str_starts(r->base, "http:"), &location, &ignored) < 0)
                return;
        const struct http_request q = { .method = "DELETE", .url = location, .scope = scope, .once = true };
        http_exchange(r, &q, &gone, &ignored);
}

int registry_blob_mount(struct registry *r, const char *path, const char *from_path, const char *digest,
                        bool *ret_mounted, struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;

        if (registry_names_check(path, NULL, err) < 0 || registry_names_check(from_path, NULL, err) < 0 ||
            registry_digest_check(digest, err) < 0)
                return -1;
        _cleanup_free_ char *base = xasprintf("/v2/%s/blobs/uploads/", path), *mount = url_with(base, "mount", digest);
        _cleanup_free_ char *url = url_with(mount, "from", from_path);
        _cleanup_free_ char *scope = xasprintf("repository:%s:pull,push repository:%s:pull", path, from_path);
        const struct http_request q = { .method = "POST", .url = url, .scope = scope };
        if (http_demand(r, &q, &reply, err) < 0)
                return err_add(err, "mount %s from %s", digest, from_path);
        *ret_mounted = reply.status == 201;
        if (!*ret_mounted)
                session_drop(r, scope, &reply);
        return 0;
}
