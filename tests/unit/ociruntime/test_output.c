/* What verbs print and write: list, state, ps, spec, features and the log. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "ociruntime/program-internal.h"
#include "ociruntime/state.h"

static char dir[] = "/tmp/tare-ociout-XXXXXX", root[64];
static struct program program = { .root = root };

static void make_container(const char *id, pid_t pid)
{
        struct err err = ERR_INIT;
        _cleanup_container_ struct container c = CONTAINER_INIT;
        _cleanup_oci_spec_ struct oci_spec spec;
        oci_spec_init(&spec);
        assert_int_equal(container_make(root, id, &c, &err), 0);
        c.state = (struct state){ .id = xstrdup(id), .bundle = xstrdup("/bundle of \"c\""), .rootfs = xstrdup("/r"), .created = xstrdup("2026-01-02T03:04:05.000000006Z"),
                                  .oci_version = xstrdup("1.0.2"), .pid = pid };
        strv_push(&c.state.annotations, "k=v");
        if (pid)
                assert_int_equal(proc_start_time(pid, &c.state.start_time, &err), 0);
        assert_int_equal(container_save(&c, &spec, &err), 0);
}

static int set_up(void **state)
{
        assert_non_null(mkdtemp(dir));
        snprintf(root, sizeof(root), "%s/root", dir);
        make_container("running-one", getpid());
        make_container("s", 0);
        return 0;
}

static int tear_down(void **state)
{
        struct err err = ERR_INIT;
        return tree_remove_at(AT_FDCWD, dir, &err);
}

/* Runs a verb with its standard output in a file; the text is the caller's. */
static char *output_of(const char *verb, const struct verb_options *o, char **args)
{
        struct err err = ERR_INIT;
        char path[96];
        snprintf(path, sizeof(path), "%s/output", dir);
        fflush(stdout);
        int saved = dup(1), fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(saved >= 0 && fd >= 0 && dup2(fd, 1) == 1);
        int code = verb_find(verb)->run(&program, o, args, &err);
        fflush(stdout);
        assert_int_equal(dup2(saved, 1), 1);
        close(saved);
        close(fd);
        if (code != 0)
                fail_msg("%s: %d %s", verb, code, err.msg);
        struct buf b = BUF_INIT(1 << 20);
        assert_int_equal(file_read_at(AT_FDCWD, path, &b, &err), 0);
        return buf_take(&b);
}

static json_t *json_of(const char *verb, const struct verb_options *o, char **args)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *text = output_of(verb, o, args);
        json_t *json = json_parse(text, strlen(text), 1 << 20, verb, &err);
        if (!json)
                fail_msg("%s", err.msg);
        return json;
}

static const char *text_at(const json_t *o, const char *key)
{
        const char *text = json_string_value(json_object_get(o, key));
        assert_non_null(text);
        return text;
}

static void list_as_json(void **state)
{
        _cleanup_json_ json_t *list = json_of("list", &(struct verb_options){ .format = (char *)"json" }, (char *[]){ NULL });
        assert_int_equal(json_array_size(list), 2);
        const json_t *one = json_array_get(list, 0), *two = json_array_get(list, 1);
        assert_string_equal(text_at(one, "id"), "running-one");
        assert_string_equal(text_at(one, "status"), "running");
        assert_string_equal(text_at(one, "bundle"), "/bundle of \"c\"");
        assert_string_equal(text_at(one, "ociVersion"), "1.0.2");
        assert_string_equal(text_at(json_object_get(one, "annotations"), "k"), "v");
        assert_true(*text_at(one, "owner"));
        assert_int_equal(json_integer_value(json_object_get(one, "pid")), getpid());
        assert_string_equal(text_at(two, "status"), "stopped");
        assert_int_equal(json_integer_value(json_object_get(two, "pid")), 0);
}

/* Columns as tabwriter lays them out: at least 12 wide, three blanks apart. */
static void list_as_table(void **state)
{
        _cleanup_free_ char *text = output_of("list", &(struct verb_options){ 0 }, (char *[]){ NULL });
        _cleanup_strv_ char **lines = strv_split(text, "\n", false);
        assert_int_equal(strv_len(lines), 3);
        assert_true(str_starts(lines[0], "ID            PID         STATUS      BUNDLE           CREATED                          OWNER"));
        assert_true(str_starts(lines[1], "running-one   "));
        assert_true(str_starts(lines[2], "s             0           stopped     /bundle of \"c\"   2026-01-02T03:04:05.000000006Z   "));
        _cleanup_free_ char *ids = output_of("list", &(struct verb_options){ .quiet = true }, (char *[]){ NULL });
        assert_string_equal(ids, "running-one\ns\n");
}

static void list_of_none(void **state)
{
        char saved[sizeof(root)];
        memcpy(saved, root, sizeof(root));
        snprintf(root, sizeof(root), "/nonexistent");
        _cleanup_free_ char *text = output_of("list", &(struct verb_options){ .format = (char *)"json" }, (char *[]){ NULL });
        memcpy(root, saved, sizeof(root));
        assert_string_equal(text, "null\n");
        struct err err = ERR_INIT;
        assert_int_equal(verb_find("list")->run(&program, &(struct verb_options){ .format = (char *)"xml" }, (char *[]){ NULL }, &err), -1);
        assert_string_equal(err.msg, "invalid format option");
}

static void state_of_one(void **state)
{
        _cleanup_json_ json_t *o = json_of("state", &(struct verb_options){ 0 }, (char *[]){ (char *)"s", NULL });
        assert_string_equal(text_at(o, "status"), "stopped");
        assert_string_equal(text_at(o, "rootfs"), "/r");
        assert_string_equal(text_at(o, "created"), "2026-01-02T03:04:05.000000006Z");
        struct err err = ERR_INIT;
        assert_int_equal(verb_find("state")->run(&program, &(struct verb_options){ 0 }, (char *[]){ (char *)"nosuch", NULL }, &err), -1);
        assert_string_equal(err.msg, "container does not exist");
}

static void ps_of_one(void **state)
{
        char us[16];
        _cleanup_json_ json_t *list = json_of("ps", &(struct verb_options){ .format = (char *)"json" }, (char *[]){ (char *)"running-one", NULL });
        assert_true(json_array_size(list) == 1 && json_integer_value(json_array_get(list, 0)) == getpid());
        _cleanup_free_ char *text = output_of("ps", &(struct verb_options){ 0 }, (char *[]){ (char *)"running-one", (char *)"-eo", (char *)"comm,pid", NULL });
        _cleanup_strv_ char **lines = strv_split(text, "\n", false);
        assert_int_equal(strv_len(lines), 2);
        snprintf(us, sizeof(us), " %d", (int)getpid());
        assert_true(strstr(lines[0], "PID") && str_ends(lines[1], us));
        struct err err = ERR_INIT;
        assert_int_equal(verb_find("ps")->run(&program, &(struct verb_options){ 0 }, (char *[]){ (char *)"running-one", (char *)"-eo", (char *)"comm", NULL }, &err), -1);
        assert_non_null(strstr(err.msg, "couldn't find PID field in ps output"));
}

static void spec_is_one(void **state)
{
        for (int rootless = 0; rootless < 2; rootless++) {
                struct err err = ERR_INIT;
                char bundle[96], here[4096];
                struct verb_options o = { .bundle = bundle, .rootless = rootless };
                _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
                _cleanup_oci_spec_ struct oci_spec s;
                oci_spec_init(&s);
                assert_non_null(getcwd(here, sizeof(here)));
                snprintf(bundle, sizeof(bundle), "%s/bundle%d", dir, rootless);
                assert_int_equal(mkdir(bundle, 0700), 0);
                free(output_of("spec", &o, (char *[]){ NULL }));
                assert_int_equal(file_read_at(AT_FDCWD, "config.json", &b, &err), 0);
                if (oci_spec_parse(b.data, b.len, &s, &err) < 0)
                        fail_msg("%s", err.msg);
                assert_true(s.has_process && s.process.terminal && s.process.no_new_privileges && s.root_readonly);
                assert_string_equal(s.process.args[0], "sh");
                assert_string_equal(s.oci_version, OCIRUNTIME_SPEC_VERSION);
                assert_true(s.namespaces[OCI_NS_PID].wanted && s.namespaces[OCI_NS_MOUNT].wanted);
                assert_true(s.namespaces[OCI_NS_USER].wanted == rootless && s.namespaces[OCI_NS_NETWORK].wanted == !rootless);
                assert_true(s.uid_map_count == (size_t)rootless && (!rootless || s.uid_maps[0].host_id == geteuid()));
                assert_true(strv_has(s.masked_paths, "/proc/kcore") && strv_has(s.readonly_paths, "/proc/sys") && s.mount_count >= 7);
                assert_int_equal(verb_find("spec")->run(&program, &o, (char *[]){ NULL }, &err), -1);
                assert_non_null(strstr(err.msg, "File config.json exists"));
                assert_int_equal(chdir(here), 0);
        }
}

static bool has_word(const json_t *list, const char *word)
{
        size_t i;
        json_t *one;
        json_array_foreach (list, i, one)
                if (str_eq(json_string_value(one), word))
                        return true;
        return false;
}

/* Each list has no word twice. */
static void is_set(const json_t *list)
{
        assert_true(json_array_size(list) > 1);
        for (size_t i = 0; i < json_array_size(list); i++)
                for (size_t k = 0; k < i; k++)
                        if (json_equal(json_array_get(list, i), json_array_get(list, k)))
                                fail_msg("%s is there twice", json_string_value(json_array_get(list, i)));
}

static void features_are_what_is_taken(void **state)
{
        _cleanup_json_ json_t *o = json_of("features", &(struct verb_options){ 0 }, (char *[]){ NULL });
        const json_t *on_linux = json_object_get(o, "linux"), *seccomp = json_object_get(on_linux, "seccomp");
        static const char *const words[] = { "rbind", "rro", "nosymfollow", "tmpcopyup", "ridmap", "runbindable", "lazytime" };
        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (!has_word(json_object_get(o, "mountOptions"), words[i]))
                        fail_msg("no %s", words[i]);
        is_set(json_object_get(o, "mountOptions"));
        is_set(json_object_get(o, "hooks"));
        static const char *const lists[] = { "actions", "operators", "archs", "knownFlags" };
        for (size_t i = 0; i < ELEMENTS(lists); i++)
                is_set(json_object_get(seccomp, lists[i]));
        assert_true(has_word(json_object_get(seccomp, "archs"), "SCMP_ARCH_X86_64") && has_word(json_object_get(o, "hooks"), "startContainer"));
        is_set(json_object_get(on_linux, "capabilities"));
        is_set(json_object_get(on_linux, "namespaces"));
}

static void log_lines(void **state)
{
        struct err err = ERR_INIT;
        char path[96];
        static const char *const messages[] = { "plain", "quote \" back \\ line\n tab\t", "bytes \xff\xfe", "" };
        snprintf(path, sizeof(path), "%s/log", dir);
        assert_int_equal(log_open(path, "xml", false, &err), -1);
        err_clear(&err);
        assert_int_equal(log_open(path, "json", false, &err), 0);
        for (size_t i = 0; i < ELEMENTS(messages); i++)
                log_error(messages[i]);
        _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
        assert_int_equal(file_read_at(AT_FDCWD, path, &b, &err), 0);
        _cleanup_strv_ char **lines = strv_split(b.data, "\n", false);
        assert_int_equal(strv_len(lines), ELEMENTS(messages));
        for (size_t i = 0; i < ELEMENTS(messages); i++) {
                _cleanup_json_ json_t *o = json_parse(lines[i], strlen(lines[i]), 1 << 16, "line", &err);
                if (!o)
                        fail_msg("%s: %s", lines[i], err.msg);
                assert_string_equal(text_at(o, "level"), "error");
                assert_int_equal(strlen(text_at(o, "time")), strlen("2026-01-02T03:04:05Z"));
                assert_string_equal(text_at(o, "msg"), i == 2 ? "bytes ??" : messages[i]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(list_as_json), cmocka_unit_test(list_as_table), cmocka_unit_test(list_of_none),
                cmocka_unit_test(state_of_one), cmocka_unit_test(ps_of_one),     cmocka_unit_test(spec_is_one),
                cmocka_unit_test(features_are_what_is_taken), cmocka_unit_test(log_lines),
        };
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
