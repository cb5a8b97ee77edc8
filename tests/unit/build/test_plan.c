/* Stages, their bases and what the target needs. A plan is printed one stage a line: [*]NAME<-BASE(kind)/count; * is
 * needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/str.h"
#include "build/args-internal.h"
#include "build/plan-internal.h"

static char *show(const struct plan *p)
{
        struct buf b = BUF_INIT(1 << 20);
        struct err err = ERR_INIT;
        for (size_t i = 0; i < p->count; i++) {
                const struct plan_stage *s = &p->stages[i];
                buf_addf(&b, &err, "%s%s%s<-%s", i ? " " : "", s->needed ? "*" : "", s->name ? s->name : "-", s->base);
                if (s->platform)
                        buf_addf(&b, &err, "[%s]", s->platform);
                if (s->base_stage != STAGE_NONE)
                        buf_addf(&b, &err, "(%d)", s->base_stage);
                buf_addf(&b, &err, "%s/%zu", s->scratch ? "(scratch)" : "", s->count);
        }
        buf_addf(&b, &err, " steps %u", p->steps);
        return buf_take(&b);
}

struct row {
        const char *text, *target, *want;
};

static void test_plans(void **state)
{
        static const struct row rows[] = {
                { "FROM a\nRUN b", NULL, "*-<-a/1 steps 2" },
                { "FROM scratch", NULL, "*-<-scratch(scratch)/0 steps 1" },
                { "FROM a AS X\nRUN b\nFROM x\nRUN c", NULL, "*x<-a/1 *-<-x(0)/1 steps 4" },
                { "FROM a AS x\nRUN b\nFROM c\nRUN d", NULL, "x<-a/1 *-<-c/1 steps 2" },
                { "FROM a AS x\nFROM b AS y\nFROM c\nCOPY --from=x p q", NULL, "*x<-a/0 y<-b/0 *-<-c/1 steps 3" },
                { "FROM a AS x\nFROM b AS y\nCOPY --from=0 p q\nFROM c\nCOPY --from=1 p q", NULL,
                  "*x<-a/0 *y<-b/1 *-<-c/1 steps 5" },
                { "FROM a AS x\nFROM b\nRUN --mount=type=bind,from=X,target=/m c", NULL, "*x<-a/0 *-<-b/1 steps 3" },
                { "FROM a AS x\nFROM b\nFROM x", "0", "*x<-a/0 -<-b/0 -<-x(0)/0 steps 1" },
                { "FROM a AS x\nRUN y\nFROM x AS z\nFROM b", "Z", "*x<-a/1 *z<-x(0)/0 -<-b/0 steps 3" },
                { "FROM x\nFROM a AS x", NULL, "-<-x/0 *x<-a/0 steps 1" },
                { "FROM a AS x\nFROM x AS x\nFROM x", NULL, "*x<-a/0 *x<-x(0)/0 *-<-x(1)/0 steps 3" },
                { "FROM a AS scratchy\nFROM 0", NULL, "scratchy<-a/0 *-<-0/0 steps 1" },
                { "FROM a\nCOPY --from=other/image p q", NULL, "*-<-a/1 steps 2" },
                { "ARG V=1\nARG N=a$V\nFROM $N:${V}", NULL, "*-<-a1:1/0 steps 3" },
                { "ARG GIVEN=no\nFROM a:$GIVEN", NULL, "*-<-a:yes/0 steps 2" },
                { "FROM --platform=$BUILDPLATFORM a", NULL, "*-<-a[linux/arm64]/0 steps 1" },
                { "ARG P\nFROM --platform=$P a:$TARGETARCH", NULL, "*-<-a:amd64/0 steps 2" },
        };
        char *given[] = { (char *)"GIVEN=yes", NULL };
        _cleanup_platform_ struct platform target = { .os = xstrdup("linux"), .architecture = xstrdup("amd64") };
        _cleanup_platform_ struct platform host = { .os = xstrdup("linux"), .architecture = xstrdup("arm64") };
        _cleanup_strv_ char **platforms = arg_platforms(&target, &host);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct err err = ERR_INIT;
                _cleanup_dockerfile_ struct dockerfile d = { 0 };
                _cleanup_(plan_done) struct plan p = { 0 };
                const struct plan_request r = {
                        .name = "Dockerfile", .build_args = given, .platforms = platforms, .target = rows[i].target
                };
                assert_int_equal(dockerfile_parse(rows[i].text, strlen(rows[i].text), "Dockerfile", &d, &err), 0);
                if (plan_make(&d, &r, &p, &err) < 0)
                        fail_msg("%s: %s", rows[i].text, err.msg);
                _cleanup_free_ char *got = show(&p);
                if (!str_eq(got, rows[i].want))
                        fail_msg("%s\n--- got\n%s\n--- want\n%s", rows[i].text, got, rows[i].want);
        }
}

static void test_errors(void **state)
{
        static const struct row rows[] = {
                { "RUN a\nFROM b", NULL, "Dockerfile:1: no build stage in current context" },
                { "ARG A\nENV a=b\nFROM b", NULL, "Dockerfile:2: no build stage in current context" },
                { "ARG A", NULL, "Dockerfile:1: no build stage in the file: it needs a FROM" },
                { "FROM a\nFROM $NOTHING", NULL, "Dockerfile:2: base name ($NOTHING) should not be blank" },
                { "FROM ${x", NULL, "Dockerfile:1: syntax error: missing '}'" },
                { "FROM a AS 1x", NULL,
                  "Dockerfile:1: invalid name for build stage: \"1x\", name can't start with a number or contain "
                  "symbols" },
                { "FROM a AS x/y", NULL,
                  "Dockerfile:1: invalid name for build stage: \"x/y\", name can't start with a number or contain "
                  "symbols" },
                { "FROM a AS Scratch", NULL,
                  "Dockerfile:1: invalid name for build stage: \"Scratch\", name can't start with a number or contain "
                  "symbols" },
                { "FROM a", "b", "Dockerfile:1: target stage \"b\" could not be found" },
                { "FROM a", "1", "Dockerfile:1: target stage \"1\" could not be found" },
                { "ARG =x\nFROM a", NULL, "Dockerfile:1: ARG names can not be blank" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct err err = ERR_INIT;
                _cleanup_dockerfile_ struct dockerfile d = { 0 };
                _cleanup_(plan_done) struct plan p = { 0 };
                const struct plan_request r = { .name = "Dockerfile", .target = rows[i].target };
                assert_int_equal(dockerfile_parse(rows[i].text, strlen(rows[i].text), "Dockerfile", &d, &err), 0);
                assert_int_equal(plan_make(&d, &r, &p, &err), -1);
                assert_string_equal(err.msg, rows[i].want);
        }
}

static void test_mount_option(void **state)
{
        _cleanup_free_ char *from = mount_option("type=bind,from=x,target=/a", "from");
        assert_string_equal(from, "x");
        assert_null(mount_option("type=bind,fromm=x", "from"));
        assert_null(mount_option("from", "from"));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_plans), cmocka_unit_test(test_errors),
                                            cmocka_unit_test(test_mount_option) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
