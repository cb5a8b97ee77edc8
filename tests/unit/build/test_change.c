/* What instructions do to a configuration, and what the history says of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/str.h"
#include "build/build.h"
#include "build/gotext-internal.h"
#include "build/handlers-internal.h"

struct row {
        const char *lines, *json, *comment;
};

/* Applies the lines one after another to an empty configuration, as a stage does. */
static int apply(const char *lines, struct image_exec *exec, char **ret_comment, struct err *err)
{
        _cleanup_dockerfile_ struct dockerfile d = { 0 };
        _cleanup_(arg_scope_done) struct arg_scope args = { 0 };
        bool cmd_set = false;
        char *author = NULL;
        int r = dockerfile_parse(lines, strlen(lines), "D", &d, err);
        for (size_t i = 0; r == 0 && i < d.count; i++) {
                _cleanup_strv_ char **env = arg_environment(&args, exec->env);
                struct change c = { .exec = exec,
                                    .author = &author,
                                    .cmd_set = &cmd_set,
                                    .args = &args,
                                    .escape = d.escape,
                                    .env = env };
                r = change_handler(d.list[i].kind)(&c, &d.list[i], err);
                free(*ret_comment);
                *ret_comment = c.comment;
        }
        free(author);
        return r;
}

static void test_configurations(void **state)
{
        static const struct row rows[] = {
                { "ENV a=b c='d e' f=$a", "{\"Env\":[\"a=b\",\"c=d e\",\"f=\"]}", "ENV a=b c=d e f=" },
                { "ENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc",
                  "{\"Env\":[\"abc=bye\",\"def=hello\",\"ghi=bye\"]}", "ENV ghi=bye" },
                { "ENV k a  b \"c\"", "{\"Env\":[\"k=a  b c\"]}", "ENV k=a  b c" },
                { "ARG V=1\nENV W=$V", "{\"Env\":[\"W=1\"]}", "ENV W=1" },
                { "ARG V=1\nENV V=2\nENV W=$V", "{\"Env\":[\"V=2\",\"W=2\"]}", "ENV W=2" },
                { "ENV V=2\nARG V=1\nENV W=$V", "{\"Env\":[\"V=2\",\"W=2\"]}", "ENV W=2" },
                { "ARG A=1 B\nARG A=$A$A", "{}", "ARG A=11" },
                { "LABEL a=b \"c d\"=\"e f\"", "{\"Labels\":{\"a\":\"b\",\"c d\":\"e f\"}}", "LABEL a=b c d=e f" },
                { "LABEL a=1\nLABEL a=2", "{\"Labels\":{\"a\":\"2\"}}", "LABEL a=2" },
                { "WORKDIR a\nWORKDIR b/../c", "{\"WorkingDir\":\"/a/c\"}", "WORKDIR /a/c" },
                { "WORKDIR /a\nWORKDIR ../..", "{\"WorkingDir\":\"/\"}", "WORKDIR /" },
                { "ENV D=/x\nWORKDIR $D/y", "{\"Env\":[\"D=/x\"],\"WorkingDir\":\"/x/y\"}", "WORKDIR /x/y" },
                { "USER a:b", "{\"User\":\"a:b\"}", "USER a:b" },
                { "CMD a b", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"a b\"]}", "CMD [\"/bin/sh\" \"-c\" \"a b\"]" },
                { "CMD [\"a\", \"b\\n\"]", "{\"Cmd\":[\"a\",\"b\\n\"]}", "CMD [\"a\" \"b\\n\"]" },
                { "SHELL [\"/bin/bash\", \"-ec\"]\nCMD a",
                  "{\"Cmd\":[\"/bin/bash\",\"-ec\",\"a\"],\"Shell\":[\"/bin/bash\",\"-ec\"]}",
                  "CMD [\"/bin/bash\" \"-ec\" \"a\"]" },
                { "SHELL [\"a\", \"-c\"]", "{\"Shell\":[\"a\",\"-c\"]}", "SHELL [a -c]" },
                { "CMD [\"a\"]\nENTRYPOINT [\"b\"]", "{\"Cmd\":[\"a\"],\"Entrypoint\":[\"b\"]}", "ENTRYPOINT [\"b\"]" },
                { "EXPOSE 80 443/udp 8000-8002/TCP",
                  "{\"ExposedPorts\":{\"443/udp\":{},\"80/tcp\":{},\"8000/tcp\":{},\"8001/tcp\":{},\"8002/tcp\":{}}}",
                  "EXPOSE 80 443/udp 8000-8002/TCP" },
                { "ENV P='1 2'\nEXPOSE $P 1", "{\"Env\":[\"P=1 2\"],\"ExposedPorts\":{\"1/tcp\":{},\"2/tcp\":{}}}",
                  "EXPOSE 1 2 1" },
                { "VOLUME /b /a", "{\"Volumes\":{\"/a\":{},\"/b\":{}}}", "VOLUME [/b /a]" },
                { "VOLUME [\"/a b\"]", "{\"Volumes\":{\"/a b\":{}}}", "VOLUME [/a b]" },
                { "STOPSIGNAL SIGTERM", "{\"StopSignal\":\"SIGTERM\"}", "STOPSIGNAL SIGTERM" },
                { "STOPSIGNAL RTMIN+3", "{\"StopSignal\":\"RTMIN+3\"}", "STOPSIGNAL RTMIN+3" },
                { "STOPSIGNAL 9", "{\"StopSignal\":\"9\"}", "STOPSIGNAL 9" },
                { "HEALTHCHECK NONE", "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}",
                  "HEALTHCHECK &{[\"NONE\"] \"0s\" \"0s\" \"0s\" \"0s\" '\\x00'}" },
                { "HEALTHCHECK --interval=1m30s --timeout=5s --retries=3 --start-period=2s --start-interval=500ms CMD "
                  "x y",
                  "{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"x "
                  "y\"],\"Interval\":90000000000,\"Timeout\":5000000000,\"StartPeriod\":2000000000,"
                  "\"StartInterval\":500000000,\"Retries\":3}}",
                  "HEALTHCHECK &{[\"CMD-SHELL\" \"x y\"] \"1m30s\" \"5s\" \"2s\" \"500ms\" '\\x03'}" },
                { "HEALTHCHECK CMD [\"x\"]", "{\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"]}}",
                  "HEALTHCHECK &{[\"CMD\" \"x\"] \"0s\" \"0s\" \"0s\" \"0s\" '\\x00'}" },
                { "ONBUILD RUN a $b", "{\"OnBuild\":[\"RUN a $b\"]}", "ONBUILD RUN a $b" },
                { "MAINTAINER a b", "{}", "MAINTAINER a b" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct err err = ERR_INIT;
                _cleanup_(image_exec_done) struct image_exec exec = { 0 };
                _cleanup_free_ char *comment = NULL;
                image_exec_init(&exec);
                if (apply(rows[i].lines, &exec, &comment, &err) < 0)
                        fail_msg("%s: %s", rows[i].lines, err.msg);
                _cleanup_json_ json_t *got = image_exec_to_json(&exec);
                _cleanup_json_ json_t *want = json_parse(rows[i].json, strlen(rows[i].json), 65536, "want", &err);
                _cleanup_free_ char *text = json_text(got);
                if (!json_equal(got, want))
                        fail_msg("%s: got %s, want %s", rows[i].lines, text, rows[i].json);
                assert_string_equal(comment, rows[i].comment);
        }
}

static void test_errors(void **state)
{
        static const struct {
                const char *line, *part;
        } rows[] = {
                { "EXPOSE x", "invalid containerPort: x" },
                { "EXPOSE 70000", "invalid containerPort" },
                { "EXPOSE 9-8", "invalid range" },
                { "EXPOSE 8080:80", "invalid containerPort" },
                { "EXPOSE 80/icmp", "invalid proto: icmp" },
                { "STOPSIGNAL NOPE", "invalid signal" },
                { "STOPSIGNAL 65", "invalid signal" },
                { "STOPSIGNAL SIGRTMIN+31", "invalid signal" },
                { "HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD" },
                { "HEALTHCHECK x y", "Unknown type \"x\"" },
                { "HEALTHCHECK NONE x", "takes no arguments" },
                { "HEALTHCHECK --interval=5 CMD x", "missing unit" },
                { "HEALTHCHECK --interval=1us CMD x", "less than 1ms" },
                { "HEALTHCHECK --retries=-1 CMD x", "negative" },
                { "ENV $x=b", "can not be blank" },
                { "WORKDIR $x", "cannot normalize nothing" },
                { "VOLUME [\"\"]", "empty string" },
                { "ENV a=${b", "missing '}'" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct err err = ERR_INIT;
                _cleanup_(image_exec_done) struct image_exec exec = { 0 };
                _cleanup_free_ char *comment = NULL;
                image_exec_init(&exec);
                assert_int_equal(apply(rows[i].line, &exec, &comment, &err), -1);
                if (!strstr(err.msg, rows[i].part))
                        fail_msg("%s: %s", rows[i].line, err.msg);
        }
}

/* commit --change: the entrypoint does not reset a CMD there, and what changes files is refused. */
static void test_commit_change(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_(image_exec_done) struct image_exec exec = { 0 };
        image_exec_init(&exec);
        assert_int_equal(build_apply_change("CMD [\"a\"]", &exec, &err), 0);
        assert_int_equal(build_apply_change("ENTRYPOINT [\"b\"]", &exec, &err), 0);
        assert_string_equal(exec.cmd[0], "a");
        assert_int_equal(build_apply_change("ENV a=b", &exec, &err), 0);
        assert_int_equal(build_apply_change("env c=${a}x", &exec, &err), 0);
        assert_string_equal(exec.env[1], "c=bx");
        static const char *const refused[] = { "RUN x", "COPY a b",      "ADD a b",     "FROM a",
                                               "ARG a", "SHELL [\"a\"]", "MAINTAINER a" };
        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                assert_int_equal(build_apply_change(refused[i], &exec, &err), -1);
                assert_non_null(strstr(err.msg, "is not a valid change command"));
        }
        assert_int_equal(build_apply_change("ENV a=b\nENV c=d", &exec, &err), -1);
        assert_int_equal(build_apply_change("EXPOSE nope", &exec, &err), -1);
        assert_null(exec.exposed_ports);
}

/* Values that a RUN step sees, and which of them count for the cache. */
static void test_args(void **state)
{
        char *given[] = { (char *)"A=given", (char *)"HTTP_PROXY=p", (char *)"UNUSED=x", NULL };
        char *global[] = { (char *)"G=global", NULL }, *env[] = { (char *)"E=env", NULL };
        char **used = NULL;
        _cleanup_(arg_scope_done) struct arg_scope s = { .given = given, .global = global, .used = &used };
        arg_declare(&s, "A", "default");
        arg_declare(&s, "G", NULL);
        arg_declare(&s, "E", "hidden");
        arg_declare(&s, "NOTHING", NULL);
        _cleanup_strv_ char **run = arg_run_environment(&s, env);
        _cleanup_strv_ char **proxies = arg_proxies(&s, env);
        _cleanup_strv_ char **all = arg_environment(&s, env);
        _cleanup_free_ char *joined = strv_join(run, " ");
        assert_string_equal(joined, "A=given G=global");
        assert_string_equal(strv_env_get(all, "E"), "env");
        assert_int_equal(strv_len(proxies), 1);
        assert_string_equal(proxies[0], "HTTP_PROXY=p");
        assert_false(strv_has(used, "UNUSED"));
        strv_free(used);
}

static void test_gotext(void **state)
{
        _cleanup_free_ char *q = go_quote("a\"b\\\t\x01\xc3\xa9"), *bad = go_quote("\xff");
        assert_string_equal(q, "\"a\\\"b\\\\\\t\\x01\xc3\xa9\"");
        assert_string_equal(bad, "\"\\xff\"");
        static const struct {
                long long ns;
                const char *want;
        } rows[] = {
                { 0, "0s" },        { 1500000000, "1.5s" }, { 3661000000000, "1h1m1s" }, { 60000000000, "1m0s" },
                { 2000000, "2ms" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *got = go_duration(rows[i].ns);
                assert_string_equal(got, rows[i].want);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_configurations), cmocka_unit_test(test_errors),
                                            cmocka_unit_test(test_commit_change), cmocka_unit_test(test_args),
                                            cmocka_unit_test(test_gotext) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
