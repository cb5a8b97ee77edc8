/* tare-init, as process 1 and as an ordinary one. */
#include <sys/syscall.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include "base/mem.h"
#include "base/str.h"

static void init_exec(const char *const *command)
{
        const char *argv[16] = { "docker-init", "--" };
        for (int i = 0; command[i] && i < 13; i++)
                argv[2 + i] = command[i];
        /* as runtime/ starts it, also where whoever started the tests left libc's own signals ignored */
        struct { void (*handler)(int); unsigned long flags; void (*restorer)(void); uint64_t mask; } plain = { .handler = SIG_DFL };
        for (int signo = 1; signo < NSIG; signo++)
                syscall(SYS_rt_sigaction, signo, &plain, NULL, sizeof(plain.mask));
        execv(getenv("TARE_TEST_INIT"), (char *const *)(uintptr_t)argv);
        _exit(99);
}

/* What it writes is read from *ret_out. */
static pid_t init_start(const char *const *command, bool as_one, int *ret_out)
{
        int out[2];
        assert_int_equal(pipe(out), 0);
        pid_t pid = fork();
        if (pid == 0) {
                dup2(out[1], 1);
                dup2(out[1], 2);
                close(out[0]);
                close(out[1]);
                if (!as_one)
                        init_exec(command);
                if (unshare(CLONE_NEWPID) < 0)
                        _exit(98);
                pid_t one = fork();
                if (one == 0)
                        init_exec(command);
                int status;
                waitpid(one, &status, 0);
                _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
        close(out[1]);
        *ret_out = out[0];
        return pid;
}

static int ended(pid_t pid)
{
        int status;
        for (int left = 10000; left > 0; left -= 5) {
                if (waitpid(pid, &status, WNOHANG) == pid)
                        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                poll(NULL, 0, 5);
        }
        fail_msg("tare-init does not end");
        return -1;
}

static void read_until(int fd, const char *text)
{
        char all[4096] = "";
        for (size_t len = 0; !strstr(all, text);) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                assert_true(poll(&p, 1, 10000) == 1);
                ssize_t n = read(fd, all + len, sizeof(all) - 1 - len);
                if (n <= 0)
                        fail_msg("\"%s\" did not come, but \"%s\"", text, all);
                len += (size_t)n;
                all[len] = 0;
        }
}

#define SH(script)                                                                                                     \
        (const char *const[])                                                                                          \
        {                                                                                                              \
                "sh", "-c", script, NULL                                                                               \
        }

static void test_status(void **state)
{
        static const struct {
                const char *script;
                int status;
        } cases[] = {
                { "exit 0", 0 },
                { "exit 7", 7 },
                { "kill -9 $$", 137 },
                { "kill -TERM $$", 143 },
        };
        for (int one = 0; one < 2; one++) {
                for (size_t i = 0; i < ELEMENTS(cases); i++) {
                        int out;
                        pid_t pid = init_start(SH(cases[i].script), one, &out);
                        assert_int_equal(ended(pid), cases[i].status);
                        close(out);
                }
        }
}

static void test_cannot_run(void **state)
{
        int out;
        pid_t pid = init_start((const char *const[]){ "/no/such/program", NULL }, false, &out);
        read_until(out, "/no/such/program: No such file or directory\n");
        assert_int_equal(ended(pid), 127);
        close(out);
        pid = init_start((const char *const[]){ "/etc/passwd", NULL }, false, &out);
        read_until(out, "/etc/passwd: Permission denied\n");
        assert_int_equal(ended(pid), 126);
        close(out);
        pid = init_start((const char *const[]){ NULL }, false, &out);
        read_until(out, "usage");
        assert_int_equal(ended(pid), 1);
        close(out);
}

static void test_forwards_signals(void **state)
{
        static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT };
        for (size_t i = 0; i < ELEMENTS(signals); i++) {
                int out;
                _cleanup_free_ char *script = xasprintf(
                        "trap 'echo caught; exit 5' %d; echo ready; while :; do sleep 0.02; done", signals[i]);
                pid_t pid = init_start(SH(script), false, &out);
                read_until(out, "ready");
                assert_int_equal(kill(pid, signals[i]), 0);
                read_until(out, "caught");
                assert_int_equal(ended(pid), 5);
                close(out);
        }
}

/* Orphans come to it and do not stay as zombies. */
static void test_reaps(void **state)
{
        for (int one = 0; one < 2; one++) {
                int out;
                pid_t pid = init_start(SH("for i in 1 2 3 4; do (setsid sleep 0.05 &); done; sleep 0.3; "
                                          "for n in $(seq 100); do z=; for s in /proc/[0-9]*/stat; do read -r line <$s && case $line in "
                                          "*'(sleep) Z '\"$PPID\"*) z=zombie; esac; done 2>/dev/null; [ \"$z\" ] || exit 3; "
                                          "sleep 0.1; done; echo zombie; exit 3"),
                                       one, &out);
                char text[256] = "";
                assert_int_equal(read(out, text, sizeof(text) - 1), 0);
                assert_int_equal(ended(pid), 3);
                close(out);
        }
}

/* The command has the mask and the dispositions that tare-init was given, and a process group of its own. */
static void test_clean_child(void **state)
{
        int out;
        pid_t pid = init_start(SH("grep -c 'SigBlk:.0000000000000000' /proc/self/status; [ $(ps -o pgid= -p $$) = $$ ] "
                                  "&& echo leader; "
                                  "grep SigIgn: /proc/$$/status"),
                               false, &out);
        read_until(out, "1\nleader\nSigIgn:\t0000000000000000");
        assert_int_equal(ended(pid), 0);
        close(out);
}

static void test_takes_terminal(void **state)
{
        int master, slave;
        assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
        pid_t pid = fork();
        if (pid == 0) {
                login_tty(slave);
                init_exec(SH("read x; echo got $x; [ $(ps -o tpgid= -p $$) = $$ ] && echo foreground"));
        }
        close(slave);
        assert_int_equal(write(master, "typed\n", 6), 6);
        read_until(master, "got typed\r\nforeground");
        assert_int_equal(ended(pid), 0);
        close(master);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_status),           cmocka_unit_test(test_cannot_run),
                cmocka_unit_test(test_forwards_signals), cmocka_unit_test(test_reaps),
                cmocka_unit_test(test_clean_child),      cmocka_unit_test(test_takes_terminal),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
