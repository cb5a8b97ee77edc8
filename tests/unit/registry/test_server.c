/* The server, by our own client and by plain requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "oci/image.h"
#include "registry/client.h"
#include "serving.h"

#define LAYER_SIZE ((size_t)3000000)
/* As htpasswd writes them: bcrypt of "pa55word", SHA-1 of "second". */
#define HTPASSWD                                                                                                       \
        "bob:$2y$05$cijgpFPqR2ilbmWcAvzz3.m1nKL3airzac7zVCh9L/CnzR/9kSpPe\neve:{SHA}NS94KaI4SwAcwSsMJhPHVkVKH2o=\n"

static struct serving server;
static struct registry *client;
static char layer[LAYER_SIZE];
static char layer_digest[DIGEST_SIZE], config_digest[DIGEST_SIZE];
static const char config[] = "{\"architecture\":\"amd64\",\"os\":\"linux\"}";

static struct registry *client_open(const char *user, const char *password)
{
        const struct registry_options o = { .domain = server.domain, .username = user, .password = password };
        struct registry *r = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(registry_open(&o, &r, &err), 0);
        return r;
}

static int setup(void **state)
{
        serving_init(&server);
        serving_start(&server);
        client = client_open("", NULL);
        return server.port ? 0 : -1;
}

static int teardown(void **state)
{
        registry_close(client);
        serving_stop(&server);
        serving_done(&server);
        return server.rc;
}

static void push_blob(const char *path, const void *data, size_t len, char ret[DIGEST_SIZE])
{
        struct err err = ERR_INIT;
        _cleanup_close_ int fd = fd_memfd("blob", data, len, &err);
        digest_of(data, len, ret);
        assert_int_equal(registry_blob_put(client, path, ret, fd, len, NULL, NULL, &err), 0);
}

/* An image of one layer under path:tag. */
static void push_image(const char *path, const char *tag, const char *extra, char ret[DIGEST_SIZE])
{
        struct err err = ERR_INIT;
        push_blob(path, config, strlen(config), config_digest);
        push_blob(path, layer, LAYER_SIZE, layer_digest);
        _cleanup_free_ char *text =
                xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
                          "\",\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
                          "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER
                          "\",\"digest\":\"%s\",\"size\":%zu}]%s}",
                          config_digest, strlen(config), layer_digest, LAYER_SIZE, extra);
        digest_of(text, strlen(text), ret);
        assert_int_equal(
                registry_manifest_put(client, path, tag ? tag : ret, MEDIA_OCI_MANIFEST, text, strlen(text), &err), 0);
}

struct sink {
        char *data;
        size_t len;
};

static int sink_write(void *data, const void *bytes, size_t len, struct err *err)
{
        struct sink *s = data;
        if (len > LAYER_SIZE - s->len)
                return err_set(err, ERR_TOO_LARGE, "sink");
        memcpy(s->data + s->len, bytes, len);
        s->len += len;
        return 0;
}

static void image_comes_back(void **state)
{
        struct err err = ERR_INIT;
        char pushed[DIGEST_SIZE], pulled[DIGEST_SIZE];
        _cleanup_buf_ struct buf body = BUF_INIT(IMAGE_DOCUMENT_MAX);
        _cleanup_free_ char *type = NULL, *data = xmalloc(LAYER_SIZE);
        struct sink sink = { data, 0 };
        const struct blob_sink to = { sink_write, NULL, &sink };
        push_image("a/b", "v1", "", pushed);
        assert_int_equal(registry_manifest_get(client, "a/b", "v1", &body, &type, pulled, &err), 0);
        assert_string_equal(pushed, pulled);
        assert_string_equal(type, MEDIA_OCI_MANIFEST);
        assert_int_equal(registry_blob_get(client, "a/b", layer_digest, 0, LAYER_SIZE, &to, &err), 0);
        assert_memory_equal(data, layer, LAYER_SIZE);
        sink.len = 0;
        assert_int_equal(registry_blob_get(client, "a/b", layer_digest, LAYER_SIZE - 1000, LAYER_SIZE, &to, &err), 0);
        assert_int_equal(sink.len, 1000);
        assert_memory_equal(data, layer + LAYER_SIZE - 1000, 1000);
}

static void *thread_pull(void *data)
{
        struct err err = ERR_INIT;
        for (int i = 0; i < 10; i++) {
                _cleanup_free_ char *bytes = xmalloc(LAYER_SIZE);
                struct sink sink = { bytes, 0 };
                const struct blob_sink to = { sink_write, NULL, &sink };
                bool there = false;
                if (registry_manifest_exists(client, "a", "v1", &there, NULL, &err) < 0 || !there ||
                    registry_blob_get(client, "a", layer_digest, 0, LAYER_SIZE, &to, &err) < 0 ||
                    memcmp(bytes, layer, LAYER_SIZE) != 0)
                        return (void *)1;
        }
        return NULL;
}

static void one_client_serves_several_threads(void **state)
{
        pthread_t threads[8];
        char digest[DIGEST_SIZE];
        push_image("a", "v1", "", digest);
        for (size_t i = 0; i < ELEMENTS(threads); i++)
                assert_int_equal(pthread_create(&threads[i], NULL, thread_pull, NULL), 0);
        for (size_t i = 0; i < ELEMENTS(threads); i++) {
                void *failed = (void *)1;
                assert_int_equal(pthread_join(threads[i], &failed), 0);
                assert_null(failed);
        }
}

static void blobs_are_mounted_between_repositories(void **state)
{
        struct err err = ERR_INIT;
        char digest[DIGEST_SIZE];
        bool there = true, mounted = false;
        push_image("a", "v1", "", digest);
        assert_int_equal(registry_blob_exists(client, "b", layer_digest, &there, &err), 0);
        assert_false(there);
        assert_int_equal(registry_blob_mount(client, "b", "a", layer_digest, &mounted, &err), 0);
        assert_true(mounted);
        assert_int_equal(registry_blob_exists(client, "b", layer_digest, &there, &err), 0);
        assert_true(there);
        assert_int_equal(registry_blob_mount(client, "b", "c", layer_digest, &mounted, &err), 0);
        assert_false(mounted);
}

static void lists_come_in_pages(void **state)
{
        struct err err = ERR_INIT;
        char digest[DIGEST_SIZE];
        struct raw a = { 0 };
        _cleanup_strv_ char **tags = NULL, **names = NULL;
        push_image("a", "v1", "", digest);
        push_image("a", "v2", "", digest);
        push_image("a/b", "v3", "", digest);
        push_image("a", "v0", "", digest);
        raw_request(&server, "GET", "/v2/a/tags/list?n=2", NULL, NULL, 0, &a);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body.data, "{\"name\":\"a\",\"tags\":[\"v0\",\"v1\"]}\n");
        _cleanup_free_ char *link = raw_header(&a, "Link");
        assert_string_equal(link, "</v2/a/tags/list?n=2&last=v1>; rel=\"next\"");
        raw_request(&server, "GET", "/v2/a/tags/list?n=2&last=v1", NULL, NULL, 0, &a);
        assert_string_equal(a.body.data, "{\"name\":\"a\",\"tags\":[\"v2\"]}\n");
        assert_null(raw_header(&a, "Link"));
        raw_request(&server, "GET", "/v2/a/tags/list?n=x", NULL, NULL, 0, &a);
        assert_int_equal(a.status, 400);
        raw_done(&a);
        assert_int_equal(registry_tags(client, "a", 100, &tags, &err), 0);
        assert_int_equal(strv_len(tags), 3);
        assert_int_equal(registry_catalog(client, 100, &names, &err), 0);
        assert_int_equal(strv_len(names), 2);
        assert_string_equal(names[1], "a/b");
}

static void hostile_paths_touch_nothing(void **state)
{
        static const char *const paths[] = {
                "/v2/../../etc/manifests/passwd",
                "/v2/a/../../../etc/manifests/x",
                "/v2/a/manifests/..%2f..%2fx",
                "/v2/%2e%2e/manifests/x",
                "/v2/a%2f..%2fb/tags/list",
                "/v2/a/blobs/sha256:..%2f..%2f..%2fetc",
                "/v2/a/blobs/uploads/..%2f..%2fx",
                "/v2/_tags/tags/list",
                "/v2/a/_tags/manifests/x",
                "/v2//manifests/x",
                "/v2/A/manifests/x",
                "/v2/a/manifests/.tmp-1",
                "/v2/a%00b/manifests/x",
                "/etc/passwd",
                "/v2/a/blobs/",
                "/v2/manifests/x",
                "/v2/a/referrers/x",
        };
        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                struct raw a = { 0 };
                raw_request(&server, "GET", paths[i], NULL, NULL, 0, &a);
                assert_true(a.status == 400 || a.status == 404);
                raw_request(&server, "PUT", paths[i], "Content-Type: " MEDIA_OCI_MANIFEST, "{}", 2, &a);
                assert_true(a.status >= 400 && a.status < 500);
                raw_done(&a);
        }
        char **names = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(registry_catalog(client, 100, &names, &err), 0);
        assert_int_equal(strv_len(names), 0);
        strv_free(names);
}

static void manifests_are_checked(void **state)
{
        static const char type[] = "Content-Type: " MEDIA_OCI_MANIFEST;
        struct raw a = { 0 };
        _cleanup_free_ char *large = xcalloc(1, IMAGE_DOCUMENT_MAX + 2);
        memset(large, ' ', IMAGE_DOCUMENT_MAX + 1);
        raw_request(&server, "PUT", "/v2/a/manifests/t", type, large, IMAGE_DOCUMENT_MAX + 1, &a);
        assert_int_equal(a.status, 413);
        raw_request(&server, "PUT", "/v2/a/manifests/t", type, "{", 1, &a);
        assert_int_equal(a.status, 400);
        const char *elsewhere = "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:"
                                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"},"
                                "\"layers\":[]}";
        raw_request(&server, "PUT", "/v2/a/manifests/t", type, elsewhere, strlen(elsewhere), &a);
        assert_int_equal(a.status, 404);
        assert_non_null(strstr(a.body.data, "MANIFEST_BLOB_UNKNOWN"));
        const char *by = "/v2/a/manifests/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        raw_request(&server, "PUT", by, "Content-Type: application/vnd.any+json", "{}", 2, &a);
        assert_int_equal(a.status, 400);
        assert_non_null(strstr(a.body.data, "DIGEST_INVALID"));
        raw_request(&server, "PUT", "/v2/a/manifests/t", "Content-Type: application/vnd.any+json", "{}", 2, &a);
        assert_int_equal(a.status, 201);
        raw_request(&server, "GET", "/v2/a/manifests/t", NULL, NULL, 0, &a);
        _cleanup_free_ char *back = raw_header(&a, "Content-Type");
        assert_string_equal(back, "application/vnd.any+json");
        raw_done(&a);
}

static void upload_survives_a_restart(void **state)
{
        struct raw a = { 0 };
        raw_request(&server, "POST", "/v2/a/blobs/uploads/", NULL, "", 0, &a);
        assert_int_equal(a.status, 202);
        _cleanup_free_ char *place = raw_header(&a, "Location");
        raw_request(&server, "PATCH", place, "Content-Range: 0-999999", layer, 1000000, &a);
        assert_int_equal(a.status, 202);
        raw_request(&server, "PATCH", place, "Content-Range: 5-9", layer, 5, &a);
        assert_int_equal(a.status, 416);
        serving_stop(&server);
        serving_start(&server);
        raw_request(&server, "GET", place, NULL, NULL, 0, &a);
        assert_int_equal(a.status, 204);
        _cleanup_free_ char *range = raw_header(&a, "Range");
        assert_string_equal(range, "0-999999");
        raw_request(&server, "PATCH", place, "Content-Range: 1000000-2999999", layer + 1000000, LAYER_SIZE - 1000000,
                    &a);
        assert_int_equal(a.status, 202);
        _cleanup_free_ char *end = xasprintf("%s?digest=%s", place, layer_digest);
        raw_request(&server, "PUT", end, NULL, "", 0, &a);
        assert_int_equal(a.status, 201);
        raw_request(&server, "GET", place, NULL, NULL, 0, &a);
        assert_int_equal(a.status, 404);
        _cleanup_free_ char *blob = xasprintf("/v2/a/blobs/%s", layer_digest);
        raw_request(&server, "GET", blob, "Range: bytes=10-19", NULL, 0, &a);
        assert_int_equal(a.status, 206);
        assert_int_equal(a.body.len, 10);
        assert_memory_equal(a.body.data, layer + 10, 10);
        raw_request(&server, "GET", blob, "Range: bytes=3000000-", NULL, 0, &a);
        assert_int_equal(a.status, 416);
        raw_done(&a);
}

static void wrong_digest_is_dropped(void **state)
{
        struct raw a = { 0 };
        _cleanup_free_ char *post = xasprintf("/v2/a/blobs/uploads/?digest=%s", layer_digest);
        raw_request(&server, "POST", post, NULL, "something else", 14, &a);
        assert_int_equal(a.status, 400);
        assert_non_null(strstr(a.body.data, "DIGEST_INVALID"));
        _cleanup_free_ char *blob = xasprintf("/v2/a/blobs/%s", layer_digest);
        raw_request(&server, "HEAD", blob, NULL, NULL, 0, &a);
        assert_int_equal(a.status, 404);
        raw_request(&server, "POST", post, NULL, layer, LAYER_SIZE, &a);
        assert_int_equal(a.status, 201);
        raw_request(&server, "HEAD", blob, NULL, NULL, 0, &a);
        assert_int_equal(a.status, 200);
        raw_request(&server, "POST", "/v2/a/blobs/uploads/", NULL, "", 0, &a);
        _cleanup_free_ char *place = raw_header(&a, "Location");
        raw_request(&server, "DELETE", place, NULL, NULL, 0, &a);
        assert_int_equal(a.status, 204);
        raw_request(&server, "DELETE", place, NULL, NULL, 0, &a);
        assert_int_equal(a.status, 404);
        raw_done(&a);
}

static void referrers_are_listed_and_filtered(void **state)
{
        char subject[DIGEST_SIZE], referrer[DIGEST_SIZE];
        struct raw a = { 0 };
        push_image("a", "v1", "", subject);
        _cleanup_free_ char *extra =
                xasprintf(",\"artifactType\":\"application/"
                          "x.sig\",\"annotations\":{\"k\":\"v\"},\"subject\":{\"mediaType\":\"" MEDIA_OCI_MANIFEST
                          "\",\"digest\":\"%s\",\"size\":7}",
                          subject);
        push_image("a", NULL, extra, referrer);
        _cleanup_free_ char *path = xasprintf("/v2/a/referrers/%s", subject);
        raw_request(&server, "GET", path, NULL, NULL, 0, &a);
        assert_int_equal(a.status, 200);
        assert_non_null(strstr(a.body.data, referrer));
        assert_non_null(strstr(a.body.data, "\"artifactType\":\"application/x.sig\""));
        assert_non_null(strstr(a.body.data, "\"k\":\"v\""));
        _cleanup_free_ char *filtered = xasprintf("%s?artifactType=application%%2Fx.other", path);
        raw_request(&server, "GET", filtered, NULL, NULL, 0, &a);
        assert_null(strstr(a.body.data, referrer));
        _cleanup_free_ char *applied = raw_header(&a, "OCI-Filters-Applied");
        assert_string_equal(applied, "artifactType");
        struct err err = ERR_INIT;
        assert_int_equal(registry_manifest_delete(client, "a", referrer, &err), 0);
        raw_request(&server, "GET", path, NULL, NULL, 0, &a);
        assert_null(strstr(a.body.data, referrer));
        raw_done(&a);
}

static void collector_spares_what_is_reached(void **state)
{
        struct err err = ERR_INIT;
        char kept[DIGEST_SIZE], gone[DIGEST_SIZE], loose[DIGEST_SIZE];
        uint64_t bytes = 7;
        unsigned blobs = 7;
        bool there;
        push_image("a", "keep", "", kept);
        push_image("b", "drop", ",\"annotations\":{\"x\":\"y\"}", gone);
        push_blob("b", "loose", 5, loose);
        assert_int_equal(registry_manifest_delete(client, "b", gone, &err), 0);
        /* Beside the running server everything is too young. */
        assert_int_equal(registry_server_collect(server.root, false, &bytes, &blobs, &err), 0);
        assert_int_equal(blobs, 0);
        serving_stop(&server);
        assert_int_equal(registry_server_collect(server.root, true, &bytes, &blobs, &err), 0);
        assert_int_equal(blobs, 2);
        assert_int_equal(registry_server_collect(server.root, false, &bytes, &blobs, &err), 0);
        assert_int_equal(blobs, 2);
        assert_int_equal(registry_server_collect(server.root, false, &bytes, &blobs, &err), 0);
        assert_int_equal(blobs, 0);
        serving_start(&server);
        registry_close(client);
        client = client_open("", NULL);
        assert_int_equal(registry_blob_exists(client, "a", layer_digest, &there, &err), 0);
        assert_true(there);
        assert_int_equal(registry_manifest_exists(client, "a", "keep", &there, NULL, &err), 0);
        assert_true(there);
        assert_int_equal(registry_blob_exists(client, "b", loose, &there, &err), 0);
        assert_false(there);
}

static void users_are_asked_for_their_password(void **state)
{
        struct err err = ERR_INIT;
        char path[96];
        serving_stop(&server);
        snprintf(path, sizeof(path), "%s/htpasswd", server.root);
        assert_int_equal(file_write_at(AT_FDCWD, path, *state, strlen(*state), 0600, false, &err), 0);
        server.options.htpasswd = path;
        serving_start(&server);
        static const struct {
                const char *user, *password;
                int rc;
        } tries[] = { { "bob", "pa55word", 0 }, { "bob", "pa55worD", -1 }, { "eve", "second", 0 },  { "eve", "", -1 },
                      { "nobody", "x", -1 },    { "", NULL, -1 },          { "bob", "pa55word", 0 } };
        for (size_t i = 0; i < ELEMENTS(tries); i++) {
                struct registry *r = client_open(tries[i].user, tries[i].password);
                err_clear(&err);
                assert_int_equal(registry_ping(r, &err), tries[i].rc);
                if (tries[i].rc < 0)
                        assert_int_equal(err.kind, ERR_UNAUTHORIZED);
                registry_close(r);
        }
        struct raw a = { 0 };
        raw_request(&server, "GET", "/v2/_catalog", "Authorization: Basic !!!", NULL, 0, &a);
        assert_int_equal(a.status, 401);
        raw_done(&a);
        server.options.htpasswd = NULL;
}

static void read_only_refuses_writes(void **state)
{
        struct raw a = { 0 };
        serving_stop(&server);
        server.options.read_only = true;
        serving_start(&server);
        raw_request(&server, "POST", "/v2/a/blobs/uploads/", NULL, "", 0, &a);
        assert_int_equal(a.status, 405);
        raw_request(&server, "GET", "/v2/", NULL, NULL, 0, &a);
        assert_int_equal(a.status, 200);
        raw_done(&a);
        server.options.read_only = false;
}

#define SERVED(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
        for (size_t i = 0; i < LAYER_SIZE; i++)
                layer[i] = (char)(i * 31 + i / 253);
        digest_of(layer, LAYER_SIZE, layer_digest);
        const struct CMUnitTest tests[] = {
                SERVED(image_comes_back),
                SERVED(one_client_serves_several_threads),
                SERVED(blobs_are_mounted_between_repositories),
                SERVED(lists_come_in_pages),
                SERVED(hostile_paths_touch_nothing),
                SERVED(manifests_are_checked),
                SERVED(upload_survives_a_restart),
                SERVED(wrong_digest_is_dropped),
                SERVED(referrers_are_listed_and_filtered),
                SERVED(collector_spares_what_is_reached),
                cmocka_unit_test_prestate_setup_teardown(users_are_asked_for_their_password, setup, teardown,
                                                         (void *)(uintptr_t)HTPASSWD),
                SERVED(read_only_refuses_writes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
