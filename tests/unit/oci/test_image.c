#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "base/str.h"
#include "oci/image.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64
#define DESC(type, size) "{\"mediaType\":\"" type "\",\"digest\":\"" DIGEST "\",\"size\":" size "}"
#define CONFIG "\"config\":" DESC(MEDIA_OCI_CONFIG, "7023")
#define LAYER DESC(MEDIA_OCI_LAYER_GZIP, "32654")
#define HEAD "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\","
#define MANIFEST HEAD CONFIG ",\"layers\":[" LAYER "]}"

static int parse(const char *text, const char *hint, struct err *err)
{
        _cleanup_manifest_ struct manifest m = { 0 };

        return manifest_parse(text, strlen(text), hint, &m, err);
}

static void refuse(const char *text, const char *hint, enum err_kind kind, const char *message)
{
        struct err err = ERR_INIT;

        if (parse(text, hint, &err) == 0)
                fail_msg("taken: %s", text);
        assert_int_equal(err.kind, kind);
        if (!strstr(err.msg, message))
                fail_msg("\"%s\" does not say \"%s\"", err.msg, message);
}

static void test_manifest_round_trip(void **state)
{
        static const char text[] = HEAD "\"artifactType\":\"a/b\"," CONFIG ",\"layers\":[" LAYER "," LAYER "],\"subject\":" DESC(
                MEDIA_OCI_MANIFEST, "0") ",\"annotations\":{\"z\":\"1\",\"a\":\"2=3\"}}";
        struct err err = ERR_INIT;
        _cleanup_manifest_ struct manifest m = { 0 };
        _cleanup_free_ char *again = NULL;

        assert_int_equal(manifest_parse(text, strlen(text), NULL, &m, &err), 0);
        assert_string_equal(m.config.digest, DIGEST);
        assert_int_equal(m.config.size, 7023);
        assert_int_equal(m.layer_count, 2);
        assert_string_equal(m.layers[1].media_type, MEDIA_OCI_LAYER_GZIP);
        assert_string_equal(m.annotations[1], "a=2=3");
        again = manifest_format(&m);
        assert_string_equal(again, text);
}

static void test_manifest_media_types(void **state)
{
        static const char bare[] = "{\"schemaVersion\":2," CONFIG ",\"layers\":[]}";
        struct err err = ERR_INIT;
        _cleanup_manifest_ struct manifest m = { 0 };

        assert_int_equal(manifest_parse(bare, strlen(bare), MEDIA_DOCKER_MANIFEST, &m, &err), 0);
        assert_string_equal(m.media_type, MEDIA_DOCKER_MANIFEST);
        manifest_done(&m);
        assert_int_equal(manifest_parse(bare, strlen(bare), NULL, &m, &err), 0);
        assert_string_equal(m.media_type, MEDIA_OCI_MANIFEST);
        assert_int_equal(parse(MANIFEST, MEDIA_OCI_MANIFEST "; charset=utf-8", &err), 0);
        assert_int_equal(parse(HEAD CONFIG ",\"layers\":null}", NULL, &err), 0);
        assert_int_equal(parse(MANIFEST, "application/json", &err), 0);
        assert_int_equal(parse(MANIFEST, "text/plain; charset=utf-8", &err), 0);
        refuse(MANIFEST, MEDIA_DOCKER_MANIFEST, ERR_INVALID, "mediaType");
        refuse(MANIFEST, MEDIA_OCI_INDEX, ERR_INVALID, "mediaType");
        refuse(bare, MEDIA_OCI_INDEX, ERR_INVALID, "mediaType");
        refuse(MANIFEST, "application/vnd.docker.distribution.manifest.v1+prettyjws", ERR_UNSUPPORTED, "schema 1");
}

static void test_manifest_hostile(void **state)
{
        refuse("", NULL, ERR_INVALID, "manifest");
        refuse("[]", NULL, ERR_INVALID, "expected an object");
        refuse("null", NULL, ERR_INVALID, "manifest");
        refuse("{}", NULL, ERR_INVALID, "schemaVersion");
        refuse("{\"schemaVersion\":1}", NULL, ERR_UNSUPPORTED, "schema 1");
        refuse("{\"schemaVersion\":3}", NULL, ERR_INVALID, "schemaVersion");
        refuse("{\"schemaVersion\":\"2\"}", NULL, ERR_INVALID, "schemaVersion");
        refuse("{\"schemaVersion\":2,\"schemaVersion\":2," CONFIG ",\"layers\":[]}", NULL, ERR_INVALID, "duplicate");
        refuse("{\"schemaVersion\":2,\"layers\":[]}", NULL, ERR_INVALID, "config");
        refuse("{\"schemaVersion\":2," CONFIG "}", NULL, ERR_INVALID, "layers");
        refuse("{\"schemaVersion\":2," CONFIG ",\"layers\":{}}", NULL, ERR_INVALID, "layers: expected an array");
        refuse("{\"schemaVersion\":2," CONFIG ",\"layers\":[7]}", NULL, ERR_INVALID, "layers[0]");
        refuse("{\"schemaVersion\":2,\"config\":[],\"layers\":[]}", NULL, ERR_INVALID, "config: expected an object");
        refuse("{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"manifests\":[]}", NULL, ERR_INVALID, "manifests");
        refuse(HEAD CONFIG ",\"layers\":[" DESC("", "1") "]}", NULL, ERR_INVALID, "layers[0].mediaType: is empty");
        refuse(HEAD CONFIG ",\"layers\":[" DESC("x", "-1") "]}", NULL, ERR_INVALID, "layers[0].size");
        refuse(HEAD CONFIG ",\"layers\":[" DESC("x", "\"1\"") "]}", NULL, ERR_INVALID, "layers[0].size");
        refuse(HEAD CONFIG ",\"layers\":[" DESC("x", "1.5") "]}", NULL, ERR_INVALID, "layers[0].size");
        refuse(HEAD CONFIG ",\"layers\":[" DESC("x", "99999999999999999999") "]}", NULL, ERR_INVALID, "layers[0].size");
        refuse(HEAD CONFIG ",\"layers\":[{\"mediaType\":\"x\",\"size\":1,\"digest\":\"sha256:../../etc\"}]}", NULL, ERR_INVALID,
               "layers[0].digest");
        refuse(HEAD CONFIG ",\"layers\":[{\"mediaType\":\"x\",\"size\":1}]}", NULL, ERR_INVALID, "layers[0].digest");
        refuse(HEAD CONFIG ",\"layers\":[{\"size\":1,\"digest\":\"" DIGEST "\"}]}", NULL, ERR_INVALID, "layers[0].mediaType");
        refuse(HEAD CONFIG ",\"layers\":[],\"annotations\":{\"a\":1}}", NULL, ERR_INVALID, "annotations.a");
        refuse(HEAD CONFIG ",\"layers\":[],\"subject\":{}}", NULL, ERR_INVALID, "subject.mediaType");
        refuse(MANIFEST "x", NULL, ERR_INVALID, "manifest");
}

static char *many_layers(size_t count)
{
        _cleanup_strv_ char **layers = NULL;
        _cleanup_free_ char *list = NULL;

        layers = xcalloc(count + 1, sizeof(*layers));
        for (size_t i = 0; i < count; i++)
                layers[i] = xstrdup(LAYER);
        list = strv_join(layers, ",");
        return xasprintf(HEAD CONFIG ",\"layers\":[%s]}", list);
}

static void test_manifest_sizes(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *most = many_layers(IMAGE_LAYERS_MAX), *more = many_layers(IMAGE_LAYERS_MAX + 1);
        _cleanup_free_ char *huge = xmalloc(IMAGE_DOCUMENT_MAX + 2);

        assert_int_equal(parse(most, NULL, &err), 0);
        refuse(more, NULL, ERR_INVALID, "at most 1024");
        memset(huge, ' ', IMAGE_DOCUMENT_MAX + 1);
        huge[IMAGE_DOCUMENT_MAX + 1] = '\0';
        refuse(huge, NULL, ERR_TOO_LARGE, "manifest");
}

#define ENTRY(digit, os, arch, rest) \
        "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:" digit "123456789abcdef0123456789abcdef0123456789abcdef" \
        "0123456789abcdef\",\"size\":1,\"platform\":{\"architecture\":\"" arch "\",\"os\":\"" os "\"" rest "}}"
#define INDEX(list) "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[" list "]}"
#define FULL_INDEX \
        INDEX(ENTRY("1", "unknown", "unknown", "") "," ENTRY("2", "linux", "arm", ",\"variant\":\"v5\"") "," ENTRY( \
                "3", "linux", "arm", ",\"variant\":\"v7\"") "," ENTRY("4", "linux", "amd64", "") "," ENTRY("5", "linux", "arm64", ",\"variant\":\"v8\""))

static char chosen(const char *text, const char *platform)
{
        struct err err = ERR_INIT;
        _cleanup_image_index_ struct image_index x = { 0 };
        _cleanup_platform_ struct platform want = { 0 };
        const struct descriptor *d;

        if (image_index_parse(text, strlen(text), NULL, &x, &err) < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(platform_parse(platform, &want, &err), 0);
        d = image_index_choose(&x, &want);
        return d ? d->digest[7] : '-';
}

static void test_index_choose(void **state)
{
        assert_int_equal(chosen(FULL_INDEX, "linux/amd64"), '4');
        assert_int_equal(chosen(FULL_INDEX, "linux/arm64"), '5');
        assert_int_equal(chosen(FULL_INDEX, "linux/arm/v7"), '3');
        assert_int_equal(chosen(FULL_INDEX, "linux/arm/v6"), '2');
        assert_int_equal(chosen(FULL_INDEX, "linux/s390x"), '-');
        assert_int_equal(chosen(FULL_INDEX, "unknown/unknown"), '-');
        assert_int_equal(chosen(INDEX(""), "linux/amd64"), '-');
        assert_int_equal(chosen(INDEX(ENTRY("6", "", "", "")), "linux/amd64"), '6');
        assert_int_equal(chosen(INDEX(DESC(MEDIA_OCI_MANIFEST, "1")), "linux/amd64"), '0');
        assert_int_equal(chosen(INDEX(DESC(MEDIA_OCI_MANIFEST, "1") "," ENTRY("4", "linux", "amd64", "")), "linux/arm64"), '-');
}

static void test_index_round_trip(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_image_index_ struct image_index x = { 0 };
        _cleanup_descriptor_ struct descriptor copy = { 0 };
        _cleanup_free_ char *again = NULL;

        assert_int_equal(image_index_parse(FULL_INDEX, strlen(FULL_INDEX), MEDIA_OCI_INDEX, &x, &err), 0);
        assert_int_equal(x.count, 5);
        descriptor_copy(&x.manifests[4], &copy);
        assert_string_equal(copy.platform.variant, "v8");
        again = image_index_format(&x);
        assert_string_equal(again, FULL_INDEX);
}

static void test_index_hostile(void **state)
{
        static const char *const bad[] = {
                "{\"schemaVersion\":2}", "{\"schemaVersion\":2,\"manifests\":{}}", "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}",
                "{\"schemaVersion\":2,\"manifests\":[],\"config\":{}}", "{\"schemaVersion\":2,\"manifests\":[],\"fsLayers\":[]}",
                INDEX(DESC("x", "-5")), MANIFEST,
        };

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct err err = ERR_INIT;
                struct image_index x = { 0 };

                if (image_index_parse(bad[i], strlen(bad[i]), NULL, &x, &err) == 0)
                        fail_msg("taken: %s", bad[i]);
                assert_int_equal(err.kind, ERR_INVALID);
                assert_null(x.manifests);
        }
}

static void check_type(const char *text, const char *expected)
{
        const char *type = image_document_type(text, strlen(text));

        if (expected)
                assert_string_equal(type, expected);
        else
                assert_null(type);
}

static void test_document_type(void **state)
{
        check_type(MANIFEST, MEDIA_OCI_MANIFEST);
        check_type(FULL_INDEX, MEDIA_OCI_INDEX);
        check_type("{\"mediaType\":\"" MEDIA_DOCKER_LIST "\"}", MEDIA_DOCKER_LIST);
        check_type("{\"config\":{\"mediaType\":\"" MEDIA_DOCKER_CONFIG "\"},\"layers\":[]}", MEDIA_DOCKER_MANIFEST);
        check_type("{\"config\":{},\"layers\":[]}", MEDIA_OCI_MANIFEST);
        check_type("{\"manifests\":[{\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\"}]}", MEDIA_DOCKER_LIST);
        check_type("{\"manifests\":[]}", MEDIA_OCI_INDEX);
        check_type("{\"manifests\":[],\"config\":{},\"layers\":[]}", NULL);
        check_type("{\"mediaType\":\"text/html\",\"manifests\":[]}", NULL);
        check_type("{\"mediaType\":7,\"manifests\":[]}", NULL);
        check_type("[]", NULL);
        check_type("<html>", NULL);
        check_type("", NULL);
}

static void test_media(void **state)
{
        assert_int_equal(media_layer_compression(MEDIA_OCI_LAYER), COMPRESSION_NONE);
        assert_int_equal(media_layer_compression(MEDIA_OCI_LAYER_GZIP), COMPRESSION_GZIP);
        assert_int_equal(media_layer_compression(MEDIA_OCI_LAYER_ZSTD), COMPRESSION_ZSTD);
        assert_int_equal(media_layer_compression(MEDIA_DOCKER_LAYER), COMPRESSION_NONE);
        assert_int_equal(media_layer_compression(MEDIA_DOCKER_LAYER_GZIP), COMPRESSION_GZIP);
        assert_int_equal(media_layer_compression(MEDIA_DOCKER_FOREIGN), COMPRESSION_GZIP);
        assert_int_equal(media_layer_compression(MEDIA_OCI_CONFIG), COMPRESSION_UNKNOWN);
        assert_int_equal(media_layer_compression(NULL), COMPRESSION_UNKNOWN);
        assert_true(media_is_manifest(MEDIA_DOCKER_MANIFEST));
        assert_false(media_is_manifest(MEDIA_OCI_INDEX));
        assert_true(media_is_index(MEDIA_DOCKER_LIST));
        assert_false(media_is_index(NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_manifest_round_trip), cmocka_unit_test(test_manifest_media_types),
                cmocka_unit_test(test_manifest_hostile),    cmocka_unit_test(test_manifest_sizes),
                cmocka_unit_test(test_index_choose),        cmocka_unit_test(test_index_round_trip),
                cmocka_unit_test(test_index_hostile),       cmocka_unit_test(test_document_type),
                cmocka_unit_test(test_media),
        };
        return cmocka_run_group_tests_name("oci image", tests, NULL, NULL);
}
