/* The command line: words to options, and what verbs make of the texts they are given. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>
#include "ociruntime/program-internal.h"

#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })

static int parse_words(const char *verb, char **words, struct verb_options *o, bool *help, char ***ret_args, struct err *err)
{
        const struct verb *v = verb_find(verb);
        assert_non_null(v);
        return options_parse(v->options, v->stop_at_args, (int)strv_len(words), words, o, help, ret_args, err);
}

static void forms_of_go(void **state)
{
        static char *const spellings[][3] = { { (char *)"-b", (char *)"/x" }, { (char *)"--b", (char *)"/x" }, { (char *)"-bundle=/x" },
                                              { (char *)"--bundle=/x" }, { (char *)"--bundle", (char *)"/x" }, { (char *)"-bundle", (char *)"/x" } };
        for (size_t i = 0; i < ELEMENTS(spellings); i++) {
                struct verb_options o = { 0 };
                struct err err = ERR_INIT;
                bool help = false;
                _cleanup_free_ char **args = NULL;
                _cleanup_free_ char **words = NULL;
                words = xcalloc(4, sizeof(char *));
                size_t n = 0;
                while (n < 2 && spellings[i][n]) {
                        words[n] = spellings[i][n];
                        n++;
                }
                words[n] = (char *)"id";
                assert_int_equal(parse_words("create", words, &o, &help, &args, &err), 0);
                assert_string_equal(o.bundle, "/x");
                assert_string_equal(args[0], "id");
                assert_null(args[1]);
                assert_false(help);
                options_done(verb_find("create")->options, &o);
                assert_null(o.bundle);
        }
}

static void flags_numbers_lists(void **state)
{
        struct verb_options o = { 0 };
        struct err err = ERR_INIT;
        bool help = false;
        _cleanup_free_ char **args = NULL;
        char **words = WORDS((char *)"-t", (char *)"--detach=false", (char *)"-e", (char *)"A=1", (char *)"--env=B=2", (char *)"--preserve-fds", (char *)"7",
                             (char *)"id", (char *)"ls", (char *)"-t", (char *)"--", (char *)"--cwd");
        assert_int_equal(parse_words("exec", words, &o, &help, &args, &err), 0);
        assert_true(o.tty && !o.detach && o.preserve_fds == 7);
        assert_true(strv_len(o.env) == 2 && str_eq(o.env[0], "A=1") && str_eq(o.env[1], "B=2"));
        assert_int_equal(strv_len(args), 5); /* what follows the container is the command's */
        assert_string_equal(args[4], "--cwd");
        options_done(verb_find("exec")->options, &o);
}

static void after_two_dashes(void **state)
{
        struct verb_options o = { 0 };
        struct err err = ERR_INIT;
        bool help = false;
        _cleanup_free_ char **args = NULL;
        assert_int_equal(parse_words("kill", WORDS((char *)"--all", (char *)"--", (char *)"-x", (char *)"-9"), &o, &help, &args, &err), 0);
        assert_true(o.all && str_eq(args[0], "-x") && str_eq(args[1], "-9"));
        free(TAKE_PTR(args));
        assert_int_equal(parse_words("kill", WORDS((char *)"-", (char *)"-h"), &o, &help, &args, &err), 0);
        assert_true(help && str_eq(args[0], "-"));
}

static void refused_words(void **state)
{
        static const struct {
                const char *verb, *words[2], *says;
        } rows[] = { { "create", { "--nosuch" }, "flag provided but not defined: -nosuch" }, { "create", { "-b" }, "flag needs an argument: -bundle" },
                     { "create", { "--preserve-fds", "x" }, "preserve-fds" }, { "create", { "--preserve-fds=" }, "preserve-fds" },
                     { "create", { "--no-pivot=maybe" }, "no-pivot" }, { "create", { "-=x" }, "flag provided but not defined" },
                     { "create", { "--preserve-fds", "99999999999999999999" }, "preserve-fds" }, { "state", { "-b" }, "not defined: -b" } };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct verb_options o = { 0 };
                struct err err = ERR_INIT;
                bool help = false;
                char **args = NULL, *words[] = { (char *)rows[i].words[0], (char *)rows[i].words[1], NULL };
                assert_int_equal(parse_words(rows[i].verb, words, &o, &help, &args, &err), -1);
                if (!strstr(err.msg, rows[i].says))
                        fail_msg("%s: %s", rows[i].words[0], err.msg);
                options_done(verb_find(rows[i].verb)->options, &o);
        }
}

/* Each verb: its words in help are those it takes, and no two rows share a name. */
static void tables_are_sound(void **state)
{
        for (const struct verb *v = verbs; v->name; v++) {
                assert_ptr_equal(verb_find(v->name), v);
                assert_true(v->run && v->summary && *v->summary && (v->max_args < 0 || v->max_args >= v->min_args));
                for (const struct option_row *r = v->options; r && r->name; r++)
                        for (const struct option_row *other = r + 1; other->name; other++)
                                if (str_eq(r->name, other->name) || (r->letter && r->letter == other->letter))
                                        fail_msg("%s: %s and %s", v->name, r->name, other->name);
        }
        assert_null(verb_find("nosuch"));
}

static void counts_of_arguments(void **state)
{
        struct err err = ERR_INIT;
        assert_int_equal(verb_check_args(verb_find("kill"), WORDS((char *)"a", (char *)"9"), &err), 0);
        assert_int_equal(verb_check_args(verb_find("kill"), WORDS((char *)"a", (char *)"9", (char *)"b"), &err), -1);
        assert_non_null(strstr(err.msg, "\"kill\" requires a maximum of 2 argument(s)"));
        err_clear(&err);
        assert_int_equal(verb_check_args(verb_find("start"), (char *[]){ NULL }, &err), -1);
        assert_non_null(strstr(err.msg, "\"start\" requires exactly 1 argument(s)"));
        err_clear(&err);
        assert_int_equal(verb_check_args(verb_find("exec"), (char *[]){ NULL }, &err), -1);
        assert_non_null(strstr(err.msg, "\"exec\" requires a minimum of 1 argument(s)"));
}

static void signals(void **state)
{
        static const struct {
                const char *text;
                int number;
        } good[] = { { "KILL", SIGKILL }, { "SIGKILL", SIGKILL }, { "9", 9 }, { "term", SIGTERM }, { "SIGUSR1", SIGUSR1 }, { "64", 64 }, { "0", 0 } };
        static const char *const bad[] = { "", "65", "-9", "9x", "NOSUCH", "SIG", "4294967305", "SIGSIGKILL", " 9" };
        for (size_t i = 0; i < ELEMENTS(good); i++) {
                struct err err = ERR_INIT;
                int n = -1;
                if (signal_parse(good[i].text, &n, &err) < 0)
                        fail_msg("%s", err.msg);
                assert_int_equal(n, good[i].number);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct err err = ERR_INIT;
                int n = -7;
                if (signal_parse(bad[i], &n, &err) == 0)
                        fail_msg("\"%s\" was taken as %d", bad[i], n);
                assert_int_equal(n, -7);
                assert_non_null(strstr(err.msg, "unknown signal"));
        }
}

static void sub_cgroups(void **state)
{
        struct err err = ERR_INIT;
        char **list = NULL;
        assert_int_equal(sub_cgroups_parse(NULL, &list, &err), 0);
        assert_null(list);
        assert_int_equal(sub_cgroups_parse(WORDS((char *)"a/b"), &list, &err), 0);
        assert_true(strv_len(list) == 1 && str_eq(list[0], "=a/b"));
        strv_free(TAKE_PTR(list));
        assert_int_equal(sub_cgroups_parse(WORDS((char *)"cpu,cpuacct:x", (char *)"name=systemd:y"), &list, &err), 0);
        assert_true(strv_len(list) == 3 && str_eq(list[0], "cpu=x") && str_eq(list[1], "cpuacct=x") && str_eq(list[2], "name=systemd=y"));
        strv_free(TAKE_PTR(list));
        static char *const bad[][3] = { { (char *)"a:b:c" }, { (char *)":a" }, { (char *)"a,:b" }, { (char *)"a", (char *)"b" },
                                        { (char *)"cpu:a", (char *)"b" }, { (char *)"cpu:a", (char *)"cpu:a" }, { (char *)"cpu,cpu:a" } };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                err_clear(&err);
                if (sub_cgroups_parse(bad[i], &list, &err) == 0)
                        fail_msg("%s was taken", bad[i][0]);
                assert_null(list);
        }
}

static void resources(void **state)
{
        struct err err = ERR_INIT;
        struct verb_options o = { .memory = (char *)"64m", .memory_swap = (char *)"-1", .cpu_quota = (char *)"-1", .cpu_period = (char *)"50000",
                                  .pids_limit = (char *)"7", .cpuset_cpus = (char *)"0-1", .blkio_weight = (char *)"10", .cpu_idle = (char *)"1" };
        struct oci_resources r = { 0 };
        assert_int_equal(resources_from_options(&o, &r, &err), 0);
        assert_true(r.has_memory_limit && r.memory_limit == 64 << 20 && r.has_memory_swap && r.memory_swap == -1);
        assert_true(r.has_cpu_quota && r.cpu_quota == -1 && r.has_cpu_period && r.cpu_period == 50000 && r.has_pids_limit && r.pids_limit == 7);
        assert_true(r.has_blkio_weight && r.blkio_weight == 10 && r.has_cpu_idle && r.cpu_idle == 1 && !r.has_cpu_shares && !r.has_memory_reservation);
        assert_string_equal(r.cpuset_cpus, "0-1");
        oci_resources_done(&r);
        static const struct verb_options bad[] = { { .memory = (char *)"-2" },      { .memory = (char *)"x" },          { .memory = (char *)"99999999999999999999" },
                                                   { .cpu_period = (char *)"-1" },  { .blkio_weight = (char *)"9" },    { .blkio_weight = (char *)"1001" },
                                                   { .pids_limit = (char *)"7x" },  { .cpu_share = (char *)"1.5" },     { .blkio_weight = (char *)"65546" },
                                                   { .cpu_idle = (char *)"" },      { .l3_cache_schema = (char *)"x" } };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct oci_resources unused = { 0 };
                err_clear(&err);
                if (resources_from_options(&bad[i], &unused, &err) == 0)
                        fail_msg("row %zu was taken", i);
                oci_resources_done(&unused);
        }
}

static void descriptors(void **state)
{
        struct err err = ERR_INIT;
        struct preserved p = { 9, 9 };
        static const int64_t bad[] = { -1, 1025, INT64_MAX, INT64_MIN, 1000 };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct verb_options o = { .preserve_fds = bad[i] };
                err_clear(&err);
                assert_int_equal(preserved_descriptors(&o, &p, &err), -1);
                assert_true(p.count == 9 && p.listen == 9);
        }
        char us[16];
        snprintf(us, sizeof(us), "%d", (int)getpid());
        setenv("LISTEN_PID", "1", 1); /* meant for another */
        setenv("LISTEN_FDS", "3", 1);
        assert_int_equal(preserved_descriptors(&(struct verb_options){ 0 }, &p, &err), 0);
        assert_true(p.count == 0 && p.listen == 0);
        setenv("LISTEN_PID", us, 1);
        setenv("LISTEN_FDS", "1025", 1);
        assert_int_equal(preserved_descriptors(&(struct verb_options){ 0 }, &p, &err), -1);
        unsetenv("LISTEN_PID");
        unsetenv("LISTEN_FDS");
        struct oci_process process = { 0 };
        listen_environment(&process, &(struct preserved){ .count = 3, .listen = 2 });
        assert_true(strv_has(process.env, "LISTEN_FDS=2") && strv_has(process.env, "LISTEN_PID=1"));
        strv_free(process.env);
}

static void paths_and_terminals(void **state)
{
        struct err err = ERR_INIT;
        char here[4096];
        assert_non_null(getcwd(here, sizeof(here)));
        _cleanup_free_ char *absolute = path_absolute("/a/./b//c"), *relative = path_absolute("x"),
                            *expected = xasprintf("%s%sx", here, here[1] ? "/" : "");
        assert_string_equal(absolute, "/a/b/c");
        assert_string_equal(relative, expected);
        assert_null(path_absolute(NULL));
        assert_int_equal(console_check(false, false, NULL, &err), 0);
        assert_int_equal(console_check(true, true, "/s", &err), 0);
        assert_int_equal(console_check(true, false, NULL, &err), 0);
        assert_int_equal(console_check(true, true, NULL, &err), -1);
        assert_int_equal(console_check(true, false, "/s", &err), -1);
        assert_int_equal(console_check(false, true, "/s", &err), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(forms_of_go),   cmocka_unit_test(flags_numbers_lists), cmocka_unit_test(after_two_dashes),
                cmocka_unit_test(refused_words), cmocka_unit_test(tables_are_sound),    cmocka_unit_test(counts_of_arguments),
                cmocka_unit_test(signals),       cmocka_unit_test(sub_cgroups),         cmocka_unit_test(resources),
                cmocka_unit_test(descriptors),   cmocka_unit_test(paths_and_terminals),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
