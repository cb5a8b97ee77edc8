#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "base/digest.h"
#include "base/str.h"
#include "oci/config.h"
#include "oci/image.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64
#define HEAD "{\"architecture\":\"amd64\",\"os\":\"linux\","
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST "\"]}"
#define MINIMAL HEAD "\"config\":{}," ROOTFS "}"

/* Canonical: every member there is, in its place. */
static const char full[] =
        "{\"created\":\"2024-01-02T03:04:05.678Z\",\"author\":\"somebody\",\"architecture\":\"arm64\",\"os\":\"linux\","
        "\"os.version\":\"1.2\",\"variant\":\"v8\",\"config\":{\"User\":\"1000:0\",\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{}},"
        "\"Env\":[\"PATH=/bin\",\"E=\"],\"Entrypoint\":[\"/e\",\"\"],\"Cmd\":[\"c\"],\"Volumes\":{\"/a\":{},\"/b\":{}},"
        "\"WorkingDir\":\"/w\",\"Labels\":{\"z\":\"1\",\"a\":\"x=y\"},\"StopSignal\":\"SIGINT\",\"ArgsEscaped\":true,"
        "\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"],\"Interval\":1000000000,\"Timeout\":2,\"StartPeriod\":3,"
        "\"StartInterval\":4,\"Retries\":5},\"OnBuild\":[\"RUN x\"],\"StopTimeout\":0,\"Shell\":[\"/bin/sh\",\"-c\"],"
        "\"Hostname\":\"h\",\"MacAddress\":null}," ROOTFS ",\"history\":[{\"created\":\"2024-01-02T03:04:05Z\","
        "\"created_by\":\"ADD \\u0001 \xc3\xa4 /\",\"author\":\"me\",\"comment\":\"none\"},{\"created_by\":\"CMD\","
        "\"empty_layer\":true}],\"docker_version\":\"20\",\"moby.buildkit.cache.v0\":{\"deep\":[1,2.5,null]}}";

static int parse(const char *text, struct image_config *ret, struct err *err)
{
        return image_config_parse(text, strlen(text), ret, err);
}

static void test_round_trip(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_image_config_ struct image_config c, copy;
        _cleanup_free_ char *text = NULL, *again = NULL;

        image_config_init(&c);
        image_config_init(&copy);
        if (parse(full, &c, &err) < 0)
                fail_msg("%s", err.msg);
        text = image_config_format(&c);
        assert_string_equal(text, full);
        image_config_copy(&c, &copy);
        image_config_done(&c);
        again = image_config_format(&copy);
        assert_string_equal(again, full);
}

static void test_members(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_image_config_ struct image_config c;

        image_config_init(&c);
        assert_int_equal(parse(full, &c, &err), 0);
        assert_string_equal(c.platform.variant, "v8");
        assert_string_equal(c.exec.exposed_ports[0], "53/udp");
        assert_string_equal(strv_env_get(c.exec.labels, "a"), "x=y");
        assert_int_equal(strv_len(c.exec.entrypoint), 2);
        assert_int_equal(c.exec.stop_timeout, 0);
        assert_int_equal(c.exec.healthcheck.interval, 1000000000);
        assert_int_equal(c.exec.healthcheck.retries, 5);
        assert_int_equal(c.history_count, 2);
        assert_true(c.history[1].empty_layer);
        assert_null(c.history[1].created);
        assert_int_equal(json_object_size(c.extra), 2);
        assert_int_equal(json_object_size(c.exec_extra), 2);
}

static void test_sparse(void **state)
{
        static const char loose[] = HEAD "\"history\":null,\"config\":{\"Cmd\":null,\"Volumes\":{\"/b\":{},\"/a\":null},\"User\":\"\","
                                         "\"StopTimeout\":-5,\"Env\":[]}," ROOTFS "}";
        struct err err = ERR_INIT;
        _cleanup_image_config_ struct image_config c;
        _cleanup_free_ char *text = NULL;

        image_config_init(&c);
        if (parse(MINIMAL, &c, &err) < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(c.exec.stop_timeout, -1);
        assert_null(c.exec.cmd);
        assert_null(c.extra);
        text = image_config_format(&c);
        assert_string_equal(text, MINIMAL);
        image_config_done(&c);
        if (parse(loose, &c, &err) < 0)
                fail_msg("%s", err.msg);
        free(text);
        text = image_config_format(&c);
        assert_string_equal(text, HEAD "\"config\":{\"Volumes\":{\"/a\":{},\"/b\":{}}}," ROOTFS "}");
}

static void test_hostile(void **state)
{
        static const char *const rows[][2] = {
                { "", "image config" },
                { "[]", "expected an object" },
                { "{}", "rootfs" },
                { HEAD "\"a\":1,\"a\":1," ROOTFS "}", "duplicate" },
                { "{\"os\":\"linux\"," ROOTFS "}", "architecture" },
                { "{\"architecture\":\"amd64\",\"os\":\"\"," ROOTFS "}", "os: is missing" },
                { HEAD "\"config\":[]," ROOTFS "}", "config: expected an object" },
                { HEAD "\"config\":{\"Env\":\"A=1\"}," ROOTFS "}", "config.Env" },
                { HEAD "\"config\":{\"Env\":[1]}," ROOTFS "}", "config.Env[0]" },
                { HEAD "\"config\":{\"Cmd\":{}}," ROOTFS "}", "config.Cmd" },
                { HEAD "\"config\":{\"Volumes\":[\"/a\"]}," ROOTFS "}", "config.Volumes" },
                { HEAD "\"config\":{\"ExposedPorts\":{\"80/tcp\":1}}," ROOTFS "}", "config.ExposedPorts" },
                { HEAD "\"config\":{\"Healthcheck\":7}," ROOTFS "}", "config.Healthcheck" },
                { HEAD "\"config\":{\"Healthcheck\":{\"Test\":[\"CMD\"],\"Interval\":-1}}," ROOTFS "}", "config.Healthcheck.Interval" },
                { HEAD "\"config\":{\"Healthcheck\":{\"Test\":\"CMD\"}}," ROOTFS "}", "config.Healthcheck.Test" },
                { HEAD "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:00\"]}}", "rootfs.diff_ids[0]" },
                { HEAD "\"rootfs\":{\"type\":\"layers+base\",\"diff_ids\":[]}}", "rootfs.type" },
                { HEAD "\"rootfs\":{\"diff_ids\":[]}}", "rootfs.type" },
                { HEAD "\"history\":[[]]," ROOTFS "}", "history[0]" },
                { HEAD "\"history\":[{\"empty_layer\":\"yes\"}]," ROOTFS "}", "history[0].empty_layer" },
                { HEAD "\"history\":{}," ROOTFS "}", "history" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct err err = ERR_INIT;
                struct image_config c;

                image_config_init(&c);
                if (parse(rows[i][0], &c, &err) == 0)
                        fail_msg("taken: %s", rows[i][0]);
                assert_int_equal(err.kind, ERR_INVALID);
                if (!strstr(err.msg, rows[i][1]))
                        fail_msg("\"%s\" does not say \"%s\"", err.msg, rows[i][1]);
                assert_null(c.diff_ids);
        }
}

static void test_too_many(void **state)
{
        struct err err = ERR_INIT;
        struct image_config c;
        _cleanup_strv_ char **ids = NULL;
        _cleanup_free_ char *list = NULL, *text = NULL;

        ids = xcalloc(IMAGE_LAYERS_MAX + 2, sizeof(*ids));
        for (size_t i = 0; i <= IMAGE_LAYERS_MAX; i++)
                ids[i] = xstrdup("\"" DIGEST "\"");
        list = strv_join(ids, ",");
        text = xasprintf(HEAD "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}", list);
        assert_int_equal(parse(text, &c, &err), -1);
        assert_non_null(strstr(err.msg, "rootfs.diff_ids"));
        assert_non_null(strstr(err.msg, "at most 1024"));
}

static void test_add_history(void **state)
{
        static const char expected[] = HEAD "\"config\":{}," ROOTFS
                                            ",\"history\":[{\"created_by\":\"RUN x\",\"comment\":\"c\"},{\"created\":\"t\",\"author\":\"a\",\"empty_layer\":true}]}";
        struct err err = ERR_INIT;
        _cleanup_image_config_ struct image_config c;
        _cleanup_free_ char *text = NULL;

        image_config_init(&c);
        assert_int_equal(parse(MINIMAL, &c, &err), 0);
        image_config_add_history(&c, NULL, "RUN x", NULL, "c", false);
        image_config_add_history(&c, "t", NULL, "a", NULL, true);
        text = image_config_format(&c);
        assert_string_equal(text, expected);
}

static void test_chain_ids(void **state)
{
        static char *const none[] = { NULL };
        char b[] = "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", a[] = DIGEST;
        char *ids[] = { a, b, a, NULL };
        char second[DIGEST_SIZE], third[DIGEST_SIZE];
        _cleanup_free_ char *pair = xasprintf("%s %s", a, b), *triple = NULL;
        _cleanup_strv_ char **chain = image_chain_ids(ids);

        digest_of(pair, strlen(pair), second);
        triple = xasprintf("%s %s", second, a);
        digest_of(triple, strlen(triple), third);
        assert_int_equal(strv_len(chain), 3);
        assert_string_equal(chain[0], a);
        assert_string_equal(chain[1], second);
        assert_string_equal(chain[2], third);
        assert_null(image_chain_ids(none));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip), cmocka_unit_test(test_members),     cmocka_unit_test(test_sparse),
                cmocka_unit_test(test_hostile),    cmocka_unit_test(test_too_many),    cmocka_unit_test(test_add_history),
                cmocka_unit_test(test_chain_ids),
        };
        return cmocka_run_group_tests_name("oci config", tests, NULL, NULL);
}
