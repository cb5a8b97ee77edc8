/* Sessions: who sees what, standard input, terminals, clients that lie or stall. */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "base/timefmt.h"

#define TEXT_MAX ((size_t)256 << 20)

static void collect(int fd, const char *out, const char *err, int32_t code)
{
        _cleanup_buf_ struct buf o = BUF_INIT(TEXT_MAX), e = BUF_INIT(TEXT_MAX);
        int32_t got = session_collect(fd, &o, &e);
        assert_string_equal(o.data ? o.data : "", out);
        assert_string_equal(e.data ? e.data : "", err);
        assert_int_equal(got, code);
}

static void test_first_session_misses_nothing(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "echo out; echo err >&2; sleep 0.1; printf last; exit 9",
                                             .attach = true });
        enum attach_frame type;
        _cleanup_buf_ struct buf payload = BUF_INIT(1000);
        assert_true(session_next(r.client, &type, &payload));
        assert_int_equal(type, ATTACH_READY);
        collect(r.client, "out\nlast", "err\n", 9);
        assert_false(session_next(r.client, &type, &payload));
        rig_done(&r);
}

static void test_two_clients(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "read x; echo got $x; echo oops >&2; exit 3",
                                             .open_stdin = true,
                                             .listen = true });
        int a = session_open(&r, true, true, true), b = session_open(&r, false, true, false);
        session_type(a, ATTACH_STDIN, "hello\n", 6);
        collect(a, "got hello\n", "oops\n", 3);
        collect(b, "got hello\n", "", 3);
        close(a);
        close(b);
        rig_done(&r);
}

/* stdin_once: the end of one client's input is the end of the container's. */
static void test_stdin_once(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "cat; echo done",
                                             .open_stdin = true,
                                             .stdin_once = true,
                                             .attach = true,
                                             .attach_stdin = true });
        session_type(r.client, ATTACH_STDIN, "round\n", 6);
        session_type(r.client, ATTACH_STDIN, "trip", 4);
        session_type(r.client, ATTACH_STDIN_EOF, NULL, 0);
        collect(r.client, "round\ntripdone\n", "", 0);
        rig_done(&r);
}

static void test_stdin_once_by_detach(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "cat >>/dev/stderr; echo done",
                                             .open_stdin = true,
                                             .stdin_once = true,
                                             .attach = true,
                                             .attach_stdin = true });
        session_type(r.client, ATTACH_STDIN, "typed before leaving", 20);
        close(r.client);
        r.client = -1;
        assert_int_equal(rig_wait(&r), 0);
        _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX);
        rig_log_text(&r, "stderr", &b);
        assert_string_equal(b.data, "typed before leaving");
        rig_done(&r);
}

/* Without it the container's input outlives its clients; and a client that came without stdin has no say at all. */
static void test_stdin_stays(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "cat", .open_stdin = true, .listen = true });
        int a = session_open(&r, true, true, true);
        session_type(a, ATTACH_STDIN, "one ", 4);
        session_expect(a, "one ");
        session_type(a, ATTACH_STDIN_EOF, NULL, 0);
        close(a);
        int b = session_open(&r, false, true, true);
        session_type(b, ATTACH_STDIN, "ignored", 7);
        session_type(b, ATTACH_STDIN_EOF, NULL, 0);
        int c = session_open(&r, true, true, true);
        session_type(c, ATTACH_STDIN, "two", 3);
        session_expect(b, "two");
        uint8_t term[4] = { 0, 0, 0, SIGTERM };
        session_type(c, ATTACH_SIGNAL, term, 4);
        collect(c, "two", "", 143);
        close(b);
        close(c);
        rig_done(&r);
}

static void test_eof_without_stdin(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){
                              .command = "read x; echo $x", .open_stdin = true, .stdin_once = true, .listen = true });
        int a = session_open(&r, false, true, true), b = session_open(&r, true, true, true);
        session_type(a, ATTACH_STDIN_EOF, NULL, 0);
        close(a);
        busy_wait_ms(50);
        session_type(b, ATTACH_STDIN, "mine\n", 5);
        collect(b, "mine\n", "", 0);
        close(b);
        rig_done(&r);
}

static pid_t typist(int fd, size_t bytes)
{
        pid_t pid = fork();
        if (pid)
                return pid;
        static char block[ATTACH_PAYLOAD_MAX];
        memset(block, 'x', sizeof(block));
        struct err err = ERR_INIT;
        for (size_t left = bytes; left > 0;) {
                uint32_t n = left < sizeof(block) ? (uint32_t)left : (uint32_t)sizeof(block);
                if (attach_send(fd, ATTACH_STDIN, block, n, &err) < 0)
                        _exit(1);
                left -= n;
        }
        attach_send(fd, ATTACH_STDIN_EOF, NULL, 0, &err);
        _exit(0);
}

/* The container takes its time: the client is held up, and other sessions are not. */
static void test_stdin_backpressure(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){
                              .command = "sleep 0.3; wc -c", .open_stdin = true, .stdin_once = true, .listen = true });
        int a = session_open(&r, true, true, true);
        pid_t pid = typist(a, 20000001);
        int b = session_open(&r, false, true, true);
        collect(b, "20000001\n", "", 0);
        collect(a, "20000001\n", "", 0);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        close(a);
        close(b);
        rig_done(&r);
}

/* A container that closes its input, and a client that does not care. */
static void test_stdin_closed_by_container(void **state)
{
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "exec <&-; echo closed; sleep 0.3; exit 5",
                                             .open_stdin = true,
                                             .attach = true,
                                             .attach_stdin = true });
        session_expect(r.client, "closed");
        for (int i = 0; i < 100; i++)
                session_type(r.client, ATTACH_STDIN, "data", 4);
        collect(r.client, "", "", 5);
        rig_done(&r);
}

static void test_terminal(void **state)
{
        struct rig r;
        uint8_t size[4] = { 0, 33, 0, 121 };
        rig_start(&r,
                  &(struct rig_options){
                          .command =
                                  "trap 'stty size; exit 4' WINCH; echo ready; while :; do read x && echo got $x; done",
                          .tty = true,
                          .attach = true,
                          .attach_stdin = true,
                          .stdin_once = true });
        session_expect(r.client, "ready\r\n");
        session_type(r.client, ATTACH_STDIN, "typed\n", 6);
        session_expect(r.client, "typed\r\ngot typed\r\n");
        session_type(r.client, ATTACH_STDIN_EOF, NULL, 0); /* means nothing here */
        session_type(r.client, ATTACH_RESIZE, size, 4);
        collect(r.client, "33 121\r\n", "", 4);
        assert_int_equal(rig_wait(&r), 0);
        _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX);
        rig_log_text(&r, "stdout", &b);
        assert_string_equal(b.data, "ready\r\ntyped\r\ngot typed\r\n33 121\r\n");
        rig_done(&r);
}

/* All that a terminal still holds when init ends is read; and a container that lets go of it for a while gets it
 * back. */
static void test_terminal_to_the_end(void **state)
{
        struct rig r;
        rig_start(&r,
                  &(struct rig_options){
                          .command = "tty=$(tty); exec </dev/null >/dev/null 2>&1; sleep 0.3; exec >$tty; seq 1 500",
                          .tty = true });
        assert_int_equal(rig_wait(&r), 0);
        _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX);
        rig_log_text(&r, "stdout", &b);
        assert_true(str_starts(b.data, "1\r\n2\r\n3\r\n"));
        assert_true(str_ends(b.data, "499\r\n500\r\n"));
        rig_done(&r);
}

static void test_signal(void **state)
{
        struct rig r;
        uint8_t usr1[4] = { 0, 0, 0, SIGUSR1 }, bad[4] = { 0xff, 0xff, 0xff, 0xff };
        rig_start(&r, &(struct rig_options){
                              .command = "trap 'echo caught; exit 6' USR1; echo ready; while :; do sleep 0.05; done",
                              .attach = true });
        session_expect(r.client, "ready");
        session_type(r.client, ATTACH_SIGNAL, bad, 4);
        session_type(r.client, ATTACH_SIGNAL, usr1, 4);
        collect(r.client, "caught\n", "", 6);
        rig_done(&r);
}

static int raw_open(const struct rig *r)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        snprintf(a.sun_path, sizeof(a.sun_path), "%s/run/attach.sock", r->dir);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        return fd;
}

static void assert_hung_up(int fd)
{
        char data[4096];
        ssize_t n;
        struct pollfd p = { .fd = fd, .events = POLLIN };
        do {
                assert_int_equal(poll(&p, 1, 20000), 1);
                n = read(fd, data, sizeof(data));
        } while (n > 0);
        assert_true(n == 0 || errno == ECONNRESET);
        close(fd);
}

/* Every lie ends the session that told it, and nothing else. */
static void test_lies(void **state)
{
        static const struct {
                const char *bytes;
                size_t len;
        } lies[] = {
                { "GET / HTTP/1.0\r\n", 16 }, /* no hello */
                { "erat\1\1\1\0\0\1\0\0\0\0\0\0", 16 }, /* a header that is none */
                { "erat\1\1\1\0\0\0\0\0\377\377\377\377", 16 }, /* too long */
                { "erat\1\1\1\0\143\0\0\0\0\0\0\0", 16 }, /* unknown type */
                { "erat\1\1\1\0\1\0\0\0\0\0\0\1x", 17 }, /* stdout from a client */
                { "erat\1\1\1\0\022\0\0\0\0\0\0\4\0\0\0\0", 20 }, /* exit from a client */
                { "erat\1\1\1\0\020\0\0\0\0\0\0\3abc", 19 }, /* a short resize */
        };
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "read x; exit 8", .open_stdin = true, .listen = true });
        int silent = raw_open(&r), half = raw_open(&r), good = session_open(&r, true, true, true);
        assert_int_equal(write(half, "era", 3), 3);
        for (size_t i = 0; i < ELEMENTS(lies); i++) {
                int fd = raw_open(&r);
                assert_int_equal(write(fd, lies[i].bytes, lies[i].len), lies[i].len);
                assert_hung_up(fd);
        }
        session_type(good, ATTACH_STDIN, "x\n", 2);
        collect(good, "", "", 8);
        close(good);
        assert_hung_up(silent);
        assert_hung_up(half);
        rig_done(&r);
}

/* A frame that comes in single bytes is the same frame. */
static void test_dribble(void **state)
{
        static const char bytes[] = "erat\1\1\1\0"
                                    "\0\0\0\0\0\0\0\3hi\n"
                                    "\022";
        struct rig r;
        rig_start(&r, &(struct rig_options){ .command = "read x; echo got $x", .open_stdin = true, .listen = true });
        int fd = raw_open(&r);
        for (size_t i = 0; i < sizeof(bytes) - 2; i++) {
                assert_int_equal(write(fd, bytes + i, 1), 1);
                busy_wait_ms(2);
        }
        collect(fd, "got hi\n", "", 0);
        close(fd);
        rig_done(&r);
}

static void test_too_many(void **state)
{
        struct rig r;
        int fds[70];
        rig_start(&r, &(struct rig_options){ .command = "read x; exit 0", .open_stdin = true, .listen = true });
        for (int i = 0; i < 64; i++)
                fds[i] = session_open(&r, true, true, true);
        assert_hung_up(raw_open(&r));
        close(fds[10]);
        busy_wait_ms(100);
        fds[10] = session_open(&r, true, true, true);
        session_type(fds[63], ATTACH_STDIN, "\n", 1);
        for (int i = 0; i < 64; i++) {
                collect(fds[i], "", "", 0);
                close(fds[i]);
        }
        rig_done(&r);
}

/* A client that does not read is given some seconds; then it is let go, and the log is whole. */
static void test_stalled_client(void **state)
{
        struct rig r;
        size_t len;
        int64_t before = time_monotonic();
        rig_start(&r, &(struct rig_options){ .command = "read x; yes 0123456789abcde | head -c 20000000",
                                             .open_stdin = true,
                                             .listen = true });
        int stalled = session_open(&r, true, true, true);
        session_type(stalled, ATTACH_STDIN, "go\n", 3);
        assert_int_equal(rig_wait(&r), 0);
        int64_t took = (time_monotonic() - before) / 1000000;
        assert_in_range(took, 3000, 15000);
        _cleanup_buf_ struct buf o = BUF_INIT(TEXT_MAX), e = BUF_INIT(TEXT_MAX);
        assert_hung_up(stalled);
        free(rig_log(&r, "", &len));
        assert_true(len > 20000000);
        rig_log_text(&r, "stdout", &o);
        assert_int_equal(o.len, 20000000);
        rig_done(&r);
}

/* The one who started it (`tare run | less`) loses nothing though it does not read for longer than that. */
static void test_stalled_first_client(void **state)
{
        struct rig r;
        struct container_status status = { 0 };
        struct err err = ERR_INIT;
        rig_start(&r,
                  &(struct rig_options){ .command = "yes 0123456789abcde | head -c 20000000; exit 2", .attach = true });
        for (int left = 20000; left > 0 && status.state != STATE_EXITED; left -= 10) {
                busy_wait_ms(10);
                if (container_status_read(r.run_fd, &status, &err) < 0)
                        err_clear(&err);
        }
        assert_int_equal(status.state, STATE_EXITED); /* nothing has been read so far */
        _cleanup_buf_ struct buf o = BUF_INIT(TEXT_MAX), e = BUF_INIT(TEXT_MAX);
        assert_int_equal(session_collect(r.client, &o, &e), 2);
        assert_int_equal(o.len, 20000000);
        for (size_t i = 0; i < o.len; i += 16)
                assert_memory_equal(o.data + i, "0123456789abcde\n", 16);
        rig_done(&r);
}

/* A slow one that keeps reading is waited for, and gets all. */
static void test_slow_client(void **state)
{
        struct rig r;
        char data[65536];
        size_t total = 0;
        ssize_t n;
        rig_start(&r, &(struct rig_options){ .command = "read x; yes 0123456789abcde | head -c 8000000",
                                             .open_stdin = true,
                                             .listen = true });
        int fd = session_open(&r, true, true, true);
        session_type(fd, ATTACH_STDIN, "go\n", 3);
        while ((n = read(fd, data, sizeof(data))) > 0) {
                total += (size_t)n;
                busy_wait_ms(5);
        }
        assert_true(total > 8000000 + 8000000 / ATTACH_PAYLOAD_MAX * 8);
        close(fd);
        rig_done(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_session_misses_nothing),
                cmocka_unit_test(test_two_clients),
                cmocka_unit_test(test_stdin_once),
                cmocka_unit_test(test_stdin_once_by_detach),
                cmocka_unit_test(test_stdin_stays),
                cmocka_unit_test(test_eof_without_stdin),
                cmocka_unit_test(test_stdin_backpressure),
                cmocka_unit_test(test_stdin_closed_by_container),
                cmocka_unit_test(test_terminal),
                cmocka_unit_test(test_terminal_to_the_end),
                cmocka_unit_test(test_signal),
                cmocka_unit_test(test_lies),
                cmocka_unit_test(test_dribble),
                cmocka_unit_test(test_too_many),
                cmocka_unit_test(test_stalled_client),
                cmocka_unit_test(test_stalled_first_client),
                cmocka_unit_test(test_slow_client),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
