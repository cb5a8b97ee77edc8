/* config-linux.md "Seccomp" and the capability sets of config.md, by what happens to a system call inside. */
#include <errno.h>
#include "base/str.h"
#include "harness.h"
#include "runtime/seccomp-internal.h"

/* Everything is allowed but one call: getpriority, which nothing else here makes. */
#define CALL "getpriority"
#define PROBE "probe call 140 "

static struct oci_seccomp_rule *one_rule(struct box *b, const char *action)
{
        seccomp_free(b->spec.seccomp);
        b->spec.seccomp = xcalloc(1, sizeof(*b->spec.seccomp));
        b->spec.seccomp->default_action = xstrdup("SCMP_ACT_ALLOW");
        return seccomp_add_rule(b->spec.seccomp, strv_split(CALL, " ", false), action);
}

static void actions(void **state)
{
        static const struct {
                const char *action;
                int number; /* errnoRet; -1: none */
                int status;
                const char *output;
        } rows[] = {
                { "SCMP_ACT_ALLOW", -1, 0, "result 20\n" },  { "SCMP_ACT_LOG", -1, 0, "result 20\n" },
                { "SCMP_ACT_ERRNO", -1, 0, "errno 1\n" },    { "SCMP_ACT_ERRNO", 52, 0, "errno 52\n" },
                { "SCMP_ACT_TRACE", -1, 0, "errno 38\n" }, /* nobody traces */
                { "SCMP_ACT_KILL", -1, 128 + 31, "" },       { "SCMP_ACT_KILL_THREAD", -1, 128 + 31, "" },
                { "SCMP_ACT_KILL_PROCESS", -1, 128 + 31, "" }, { "SCMP_ACT_TRAP", -1, 128 + 31, "" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_box_ struct box b;
                box_init(&b, "sh -c '" PROBE "0 0; exit $?' 2>/dev/null; exit $?");
                struct oci_seccomp_rule *rule = one_rule(&b, rows[i].action);
                rule->has_errno = rows[i].number >= 0;
                rule->errno_ret = rule->has_errno ? (uint32_t)rows[i].number : 0;
                box_expect(&b, rows[i].status);
                assert_string_equal(b.output, rows[i].output);
        }
}

static void operators(void **state)
{
        static const struct {
                const char *op;
                uint64_t value, two;
                const char *answers; /* for the arguments 4, 5, 6: refused or not */
        } rows[] = {
                { "SCMP_CMP_EQ", 5, 0, "-x-" }, { "SCMP_CMP_NE", 5, 0, "x-x" }, { "SCMP_CMP_LT", 5, 0, "x--" },
                { "SCMP_CMP_LE", 5, 0, "xx-" }, { "SCMP_CMP_GT", 5, 0, "--x" }, { "SCMP_CMP_GE", 5, 0, "-xx" },
                { "SCMP_CMP_MASKED_EQ", 6, 4, "xx-" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_box_ struct box b;
                box_init(&b, "for i in 4 5 6; do " PROBE "0 $i; done");
                struct oci_seccomp_rule *rule = one_rule(&b, "SCMP_ACT_ERRNO");
                rule->has_errno = true;
                rule->errno_ret = 77;
                seccomp_add_arg(rule, 1, rows[i].value, rows[i].two, rows[i].op);
                box_expect(&b, 0);
                char answers[4] = "---";
                _cleanup_strv_ char **lines = strv_split(b.output, "\n", false);
                assert_int_equal(strv_len(lines), 3);
                for (size_t k = 0; k < 3; k++)
                        if (str_eq(lines[k], "errno 77"))
                                answers[k] = 'x';
                assert_string_equal(answers, rows[i].answers);
        }
}

static void flags_and_architectures(void **state)
{
        static const char *const flags[] = { "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
                                             "SECCOMP_FILTER_FLAG_SPEC_ALLOW" };
        _cleanup_box_ struct box b;
        box_init(&b, PROBE "0 0; grep Seccomp /proc/self/status");
        one_rule(&b, "SCMP_ACT_ERRNO");
        for (size_t i = 0; i < ELEMENTS(flags); i++)
                strv_push(&b.spec.seccomp->flags, flags[i]);
        strv_push(&b.spec.seccomp->architectures, "SCMP_ARCH_LOONGARCH64"); /* never runs here */
        box_expect(&b, 0);
        box_has(&b, "errno 1\n");
        box_has(&b, "Seccomp:\t2");
#ifdef __x86_64__
        /* A call through the other gate: refused unless its architecture is listed. getpid(2) is what the probe makes. */
        for (int listed = 0; listed < 2; listed++) {
                _cleanup_box_ struct box c;
                box_init(&c, "sh -c 'probe arch32; exit $?' 2>/dev/null; exit $?");
                one_rule(&c, "SCMP_ACT_ERRNO");
                if (listed)
                        strv_push(&c.spec.seccomp->architectures, "SCMP_ARCH_X86");
                struct err err = ERR_INIT;
                assert_int_equal(box_run(&c, &err), 0);
                bool went = strstr(c.output, "gate ") && !strstr(c.output, "gate -");
                assert_true(listed || !went); /* where the kernel has that gate at all, it goes when listed */
        }
#endif
}

static void wrong_profiles(void **state)
{
        static const struct {
                const char *action, *default_action, *flag, *architecture, *call;
                bool number;
                const char *words;
        } rows[] = {
                { "SCMP_ACT_ALLOW", NULL, NULL, NULL, NULL, true, "takes none" },
                { "SCMP_ACT_KILL", NULL, NULL, NULL, NULL, true, "takes none" },
                { "SCMP_ACT_NONSENSE", NULL, NULL, NULL, NULL, false, "unknown action" },
                { "SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY", NULL, NULL, NULL, false, "defaultAction" },
                { "SCMP_ACT_ERRNO", NULL, "SECCOMP_FILTER_FLAG_X", NULL, NULL, false, "unknown seccomp flag" },
                { "SCMP_ACT_ERRNO", NULL, NULL, "SCMP_ARCH_PDP11", NULL, false, "unknown architecture" },
                { "SCMP_ACT_NOTIFY", NULL, NULL, NULL, "sendmsg", false, "SCMP_ACT_NOTIFY of sendmsg" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_box_ struct box b;
                box_init(&b, "true");
                struct oci_seccomp_rule *rule = one_rule(&b, rows[i].action);
                rule->has_errno = rows[i].number;
                if (rows[i].call)
                        str_replace(&rule->names[0], rows[i].call);
                if (rows[i].default_action)
                        str_replace(&b.spec.seccomp->default_action, rows[i].default_action);
                if (rows[i].flag)
                        strv_push(&b.spec.seccomp->flags, rows[i].flag);
                if (rows[i].architecture)
                        strv_push(&b.spec.seccomp->architectures, rows[i].architecture);
                box_refused(&b, ERR_INVALID, rows[i].words);
        }
        _cleanup_box_ struct box b; /* an agent that is not there, or not named */
        struct err err = ERR_INIT;
        box_init(&b, "true");
        one_rule(&b, "SCMP_ACT_NOTIFY");
        box_refused(&b, ERR_INVALID, "linux.seccomp.listenerPath");
        _cleanup_box_ struct box c;
        box_init(&c, "true");
        one_rule(&c, "SCMP_ACT_NOTIFY");
        str_replace(&c.spec.seccomp->listener_path, "/nonesuch/agent");
        assert_int_equal(box_run(&c, &err), -1);
        assert_non_null(strstr(err.msg, "seccomp agent /nonesuch/agent"));
}

static void five_sets(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "grep -E 'Cap|NoNew' /proc/self/status");
        struct oci_process *p = &b.spec.process;
        capabilities_apply(0, p);
        p->caps = (struct oci_caps){ .bounding = strv_split("CAP_CHOWN CAP_KILL CAP_SETUID CAP_NET_RAW", " ", false),
                                     .permitted = strv_split("CAP_CHOWN CAP_KILL CAP_NET_RAW", " ", false),
                                     .effective = strv_split("CAP_CHOWN CAP_KILL", " ", false),
                                     .inheritable = strv_split("CAP_KILL CAP_NET_RAW CAP_SETUID", " ", false),
                                     .ambient = strv_split("CAP_NET_RAW CAP_FROM_THE_FUTURE", " ", false) };
        p->uid = 1000;
        p->no_new_privileges = true;
        box_expect(&b, 0);
        box_has(&b, "CapInh:\t00000000000020a0"); /* kill, setuid, net_raw */
        box_has(&b, "CapPrm:\t0000000000002000"); /* after an exec without file capabilities: what is ambient */
        box_has(&b, "CapEff:\t0000000000002000");
        box_has(&b, "CapBnd:\t00000000000020a1");
        box_has(&b, "CapAmb:\t0000000000002000");
        box_has(&b, "NoNewPrivs:\t1");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(actions),        cmocka_unit_test(operators), cmocka_unit_test(flags_and_architectures),
                cmocka_unit_test(wrong_profiles), cmocka_unit_test(five_sets),
        };
        return harness_main(tests, ELEMENTS(tests));
}
