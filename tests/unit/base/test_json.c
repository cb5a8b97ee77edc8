#include "unit.h"

#include "base/json.h"
#include "base/str.h"

static json_t *doc(const char *text)
{
        struct err err = ERR_INIT;
        json_t *j = json_parse(text, strlen(text), 100000, "doc", &err);
        if (!j)
                fail_msg("%s", err.msg);
        return j;
}

static void test_parse(void **state)
{
        struct err err = ERR_INIT;
        static const char *const bad[] = { "",
                                           "{",
                                           "[1,]",
                                           "{\"a\":1,\"a\":2}",
                                           "{\"a\":1} x",
                                           "\"text\"",
                                           "{\"a\":\"\xff\"}",
                                           "{\"a\":1e999}",
                                           "{\"a\":\"\\u0000\"}" };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                err_clear(&err);
                assert_null(json_parse(bad[i], strlen(bad[i]), 1000, "doc", &err));
                assert_int_equal(err.kind, ERR_INVALID);
                assert_true(str_starts(err.msg, "doc: line "));
        }
        assert_null(json_parse("{}   ", 5, 4, "doc", &err));
        assert_int_equal(err.kind, ERR_TOO_LARGE);
        _cleanup_free_ char *deep = xmalloc(100001);
        memset(deep, '[', 100000);
        deep[100000] = '\0';
        assert_null(json_parse(deep, 100000, 1000000, "doc", &err));
}

static void test_scalars(void **state)
{
        struct err err = ERR_INIT;
        struct jpath p = JPATH("doc");
        _cleanup_json_ json_t *j =
                doc("{\"s\":\"x\",\"t\":true,\"i\":-5,\"u\":7,\"d\":1.5,\"n\":null,\"w\":2.0,\"big\":4294967296}");
        _cleanup_free_ char *s = xstrdup("old");
        bool t = false;
        int64_t i = 0;
        uint64_t u = 0;
        uint32_t n = 3;
        double d = 0;
        OK(json_get_string(j, &p, "n", false, &s, &err), &err);
        assert_string_equal(s, "old");
        OK(json_get_string(j, &p, "s", true, &s, &err), &err);
        assert_string_equal(s, "x");
        OK(json_get_bool(j, &p, "t", true, &t, &err), &err);
        OK(json_get_i64(j, &p, "i", true, &i, &err), &err);
        OK(json_get_u64(j, &p, "u", true, &u, &err), &err);
        OK(json_get_double(j, &p, "d", true, &d, &err), &err);
        OK(json_get_u32(j, &p, "w", true, &n, &err), &err);
        assert_true(t && i == -5 && u == 7 && d == 1.5 && n == 2);
        OK(json_get_u32(j, &p, "missing", false, &n, &err), &err);
        assert_true(n == 2);
        FAILS(json_get_u32(j, &p, "big", false, &n, &err), &err, ERR_INVALID);
        FAILS(json_get_u64(j, &p, "i", false, &u, &err), &err, ERR_INVALID);
        assert_string_equal(err.msg, "doc: i: expected a non-negative integer");
        FAILS(json_get_i64(j, &p, "d", false, &i, &err), &err, ERR_INVALID);
        FAILS(json_get_string(j, &p, "n", true, &s, &err), &err, ERR_INVALID);
        assert_string_equal(err.msg, "doc: n: missing");
        FAILS(json_get_bool(j, &p, "s", false, &t, &err), &err, ERR_INVALID);
        FAILS(json_get_double(j, &p, "s", false, &d, &err), &err, ERR_INVALID);
        OK(json_get_bool(NULL, &p, "s", false, &t, &err), &err);
        FAILS(json_get_bool(json_object_get(j, "s"), &p, "s", false, &t, &err), &err, ERR_INVALID);
}

static void test_huge_integers(void **state)
{
        struct err err = ERR_INIT;
        struct jpath p = JPATH("doc");
        _cleanup_json_ json_t *j = doc("{\"inf\":18446744073709551615,\"soft\":1024,\"over\":18446744073709560000,"
                                       "\"neg\":-9223372036854775809}");
        uint64_t inf = 0, soft = 0;
        int64_t i = 0;
        OK(json_get_u64(j, &p, "inf", true, &inf, &err), &err);
        OK(json_get_u64(j, &p, "soft", true, &soft, &err), &err);
        assert_true(inf == UINT64_MAX && soft == 1024);
        FAILS(json_get_u64(j, &p, "over", true, &inf, &err), &err, ERR_INVALID);
        FAILS(json_get_i64(j, &p, "inf", true, &i, &err), &err, ERR_INVALID);
        FAILS(json_get_u64(j, &p, "neg", true, &inf, &err), &err, ERR_INVALID);
}

static void test_paths(void **state)
{
        struct err err = ERR_INIT;
        struct jpath root = JPATH("config.json"), a = jpath_key(&root, "linux"), b = jpath_key(&a, "devices"),
                     c = jpath_index(&b, 3);
        json_err(&c, "path", &err, "expected %s", "x");
        assert_string_equal(err.msg, "config.json: linux.devices[3].path: expected x");
        json_err(&c, NULL, &err, "m");
        assert_string_equal(err.msg, "config.json: linux.devices[3]: m");
        json_err(&root, NULL, &err, "m");
        assert_string_equal(err.msg, "config.json: m");
        struct jpath first = jpath_index(&root, 0);
        json_err(&first, NULL, &err, "m");
        assert_string_equal(err.msg, "config.json: [0]: m");
        char name[1000];
        memset(name, 'k', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        struct jpath chain[50];
        chain[0] = root;
        for (size_t i = 1; i < ELEMENTS(chain); i++)
                chain[i] = jpath_key(&chain[i - 1], i % 2 ? name : "\x1b[0m");
        json_err(&chain[49], name, &err, "%s", name);
        assert_null(strchr(err.msg, '\x1b'));
        assert_true(strlen(err.msg) < sizeof(err.msg));
}

static void test_containers(void **state)
{
        struct err err = ERR_INIT;
        struct jpath p = JPATH("doc");
        _cleanup_json_ json_t *j = doc("{\"v\":[\"a\",\"b\"],\"e\":[],\"m\":{\"z\":\"1\",\"a\":\"x=y\",\"n\":null},"
                                       "\"bad\":[1],\"mb\":{\"k\":[]},"
                                       "\"eq\":{\"a=b\":\"c\"}}");
        _cleanup_strv_ char **v = NULL;
        json_t *o = NULL;
        OK(json_get_strv(j, &p, "v", true, &v, &err), &err);
        assert_true(strv_len(v) == 2 && str_eq(v[1], "b"));
        OK(json_get_strv(j, &p, "missing", false, &v, &err), &err);
        assert_int_equal(strv_len(v), 2);
        FAILS(json_get_strv(j, &p, "bad", true, &v, &err), &err, ERR_INVALID);
        assert_string_equal(err.msg, "doc: bad[0]: expected a string");
        assert_int_equal(strv_len(v), 2);
        OK(json_get_map(j, &p, "m", true, &v, &err), &err);
        _cleanup_free_ char *joined = strv_join(v, "|");
        assert_string_equal(joined, "z=1|a=x=y|n="); /* document order */
        FAILS(json_get_map(j, &p, "mb", true, &v, &err), &err, ERR_INVALID);
        assert_string_equal(err.msg, "doc: mb.k: expected a string");
        FAILS(json_get_map(j, &p, "eq", true, &v, &err), &err, ERR_INVALID);
        OK(json_get_strv(j, &p, "e", true, &v, &err), &err);
        assert_int_equal(strv_len(v), 0);
        OK(json_get_object(j, &p, "m", true, &o, &err), &err);
        assert_true(json_is_object(o));
        FAILS(json_get_array(j, &p, "m", true, &o, &err), &err, ERR_INVALID);
        OK(json_get_array(j, &p, "missing", false, &o, &err), &err);
        assert_null(o);
        FAILS(json_get_array(j, &p, "missing", true, &o, &err), &err, ERR_INVALID);
}

static void test_writers(void **state)
{
        _cleanup_json_ json_t *o = json_object();
        char *v[] = { (char *)"b=2", (char *)"a", (char *)"c=x=y", NULL };
        json_set_string(o, "no", NULL);
        json_set_string(o, "none", "");
        json_set_string(o, "bytes", "a\xff\xc3\xbc\xe2\x82");
        json_set_strv(o, "v", v);
        json_set_map(o, "m", v);
        json_set_strv(o, "e", NULL);
        json_set_map(o, "e", v + 3);
        json_object_set_new(o, "d", json_real(0.1));
        _cleanup_free_ char *text = json_text(o), *null = json_text(NULL),
                            *pretty = json_text_indented(json_object_get(o, "v"));
        assert_string_equal(
                text, "{\"bytes\":\"a\xef\xbf\xbd\xc3\xbc\xef\xbf\xbd\xef\xbf\xbd\",\"v\":[\"b=2\",\"a\",\"c=x=y\"],"
                      "\"m\":{\"b\":\"2\",\"a\":\"\",\"c\":\"x=y\"},\"d\":0.1}");
        assert_string_equal(null, "null");
        assert_string_equal(pretty, "[\n    \"b=2\",\n    \"a\",\n    \"c=x=y\"\n]");
}

static void test_file(void **state)
{
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path);
        OK(file_write_at(dir, "f", "{\"a\":1}", 7, 0600, false, &err), &err);
        _cleanup_json_ json_t *j = json_read_file_at(dir, "f", 7, &err);
        assert_non_null(j);
        assert_null(json_read_file_at(dir, "f", 6, &err));
        assert_int_equal(err.kind, ERR_TOO_LARGE);
        OK(file_write_at(dir, "f", "", 0, 0600, false, &err), &err);
        assert_null(json_read_file_at(dir, "f", 6, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        scratch_done(path, dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),      cmocka_unit_test(test_scalars), cmocka_unit_test(test_huge_integers),
                cmocka_unit_test(test_containers), cmocka_unit_test(test_writers), cmocka_unit_test(test_paths),
                cmocka_unit_test(test_file),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
