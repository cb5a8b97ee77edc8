#include <string.h>
#include "base/str.h"
#include "oci/image.h"
#include "registry/document-internal.h"
#include "registry/route-internal.h"

/* Digest that c->reference means; false where the repository has no such manifest. */
static bool manifest_resolve(struct call *c, char ret[DIGEST_SIZE])
{
        struct store *s = &c->service->store;
        _cleanup_buf_ struct buf text = { 0 };
        struct err ignored = ERR_INIT;

        if (digest_valid(c->reference))
                snprintf(ret, DIGEST_SIZE, "%s", c->reference);
        else if (entry_get(s, c->repository, "_tags", c->reference, &text, &ignored) == 0 && text.data &&
                 digest_valid(text.data))
                snprintf(ret, DIGEST_SIZE, "%s", text.data);
        else
                return false;
        return entry_exists(s, c->repository, "_manifests", digest_hex(ret));
}

static void manifest_unknown(struct call *c)
{
        answer_error(c, 404, "MANIFEST_UNKNOWN", "manifest unknown");
}

void manifest_get(struct call *c)
{
        struct store *s = &c->service->store;
        _cleanup_buf_ struct buf type = { 0 }, body = BUF_INIT(IMAGE_DOCUMENT_MAX);
        const char *condition = call_header(c, "If-None-Match");
        struct err err = ERR_INIT;
        char digest[DIGEST_SIZE];

        if (!manifest_resolve(c, digest)) {
                manifest_unknown(c);
                return;
        }
        if (entry_get(s, c->repository, "_manifests", digest_hex(digest), &type, &err) < 0 ||
            blob_read(s->blobs, digest, IMAGE_DOCUMENT_MAX, &body, &err) < 0) {
                if (err.kind == ERR_NOT_FOUND)
                        manifest_unknown(c);
                else
                        answer_failure(c, &err, "MANIFEST_UNKNOWN");
                return;
        }
        if (condition && strstr(condition, digest)) {
                answer_empty(c, 304);
        } else {
                size_t len = body.len;
                answer_text(c, 200, type.data, buf_take(&body), len);
        }
        answer_header(c, "Docker-Content-Digest", "%s", digest);
        answer_header(c, "ETag", "\"%s\"", digest);
}

void manifest_put_begin(struct call *c)
{
        const char *length = call_header(c, "Content-Length");
        struct err ignored = ERR_INIT;
        uint64_t len;

        c->body.max = IMAGE_DOCUMENT_MAX;
        if (length && (parse_u64(length, &len, &ignored) < 0 || len > IMAGE_DOCUMENT_MAX))
                answer_error(c, 413, "MANIFEST_INVALID", "manifest is too large");
}

void manifest_put_data(struct call *c, const char *bytes, size_t len)
{
        struct err err = ERR_INIT;

        if (buf_add(&c->body, bytes, len, &err) < 0)
                answer_error(c, 413, "MANIFEST_INVALID", "manifest is too large");
}

/* It will be a header of later answers: only what a media type is made of. Heap, NULL: answered. */
static char *media_type_take(struct call *c)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789!#$&-^_.+/";
        const char *given = call_header(c, "Content-Type");
        _cleanup_free_ char *type = given ? xstrndup(given, strcspn(given, "; \t")) : NULL;

        if (type)
                str_lower(type);
        if (str_empty(type) || str_eq(type, "application/octet-stream") || str_eq(type, "application/json")) {
                const char *shown = image_document_type(c->body.data ? c->body.data : "", c->body.len);
                if (shown)
                        str_replace(&type, shown);
        }
        if (!str_empty(type) && strlen(type) <= MEDIA_TYPE_MAX && str_only(type, allowed))
                return TAKE_PTR(type);
        answer_error(c, 400, "MANIFEST_INVALID", "Content-Type is missing or malformed");
        return NULL;
}

static int referrer_put(struct call *c, const json_t *document, const char *type, const char *digest,
                        const char *subject, struct err *err)
{
        _cleanup_free_ char *text = document_descriptor(document, type, digest, c->body.len);
        _cleanup_free_ char *folder = xasprintf("_referrers/%s", digest_hex(subject));

        return entry_put(&c->service->store, c->repository, folder, digest_hex(digest), text, err);
}

/* Under the digest it was put by, of whatever algorithm; sha256 where it came by tag. */
static int bytes_store(struct call *c, char ret_digest[DIGEST_SIZE], struct err *err)
{
        struct blobs *blobs = c->service->store.blobs;
        _cleanup_(ingest_freep) struct ingest *in = NULL;
        const char *bytes = c->body.data ? c->body.data : "";

        if (!digest_valid(c->reference) || str_starts(c->reference, "sha256:"))
                return blob_put(blobs, bytes, c->body.len, ret_digest, err);
        if (blob_begin(blobs, c->reference, c->body.len, &in, NULL, err) < 0 || ingest_restart(in, err) < 0 ||
            ingest_write(in, bytes, c->body.len, err) < 0)
                return -1;
        return ingest_commit(in, ret_digest, NULL, err);
}

/* Bytes first, names after: whoever finds a name finds what it names. */
static int manifest_store(struct call *c, const json_t *document, const char *type, const char *subject,
                          char ret_digest[DIGEST_SIZE], struct err *err)
{
        struct store *s = &c->service->store;

        if (bytes_store(c, ret_digest, err) < 0)
                return -1;
        if (subject && referrer_put(c, document, type, ret_digest, subject, err) < 0)
                return -1;
        if (entry_put(s, c->repository, "_manifests", digest_hex(ret_digest), type, err) < 0)
                return -1;
        if (digest_valid(c->reference))
                return 0;
        return entry_put(s, c->repository, "_tags", c->reference, ret_digest, err);
}

static bool digest_agrees(struct call *c)
{
        if (!digest_valid(c->reference))
                return true;
        _cleanup_free_ char *algorithm = xstrndup(c->reference, strcspn(c->reference, ":"));
        _cleanup_(digest_freep) struct digest *d = digest_new_named(algorithm);
        char actual[DIGEST_SIZE] = "";
        if (d) {
                digest_update(d, c->body.data ? c->body.data : "", c->body.len);
                digest_final(d, actual);
        }
        if (str_eq(actual, c->reference))
                return true;
        answer_error(c, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        return false;
}

void manifest_put_end(struct call *c)
{
        struct store *s = &c->service->store;
        _cleanup_free_ char *type = media_type_take(c);
        _cleanup_json_ json_t *document = NULL;
        const char *subject = NULL;
        char digest[DIGEST_SIZE];
        struct err err = ERR_INIT;

        if (!type || !digest_agrees(c))
                return;
        _cleanup_close_ int lock = store_lock(s, false, &err);
        if (lock < 0 || document_parse(&c->body, type, &document, &err) < 0 ||
            document_subject(document, &subject, &err) < 0) {
                answer_failure(c, &err, "MANIFEST_INVALID");
        } else if (document_check(s, c->repository, document, type, &err) < 0) {
                answer_failure(c, &err, err.kind == ERR_NOT_FOUND ? "MANIFEST_BLOB_UNKNOWN" : "MANIFEST_INVALID");
        } else if (manifest_store(c, document, type, subject, digest, &err) < 0) {
                answer_failure(c, &err, "MANIFEST_INVALID");
        } else {
                answer_empty(c, 201);
                answer_header(c, "Location", "/v2/%s/manifests/%s", c->repository, digest);
                answer_header(c, "Docker-Content-Digest", "%s", digest);
                if (subject)
                        answer_header(c, "OCI-Subject", "%s", subject);
        }
}

/* The name goes first, what hangs on it after: a crash in between leaves nothing that names what is not there. */
static int tags_untie(struct call *c, const char *digest, struct err *err)
{
        struct store *s = &c->service->store;
        _cleanup_strv_ char **tags = NULL;

        if (repository_entries(s, c->repository, "_tags", &tags, err) < 0)
                return -1;
        STRV_FOREACH (tag, tags) {
                _cleanup_buf_ struct buf text = { 0 };
                if (entry_get(s, c->repository, "_tags", *tag, &text, err) == 0 && str_eq(text.data, digest) &&
                    entry_remove(s, c->repository, "_tags", *tag, err) < 0 && err->kind != ERR_NOT_FOUND)
                        return -1;
        }
        return 0;
}

static void referrer_remove(struct call *c, const char *digest)
{
        struct store *s = &c->service->store;
        _cleanup_buf_ struct buf body = BUF_INIT(IMAGE_DOCUMENT_MAX), type = { 0 };
        _cleanup_json_ json_t *document = NULL;
        const char *subject = NULL;
        struct err ignored = ERR_INIT;

        if (entry_get(s, c->repository, "_manifests", digest_hex(digest), &type, &ignored) < 0 ||
            blob_read(s->blobs, digest, IMAGE_DOCUMENT_MAX, &body, &ignored) < 0 ||
            document_parse(&body, type.data, &document, &ignored) < 0 ||
            document_subject(document, &subject, &ignored) < 0 || !subject)
                return;
        _cleanup_free_ char *folder = xasprintf("_referrers/%s", digest_hex(subject));
        entry_remove(s, c->repository, folder, digest_hex(digest), &ignored);
}

static int manifest_forget(struct call *c, struct err *err)
{
        struct store *s = &c->service->store;

        if (!digest_valid(c->reference))
                return entry_remove(s, c->repository, "_tags", c->reference, err);
        if (!entry_exists(s, c->repository, "_manifests", digest_hex(c->reference)))
                return err_set(err, ERR_NOT_FOUND, "manifest unknown");
        if (tags_untie(c, c->reference, err) < 0)
                return -1;
        referrer_remove(c, c->reference);
        return entry_remove(s, c->repository, "_manifests", digest_hex(c->reference), err);
}

void manifest_delete(struct call *c)
{
        struct err err = ERR_INIT;
        _cleanup_close_ int lock = store_lock(&c->service->store, true, &err);

        if (lock >= 0 && manifest_forget(c, &err) == 0)
                answer_empty(c, 202);
        else if (lock >= 0 && err.kind == ERR_NOT_FOUND)
                manifest_unknown(c);
        else
                answer_failure(c, &err, "MANIFEST_UNKNOWN");
}
