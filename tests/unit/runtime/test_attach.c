#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/socket.h>
#include <cmocka.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/attach.h"

static void frames_survive_the_wire(void **state)
{
        struct err err = ERR_INIT;
        int sv[2];
        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
        assert_int_equal(attach_send(sv[0], ATTACH_STDOUT, "hello", 5, &err), 0);
        assert_int_equal(attach_send(sv[0], ATTACH_STDIN_EOF, NULL, 0, &err), 0);
        uint8_t header[ATTACH_HEADER];
        enum attach_frame type;
        uint32_t len;
        char text[5];
        assert_int_equal(fd_read_full(sv[1], header, sizeof(header)), sizeof(header));
        assert_int_equal(attach_parse(header, &type, &len, &err), 0);
        assert_int_equal(type, ATTACH_STDOUT);
        assert_int_equal(len, 5);
        assert_int_equal(fd_read_full(sv[1], text, 5), 5);
        assert_memory_equal(text, "hello", 5);
        assert_int_equal(fd_read_full(sv[1], header, sizeof(header)), sizeof(header));
        assert_int_equal(attach_parse(header, &type, &len, &err), 0);
        assert_int_equal(type, ATTACH_STDIN_EOF);
        close(sv[0]);
        close(sv[1]);
}

static void impossible_frames_are_refused(void **state)
{
        static const uint8_t bad[][ATTACH_HEADER] = {
                { 3, 0, 0, 0, 0, 0, 0, 1 },  { 1, 1, 0, 0, 0, 0, 0, 1 },  { 1, 0, 0, 0, 0, 1, 0, 0 },
                { 16, 0, 0, 0, 0, 0, 0, 3 }, { 17, 0, 0, 0, 0, 0, 0, 1 }, { 23, 0, 0, 0, 0, 0, 0, 0 },
        };
        struct err err = ERR_INIT;
        enum attach_frame type;
        uint32_t len;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                assert_int_equal(attach_parse(bad[i], &type, &len, &err), -1);
                assert_int_equal(err.kind, ERR_INVALID);
        }
        assert_int_equal(attach_send(-1, ATTACH_STDIN, "", ATTACH_PAYLOAD_MAX + 1, &err), -1);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static int temporary_dir(char path[32])
{
        memcpy(path, "/tmp/tare-attach-XXXXXX", 24);
        assert_non_null(mkdtemp(path));
        return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void status_is_read_as_written(void **state)
{
        char path[32];
        _cleanup_close_ int fd = temporary_dir(path);
        struct err err = ERR_INIT;
        struct container_status out = { 0 }, in = { .state = STATE_DEAD,
                                                    .pid = 7,
                                                    .start_ticks = UINT64_MAX,
                                                    .started = -1,
                                                    .finished = INT64_MAX,
                                                    .exit_code = -137,
                                                    .oom_killed = true,
                                                    .restarts = UINT32_MAX,
                                                    .monitor = 9,
                                                    .monitor_ticks = 1,
                                                    .error = "a \"quoted\" \\ line\nwith \x01 and \xc3\xa4" };
        assert_int_equal(container_status_write(fd, &in, &err), 0);
        assert_int_equal(container_status_read(fd, &out, &err), 0);
        assert_memory_equal(out.error, in.error, strlen(in.error) + 1);
        assert_int_equal(out.state, STATE_DEAD);
        assert_int_equal(out.pid, 7);
        assert_true(out.start_ticks == UINT64_MAX && out.started == -1 && out.finished == INT64_MAX &&
                    out.restarts == UINT32_MAX);
        assert_int_equal(out.exit_code, -137);
        assert_true(out.oom_killed && out.monitor == 9 && out.monitor_ticks == 1);
        assert_int_equal(file_write_at(fd, "status.json", "{\"state\":\"running\",\"pid\":1e9}", 29, 0600, false, &err),
                         0);
        assert_int_equal(container_status_read(fd, &out, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_int_equal(out.pid, 7); /* untouched on failure */
        tree_remove_at(AT_FDCWD, path, &err);
}

static void a_missing_status_is_not_found(void **state)
{
        char path[32];
        _cleanup_close_ int fd = temporary_dir(path);
        struct err err = ERR_INIT;
        struct container_status s;
        assert_int_equal(container_status_read(fd, &s, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        tree_remove_at(AT_FDCWD, path, &err);
}

static void options_round_trip(void **state)
{
        struct err err = ERR_INIT;
        struct monitor_options in, out;
        monitor_options_init(&in);
        in.id = (char *)"abc=--x";
        in.pid = 12;
        in.started = INT64_MIN;
        in.log_max_size = UINT64_MAX;
        in.console_fd = 0;
        in.stdin_once = true;
        in.restart = (char *)"on-failure:5";
        _cleanup_strv_ char **argv = monitor_options_to_argv(&in, "tare-monitor");
        assert_string_equal(argv[0], "tare-monitor");
        assert_int_equal(monitor_options_from_argv((int)strv_len(argv), argv, &out, &err), 0);
        assert_string_equal(out.id, in.id);
        assert_string_equal(out.restart, in.restart);
        assert_true(out.pid == 12 && out.started == INT64_MIN && out.log_max_size == UINT64_MAX && out.console_fd == 0);
        assert_true(out.stdin_once && !out.open_stdin && out.out_fd == -1 && out.name == NULL);
}

static void wrong_options_are_refused(void **state)
{
        static const char *const bad[] = { "--nothing=1", "--pid=x",           "--pid",
                                           "pid=1",       "--pid=99999999999", "--auto-remove=maybe" };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct err err = ERR_INIT;
                struct monitor_options o;
                char *argv[] = { (char *)"m", (char *)bad[i], NULL };
                assert_int_equal(monitor_options_from_argv(2, argv, &o, &err), -1);
                assert_int_equal(err.kind, ERR_INVALID);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(frames_survive_the_wire),   cmocka_unit_test(impossible_frames_are_refused),
                cmocka_unit_test(status_is_read_as_written), cmocka_unit_test(a_missing_status_is_not_found),
                cmocka_unit_test(options_round_trip),        cmocka_unit_test(wrong_options_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
