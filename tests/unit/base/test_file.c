#include "unit.h"

#include <errno.h>
#include "base/str.h"

static size_t entries(int dir_fd)
{
        size_t count = 0;
        DIR *dir = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        assert_non_null(dir);
        while (readdir(dir))
                count++;
        closedir(dir);
        return count - 2;
}

static void test_write_and_read(void **state)
{
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path);
        struct stat st;
        mode_t before = umask(077);
        for (int durable = 0; durable < 2; durable++) {
                OK(file_write_at(dir, "f", "first", 5, 0644, durable, &err), &err);
                OK(file_write_at(dir, "f", "second\0x", 8, 0640, durable, &err), &err);
        }
        umask(before);
        assert_int_equal(fstatat(dir, "f", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(entries(dir), 1); /* no temporary name stays */
        _cleanup_buf_ struct buf b = BUF_INIT(8), small = BUF_INIT(7);
        OK(file_read_at(dir, "f", &b, &err), &err);
        assert_int_equal(b.len, 8);
        assert_memory_equal(b.data, "second\0x", 8);
        FAILS(file_read_at(dir, "f", &small, &err), &err, ERR_TOO_LARGE);
        FAILS(file_read_at(dir, "missing", &small, &err), &err, ERR_NOT_FOUND);
        _cleanup_free_ char *absolute = xasprintf("%s/g", path), *name = xmalloc(256);
        OK(file_write_at(AT_FDCWD, absolute, "", 0, 0600, true, &err), &err);
        memset(name, 'n', 255);
        name[255] = '\0';
        OK(file_write_at(dir, name, "x", 1, 0600, false, &err), &err); /* the longest name there is */
        scratch_done(path, dir);
}

static void test_failed_write_leaves_nothing(void **state)
{
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path);
        assert_int_equal(mkdirat(dir, "d", 0700), 0);
        assert_int_equal(mkdirat(dir, "d/x", 0700), 0);
        assert_int_equal(file_write_at(dir, "d", "x", 1, 0600, true, &err), -1); /* a directory is in the way */
        FAILS(file_write_at(dir, "no/f", "x", 1, 0600, false, &err), &err, ERR_NOT_FOUND);
        assert_int_equal(entries(dir), 1);
        scratch_done(path, dir);
}

/* A link in place of the file is replaced, not written through. */
static void test_write_replaces_link(void **state)
{
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path);
        struct stat st;
        OK(file_write_at(dir, "victim", "v", 1, 0600, false, &err), &err);
        assert_int_equal(symlinkat("victim", dir, "link"), 0);
        OK(file_write_at(dir, "link", "other", 5, 0600, false, &err), &err);
        assert_int_equal(fstatat(dir, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_true(S_ISREG(st.st_mode));
        assert_int_equal(fstatat(dir, "victim", &st, 0), 0);
        assert_int_equal(st.st_size, 1);
        scratch_done(path, dir);
}

static void test_kernel_files(void **state)
{
        struct err err = ERR_INIT;
        char *path, *line = NULL;
        int dir = scratch_new(&path);
        OK(file_line_at(AT_FDCWD, "/proc/self/comm", &line, &err), &err);
        assert_string_equal(line, "unit-base-file");
        OK(file_poke_at(AT_FDCWD, "/proc/self/comm", "renamed", &err), &err);
        free(line);
        OK(file_line_at(AT_FDCWD, "/proc/self/comm", &line, &err), &err);
        assert_string_equal(line, "renamed");
        free(line);
        FAILS(file_poke_at(dir, "missing", "x", &err), &err, ERR_NOT_FOUND); /* makes none */
        OK(file_write_at(dir, "e", "", 0, 0600, false, &err), &err);
        OK(file_line_at(dir, "e", &line, &err), &err);
        assert_string_equal(line, "");
        free(line);
        assert_true(file_exists_at(dir, "e") && !file_exists_at(dir, "f"));
        _cleanup_close_ int by_path = open(path, O_PATH | O_CLOEXEC);
        OK(file_sync_dir(dir, &err), &err);
        OK(file_sync_dir(by_path, &err), &err);
        OK(file_sync_dir(AT_FDCWD, &err), &err);
        scratch_done(path, dir);
}

static void test_lock(void **state)
{
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path);
        _cleanup_close_ int first = file_lock_at(dir, "l", true, false, &err);
        assert_true(first >= 0);
        FAILS(file_lock_at(dir, "l", false, false, &err), &err, ERR_CONFLICT);
        mem_closep(&first);
        _cleanup_close_ int a = file_lock_at(dir, "l", false, false, &err),
                            b = file_lock_at(dir, "l", false, true, &err);
        assert_true(a >= 0 && b >= 0);
        FAILS(file_lock_at(dir, "l", true, false, &err), &err, ERR_CONFLICT);
        assert_int_equal(symlinkat("elsewhere", dir, "link"), 0);
        assert_int_equal(file_lock_at(dir, "link", true, false, &err), -1);
        assert_int_equal(err.sys, ELOOP);
        assert_false(file_exists_at(dir, "elsewhere"));
        scratch_done(path, dir);
}

/* The holder removes the lock file before it unlocks: whoever waited must not hold a lock on the removed one. */
static void test_lock_removed(void **state)
{
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path);
        int held = file_lock_at(dir, "l", true, false, &err);
        pid_t pid = fork();
        if (pid == 0) {
                close(held);
                _cleanup_close_ int mine = file_lock_at(dir, "l", true, true, &err);
                struct stat now, got;
                _exit(mine < 0 || fstat(mine, &got) < 0 || fstatat(dir, "l", &now, 0) < 0 || now.st_ino != got.st_ino ||
                      got.st_nlink != 1);
        }
        usleep(20000);
        unlinkat(dir, "l", 0);
        close(held);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        scratch_done(path, dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_write_and_read),
                cmocka_unit_test(test_failed_write_leaves_nothing),
                cmocka_unit_test(test_write_replaces_link),
                cmocka_unit_test(test_kernel_files),
                cmocka_unit_test(test_lock),
                cmocka_unit_test(test_lock_removed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
