#include "unit.h"

#include <signal.h>
#include <sys/epoll.h>
#include "base/loop.h"
#include "base/timefmt.h"

static void on_read(struct loop *loop, struct loop_source *source, uint32_t events, void *data)
{
        char c;
        int *fds = data;
        assert_true(events & EPOLLIN);
        assert_int_equal(read(fds[0], &c, 1), 1);
        loop_stop(loop, c);
}

static void test_descriptor(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_(loop_freep) struct loop *loop = NULL;
        struct loop_source *source;
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        OK(loop_new(&loop, &err), &err);
        OK(loop_add_fd(loop, ends[0], EPOLLIN, on_read, ends, &source, &err), &err);
        FAILS(loop_add_fd(loop, ends[0], EPOLLIN, on_read, ends, NULL, &err), &err, ERR_CONFLICT);
        assert_int_equal(write(ends[1], "ab", 2), 2);
        assert_int_equal(loop_run(loop, &err), 'a');
        assert_int_equal(loop_run(loop, &err), 'b'); /* can be run again */
        OK(loop_set_events(loop, source, 0, &err), &err);
        loop_remove(loop, source);
        loop_remove(loop, source); /* twice before it is freed: harmless */
        close(ends[0]);
        close(ends[1]);
        FAILS(loop_add_fd(loop, ends[0], EPOLLIN, on_read, ends, NULL, &err), &err, ERR_SYSTEM);
}

struct pair {
        int ends[2][2];
        struct loop_source *sources[2];
        int calls;
};

static void remove_both(struct loop *loop, struct loop_source *source, uint32_t events, void *data)
{
        struct pair *p = data;
        p->calls++;
        loop_remove(loop, p->sources[0]);
        loop_remove(loop, p->sources[1]);
}

static void stop_now(struct loop *loop, struct loop_source *source, void *data)
{
        loop_stop(loop, 5);
}

/* Both are ready in one batch and the first handler removes both: the second must not run, nor be read after its
 * death. */
static void test_remove_in_handler(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_(loop_freep) struct loop *loop = NULL;
        struct pair p = { .calls = 0 };
        OK(loop_new(&loop, &err), &err);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(pipe2(p.ends[i], O_CLOEXEC), 0);
                assert_int_equal(write(p.ends[i][1], "x", 1), 1);
                OK(loop_add_fd(loop, p.ends[i][0], EPOLLIN, remove_both, &p, &p.sources[i], &err), &err);
        }
        OK(loop_add_timer(loop, time_monotonic() + 5000000, stop_now, NULL, NULL, &err), &err);
        assert_int_equal(loop_run(loop, &err), 5);
        assert_int_equal(p.calls, 1);
        for (int i = 0; i < 4; i++)
                close(p.ends[i / 2][i % 2]);
}

static void on_tick(struct loop *loop, struct loop_source *source, void *data)
{
        int *count = data;
        if (++*count == 3) {
                loop_remove(loop, source);
                loop_stop(loop, 0);
                return;
        }
        loop_set_timer(loop, source, time_monotonic() + 2000000);
}

static void test_timers(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_(loop_freep) struct loop *loop = NULL;
        int count = 0;
        struct loop_source *never;
        OK(loop_new(&loop, &err), &err);
        int64_t begin = time_monotonic();
        OK(loop_add_timer(loop, begin + 2000000, on_tick, &count, NULL, &err), &err);
        OK(loop_add_timer(loop, INT64_MAX, stop_now, NULL, &never, &err), &err);
        assert_int_equal(loop_run(loop, &err), 0);
        assert_int_equal(count, 3);
        assert_true(time_monotonic() - begin >= 6000000);
        loop_set_timer(loop, never, 0); /* the past: at once */
        assert_int_equal(loop_run(loop, &err), 5);
        loop_stop(loop, 9); /* before the run: the run ends at once */
        assert_int_equal(loop_run(loop, &err), 9);
}

static void on_signal(struct loop *loop, int signo, void *data)
{
        int *seen = data;
        *seen = signo;
        loop_stop(loop, 0);
}

static void test_signals(void **state)
{
        struct err err = ERR_INIT;
        struct loop *loop = NULL;
        int seen = 0;
        sigset_t now;
        OK(loop_new(&loop, &err), &err);
        OK(loop_add_signals(loop, (int[]){ SIGUSR1, SIGTERM, 0 }, on_signal, &seen, &err), &err);
        FAILS(loop_add_signals(loop, (int[]){ SIGUSR2, 0 }, on_signal, &seen, &err), &err, ERR_INVALID);
        kill(getpid(), SIGTERM);
        OK(loop_run(loop, &err), &err);
        assert_int_equal(seen, SIGTERM);
        kill(getpid(), SIGUSR1);
        OK(loop_run(loop, &err), &err);
        assert_int_equal(seen, SIGUSR1);
        loop_free(loop);
        sigprocmask(SIG_SETMASK, NULL, &now);
        assert_int_equal(sigismember(&now, SIGTERM), 0);
}

static void read_file(struct loop *loop, struct loop_source *source, uint32_t events, void *data)
{
        char text[4];
        int *fd = data;
        ssize_t n = read(*fd, text, sizeof(text));
        assert_true(n >= 0);
        if (n > 0)
                return;
        loop_remove(loop, source);
        loop_stop(loop, (int)lseek(*fd, 0, SEEK_CUR));
}

/* epoll refuses regular files; stdin may well be one. */
static void test_regular_file(void **state)
{
        struct err err = ERR_INIT;
        char *path;
        int dir = scratch_new(&path);
        OK(file_write_at(dir, "f", "0123456789", 10, 0600, false, &err), &err);
        _cleanup_close_ int fd = openat(dir, "f", O_RDONLY | O_CLOEXEC);
        _cleanup_(loop_freep) struct loop *loop = NULL;
        OK(loop_new(&loop, &err), &err);
        OK(loop_add_fd(loop, fd, EPOLLIN, read_file, &fd, NULL, &err), &err);
        assert_int_equal(loop_run(loop, &err), 10);
        OK(loop_add_timer(loop, time_monotonic() + 1000000, stop_now, NULL, NULL, &err), &err);
        assert_int_equal(loop_run(loop, &err), 5);
        scratch_done(path, dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_descriptor),   cmocka_unit_test(test_remove_in_handler),
                cmocka_unit_test(test_timers),       cmocka_unit_test(test_signals),
                cmocka_unit_test(test_regular_file),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
