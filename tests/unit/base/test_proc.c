#include "unit.h"

#include <errno.h>
#include <sys/mman.h>
#include <signal.h>
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/timefmt.h"

#define SHELL(script) ((char *[]){ (char *)"sh", (char *)"-c", (char *)(script), NULL })

static struct proc_spawn shell_spawn(char *const *argv)
{
        return (struct proc_spawn){ .path = "sh", .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = 2 };
}

/* Output of a script, which must exit 0. */
static char *output_of(struct proc_spawn *spawn)
{
        struct err err = ERR_INIT;
        struct buf out = BUF_INIT(100000);
        int status = -1;
        OK(proc_run(spawn, NULL, 0, &out, &status, &err), &err);
        assert_int_equal(status, 0);
        return buf_take(&out);
}

static void test_run(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_buf_ struct buf out = BUF_INIT(1000000), small = BUF_INIT(10);
        int status = -1;
        size_t before = descriptors_open();
        struct proc_spawn cat = { .path = "cat",
                                  .argv = (char *[]){ (char *)"cat", NULL },
                                  .stdin_fd = -1,
                                  .stdout_fd = -1,
                                  .stderr_fd = 2 };
        _cleanup_free_ char *big = xmalloc(900000);
        memset(big, 'b', 900000);
        OK(proc_run(&cat, big, 900000, &out, &status, &err), &err);
        assert_int_equal(status, 0);
        assert_int_equal(out.len, 900000);
        FAILS(proc_run(&cat, big, 900000, &small, &status, &err), &err, ERR_TOO_LARGE);
        struct proc_spawn sh = shell_spawn(SHELL("exit 7"));
        OK(proc_run(&sh, big, 900000, NULL, &status, &err), &err); /* input that nobody reads */
        assert_int_equal(status, 7);
        sh.argv = SHELL("kill -TERM $$");
        OK(proc_run(&sh, NULL, 0, NULL, &status, &err), &err);
        assert_int_equal(status, 128 + SIGTERM);
        assert_int_equal(descriptors_open(), before);
        assert_int_equal(waitpid(-1, &status, WNOHANG), -1); /* no zombie */
        assert_int_equal(errno, ECHILD);
}

static void test_daemon_left_behind(void **state)
{
        struct proc_spawn sh = shell_spawn(SHELL("sleep 5 2>/dev/null & echo $!"));
        int64_t begin = time_monotonic();
        _cleanup_free_ char *pid = output_of(&sh);
        assert_true(time_monotonic() - begin < 3000000000);
        kill((pid_t)strtol(pid, NULL, 10), SIGKILL);
}

static void test_missing_program(void **state)
{
        struct err err = ERR_INIT;
        pid_t pid = 77;
        int fd = 77, status;
        struct proc_spawn s = shell_spawn(SHELL("true"));
        s.path = "/nonexistent/program";
        FAILS(proc_spawn(&s, &pid, &fd, &err), &err, ERR_NOT_FOUND);
        s.path = "no-such-program-anywhere";
        FAILS(proc_spawn(&s, &pid, &fd, &err), &err, ERR_NOT_FOUND);
        s.path = "/etc/passwd";
        FAILS(proc_spawn(&s, &pid, &fd, &err), &err, ERR_DENIED);
        assert_true(pid == 77 && fd == 77);
        assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
}

/* Children see exactly 0, 1, 2 and what was to be kept. */
static void test_descriptors(void **state)
{
        int extra = fcntl(2, F_DUPFD, 300), leak = fcntl(2, F_DUPFD, 400);
        struct proc_spawn sh = shell_spawn(SHELL("ls /proc/self/fd | tr '\\n' ' '"));
        sh.keep_fds = &extra;
        sh.keep_count = 1;
        _cleanup_free_ char *text = output_of(&sh);
        assert_string_equal(text, "0 1 2 3 300 "); /* 3 is ls reading the directory */
        close(extra);
        close(leak);
        struct err err = ERR_INIT;
        pid_t pid;
        sh.keep_fds = (int[]){ 1 };
        FAILS(proc_spawn(&sh, &pid, NULL, &err), &err, ERR_INVALID);
}

/* With the sources themselves on 0..2, in every order. In a child, whose own stdio may be torn up. */
static int permute(void *data)
{
        const int *order = data;
        struct err err = ERR_INIT;
        int files[3], status;
        for (int i = 0; i < 3; i++) {
                char name[2] = { (char)('a' + i), '\0' };
                int fd = memfd_create(name, 0);
                files[i] = fcntl(fd, F_DUPFD, 20);
                close(fd);
        }
        for (int i = 0; i < 3; i++)
                if (dup2(files[i], i) < 0)
                        return 2;
        static const char script[] = "text=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2); echo \"$text\" >&3";
        struct proc_spawn sh = { .path = "/bin/sh",
                                 .argv = SHELL(script),
                                 .keep_fds = (int[]){ 3 },
                                 .keep_count = 1,
                                 .stdin_fd = order[0],
                                 .stdout_fd = order[1],
                                 .stderr_fd = order[2] };
        int out = memfd_create("out", 0);
        if (out != 3 && (dup2(out, 3) < 0 || close(out) < 0))
                return 3;
        pid_t pid;
        if (proc_spawn(&sh, &pid, NULL, &err) < 0 || proc_wait(pid, &status, &err) < 0 || status != 0)
                return 4;
        char text[200] = "", expected[200];
        lseek(3, 0, SEEK_SET);
        if (fd_read_full(3, text, sizeof(text) - 1) < 0)
                return 5;
        snprintf(expected, sizeof(expected), "/memfd:%c (deleted)\n/memfd:%c (deleted)\n/memfd:%c (deleted)\n",
                 'a' + order[0], 'a' + order[1], 'a' + order[2]);
        return strcmp(text, expected) == 0 ? 0 : 6;
}

static void test_overlapping_stdio(void **state)
{
        for (int i = 0; i < 27; i++) {
                int order[3] = { i / 9, i / 3 % 3, i % 3 };
                assert_int_equal(in_child(permute, order), 0);
        }
}

static void handler(int signo) {}

static void test_clean_signals(void **state)
{
        struct sigaction ours = { .sa_handler = handler }, ignore = { .sa_handler = SIG_IGN };
        sigset_t mask, before, after;
        sigaction(SIGUSR1, &ours, NULL);
        sigaction(SIGPIPE, &ignore, NULL);
        sigaction(SIGHUP, &ignore, NULL);
        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigprocmask(SIG_SETMASK, &mask, NULL);
        struct proc_spawn sh =
                shell_spawn(SHELL("grep -E '^Sig(Blk|Ign)' /proc/self/status; readlink /proc/self/fd/0"));
        _cleanup_free_ char *text = output_of(&sh);
        assert_string_equal(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n/dev/null\n");
        sigprocmask(SIG_SETMASK, NULL, &after);
        assert_true(sigismember(&after, SIGTERM) == 1 && sigismember(&after, SIGINT) == 0);
        struct sigaction now;
        sigaction(SIGUSR1, NULL, &now);
        assert_true(now.sa_handler == handler); /* ours stayed */
        sigemptyset(&before);
        sigprocmask(SIG_SETMASK, &before, NULL);
        signal(SIGPIPE, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
}

static void test_env_and_session(void **state)
{
        struct proc_spawn s = { .path = "env",
                                .argv = (char *[]){ (char *)"env", NULL },
                                .env = (char *[]){ (char *)"ONLY=this", NULL },
                                .stdin_fd = -1,
                                .stdout_fd = -1,
                                .stderr_fd = -1 };
        _cleanup_free_ char *text = output_of(&s);
        assert_string_equal(text, "ONLY=this\n");
        struct proc_spawn sh =
                shell_spawn(SHELL("set -- $(cat /proc/$$/stat); test $6 = $$ && echo leader || echo member"));
        _cleanup_free_ char *member = output_of(&sh);
        sh.new_session = true;
        _cleanup_free_ char *leader = output_of(&sh);
        assert_string_equal(member, "member\n");
        assert_string_equal(leader, "leader\n");
}

static void test_identity(void **state)
{
        struct err err = ERR_INIT;
        struct proc_spawn sh = shell_spawn(SHELL("exec sleep 30"));
        pid_t pid;
        _cleanup_close_ int pidfd = -1;
        uint64_t ticks = 0;
        OK(proc_spawn(&sh, &pid, &pidfd, &err), &err);
        OK(proc_start_time(pid, &ticks, &err), &err);
        assert_true(ticks > 0 && proc_alive(pid, ticks) && !proc_alive(pid, ticks + 1));
        _cleanup_close_ int same = proc_open(pid, ticks, &err);
        assert_true(same >= 0 && (fcntl(same, F_GETFD) & FD_CLOEXEC));
        FAILS(proc_open(pid, ticks + 1, &err), &err, ERR_NOT_FOUND);
        FAILS(proc_wait_gone(same, 20, &err), &err, ERR_TIMEOUT);
        FAILS(proc_wait_gone(same, 0, &err), &err, ERR_TIMEOUT);
        OK(proc_signal(same, SIGKILL, &err), &err);
        OK(proc_wait_gone(same, -1, &err), &err);
        assert_false(proc_alive(pid, ticks)); /* a zombie now */
        FAILS(proc_open(pid, ticks, &err), &err, ERR_NOT_FOUND);
        int status;
        OK(proc_wait(pid, &status, &err), &err);
        assert_int_equal(status, 128 + SIGKILL);
        FAILS(proc_signal(same, SIGTERM, &err), &err, ERR_NOT_FOUND);
        FAILS(proc_start_time(pid, &ticks, &err), &err, ERR_NOT_FOUND);
        FAILS(proc_open(0, 1, &err), &err, ERR_NOT_FOUND);
        FAILS(proc_open(-1, 1, &err), &err, ERR_NOT_FOUND);
}

/* A command name made to look like the fields after it. */
static void test_hostile_comm(void **state)
{
        struct err err = ERR_INIT;
        uint64_t before = 0, after = 1;
        OK(proc_start_time(getpid(), &before, &err), &err);
        OK(file_poke_at(AT_FDCWD, "/proc/self/comm", ") Z 1 (x) R", &err), &err);
        OK(proc_start_time(getpid(), &after, &err), &err);
        assert_int_equal(before, after);
        assert_true(proc_alive(getpid(), after));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_run),
                cmocka_unit_test(test_daemon_left_behind),
                cmocka_unit_test(test_missing_program),
                cmocka_unit_test(test_descriptors),
                cmocka_unit_test(test_overlapping_stdio),
                cmocka_unit_test(test_clean_signals),
                cmocka_unit_test(test_env_and_session),
                cmocka_unit_test(test_identity),
                cmocka_unit_test(test_hostile_comm),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
