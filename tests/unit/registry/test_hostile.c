/* The client against registries that lie, cut, loop and pry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/str.h"
#include "liar.h"
#include "oci/image.h"
#include "registry/client.h"

#define BLOB_SIZE ((size_t)300000)
#define SECRET "correct-horse-battery"
#define MANIFEST "{\"schemaVersion\":2}"
#define TOKEN "{\"token\":\"abc123\",\"expires_in\":300}"
#define TOO_MANY "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"slow down\"}]}"
#define REFUSAL "{\"details\":\"bob with " SECRET " is wrong\"}"

static char blob[BLOB_SIZE];
static char blob_digest[DIGEST_SIZE];

struct sink {
        char data[BLOB_SIZE];
        size_t len;
        unsigned restarts;
};

static int sink_write(void *data, const void *bytes, size_t len, struct err *err)
{
        struct sink *s = data;
        if (len > sizeof(s->data) - s->len)
                return err_set(err, ERR_TOO_LARGE, "sink");
        memcpy(s->data + s->len, bytes, len);
        s->len += len;
        return 0;
}

static int sink_restart(void *data, struct err *err)
{
        struct sink *s = data;
        s->len = 0;
        s->restarts++;
        return 0;
}

static struct registry *open_as(const struct liar *l, const char *user, const char *password)
{
        const struct registry_options o = { .domain = l->domain, .username = user, .password = password, .retries = 3 };
        struct registry *r = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(registry_open(&o, &r, &err), 0);
        return r;
}

static int blob_fetch(struct liar *l, struct sink *s, struct err *err)
{
        struct registry *r = open_as(l, "", NULL);
        const struct blob_sink sink = { sink_write, sink_restart, s };
        memset(s, 0, sizeof(*s));
        int rc = registry_blob_get(r, "x", blob_digest, 0, BLOB_SIZE, &sink, err);
        registry_close(r);
        return rc;
}

static int manifest_fetch(struct liar *l, const char *reference, const char *user, const char *password,
                          struct err *err)
{
        struct registry *r = open_as(l, user, password);
        _cleanup_buf_ struct buf body = BUF_INIT(IMAGE_DOCUMENT_MAX);
        _cleanup_free_ char *type = NULL;
        char digest[DIGEST_SIZE];
        int rc = registry_manifest_get(r, "x", reference, &body, &type, digest, err);
        registry_close(r);
        return rc;
}

static unsigned long range_start(const char *head)
{
        const char *range = strcasestr(head, "\r\nRange: bytes=");
        return range ? strtoul(range + 15, NULL, 10) : 0;
}

/* --- blobs --- */

static void say_longer(struct liar *l, int conn, const char *head, unsigned count)
{
        _cleanup_free_ char *more = xcalloc(1, BLOB_SIZE + 1);
        liar_say(conn, "200 OK", "", more, BLOB_SIZE + 1);
}

static void blob_of_another_length_is_refused(void **state)
{
        struct err err = ERR_INIT;
        struct sink s;
        struct liar l;
        liar_start(&l, say_longer, NULL);
        assert_int_equal(blob_fetch(&l, &s, &err), -1);
        liar_stop(&l);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_int_equal(s.len, 0);
}

static void say_endless(struct liar *l, int conn, const char *head, unsigned count)
{
        const char *start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        liar_raw(conn, start, strlen(start));
        _cleanup_free_ char *chunk = xmalloc(0x10000 + 16);
        memcpy(chunk, "10000\r\n", 7);
        memset(chunk + 7, 'x', 0x10000);
        memcpy(chunk + 7 + 0x10000, "\r\n", 2);
        for (int i = 0; i < 1000; i++)
                liar_raw(conn, chunk, 7 + 0x10000 + 2);
}

static void blob_without_end_is_cut_off(void **state)
{
        struct err err = ERR_INIT;
        struct sink s;
        struct liar l;
        liar_start(&l, say_endless, NULL);
        assert_int_equal(blob_fetch(&l, &s, &err), -1);
        liar_stop(&l);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_true(s.len <= BLOB_SIZE);
}

/* Every answer breaks after 100,000 bytes. */
static void say_in_pieces(struct liar *l, int conn, const char *head, unsigned count)
{
        unsigned long from = range_start(head), left = BLOB_SIZE - from, len = left < 100000 ? left : 100000;
        _cleanup_free_ char *start =
                xasprintf("HTTP/1.1 %s\r\nContent-Length: %lu\r\nContent-Range: bytes %lu-%zu/%zu\r\n\r\n",
                          from ? "206 Partial Content" : "200 OK", left, from, BLOB_SIZE - 1, BLOB_SIZE);
        liar_raw(conn, start, strlen(start));
        liar_raw(conn, blob + from, len);
}

static void cut_blob_is_resumed_where_it_broke(void **state)
{
        struct err err = ERR_INIT;
        struct sink s;
        struct liar l;
        liar_start(&l, say_in_pieces, NULL);
        assert_int_equal(blob_fetch(&l, &s, &err), 0);
        liar_stop(&l);
        assert_int_equal(l.count, 3);
        assert_int_equal(s.restarts, 0);
        assert_int_equal(s.len, BLOB_SIZE);
        assert_memory_equal(s.data, blob, BLOB_SIZE);
        assert_int_equal(range_start(l.heads[0]), 0);
        assert_int_equal(range_start(l.heads[1]), 100000);
}

static void say_half_then_whole(struct liar *l, int conn, const char *head, unsigned count)
{
        if (count > 0) {
                liar_say(conn, "200 OK", "", blob, BLOB_SIZE);
                return;
        }
        say_in_pieces(l, conn, "", count);
}

static void ignored_range_restarts_the_sink(void **state)
{
        struct err err = ERR_INIT;
        struct sink s;
        struct liar l;
        liar_start(&l, say_half_then_whole, NULL);
        assert_int_equal(blob_fetch(&l, &s, &err), 0);
        liar_stop(&l);
        assert_int_equal(s.restarts, 1);
        assert_memory_equal(s.data, blob, BLOB_SIZE);
}

static void say_half_then_other_range(struct liar *l, int conn, const char *head, unsigned count)
{
        if (count > 0)
                liar_say(conn, "206 Partial Content", "Content-Range: bytes 0-199999/300000\r\n", blob, 200000);
        else
                say_in_pieces(l, conn, "", count);
}

static void wrong_range_is_refused(void **state)
{
        struct err err = ERR_INIT;
        struct sink s;
        struct liar l;
        liar_start(&l, say_half_then_other_range, NULL);
        assert_int_equal(blob_fetch(&l, &s, &err), -1);
        liar_stop(&l);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_int_equal(s.len, 100000);
}

static void say_nothing(struct liar *l, int conn, const char *head, unsigned count) {}

static void patience_ends(void **state)
{
        struct err err = ERR_INIT;
        struct sink s;
        struct liar l;
        liar_start(&l, say_nothing, NULL);
        assert_int_equal(blob_fetch(&l, &s, &err), -1);
        liar_stop(&l);
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        assert_in_range(l.count, 2, 6);
}

/* --- manifests --- */

static void manifest_without_end_is_cut_off(void **state)
{
        struct err err = ERR_INIT;
        struct liar l;
        liar_start(&l, say_endless, NULL);
        assert_int_equal(manifest_fetch(&l, "t", "", NULL, &err), -1);
        liar_stop(&l);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static void say_manifest(struct liar *l, int conn, const char *head, unsigned count)
{
        _cleanup_free_ char *headers = xasprintf("Content-Type: " MEDIA_OCI_MANIFEST "\r\n%s", (const char *)l->data);
        liar_say(conn, "200 OK", headers, MANIFEST, strlen(MANIFEST));
}

static void manifest_with_another_digest_is_refused(void **state)
{
        struct err err = ERR_INIT;
        struct liar l;
        char digest[DIGEST_SIZE];
        liar_start(&l, say_manifest, (void *)(uintptr_t) "");
        assert_int_equal(manifest_fetch(&l, blob_digest, "", NULL, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        digest_of(MANIFEST, strlen(MANIFEST), digest);
        assert_int_equal(manifest_fetch(&l, digest, "", NULL, &err), 0);
        liar_stop(&l);
        _cleanup_free_ char *lie = xasprintf("Docker-Content-Digest: %s\r\n", blob_digest);
        liar_start(&l, say_manifest, lie);
        err_clear(&err);
        assert_int_equal(manifest_fetch(&l, "tag", "", NULL, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        liar_stop(&l);
}

static void say_unknown(struct liar *l, int conn, const char *head, unsigned count)
{
        const char *body = l->data;
        liar_say(conn, "404 Not Found", "Content-Type: application/json\r\n", body, strlen(body));
}

static void errors_are_told_as_docker_does(void **state)
{
        struct err err = ERR_INIT;
        struct liar l;
        char expected[200];
        liar_start(
                &l, say_unknown,
                (void *)(uintptr_t) "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}");
        snprintf(expected, sizeof(expected), "manifest for %s/x:t not found: manifest unknown: manifest unknown",
                 l.domain);
        assert_int_equal(manifest_fetch(&l, "t", "", NULL, &err), -1);
        assert_string_equal(err.msg, expected);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        liar_stop(&l);
        liar_start(&l, say_unknown,
                   (void *)(uintptr_t) "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"a\\u001b[2Jb\\nc\"}]}");
        assert_int_equal(manifest_fetch(&l, "t", "", NULL, &err), -1);
        assert_null(strchr(err.msg, '\033'));
        assert_null(strchr(err.msg, '\n'));
        liar_stop(&l);
}

static void names_never_reach_the_wire_unchecked(void **state)
{
        static const char *const bad[] = { "../x", "X",  "a//b", "a/../b", "a?b", "a b",  "a\r\nb",
                                           "",     "/a", "a/",   "a.",     "-a",  "a___b" };
        struct err err = ERR_INIT;
        struct liar l;
        bool there;
        liar_start(&l, say_nothing, NULL);
        struct registry *r = open_as(&l, "", NULL);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                assert_int_equal(registry_blob_exists(r, bad[i], blob_digest, &there, &err), -1);
                assert_int_equal(err.kind, ERR_INVALID);
        }
        assert_int_equal(registry_blob_exists(r, "x", "sha256:../../etc", &there, &err), -1);
        assert_int_equal(registry_manifest_exists(r, "x", "../t", &there, NULL, &err), -1);
        registry_close(r);
        liar_stop(&l);
        assert_int_equal(l.count, 0);
}

/* --- redirects --- */

static void say_again(struct liar *l, int conn, const char *head, unsigned count)
{
        _cleanup_free_ char *location = xasprintf("Location: /v2/x/manifests/t%u\r\n", count);
        liar_say(conn, "307 Temporary Redirect", location, "", 0);
}

static void redirects_end(void **state)
{
        struct err err = ERR_INIT;
        struct liar l;
        liar_start(&l, say_again, NULL);
        assert_int_equal(manifest_fetch(&l, "t", "", NULL, &err), -1);
        liar_stop(&l);
        assert_non_null(strstr(err.msg, "redirects"));
        assert_in_range(l.count, 5, 20);
}

static void say_elsewhere(struct liar *l, int conn, const char *head, unsigned count)
{
        _cleanup_free_ char *location = xasprintf("Location: %s\r\n", (const char *)l->data);
        if (strcasestr(head, "\r\nAuthorization: Basic "))
                liar_say(conn, "307 Temporary Redirect", location, "", 0);
        else
                liar_say(conn, "401 Unauthorized", "WWW-Authenticate: Basic realm=\"r\"\r\n", "", 0);
}

static void redirect_keeps_credentials_at_home(void **state)
{
        struct err err = ERR_INIT;
        struct liar l, other;
        liar_start(&other, say_manifest, (void *)(uintptr_t) "");
        _cleanup_free_ char *url = xasprintf("http://%s/blob", other.domain);
        liar_start(&l, say_elsewhere, url);
        assert_int_equal(manifest_fetch(&l, "t", "bob", SECRET, &err), 0);
        liar_stop(&l);
        liar_stop(&other);
        assert_int_equal(other.count, 1);
        assert_null(strcasestr(other.heads[0], "authorization"));
        assert_non_null(strcasestr(l.heads[1], "authorization"));
}

static void redirect_to_a_file_is_refused(void **state)
{
        static const char *const bad[] = { "file:///etc/passwd", "gopher://127.0.0.1/x", "http://user:pw@127.0.0.1/x" };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct err err = ERR_INIT;
                struct liar l;
                liar_start(&l, say_elsewhere, (void *)(uintptr_t)bad[i]);
                assert_int_equal(manifest_fetch(&l, "t", "bob", SECRET, &err), -1);
                liar_stop(&l);
                assert_null(strstr(err.msg, SECRET));
                assert_null(strstr(err.msg, "pw@"));
                assert_int_equal(l.count, 2);
        }
}

/* --- patience and authorization --- */

static void say_busy_once(struct liar *l, int conn, const char *head, unsigned count)
{
        if (count == 0)
                liar_say(conn, "429 Too Many Requests", "Retry-After: 0\r\n", "", 0);
        else if (count == 1)
                liar_say(conn, "503 Service Unavailable", "", "", 0);
        else
                say_manifest(l, conn, head, count);
}

static void busy_registry_is_asked_again(void **state)
{
        struct err err = ERR_INIT;
        struct liar l;
        liar_start(&l, say_busy_once, (void *)(uintptr_t) "");
        assert_int_equal(manifest_fetch(&l, "t", "", NULL, &err), 0);
        liar_stop(&l);
        assert_int_equal(l.count, 3);
}

static void say_never(struct liar *l, int conn, const char *head, unsigned count)
{
        liar_say(conn, "429 Too Many Requests", "Retry-After: 86400\r\n", TOO_MANY, strlen(TOO_MANY));
}

static void long_waits_are_told_and_not_waited(void **state)
{
        struct err err = ERR_INIT;
        struct liar l;
        liar_start(&l, say_never, NULL);
        assert_int_equal(manifest_fetch(&l, "t", "", NULL, &err), -1);
        liar_stop(&l);
        assert_int_equal(l.count, 1);
        assert_non_null(strstr(err.msg, "toomanyrequests: slow down"));
}

/* Wants a bearer token of the token server whose domain is the data. */
static void say_bearer(struct liar *l, int conn, const char *head, unsigned count)
{
        _cleanup_free_ char *challenge =
                xasprintf("WWW-Authenticate: Bearer realm=\"http://%s/token\",service=\"the, service\","
                          "scope=\"repository:x:pull\"\r\n",
                          (const char *)l->data);
        if (strcasestr(head, "\r\nAuthorization: Bearer abc123\r\n"))
                liar_say(conn, "200 OK", "Content-Type: " MEDIA_OCI_MANIFEST "\r\n", MANIFEST, strlen(MANIFEST));
        else
                liar_say(conn, "401 Unauthorized", challenge, "", 0);
}

static void say_token(struct liar *l, int conn, const char *head, unsigned count)
{
        liar_say(conn, "200 OK", "", TOKEN, strlen(TOKEN));
}

static void token_is_fetched_once(void **state)
{
        struct err err = ERR_INIT;
        struct liar l, tokens;
        bool there = false;
        char digest[DIGEST_SIZE];
        liar_start(&tokens, say_token, NULL);
        liar_start(&l, say_bearer, tokens.domain);
        struct registry *r = open_as(&l, "bob", SECRET);
        for (int i = 0; i < 3; i++) {
                _cleanup_buf_ struct buf body = BUF_INIT(IMAGE_DOCUMENT_MAX);
                _cleanup_free_ char *type = NULL;
                assert_int_equal(registry_manifest_get(r, "x", "t", &body, &type, digest, &err), 0);
                assert_string_equal(type, MEDIA_OCI_MANIFEST);
        }
        assert_int_equal(registry_manifest_exists(r, "x", "t", &there, digest, &err), 0);
        registry_close(r);
        liar_stop(&l);
        liar_stop(&tokens);
        assert_int_equal(tokens.count, 1);
        assert_non_null(strstr(tokens.heads[0], "service=the%2C%20service"));
        assert_non_null(strstr(tokens.heads[0], "scope=repository%3Ax%3Apull"));
        assert_non_null(strcasestr(tokens.heads[0], "authorization: basic"));
        assert_null(strcasestr(l.heads[0], "authorization"));
        assert_null(strcasestr(l.heads[1], "basic"));
}

static void say_token_refused(struct liar *l, int conn, const char *head, unsigned count)
{
        liar_say(conn, "401 Unauthorized", "", REFUSAL, strlen(REFUSAL));
}

static void secrets_stay_out_of_errors(void **state)
{
        struct err err = ERR_INIT;
        struct liar l, tokens;
        liar_start(&tokens, say_token_refused, NULL);
        liar_start(&l, say_bearer, tokens.domain);
        assert_int_equal(manifest_fetch(&l, "t", "bob", SECRET, &err), -1);
        liar_stop(&l);
        liar_stop(&tokens);
        assert_int_equal(err.kind, ERR_UNAUTHORIZED);
        assert_null(strstr(err.msg, SECRET));
        assert_non_null(strstr(err.msg, "repeat a secret"));
}

static void say_bad_token(struct liar *l, int conn, const char *head, unsigned count)
{
        const char *body = "{\"token\":\"abc\\r\\nX-Evil: 1\"}";
        liar_say(conn, "200 OK", "", body, strlen(body));
}

static void token_cannot_smuggle_headers(void **state)
{
        struct err err = ERR_INIT;
        struct liar l, tokens;
        liar_start(&tokens, say_bad_token, NULL);
        liar_start(&l, say_bearer, tokens.domain);
        assert_int_equal(manifest_fetch(&l, "t", "", NULL, &err), -1);
        liar_stop(&l);
        liar_stop(&tokens);
        assert_int_equal(l.count, 1);
}

static void say_unauthorized(struct liar *l, int conn, const char *head, unsigned count)
{
        liar_say(conn, "401 Unauthorized", l->data, "", 0);
}

static void odd_challenges_end(void **state)
{
        static const char *const odd[] = {
                "",
                "WWW-Authenticate: Bearer\r\n",
                "WWW-Authenticate: Bearer realm=\"\r\n",
                "WWW-Authenticate: Basic\r\n",
                "WWW-Authenticate: ,,,=\"\r\n",
                "WWW-Authenticate: Bearer realm=\"file:///etc/passwd\"\r\n",
                "WWW-Authenticate: Negotiate abc=, Digest realm=\"a\\\"b\", nonce=x\r\n",
        };
        for (size_t i = 0; i < ELEMENTS(odd); i++) {
                struct err err = ERR_INIT;
                struct liar l;
                liar_start(&l, say_unauthorized, (void *)(uintptr_t)odd[i]);
                assert_int_equal(manifest_fetch(&l, "t", "bob", SECRET, &err), -1);
                liar_stop(&l);
                assert_true(err.kind == ERR_UNAUTHORIZED || err.kind == ERR_DENIED);
                assert_in_range(l.count, 1, 4);
        }
}

/* --- lists and uploads --- */

static void say_tags(struct liar *l, int conn, const char *head, unsigned count)
{
        const char *body = "{\"name\":\"x\",\"tags\":[\"a\",\"b\",\"../c\",7]}";
        liar_say(conn, "200 OK", l->data, body, strlen(body));
}

static void pages_of_other_hosts_and_circles_are_refused(void **state)
{
        struct err err = ERR_INIT;
        struct liar l;
        char **tags = NULL;
        liar_start(&l, say_tags,
                   (void *)(uintptr_t) "Link: <http://127.0.0.1:9/v2/x/tags/list?last=b>; rel=\"next\"\r\n");
        struct registry *r = open_as(&l, "", NULL);
        assert_int_equal(registry_tags(r, "x", 100, &tags, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_int_equal(registry_tags(r, "x", 2, &tags, &err), 0);
        assert_int_equal(strv_len(tags), 2);
        strv_free(tags);
        registry_close(r);
        liar_stop(&l);
        liar_start(&l, say_tags, (void *)(uintptr_t) "Link: </v2/x/tags/list?n=2>; rel=\"next\"\r\n");
        r = open_as(&l, "", NULL);
        assert_int_equal(registry_tags(r, "x", 100, &tags, &err), -1);
        registry_close(r);
        liar_stop(&l);
}

/* Refuses a whole blob in one PUT, and takes it in pieces. */
static void say_pieces_please(struct liar *l, int conn, const char *head, unsigned count)
{
        static const char place[] = "Location: /up/1?state=s\r\n";
        if (strncmp(head, "POST", 4) == 0)
                liar_say(conn, "202 Accepted", place, "", 0);
        else if (strncmp(head, "PATCH", 5) == 0)
                liar_say(conn, "202 Accepted", "Location: /up/2?state=t\r\nRange: 0-299999\r\n", "", 0);
        else if (l->received > 0)
                liar_say(conn, "413 Payload Too Large", "", "", 0);
        else
                liar_say(conn, "201 Created", "", "", 0);
}

static void refused_upload_goes_in_pieces(void **state)
{
        struct err err = ERR_INIT;
        struct liar l;
        char name[] = "/tmp/tare-test-XXXXXX";
        int fd = mkstemp(name);
        assert_true(fd >= 0);
        unlink(name);
        assert_int_equal(write(fd, blob, BLOB_SIZE), BLOB_SIZE);
        liar_start(&l, say_pieces_please, NULL);
        struct registry *r = open_as(&l, "", NULL);
        assert_int_equal(registry_blob_put(r, "x", blob_digest, fd, BLOB_SIZE, NULL, NULL, &err), 0);
        registry_close(r);
        liar_stop(&l);
        close(fd);
        assert_int_equal(l.count, 5);
        assert_non_null(strstr(l.heads[3], "PATCH /up/1?state=s "));
        assert_non_null(strstr(l.heads[3], "Content-Range: 0-299999\r\n"));
        assert_non_null(strstr(l.heads[4], "PUT /up/2?state=t&digest=sha256%3A"));
}

int main(void)
{
        for (size_t i = 0; i < BLOB_SIZE; i++)
                blob[i] = (char)(i * 7 + i / 251);
        digest_of(blob, BLOB_SIZE, blob_digest);
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(blob_of_another_length_is_refused),
                cmocka_unit_test(blob_without_end_is_cut_off),
                cmocka_unit_test(cut_blob_is_resumed_where_it_broke),
                cmocka_unit_test(ignored_range_restarts_the_sink),
                cmocka_unit_test(wrong_range_is_refused),
                cmocka_unit_test(patience_ends),
                cmocka_unit_test(manifest_without_end_is_cut_off),
                cmocka_unit_test(manifest_with_another_digest_is_refused),
                cmocka_unit_test(errors_are_told_as_docker_does),
                cmocka_unit_test(names_never_reach_the_wire_unchecked),
                cmocka_unit_test(redirects_end),
                cmocka_unit_test(redirect_keeps_credentials_at_home),
                cmocka_unit_test(redirect_to_a_file_is_refused),
                cmocka_unit_test(busy_registry_is_asked_again),
                cmocka_unit_test(long_waits_are_told_and_not_waited),
                cmocka_unit_test(token_is_fetched_once),
                cmocka_unit_test(secrets_stay_out_of_errors),
                cmocka_unit_test(token_cannot_smuggle_headers),
                cmocka_unit_test(odd_challenges_end),
                cmocka_unit_test(pages_of_other_hosts_and_circles_are_refused),
                cmocka_unit_test(refused_upload_goes_in_pieces),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
