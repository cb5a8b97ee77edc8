#include "unit.h"

#include <errno.h>
#include "base/path.h"
#include "base/str.h"

static void check_clean(const char *path, const char *expected)
{
        _cleanup_free_ char *clean = path_clean(path);
        assert_string_equal(clean, expected);
}

static void test_clean(void **state)
{
        static const char *const rows[][2] = {
                { "", "." },
                { "/", "/" },
                { "//", "/" },
                { ".", "." },
                { "a/./b//c/", "a/b/c" },
                { "/..", "/" },
                { "/../a", "/a" },
                { "a/..", "." },
                { "../a", "../a" },
                { "a/../../b", "../b" },
                { "../../a/../b", "../../b" },
                { "/a/b/../../..", "/" },
                { "/a/../b/.", "/b" },
                { "a/b/../c", "a/c" },
                { "...", "..." },
                { "a/../..", ".." },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                check_clean(rows[i][0], rows[i][1]);
}

static void test_words(void **state)
{
        _cleanup_free_ char *a = path_join("/a", "b/../c"), *b = path_join("/a", "/x"), *c = path_join("", "x"),
                            *d = path_join("/a", "../../..");
        assert_string_equal(a, "/a/c");
        assert_string_equal(b, "/x");
        assert_string_equal(c, "x");
        assert_string_equal(d, "/");
        assert_string_equal(path_name("/a/b"), "b");
        assert_string_equal(path_name("b"), "b");
        assert_string_equal(path_name("/"), "");
        assert_true(path_is_below("/a/b", "/a") && path_is_below("/a", "/a") && path_is_below("/a", "/") &&
                    path_is_below("/", "/"));
        assert_true(!path_is_below("/ab", "/a") && !path_is_below("/", "/a") && !path_is_below("a", "/"));
}

struct fixture {
        char *path;
        int outer, root;
};

/* outer/secret, and outer/root with links that try to reach it. */
static struct fixture fixture_new(void)
{
        struct fixture f;
        struct err err = ERR_INIT;
        f.outer = scratch_new(&f.path);
        OK(file_write_at(f.outer, "secret", "s", 1, 0644, false, &err), &err);
        assert_int_equal(mkdirat(f.outer, "root", 0755), 0);
        f.root = openat(f.outer, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *absolute = xasprintf("%s/secret", f.path);
        assert_int_equal(symlinkat("../secret", f.root, "up"), 0);
        assert_int_equal(symlinkat(absolute, f.root, "absolute"), 0);
        assert_int_equal(symlinkat("..", f.root, "dots"), 0);
        assert_int_equal(symlinkat("/proc/self/root", f.root, "magic"), 0);
        assert_int_equal(symlinkat("loop", f.root, "loop"), 0);
        assert_int_equal(symlinkat("../newdir", f.root, "dangling"), 0);
        assert_int_equal(symlinkat("/var/made/deep", f.root, "rooted"), 0);
        return f;
}

static void fixture_done(struct fixture *f)
{
        close(f->root);
        scratch_done(f->path, f->outer);
}

static void test_no_escape(void **state)
{
        static const char *const tries[] = { "up",
                                             "absolute",
                                             "../secret",
                                             "/../secret",
                                             "dots/secret",
                                             "dots/../secret",
                                             "dots/dots/dots/secret",
                                             "../../../../../etc/passwd",
                                             "/etc/passwd" };
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        for (size_t i = 0; i < ELEMENTS(tries); i++)
                FAILS(path_open_in(f.root, tries[i], O_RDONLY, 0, &err), &err, ERR_NOT_FOUND);
        assert_int_equal(path_open_in(f.root, "loop", O_RDONLY, 0, &err), -1);
        assert_int_equal(err.sys, ELOOP);
        _cleanup_close_ int made = path_open_in(f.root, "up", O_WRONLY | O_CREAT, 0640, &err);
        assert_true(made >= 0); /* through the link, but inside: root/secret */
        struct stat st;
        assert_int_equal(fstatat(f.root, "secret", &st, 0), 0);
        assert_int_equal(st.st_size, 0);
        assert_true(fcntl(made, F_GETFD) & FD_CLOEXEC);
        FAILS(path_open_in(f.root, "", O_RDONLY, 0, &err), &err, ERR_NOT_FOUND);
        fixture_done(&f);
}

/* /proc below a root that was bound there: its links lead anywhere, so they are not followed. */
static void test_no_magic_links(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_close_ int root = open("/", O_PATH | O_CLOEXEC);
        assert_int_equal(path_open_in(root, "/proc/self/root/etc", O_RDONLY, 0, &err), -1);
        assert_int_equal(err.sys, ELOOP);
        assert_int_equal(path_open_in(root, "/proc/self/cwd", O_RDONLY, 0, &err), -1);
        assert_int_equal(err.sys, ELOOP);
}

static void test_nolink(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        OK(file_write_at(f.root, "plain", "x", 1, 0644, false, &err), &err);
        _cleanup_close_ int fd = path_open_nolink(f.root, "plain", O_RDONLY, 0, &err);
        assert_true(fd >= 0);
        assert_int_equal(path_open_nolink(f.root, "dots/root/plain", O_RDONLY, 0, &err), -1);
        assert_int_equal(err.sys, ELOOP);
        assert_int_equal(path_open_nolink(f.root, "up", O_RDONLY, 0, &err), -1);
        _cleanup_free_ char *absolute = xasprintf("%s/root/plain", f.path);
        _cleanup_close_ int same = path_open_nolink(AT_FDCWD, absolute, O_RDONLY, 0, &err);
        assert_true(same >= 0);
        fixture_done(&f);
}

static void check_mkdirs(struct fixture *f, const char *path, const char *made)
{
        struct err err = ERR_INIT;
        struct stat a, b;
        for (int again = 0; again < 2; again++) {
                _cleanup_close_ int fd = path_mkdirs_in(f->root, path, 01777, 12, 34, &err);
                if (fd < 0)
                        fail_msg("%s", err.msg);
                assert_int_equal(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
                assert_int_equal(fstat(fd, &a), 0);
        }
        assert_int_equal(fstatat(f->root, made, &b, AT_SYMLINK_NOFOLLOW), 0);
        assert_true(S_ISDIR(b.st_mode) && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
        assert_int_equal(b.st_mode & 07777, 01777);
        assert_true(geteuid() != 0 || (b.st_uid == 12 && b.st_gid == 34));
}

static void test_mkdirs_in(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        mode_t before = umask(077);
        struct stat st;
        check_mkdirs(&f, "a/b//c/", "a/b/c");
        check_mkdirs(&f, "/a/x", "a/x");
        check_mkdirs(&f, "dots/dots/y", "y");
        check_mkdirs(&f, "dangling/z", "newdir/z"); /* "../newdir" from the root is the root's own */
        check_mkdirs(&f, "rooted/../q", "var/made/q"); /* ".." behind a link is the link's target's */
        check_mkdirs(&f, "../../../../e", "e");
        umask(before);
        assert_int_equal(fstatat(f.outer, "newdir", &st, 0), -1);
        FAILS(path_mkdirs_in(f.root, "loop/x", 0755, -1, -1, &err), &err, ERR_SYSTEM);
        OK(file_write_at(f.root, "file", "x", 1, 0644, false, &err), &err);
        FAILS(path_mkdirs_in(f.root, "file/x", 0755, -1, -1, &err), &err, ERR_SYSTEM);
        assert_int_equal(symlinkat("pong/a", f.root, "ping"), 0);
        assert_int_equal(symlinkat("ping/a", f.root, "pong"), 0);
        FAILS(path_mkdirs_in(f.root, "ping", 0755, -1, -1, &err), &err, ERR_SYSTEM);
        _cleanup_close_ int self = path_mkdirs_in(f.root, "/", 0755, -1, -1, &err);
        assert_true(self >= 0);
        fixture_done(&f);
}

static void test_mkdirs_deep(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        char path[4001];
        for (size_t i = 0; i < 4000; i += 2)
                memcpy(path + i, "d/", 2);
        path[4000] = '\0';
        size_t before = descriptors_open();
        _cleanup_close_ int fd = path_mkdirs_in(f.root, path, 0755, -1, -1, &err);
        assert_true(fd >= 0);
        assert_int_equal(descriptors_open(), before + 1);
        fixture_done(&f);
}

static void test_parent(void **state)
{
        static const char *const bad[] = { "", "/", ".", "..", "a/..", "a/.", "a/", "//" };
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        const char *name = NULL;
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                FAILS(path_open_parent_in(f.root, bad[i], &name, &err), &err, ERR_INVALID);
        assert_null(name);
        _cleanup_close_ int top = path_open_parent_in(f.root, "x", &name, &err);
        assert_true(top >= 0);
        assert_string_equal(name, "x");
        _cleanup_close_ int fd = path_open_parent_in(f.root, "dots/secret", &name, &err);
        assert_true(fd >= 0);
        assert_string_equal(name, "secret");
        struct stat a, b;
        assert_true(fstat(fd, &a) == 0 && fstat(f.root, &b) == 0 && a.st_ino == b.st_ino);
        FAILS(path_open_parent_in(f.root, "missing/x", &name, &err), &err, ERR_NOT_FOUND);
        fixture_done(&f);
}

static void test_mkdirs(void **state)
{
        struct fixture f = fixture_new();
        struct err err = ERR_INIT;
        _cleanup_free_ char *deep = xasprintf("%s//p/q/r/", f.path), *file = xasprintf("%s/secret/x", f.path),
                            *self = xasprintf("%s/secret", f.path);
        OK(path_mkdirs(deep, 0700, &err), &err);
        OK(path_mkdirs(deep, 0700, &err), &err);
        OK(path_mkdirs("/", 0700, &err), &err);
        assert_true(file_exists_at(f.outer, "p/q/r"));
        assert_int_equal(path_mkdirs(file, 0700, &err), -1);
        assert_int_equal(path_mkdirs(self, 0700, &err), -1);
        FAILS(path_mkdirs("", 0700, &err), &err, ERR_NOT_FOUND);
        fixture_done(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_clean),  cmocka_unit_test(test_words),     cmocka_unit_test(test_no_escape),
                cmocka_unit_test(test_nolink), cmocka_unit_test(test_mkdirs_in), cmocka_unit_test(test_mkdirs_deep),
                cmocka_unit_test(test_parent), cmocka_unit_test(test_mkdirs),    cmocka_unit_test(test_no_magic_links),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
