#include <string.h>
#include "base/str.h"
#include "registry/names-internal.h"
#include "registry/route-internal.h"
#include "registry/sessions-internal.h"

static const char empty_digest[] = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/* The place of an open upload, as every answer about one tells it. */
static void place_tell(struct call *c, const struct upload *up)
{
        answer_header(c, "Location", "/v2/%s/blobs/uploads/%s", up->repository, up->id);
        answer_header(c, "Range", "0-%llu", (unsigned long long)(up->at ? up->at - 1 : 0));
        answer_header(c, "Docker-Upload-UUID", "%s", up->id);
}

static void blob_created(struct call *c, const char *digest)
{
        answer_empty(c, 201);
        answer_header(c, "Location", "/v2/%s/blobs/%s", c->repository, digest);
        answer_header(c, "Docker-Content-Digest", "%s", digest);
}

static bool digest_given(struct call *c, const char **ret)
{
        *ret = call_query(c, "digest");
        if (*ret && digest_valid(*ret))
                return true;
        answer_error(c, 400, "DIGEST_INVALID", "provided digest is missing or malformed");
        return false;
}

static bool upload_hold(struct call *c)
{
        struct err err = ERR_INIT;

        if (upload_take(c->service->uploads, c->repository, c->reference, &c->upload, &err) == 0)
                return true;
        if (err.kind == ERR_UNAVAILABLE) {
                answer_error(c, 503, "BLOB_UPLOAD_INVALID", err.msg);
                answer_header(c, "Retry-After", "1");
        } else {
                answer_failure(c, &err, "BLOB_UPLOAD_UNKNOWN");
        }
        return false;
}

static void upload_let_go(struct call *c)
{
        upload_release(c->service->uploads, TAKE_PTR(c->upload));
}

/* "A-B" as the specification has it, or "bytes A-B/C" as HTTP. */
static bool content_range_parse(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
        const char *s = str_after(text, "bytes ");
        struct err ignored = ERR_INIT;

        s = s ? s : text;
        const char *dash = strchr(s, '-');
        if (!dash)
                return false;
        _cleanup_free_ char *first = xstrndup(s, (size_t)(dash - s)),
                            *last = xstrndup(dash + 1, strcspn(dash + 1, "/"));
        return parse_u64(first, ret_first, &ignored) == 0 && parse_u64(last, ret_last, &ignored) == 0 &&
               *ret_last >= *ret_first && *ret_last - *ret_first < UINT64_MAX;
}

/* A piece must begin where the last one ended, and be as long as it says. */
static void range_check(struct call *c)
{
        const char *range = call_header(c, "Content-Range"), *length = call_header(c, "Content-Length");
        uint64_t first, last, len;
        struct err ignored = ERR_INIT;

        if (str_empty(range))
                return;
        if (!content_range_parse(range, &first, &last)) {
                answer_error(c, 400, "BLOB_UPLOAD_INVALID", "malformed Content-Range");
        } else if (first != c->upload->at) {
                answer_error(c, 416, "BLOB_UPLOAD_INVALID", "the range does not begin where the upload ends");
                place_tell(c, c->upload);
        } else if (length && parse_u64(length, &len, &ignored) == 0 && len != last - first + 1) {
                answer_error(c, 400, "SIZE_INVALID", "Content-Range and Content-Length disagree");
        }
}

void upload_body_begin(struct call *c)
{
        if (upload_hold(c))
                range_check(c);
}

void upload_body_data(struct call *c, const char *bytes, size_t len)
{
        struct err err = ERR_INIT;

        if (c->upload && upload_write(c->service->uploads, c->upload, bytes, len, &err) < 0)
                answer_failure(c, &err, "BLOB_UPLOAD_INVALID");
}

void upload_patch_end(struct call *c)
{
        answer_empty(c, 202);
        place_tell(c, c->upload);
        upload_let_go(c);
}

/* Verified and synced; then the repository may give it. */
static void upload_complete(struct call *c, const char *digest)
{
        struct err err = ERR_INIT;

        if (upload_commit(c->service->uploads, c->upload, digest, &err) < 0) {
                bool wrong = err.kind == ERR_CORRUPT;
                answer_failure(c, &err,
                               wrong || err.kind == ERR_UNSUPPORTED ? "DIGEST_INVALID" : "BLOB_UPLOAD_INVALID");
                if (wrong)
                        upload_drop(c->service->uploads, TAKE_PTR(c->upload));
                return;
        }
        c->upload = NULL;
        if (layer_hold(&c->service->store, c->repository, digest, &err) < 0)
                answer_failure(c, &err, "BLOB_UPLOAD_INVALID");
        else
                blob_created(c, digest);
}

void upload_put_end(struct call *c)
{
        const char *digest;

        if (digest_given(c, &digest))
                upload_complete(c, digest);
}

void upload_get(struct call *c)
{
        if (!upload_hold(c))
                return;
        answer_empty(c, 204);
        place_tell(c, c->upload);
        upload_let_go(c);
}

void upload_delete(struct call *c)
{
        if (!upload_hold(c))
                return;
        upload_drop(c->service->uploads, TAKE_PTR(c->upload));
        answer_empty(c, 204);
}

/* 201 when another repository's blob could be taken over. Who may read one repository here may read all, so that `from` may be
 * missing (distribution-spec "Mounting a blob": automatic content discovery). */
static void blob_mount(struct call *c, const char *digest, const char *from)
{
        struct store *s = &c->service->store;
        struct err err = ERR_INIT;

        if (!digest_valid(digest) || (from && !repository_name_valid(from)))
                return;
        _cleanup_close_ int lock = store_lock(s, false, &err);
        if (lock < 0) {
                answer_failure(c, &err, "BLOB_UNKNOWN");
                return;
        }
        if (from ? !layer_held(s, from, digest, NULL) : !blob_exists(s->blobs, digest, NULL))
                return;
        if (layer_hold(s, c->repository, digest, &err) < 0)
                answer_failure(c, &err, "BLOB_UNKNOWN");
        else
                blob_created(c, digest);
}

static bool has_body(struct call *c)
{
        const char *length = call_header(c, "Content-Length");
        return length ? !str_eq(length, "0") : call_header(c, "Transfer-Encoding") != NULL;
}

void uploads_post_begin(struct call *c)
{
        const char *mount = call_query(c, "mount"), *digest = call_query(c, "digest");
        struct err err = ERR_INIT;

        if (mount)
                blob_mount(c, mount, call_query(c, "from"));
        if (c->response || (digest && !digest_given(c, &digest)))
                return;
        if (upload_create(c->service->uploads, c->repository, &c->upload, &err) < 0) {
                answer_failure(c, &err, "BLOB_UPLOAD_INVALID");
                return;
        }
        /* Without the blob in it the request only opens an upload. */
        if (digest && (has_body(c) || str_eq(digest, empty_digest)))
                return;
        answer_empty(c, 202);
        place_tell(c, c->upload);
        upload_let_go(c);
}

void uploads_post_end(struct call *c)
{
        const char *digest;

        if (digest_given(c, &digest))
                upload_complete(c, digest);
        /* Nobody was told of this upload, so that nobody can go on with it. */
        if (c->upload)
                upload_drop(c->service->uploads, TAKE_PTR(c->upload));
}
