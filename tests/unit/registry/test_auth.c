/* Docker's config.json and credential helpers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "registry/auth.h"

static char dir[64], file[96];

static int dir_make(void **state)
{
        snprintf(dir, sizeof(dir), "/tmp/tare-test-XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        snprintf(file, sizeof(file), "%s/config.json", dir);
        return 0;
}

static int dir_remove(void **state)
{
        struct err err = ERR_INIT;
        return tree_remove_at(AT_FDCWD, dir, &err);
}

static void write_text(const char *name, const char *text, mode_t mode)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
        assert_int_equal(file_write_at(AT_FDCWD, path, text, strlen(text), mode, false, &err), 0);
}

static char *read_text(const char *name)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
        _cleanup_buf_ struct buf b = { 0 };
        assert_int_equal(file_read_at(AT_FDCWD, path, &b, &err), 0);
        return buf_take(&b);
}

static void expect(const char *domain, const char *user, const char *password, const char *token)
{
        struct credentials c = { 0 };
        struct err err = ERR_INIT;
        assert_int_equal(auth_find(file, domain, &c, &err), 0);
        const char *const pairs[][2] = { { c.username, user }, { c.password, password }, { c.identity_token, token } };
        for (size_t i = 0; i < ELEMENTS(pairs); i++) {
                if (pairs[i][1])
                        assert_string_equal(pairs[i][0], pairs[i][1]);
                else
                        assert_null(pairs[i][0]);
        }
        credentials_done(&c);
}

static void store(const char *domain, const char *user, const char *password, const char *token)
{
        const struct credentials c = { (char *)(uintptr_t)user, (char *)(uintptr_t)password, (char *)(uintptr_t)token };
        struct err err = ERR_INIT;
        assert_int_equal(auth_store(file, domain, &c, &err), 0);
}

static void missing_file_holds_nothing(void **state)
{
        expect("localhost:5000", NULL, NULL, NULL);
}

static void stored_credentials_come_back(void **state)
{
        struct stat st;
        store("localhost:5000", "bob", "pa:ss word\xc3\xa9", NULL);
        store("docker.io", "eve", "x", "tok");
        expect("localhost:5000", "bob", "pa:ss word\xc3\xa9", NULL);
        expect("docker.io", "eve", "x", "tok");
        expect("other.example", NULL, NULL, NULL);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        _cleanup_free_ char *text = read_text("config.json");
        assert_non_null(strstr(text, "https://index.docker.io/v1/"));
        assert_null(strstr(text, "ss word"));
}

static void other_members_are_kept(void **state)
{
        write_text("config.json",
                   "{\"HttpHeaders\":{\"a\":\"b\"},\"auths\":{\"x.example\":{\"auth\":\"YTpi\",\"email\":\"e\"}},"
                   "\"detachKeys\":\"ctrl-x\"}",
                   0644);
        store("localhost:5000", "bob", "pw", NULL);
        _cleanup_free_ char *text = read_text("config.json");
        assert_non_null(strstr(text, "detachKeys"));
        assert_non_null(strstr(text, "HttpHeaders"));
        assert_non_null(strstr(text, "email"));
        expect("x.example", "a", "b", NULL);
}

static void spellings_of_a_server_are_one(void **state)
{
        write_text(
                "config.json",
                "{\"auths\":{\"https://x.example/v2/\":{\"auth\":\"YTpi\"},\"index.docker.io\":{\"auth\":\"Yzpk\"}}}",
                0600);
        expect("x.example", "a", "b", NULL);
        expect("docker.io", "c", "d", NULL);
        expect("example", NULL, NULL, NULL);
}

static void malformed_files_are_refused(void **state)
{
        static const char *const bad[] = { "{",
                                           "[]",
                                           "{\"auths\":{\"x.example\":{\"auth\":\"%%%\"}}}",
                                           "{\"auths\":{\"x.example\":{\"auth\":\"YWJj\"}}}",
                                           "{\"credsStore\":\"../../bin/sh\"}",
                                           "{\"credsStore\":\"a b\"}" };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct credentials c = { 0 };
                struct err err = ERR_INIT;
                write_text("config.json", bad[i], 0600);
                assert_int_equal(auth_find(file, "x.example", &c, &err), -1);
                assert_null(c.username);
        }
}

static void erased_credentials_are_gone(void **state)
{
        struct err err = ERR_INIT;
        store("a.example", "a", "b", NULL);
        store("b.example", "c", "d", NULL);
        assert_int_equal(auth_erase(file, "a.example", &err), 0);
        expect("a.example", NULL, NULL, NULL);
        expect("b.example", "c", "d", NULL);
        assert_int_equal(auth_erase(file, "a.example", &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void a_link_stays_a_link(void **state)
{
        struct stat st;
        write_text("real.json", "{}", 0600);
        assert_int_equal(symlink("real.json", file), 0);
        store("a.example", "a", "b", NULL);
        assert_int_equal(lstat(file, &st), 0);
        assert_true(S_ISLNK(st.st_mode));
        expect("a.example", "a", "b", NULL);
}

/* Keeps one credential in a file beside itself. */
static const char helper[] =
        "#!/bin/sh\n"
        "d=$(dirname \"$0\")\n"
        "case $1 in\n"
        "store) cat > \"$d/kept\" ;;\n"
        "get) read -r s; if grep -q \"\\\"$s\\\"\" \"$d/kept\" 2>/dev/null; then cat \"$d/kept\"; else\n"
        "  echo 'credentials not found in native keychain'; exit 1; fi ;;\n"
        "erase) if [ -e \"$d/kept\" ]; then rm \"$d/kept\"; else echo 'credentials not found in native keychain'; exit "
        "1; fi ;;\n"
        "esac\n";

static void helper_install(const char *config)
{
        write_text("docker-credential-fake", helper, 0755);
        write_text("config.json", config, 0600);
        _cleanup_free_ char *path = xasprintf("%s:/usr/bin:/bin", dir);
        setenv("PATH", path, 1);
}

static void helper_keeps_credentials(void **state)
{
        struct err err = ERR_INIT;
        helper_install("{\"credsStore\":\"fake\"}");
        expect("a.example", NULL, NULL, NULL);
        store("a.example", "bob", "pw", NULL);
        expect("a.example", "bob", "pw", NULL);
        _cleanup_free_ char *text = read_text("config.json");
        assert_non_null(strstr(text, "a.example"));
        assert_null(strstr(text, "\"auth\""));
        assert_int_equal(auth_erase(file, "a.example", &err), 0);
        expect("a.example", NULL, NULL, NULL);
}

static void helper_gives_identity_tokens(void **state)
{
        helper_install("{\"credHelpers\":{\"a.example\":\"fake\"}}");
        store("a.example", NULL, NULL, "refresh");
        expect("a.example", NULL, NULL, "refresh");
        store("b.example", "c", "d", NULL);
        expect("b.example", "c", "d", NULL);
}

static void path_follows_the_environment(void **state)
{
        setenv("DOCKER_CONFIG", "/d", 1);
        setenv("REGISTRY_AUTH_FILE", "/r/auth.json", 1);
        setenv("HOME", "/h", 1);
        _cleanup_free_ char *first = auth_file_path();
        assert_string_equal(first, "/d/config.json");
        unsetenv("DOCKER_CONFIG");
        _cleanup_free_ char *second = auth_file_path();
        assert_string_equal(second, "/r/auth.json");
        unsetenv("REGISTRY_AUTH_FILE");
        _cleanup_free_ char *third = auth_file_path();
        assert_string_equal(third, "/h/.docker/config.json");
}

#define IN_DIR(t) cmocka_unit_test_setup_teardown(t, dir_make, dir_remove)

int main(void)
{
        const struct CMUnitTest tests[] = {
                IN_DIR(missing_file_holds_nothing),   IN_DIR(stored_credentials_come_back),
                IN_DIR(other_members_are_kept),       IN_DIR(spellings_of_a_server_are_one),
                IN_DIR(malformed_files_are_refused),  IN_DIR(erased_credentials_are_gone),
                IN_DIR(a_link_stays_a_link),          IN_DIR(helper_keeps_credentials),
                IN_DIR(helper_gives_identity_tokens), cmocka_unit_test(path_follows_the_environment),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
