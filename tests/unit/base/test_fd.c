#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include "base/fd.h"

static void test_read_all_limits(void **state)
{
        struct err err = ERR_INIT;
        char text[5000];
        memset(text, 'x', sizeof(text));
        for (size_t max = sizeof(text) - 1; max <= sizeof(text) + 1; max++) {
                _cleanup_close_ int fd = fd_memfd("t", text, sizeof(text), &err);
                _cleanup_buf_ struct buf b = BUF_INIT(max);
                assert_true(fd >= 0);
                if (max < sizeof(text)) {
                        FAILS(fd_read_all(fd, &b, &err), &err, ERR_TOO_LARGE);
                } else {
                        OK(fd_read_all(fd, &b, &err), &err);
                        assert_int_equal(b.len, sizeof(text));
                }
        }
}

static void test_memfd_is_sealed(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_close_ int fd = fd_memfd("t", "abc", 3, &err);
        char data[8] = "";
        assert_int_equal(write(fd, "x", 1), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(ftruncate(fd, 0), -1);
        assert_int_equal(fd_read_full(fd, data, sizeof(data)), 3);
        assert_string_equal(data, "abc");
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static int slow_reader(void *data)
{
        int fd = *(int *)data;
        size_t total = 0;
        char chunk[1000];
        for (;;) {
                ssize_t n = read(fd, chunk, sizeof(chunk));
                if (n <= 0)
                        return total == 1000000 ? 0 : 1;
                total += (size_t)n;
        }
}

static void test_write_full_nonblocking(void **state)
{
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(fd_set_nonblock(ends[1], true), 0);
        pid_t pid = fork();
        if (pid == 0) {
                close(ends[1]);
                _exit(slow_reader(&ends[0]));
        }
        close(ends[0]);
        _cleanup_free_ char *data = xcalloc(1, 1000000);
        assert_int_equal(fd_write_full(ends[1], data, 1000000), 0);
        close(ends[1]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void test_copy(void **state)
{
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path), ends[2];
        uint64_t n = 0;
        _cleanup_close_ int a = openat(dir, "a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        _cleanup_close_ int b = openat(dir, "b", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        _cleanup_close_ int proc = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
        assert_int_equal(ftruncate(a, 100000), 0);
        OK(fd_copy(a, b, &n, &err), &err); /* appending: copy_file_range refuses */
        assert_int_equal(n, 100000);
        OK(fd_copy(proc, b, &n, &err), &err); /* a file of size 0 with content */
        assert_true(n > 100);
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        lseek(a, 90000, SEEK_SET);
        OK(fd_copy(a, ends[1], &n, &err), &err);
        assert_int_equal(n, 10000);
        close(ends[1]);
        lseek(a, 0, SEEK_END);
        OK(fd_copy(ends[0], a, NULL, &err), &err);
        assert_int_equal(lseek(a, 0, SEEK_CUR), 110000);
        close(ends[0]);
        _cleanup_close_ int reader = openat(dir, "a", O_RDONLY | O_CLOEXEC);
        FAILS(fd_copy(reader, reader, &n, &err), &err, ERR_SYSTEM);
        scratch_done(path, dir);
}

static void test_pass(void **state)
{
        struct err err = ERR_INIT;
        int pair[2], got[4] = { -1, -1, -1, -1 };
        size_t count = 9, len = 9, before = descriptors_open();
        char data[16] = "";
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        OK(fd_send(pair[0], (int[]){ 0, 2 }, 2, "hello", 5, &err), &err);
        OK(fd_receive(pair[1], got, 4, &count, data, sizeof(data), &len, &err), &err);
        assert_int_equal(count, 2);
        assert_int_equal(len, 5);
        assert_string_equal(data, "hello");
        assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
        close(got[0]);
        close(got[1]);
        OK(fd_send(pair[0], (int[]){ 0, 1, 2 }, 3, "x", 1, &err), &err);
        FAILS(fd_receive(pair[1], got, 2, &count, data, sizeof(data), &len, &err), &err, ERR_TOO_LARGE);
        FAILS(fd_send(pair[0], NULL, 0, "", 0, &err), &err, ERR_INVALID);
        OK(fd_send(pair[0], NULL, 0, "y", 1, &err), &err);
        OK(fd_receive(pair[1], got, 4, &count, data, sizeof(data), &len, &err), &err);
        assert_int_equal(count, 0);
        close(pair[0]);
        OK(fd_receive(pair[1], got, 4, &count, data, sizeof(data), &len, &err), &err);
        assert_int_equal(len, 0);
        assert_int_equal(fd_send(pair[1], (int[]){ 0 }, 1, "x", 1, &err), -1); /* and no SIGPIPE */
        assert_int_equal(err.sys, EPIPE);
        close(pair[1]);
        assert_int_equal(descriptors_open(), before);
}

static void test_cloexec_from(void **state)
{
        int a = dup(2), b = fcntl(2, F_DUPFD, 200);
        assert_int_equal(fd_cloexec_from(a), 0);
        assert_true(fcntl(a, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(b, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(fd_set_cloexec(b, false), 0);
        assert_int_equal(fcntl(b, F_GETFD), 0);
        char path[FD_PATH_SIZE];
        assert_string_equal(fd_path(200, path), "/proc/self/fd/200");
        close(a);
        close(b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_read_all_limits),
                cmocka_unit_test(test_memfd_is_sealed),
                cmocka_unit_test(test_copy),
                cmocka_unit_test(test_pass),
                cmocka_unit_test(test_cloexec_from),
                cmocka_unit_test(test_write_full_nonblocking),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
