/* What is kept of a container: the file, torn, hostile and from older versions; the folder, its names and its lock. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "ociruntime/state.h"

static char dir[] = "/tmp/tare-ocistate-XXXXXX";

static int set_up(void **state)
{
        return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
        struct err err = ERR_INIT;
        return tree_remove_at(AT_FDCWD, dir, &err);
}

static struct state example(void)
{
        struct state s = { .id = xstrdup("c1"), .bundle = xstrdup("/b \"\\\n\xc3\xa9"), .rootfs = xstrdup("/b/rootfs"), .created = xstrdup("2026-01-02T03:04:05Z"),
                           .oci_version = xstrdup("1.0.2"), .cgroups_path = xstrdup("a.slice:b:c"), .start_time = UINT64_C(9223372036854775807),
                           .systemd = true, .rootless = true, .shared_pid = true, .poststart = true, .poststop = true };
        strv_push(&s.annotations, "a.b=c=d");
        return s;
}

static char *example_text(void)
{
        struct state s = example();
        _cleanup_oci_spec_ struct oci_spec spec;
        oci_spec_init(&spec);
        char *text = state_format(&s, &spec);
        state_done(&s);
        return text;
}

/* ---- the file ---- */

static void what_is_written_is_read(void **state)
{
        struct err err = ERR_INIT;
        struct state a = example(), b = { 0 };
        _cleanup_free_ char *text = example_text();
        if (state_parse(text, strlen(text), &b, &err) < 0)
                fail_msg("%s", err.msg);
        assert_string_equal(a.id, b.id);
        assert_string_equal(a.bundle, b.bundle);
        assert_string_equal(a.rootfs, b.rootfs);
        assert_string_equal(a.created, b.created);
        assert_string_equal(a.oci_version, b.oci_version);
        assert_string_equal(a.cgroups_path, b.cgroups_path);
        assert_string_equal(b.annotations[0], "a.b=c=d");
        assert_true(a.start_time == b.start_time && a.pid == b.pid && b.systemd && b.rootless && b.shared_pid && b.poststart && b.poststop);
        state_done(&a);
        state_done(&b);
}

static void tools_find_names_of_runc(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *text = example_text();
        _cleanup_json_ json_t *o = json_parse(text, strlen(text), 1 << 20, "state", &err);
        static const char *const keys[] = { "id", "init_process_pid", "init_process_start", "created", "config", "rootless", "cgroup_paths",
                                            "namespace_paths", "external_descriptors", "intel_rdt_path" };
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                if (!json_object_get(o, keys[i]))
                        fail_msg("no %s", keys[i]);
        const json_t *cgroups = json_object_get(json_object_get(o, "config"), "cgroups");
        assert_true(json_is_true(json_object_get(cgroups, "Systemd")));
        assert_string_equal(json_string_value(json_object_get(cgroups, "path")), "a.slice:b:c");
}

/* No beginning of the file is taken for a whole one, and no byte of it changed for another leads astray. */
static void torn_and_damaged(void **state)
{
        _cleanup_free_ char *text = example_text();
        size_t len = strlen(text);
        for (size_t i = 0; i < len; i++) {
                struct err err = ERR_INIT;
                struct state s = { 0 };
                _cleanup_free_ char *torn = xmemdup(text, i + 1);
                if (i + 1 < len && state_parse(torn, i + 1, &s, &err) == 0)
                        fail_msg("the first %zu bytes were taken", i + 1);
                torn[i] ^= 0x15;
                err_clear(&err);
                if (state_parse(torn, i + 1, &s, &err) == 0)
                        state_done(&s);
                else
                        assert_true(err.kind != ERR_NONE && err.msg[0]);
        }
}

static void older_files(void **state)
{
        struct err err = ERR_INIT;
        struct state s = { 0 };
        static const char least[] = "{\"id\": \"x\", \"init_process_pid\": 0, \"init_process_start\": 0, \"created\": \"c\", \"tare\": {\"bundle\": \"/b\"}}",
                          newer[] = "{\"id\": \"x\", \"init_process_pid\": 7, \"init_process_start\": 8, \"created\": \"c\", \"future\": [1],"
                                    " \"tare\": {\"bundle\": \"/b\", \"future\": {}}}";
        assert_int_equal(state_parse(least, strlen(least), &s, &err), 0);
        assert_true(!s.systemd && !s.rootless && !s.shared_pid && !s.annotations && !s.cgroups_path && s.pid == 0);
        state_done(&s);
        assert_int_equal(state_parse(newer, strlen(newer), &s, &err), 0);
        assert_true(s.pid == 7 && s.start_time == 8);
        state_done(&s);
}

static void hostile_files(void **state)
{
        static const char *const bad[] = {
                "", "null", "[]", "{}", "\"x\"",
                "{\"id\": \"x\", \"init_process_pid\": -1, \"init_process_start\": 0, \"created\": \"c\", \"tare\": {\"bundle\": \"/b\"}}",
                "{\"id\": \"x\", \"init_process_pid\": 4294967297, \"init_process_start\": 0, \"created\": \"c\", \"tare\": {\"bundle\": \"/b\"}}",
                "{\"id\": \"x\", \"init_process_pid\": 1.5, \"init_process_start\": 0, \"created\": \"c\", \"tare\": {\"bundle\": \"/b\"}}",
                "{\"id\": \"x\", \"init_process_pid\": \"1\", \"init_process_start\": 0, \"created\": \"c\", \"tare\": {\"bundle\": \"/b\"}}",
                "{\"id\": \"x\", \"init_process_pid\": 1, \"init_process_start\": -1, \"created\": \"c\", \"tare\": {\"bundle\": \"/b\"}}",
                "{\"id\": 5, \"init_process_pid\": 1, \"init_process_start\": 1, \"created\": \"c\", \"tare\": {\"bundle\": \"/b\"}}",
                "{\"id\": \"x\", \"init_process_pid\": 1, \"init_process_start\": 1, \"created\": \"c\", \"tare\": {\"bundle\": [\"/b\"]}}",
                "{\"id\": \"x\", \"init_process_pid\": 1, \"init_process_start\": 1, \"created\": \"c\", \"tare\": {}}",
                "{\"id\": \"x\", \"init_process_pid\": 1, \"init_process_start\": 1, \"created\": \"c\"}",
                "{\"id\": \"x\", \"init_process_pid\": 1, \"init_process_start\": 1, \"created\": \"c\", \"tare\": {\"bundle\": \"/b\", \"systemd\": \"yes\"}}",
                "{\"id\": \"x\", \"init_process_pid\": 1, \"init_process_start\": 1, \"created\": \"c\", \"tare\": {\"bundle\": \"/b\", \"annotations\": {\"a\": 1}}}",
                "{\"id\": \"x\\u0000y\", \"init_process_pid\": 1, \"init_process_start\": 1, \"created\": \"c\", \"tare\": {\"bundle\": \"/b\"}}",
        };
        struct state s = { .pid = 77 };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct err err = ERR_INIT;
                if (state_parse(bad[i], strlen(bad[i]), &s, &err) == 0)
                        fail_msg("%s was taken", bad[i]);
                assert_int_equal(s.pid, 77);
        }
        struct err err = ERR_INIT;
        size_t size = (size_t)2 << 20;
        _cleanup_free_ char *deep = xcalloc(1, size);
        memset(deep, '[', size);
        assert_int_equal(state_parse(deep, 100000, &s, &err), -1);
        err_clear(&err);
        memset(deep, ' ', size);
        assert_int_equal(state_parse(deep, size, &s, &err), -1); /* larger than any of ours */
}

/* ---- the folder ---- */

static void names_of_containers(void **state)
{
        char longest[258];
        static const char *const good[] = { "a", "A-b_c+d.e", "1", "a,b", "...", ".a", "-a" },
                          *const bad[] = { "", ".", "..", "a/b", "/", "a b", "a\n", "a:b", "a@b", "\xc3\xa9", "a*", "@seccomp" };
        for (size_t i = 0; i < ELEMENTS(good); i++)
                if (!container_id_ok(good[i]))
                        fail_msg("%s was refused", good[i]);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct err err = ERR_INIT;
                _cleanup_container_ struct container c = CONTAINER_INIT;
                assert_false(container_id_ok(bad[i]));
                assert_int_equal(container_make(dir, bad[i], &c, &err), -1);
                assert_int_equal(err.kind, ERR_INVALID);
                err_clear(&err);
                assert_int_equal(container_open(dir, bad[i], false, &c, &err), -1);
                assert_int_equal(err.kind, ERR_INVALID);
        }
        memset(longest, 'a', sizeof(longest));
        longest[255] = 0;
        assert_true(container_id_ok(longest));
        longest[255] = 'a';
        longest[256] = 0;
        assert_false(container_id_ok(longest));
}

static void make_one(const char *id, struct container *c)
{
        struct err err = ERR_INIT;
        _cleanup_oci_spec_ struct oci_spec spec;
        oci_spec_init(&spec);
        if (container_make(dir, id, c, &err) < 0)
                fail_msg("%s", err.msg);
        c->state = example();
        str_replace(&c->state.id, id);
        str_replace(&c->state.cgroups_path, "");
        static const char config[] = "{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"r\"}}";
        if (container_save(c, &spec, &err) < 0 || container_save_spec(c, config, strlen(config), &err) < 0)
                fail_msg("%s", err.msg);
}

static void life_of_a_folder(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_container_ struct container c = CONTAINER_INIT, other = CONTAINER_INIT;
        _cleanup_strv_ char **names = NULL;
        _cleanup_oci_spec_ struct oci_spec spec;
        oci_spec_init(&spec);
        make_one("one", &c);
        assert_int_equal(container_open(dir, "one", false, &other, &err), 0);
        assert_string_equal(other.state.id, "one");
        assert_int_equal(container_load_spec(&other, &spec, &err), 0);
        assert_string_equal(spec.root_path, "r");
        assert_int_equal(containers_list(dir, &names, &err), 0);
        assert_true(strv_len(names) == 1 && str_eq(names[0], "one"));
        container_unlock(&c);
        container_done(&other);
        assert_int_equal(container_make(dir, "one", &other, &err), -1);
        assert_int_equal(err.kind, ERR_CONFLICT);
        assert_non_null(strstr(err.msg, "container with id exists: one"));
        err_clear(&err);
        assert_int_equal(container_forget(&c, &err), 0);
        assert_int_equal(container_open(dir, "one", true, &other, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        assert_string_equal(err.msg, "container does not exist");
}

/* Another process holds the lock: it is being created. Nobody holds it: the creator was killed. */
static void status_without_init(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_container_ struct container c = CONTAINER_INIT;
        int told[2], done[2], status;
        char byte;
        assert_true(pipe(told) == 0 && pipe(done) == 0);
        pid_t pid = fork();
        if (pid == 0) {
                struct container made = CONTAINER_INIT;
                close(done[1]);
                make_one("two", &made);
                (void)!write(told[1], "x", 1);
                (void)!read(done[0], &byte, 1);
                _exit(0);
        }
        close(done[0]);
        assert_int_equal(read(told[0], &byte, 1), 1);
        assert_int_equal(container_open(dir, "two", false, &c, &err), 0);
        assert_int_equal(container_status(&c), CONTAINER_CREATING);
        close(done[1]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(container_status(&c), CONTAINER_STOPPED);
        assert_string_equal(container_status_name(CONTAINER_CREATING), "creating");
        close(told[0]);
        close(told[1]);
        assert_int_equal(container_forget(&c, &err), 0);
}

static void write_text(const char *path, const char *text)
{
        struct err err = ERR_INIT;
        assert_int_equal(file_write_at(AT_FDCWD, path, text, strlen(text), 0600, false, &err), 0);
}

static void folders_that_are_none(void **state)
{
        struct err err = ERR_INIT;
        char path[128];
        _cleanup_container_ struct container c = CONTAINER_INIT;
        snprintf(path, sizeof(path), "%s/link", dir);
        assert_int_equal(symlink("/", path), 0);
        assert_int_equal(container_open(dir, "link", false, &c, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        err_clear(&err);
        snprintf(path, sizeof(path), "%s/file", dir);
        write_text(path, "x");
        assert_int_equal(container_open(dir, "file", true, &c, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        err_clear(&err);
        snprintf(path, sizeof(path), "%s/torn", dir);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(container_open(dir, "torn", true, &c, &err), -1); /* empty: what a killed delete left */
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        err_clear(&err);
        snprintf(path, sizeof(path), "%s/torn/state.json", dir);
        write_text(path, "{\"id\": \"to"); /* what a power cut left: it ended the container too */
        assert_int_equal(container_open(dir, "torn", true, &c, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        err_clear(&err);
        assert_int_equal(container_make(dir, "torn", &c, &err), 0);
        container_done(&c);
        write_text(path, "{\"id\": 1}");
        assert_int_equal(container_open(dir, "torn", true, &c, &err), -1);
        assert_true(err.kind != ERR_NOT_FOUND && strstr(err.msg, "container torn"));
        _cleanup_strv_ char **names = NULL;
        err_clear(&err);
        assert_int_equal(containers_list("/nonexistent/root", &names, &err), 0);
        assert_null(names);
}

int main(void)
{
        const struct CMUnitTest file[] = { cmocka_unit_test(what_is_written_is_read), cmocka_unit_test(tools_find_names_of_runc),
                                           cmocka_unit_test(torn_and_damaged), cmocka_unit_test(older_files), cmocka_unit_test(hostile_files) };
        const struct CMUnitTest folder[] = { cmocka_unit_test(names_of_containers), cmocka_unit_test(life_of_a_folder),
                                             cmocka_unit_test(status_without_init), cmocka_unit_test(folders_that_are_none) };
        return cmocka_run_group_tests(file, NULL, NULL) + cmocka_run_group_tests(folder, set_up, tear_down);
}
