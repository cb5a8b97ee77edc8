#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/str.h"
#include "runtime/container.h"

static char dir[] = "/tmp/tare-user-XXXXXX";
static int root_fd;

static int setup(void **state)
{
        struct err err = ERR_INIT;
        const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n# "
                              "note\nbroken\nweb:x:33:34:w:/srv:/bin/sh\nbig:x:99999999999:1::/:\n\nlast:x:40:41::";
        const char group[] = "root:x:0:\nweb:x:34:\naudio:x:29:web,other\nvideo:x:44:someweb,web\nnope:x:45:webx\n";
        assert_non_null(mkdtemp(dir));
        root_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        mkdirat(root_fd, "etc", 0755);
        assert_int_equal(file_write_at(root_fd, "etc/passwd", passwd, strlen(passwd), 0644, false, &err), 0);
        assert_int_equal(file_write_at(root_fd, "etc/real", group, strlen(group), 0644, false, &err), 0);
        return symlinkat("/etc/real", root_fd, "etc/group"); /* absolute: means the image's own */
}

static int teardown(void **state)
{
        struct err err = ERR_INIT;
        close(root_fd);
        return tree_remove_at(AT_FDCWD, dir, &err);
}

static void check(const char *user, uint32_t uid, uint32_t gid, const char *home, const char *groups)
{
        struct err err = ERR_INIT;
        uint32_t got_uid, got_gid, *gids = NULL;
        size_t count;
        char *got_home = NULL;
        assert_int_equal(runtime_user_resolve(root_fd, user, &got_uid, &got_gid, &gids, &count, &got_home, &err), 0);
        assert_int_equal(got_uid, uid);
        assert_int_equal(got_gid, gid);
        assert_string_equal(got_home, home);
        _cleanup_free_ char *text = xstrdup("");
        for (size_t i = 0; i < count; i++) {
                char *more = xasprintf("%s%u ", text, gids[i]);
                free(text);
                text = more;
        }
        assert_string_equal(text, groups);
        free(gids);
        free(got_home);
}

static void forms(void **state)
{
        check("", 0, 0, "/root", "");
        check(NULL, 0, 0, "/root", "");
        check("web", 33, 34, "/srv", "29 44 ");
        check("33", 33, 34, "/srv", "29 44 ");
        check("web:audio", 33, 29, "/srv", "");
        check("web:7", 33, 7, "/srv", "");
        check("1234", 1234, 0, "/", "");
        check("1234:web", 1234, 34, "/", "");
        check("1234:5678", 1234, 5678, "/", "");
        check("last", 40, 41, "/", "");
        check(":web", 0, 34, "/root", "");
}

static void unknown(void **state)
{
        static const char *const bad[] = { "nobody", "web:nogroup", "-1", "99999999999", "big" };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct err err = ERR_INIT;
                uint32_t uid, gid, *gids;
                size_t count;
                char *home;
                assert_int_equal(runtime_user_resolve(root_fd, bad[i], &uid, &gid, &gids, &count, &home, &err), -1);
                assert_int_equal(err.kind, ERR_INVALID);
        }
}

static void links_out_and_fifos(void **state)
{
        struct err err = ERR_INIT;
        uint32_t uid, gid, *gids;
        size_t count;
        char *home;
        unlinkat(root_fd, "etc/passwd", 0);
        assert_return_code(symlinkat("../../../../../../etc/passwd", root_fd, "etc/passwd"), 0);
        assert_int_equal(runtime_user_resolve(root_fd, "daemon", &uid, &gid, &gids, &count, &home, &err), -1);
        unlinkat(root_fd, "etc/passwd", 0);
        assert_return_code(mkfifoat(root_fd, "etc/passwd", 0644), 0);
        check("7", 7, 0, "/", "");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(forms), cmocka_unit_test(unknown),
                                            cmocka_unit_test(links_out_and_fifos) };
        return cmocka_run_group_tests(tests, setup, teardown);
}
