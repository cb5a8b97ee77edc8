#include "unit.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include "base/str.h"

/* dir/name/d/d/d.. of the given depth with a file in each; directories by descriptor, since no path is that long. */
static void make_deep(int dir, const char *name, int depth)
{
        struct err err = ERR_INIT;
        int at = dup(dir);
        for (int i = 0; i < depth; i++) {
                const char *part = i == 0 ? name : "d";
                assert_int_equal(mkdirat(at, part, 0755), 0);
                int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                assert_true(next >= 0);
                close(at);
                at = next;
                if (i % 10 == 0)
                        OK(file_write_at(at, "f", "x", 1, 0600, false, &err), &err);
        }
        close(at);
}

static int remove_with_few_descriptors(void *data)
{
        struct err err = ERR_INIT;
        struct rlimit limit = { 64, 64 };
        uint64_t bytes = 0;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 2;
        if (tree_usage_at(*(int *)data, "deep", &bytes, &err) < 0 || bytes < 500 * 4096ULL) /* the files: a folder of tmpfs has no blocks */
                return 3;
        return tree_remove_at(*(int *)data, "deep", &err) < 0 ? 4 : 0;
}

static void test_deep(void **state)
{
        char *path;
        int dir = scratch_new(&path);
        make_deep(dir, "deep", 5000);
        assert_int_equal(in_child(remove_with_few_descriptors, &dir), 0);
        assert_false(file_exists_at(dir, "deep"));
        scratch_done(path, dir);
}

/* Several directories at many levels, so that reading goes on in parents whose descriptor was closed meanwhile. */
static void make_bushy(int dir, int depth, int *ret_files)
{
        struct err err = ERR_INIT;
        if (depth == 0)
                return;
        for (int i = 0; i < 2; i++) {
                char name[16];
                snprintf(name, sizeof(name), "d%d", i);
                assert_int_equal(mkdirat(dir, name, 0755), 0);
                _cleanup_close_ int sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                OK(file_write_at(sub, "f", "x", 1, 0600, false, &err), &err);
                (*ret_files)++;
                make_bushy(sub, i == 0 ? depth - 1 : depth > 60 ? 2 : 0, ret_files);
        }
}

static void test_bushy(void **state)
{
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path), files = 0;
        assert_int_equal(mkdirat(dir, "t", 0755), 0);
        _cleanup_close_ int top = openat(dir, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        make_bushy(top, 90, &files);
        uint64_t bytes = 0;
        OK(tree_usage_at(dir, "t", &bytes, &err), &err);
        struct stat d, f;
        assert_int_equal(fstatat(top, "d0", &d, 0), 0);
        assert_int_equal(fstatat(top, "d0/f", &f, 0), 0);
        uint64_t expected = (uint64_t)files * (uint64_t)(d.st_blocks + f.st_blocks) * 512 + (uint64_t)d.st_blocks * 512;
        assert_int_equal(bytes, expected);
        OK(tree_remove_at(dir, "t", &err), &err);
        assert_false(file_exists_at(dir, "t"));
        scratch_done(path, dir);
}

static void test_links_stay_inside(void **state)
{
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path);
        assert_int_equal(mkdirat(dir, "keep", 0755), 0);
        OK(file_write_at(dir, "keep/file", "x", 1, 0600, false, &err), &err);
        assert_int_equal(mkdirat(dir, "t", 0755), 0);
        _cleanup_free_ char *absolute = xasprintf("%s/keep", path);
        assert_int_equal(symlinkat("../keep", dir, "t/relative"), 0);
        assert_int_equal(symlinkat(absolute, dir, "t/absolute"), 0);
        assert_int_equal(symlinkat("..", dir, "t/up"), 0);
        assert_int_equal(symlinkat("/", dir, "t/root"), 0);
        assert_int_equal(mkfifoat(dir, "t/fifo", 0600), 0);
        assert_int_equal(symlinkat("keep", dir, "link"), 0);
        OK(tree_remove_at(dir, "t", &err), &err);
        OK(tree_remove_at(dir, "link", &err), &err); /* the link goes, not what it names */
        assert_false(file_exists_at(dir, "t"));
        assert_true(file_exists_at(dir, "keep/file"));
        scratch_done(path, dir);
}

static void test_odd_names(void **state)
{
        static const char *const bad[] = { "", "/", ".", "..", "x/..", "x/." };
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                FAILS(tree_remove_at(dir, bad[i], &err), &err, ERR_INVALID);
        OK(tree_remove_at(dir, "missing", &err), &err);
        OK(tree_remove_at(dir, "missing/below", &err), &err);
        OK(file_write_at(dir, "file", "x", 1, 0600, false, &err), &err);
        OK(tree_remove_at(dir, "file", &err), &err);
        assert_false(file_exists_at(dir, "file"));
        assert_int_equal(mkdirat(dir, "slash", 0700), 0);
        OK(tree_remove_at(dir, "slash/", &err), &err);
        assert_false(file_exists_at(dir, "slash"));
        uint64_t bytes = 3;
        FAILS(tree_usage_at(dir, "missing", &bytes, &err), &err, ERR_NOT_FOUND);
        assert_int_equal(bytes, 3);
        scratch_done(path, dir);
}

static void test_many_entries(void **state)
{
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path);
        assert_int_equal(mkdirat(dir, "t", 0755), 0);
        for (int i = 0; i < 5000; i++) {
                char name[32];
                snprintf(name, sizeof(name), "t/%d", i);
                assert_int_equal(i % 2 ? mkdirat(dir, name, 0700) : mknodat(dir, name, S_IFREG | 0600, 0), 0);
        }
        OK(tree_remove_at(dir, "t", &err), &err);
        assert_false(file_exists_at(dir, "t"));
        scratch_done(path, dir);
}

static int remove_as_nobody(void *data)
{
        const char *path = data;
        struct err err = ERR_INIT;
        if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
                return 2;
        _cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (mkdirat(dir, "t", 0700) < 0 || mkdirat(dir, "t/closed", 0700) < 0 ||
            mkdirat(dir, "t/closed/sub", 0700) < 0 || mkdirat(dir, "t/blind", 0700) < 0 ||
            mkdirat(dir, "t/blind/sub", 0700) < 0 || file_write_at(dir, "t/closed/f", "x", 1, 0600, false, &err) < 0 ||
            file_write_at(dir, "t/blind/f", "x", 1, 0000, false, &err) < 0)
                return 3;
        if (fchmodat(dir, "t/closed", 0000, 0) < 0 || fchmodat(dir, "t/blind", 0444, 0) < 0 ||
            fchmodat(dir, "t", 0500, 0) < 0)
                return 4;
        return tree_remove_at(dir, "t", &err) < 0 || file_exists_at(dir, "t") ? 5 : 0;
}

static void test_modes_that_refuse(void **state)
{
        char *path;
        int dir = scratch_new(&path);
        assert_int_equal(fchmod(dir, 0777), 0);
        assert_int_equal(in_child(remove_as_nobody, path), 0);
        scratch_done(path, dir);
}

/* A bind mount of the same file system has the same st_dev; it must be refused all the same. 77: not permitted here. */
static int remove_over_mount(void *data)
{
        struct err err = ERR_INIT;
        int dir = *(int *)data;
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return 77;
        if (fchdir(dir) < 0 || mount("keep", "t/m", NULL, MS_BIND, NULL) < 0)
                return 77;
        /* the descriptor names the directory in the old mount namespace */
        _cleanup_close_ int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        uint64_t bytes;
        if (tree_usage_at(here, "t", &bytes, &err) < 0)
                return 2;
        if (tree_remove_at(here, "t", &err) == 0 || err.kind != ERR_CONFLICT)
                return 3;
        return file_exists_at(here, "keep/file") ? 0 : 4;
}

static void test_mounts_stop_it(void **state)
{
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path);
        assert_true(mkdirat(dir, "keep", 0755) == 0 && mkdirat(dir, "t", 0755) == 0 && mkdirat(dir, "t/m", 0755) == 0);
        OK(file_write_at(dir, "keep/file", "x", 1, 0600, false, &err), &err);
        int status = in_child(remove_over_mount, &dir);
        scratch_done(path, dir);
        if (status == 77)
                skip();
        assert_int_equal(status, 0);
}

static void test_usage(void **state)
{
        struct err err = ERR_INIT;
        char *path, data[65536];
        int dir = scratch_new(&path);
        memset(data, 'x', sizeof(data));
        assert_int_equal(mkdirat(dir, "t", 0755), 0);
        uint64_t empty = 0, one = 0, linked = 0, other = 0;
        OK(tree_usage_at(dir, "t", &empty, &err), &err);
        OK(file_write_at(dir, "t/f", data, sizeof(data), 0600, true, &err), &err);
        OK(tree_usage_at(dir, "t", &one, &err), &err);
        assert_int_equal(one, empty + sizeof(data));
        for (int i = 0; i < 600; i++) {
                char name[32];
                snprintf(name, sizeof(name), "t/l%d", i);
                assert_int_equal(linkat(dir, "t/f", dir, name, 0), 0);
        }
        assert_int_equal(symlinkat("/usr", dir, "t/s"), 0);
        OK(tree_usage_at(dir, "t", &linked, &err), &err);
        assert_true(linked >= one && linked < one + sizeof(data)); /* the directory itself may have grown */
        OK(tree_usage_at(dir, "t/f", &other, &err), &err);
        assert_int_equal(other, sizeof(data));
        scratch_done(path, dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_deep),
                cmocka_unit_test(test_bushy),
                cmocka_unit_test(test_links_stay_inside),
                cmocka_unit_test(test_odd_names),
                cmocka_unit_test(test_many_entries),
                cmocka_unit_test(test_modes_that_refuse),
                cmocka_unit_test(test_mounts_stop_it),
                cmocka_unit_test(test_usage),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
