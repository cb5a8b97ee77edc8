#include "base/str.h"
#include "oci/image.h"
#include "oci/reference.h"
#include "registry/client.h"
#include "registry/http-internal.h"
#include "registry/names-internal.h"

static const char accept_line[] =
        "Accept: " MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST;

static char *manifest_url(const char *path, const char *reference)
{
        return xasprintf("/v2/%s/manifests/%s", path, reference);
}

static char *pull_scope(const char *path)
{
        return xasprintf("repository:%s:pull", path);
}

/* "localhost:5000/x:y" as users know it; heap. */
static char *familiar(struct registry *r, const char *path, const char *reference)
{
        bool by_digest = digest_valid(reference);
        const struct reference name = { .domain = r->domain,
                                        .path = (char *)path,
                                        .tag = by_digest ? NULL : (char *)reference,
                                        .digest = by_digest ? (char *)reference : NULL };
        return reference ? reference_familiar(&name) : reference_familiar_name(&name);
}

/* The answer's error in docker's words. */
static int pull_error(struct registry *r, const char *path, const char *reference, const struct http_reply *reply,
                      struct err *err)
{
        _cleanup_free_ char *name = familiar(r, path, reference);

        http_reply_error(reply, err);
        token_redact(r, err);
        if (err->kind == ERR_DENIED)
                return err_add(err,
                               "pull access denied for %s, repository does not exist or may require 'docker login'",
                               name);
        if (err->kind != ERR_NOT_FOUND)
                return err_add(err, "%s", name);
        if (str_starts(err->msg, "name unknown"))
                return err_add(err, "repository %s not found", name);
        if (!str_starts(err->msg, "manifest unknown"))
                err_set(err, ERR_NOT_FOUND, "manifest unknown: manifest unknown");
        return err_add(err, "manifest for %s not found", name);
}

/* Digest of the bytes by the algorithm of `like`. */
static int body_digest(const struct buf *body, const char *like, char ret[DIGEST_SIZE], struct err *err)
{
        _cleanup_free_ char *algorithm = xstrndup(like, strcspn(like, ":"));
        _cleanup_(digest_freep) struct digest *d = digest_new_named(algorithm);

        if (!d)
                return err_set(err, ERR_UNSUPPORTED, "digest algorithm %s", algorithm);
        digest_update(d, body->data ? body->data : "", body->len);
        digest_final(d, ret);
        return 0;
}

/* By digest the bytes must be those named; by tag they must be those the registry itself says they are. */
static int manifest_verify(const struct http_reply *reply, const char *reference, char ret[DIGEST_SIZE],
                           struct err *err)
{
        bool by_digest = digest_valid(reference), said = reply->digest && digest_valid(reply->digest);
        const char *expected = by_digest ? reference : said ? reply->digest : "sha256:";
        char actual[DIGEST_SIZE];

        if (body_digest(&reply->body, expected, actual, err) < 0)
                return -1;
        if ((by_digest || said) && !str_eq(actual, expected))
                return err_set(err, ERR_CORRUPT, "manifest verification failed for digest %s: the registry sent %s",
                               expected, actual);
        snprintf(ret, DIGEST_SIZE, "%s", actual);
        return 0;
}

/* The type as said, or what the document itself shows where that says nothing. */
static char *manifest_type(const struct http_reply *reply)
{
        _cleanup_free_ char *said = http_reply_type(reply);
        const char *shown;

        if (said && (media_is_manifest(said) || media_is_index(said)))
                return TAKE_PTR(said);
        shown = image_document_type(reply->body.data ? reply->body.data : "", reply->body.len);
        return shown ? xstrdup(shown) : said ? TAKE_PTR(said) : xstrdup("application/octet-stream");
}

int registry_manifest_get(struct registry *r, const char *path, const char *reference, struct buf *ret_body,
                          char **ret_media_type, char ret_digest[DIGEST_SIZE], struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;
        char *lines[] = { (char *)accept_line, NULL };
        char digest[DIGEST_SIZE];

        if (registry_names_check(path, reference, err) < 0)
                return -1;
        _cleanup_free_ char *url = manifest_url(path, reference), *scope = pull_scope(path);
        const struct http_request q = {
                .method = "GET", .url = url, .scope = scope, .headers = lines, .reply_max = IMAGE_DOCUMENT_MAX
        };
        if (http_exchange(r, &q, &reply, err) < 0)
                return -1;
        if (reply.status != 200)
                return pull_error(r, path, reference, &reply, err);
        if (manifest_verify(&reply, reference, digest, err) < 0)
                return err_add(err, "%s/%s", r->domain, path);
        if (buf_add(ret_body, reply.body.data ? reply.body.data : "", reply.body.len, err) < 0)
                return -1;
        if (ret_media_type)
                *ret_media_type = manifest_type(&reply);
        if (ret_digest)
                snprintf(ret_digest, DIGEST_SIZE, "%s", digest);
        return 0;
}

/* For registries whose HEAD says nothing. */
static int exists_by_get(struct registry *r, const char *path, const char *reference, bool *ret,
                         char ret_digest[DIGEST_SIZE], struct err *err)
{
        _cleanup_buf_ struct buf body = BUF_INIT(IMAGE_DOCUMENT_MAX);

        if (registry_manifest_get(r, path, reference, &body, NULL, ret_digest, err) == 0) {
                *ret = true;
                return 0;
        }
        if (err->kind != ERR_NOT_FOUND)
                return -1;
        err_clear(err);
        *ret = false;
        return 0;
}

int registry_manifest_exists(struct registry *r, const char *path, const char *reference, bool *ret,
                             char ret_digest[DIGEST_SIZE], struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;
        char *lines[] = { (char *)accept_line, NULL };

        if (registry_names_check(path, reference, err) < 0)
                return -1;
        _cleanup_free_ char *url = manifest_url(path, reference), *scope = pull_scope(path);
        const struct http_request q = { .method = "HEAD", .url = url, .scope = scope, .headers = lines };
        if (http_exchange(r, &q, &reply, err) < 0)
                return -1;
        if (reply.status == 404) {
                *ret = false;
                return 0;
        }
        if (reply.status == 405 || (reply.status == 200 && (!reply.digest || !digest_valid(reply.digest))))
                return exists_by_get(r, path, reference, ret, ret_digest, err);
        if (reply.status != 200)
                return pull_error(r, path, reference, &reply, err);
        if (ret_digest)
                snprintf(ret_digest, DIGEST_SIZE, "%s", reply.digest);
        *ret = true;
        return 0;
}

int registry_manifest_put(struct registry *r, const char *path, const char *reference, const char *media_type,
                          const void *body, size_t len, struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;

        if (registry_names_check(path, reference, err) < 0)
                return -1;
        if (len > IMAGE_DOCUMENT_MAX)
                return err_set(err, ERR_TOO_LARGE, "manifest of %zu bytes", len);
        _cleanup_free_ char *url = manifest_url(path, reference), *scope = xasprintf("repository:%s:pull,push", path);
        _cleanup_free_ char *type = xasprintf("Content-Type: %s", media_type), *name = familiar(r, path, reference);
        char *lines[] = { type, NULL };
        const struct http_request q = {
                .method = "PUT", .url = url, .scope = scope, .headers = lines, .body = body, .body_len = len
        };
        if (http_demand(r, &q, &reply, err) < 0)
                return err->kind == ERR_DENIED || err->kind == ERR_UNAUTHORIZED ? -1 : err_add(err, "push %s", name);
        return 0;
}

int registry_manifest_delete(struct registry *r, const char *path, const char *digest, struct err *err)
{
        _cleanup_http_reply_ struct http_reply reply = HTTP_REPLY_INIT;

        if (registry_names_check(path, digest, err) < 0)
                return -1;
        _cleanup_free_ char *url = manifest_url(path, digest), *scope = xasprintf("repository:%s:delete", path);
        const struct http_request q = { .method = "DELETE", .url = url, .scope = scope };
        return http_demand(r, &q, &reply, err) < 0 ? err_add(err, "delete %s/%s@%s", r->domain, path, digest) : 0;
}
