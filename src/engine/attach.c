/* Sessions with a running container's monitor. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/engine-internal.h"

int session_open(struct engine *e, const char *id, bool want_stdin, bool output, struct err *err)
{
        struct sockaddr_un address;
        _cleanup_close_ int run_dir = run_dir_open(e, id, err);
        if (run_dir < 0)
                return -1;
        fd_socket_address(run_dir, "attach.sock", &address);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return err_sys(err, "socket");
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return err_sys(err, "cannot reach the monitor of container %.12s", id);
        struct attach_hello hello = { .magic = ATTACH_MAGIC, .stdin_ = want_stdin, .stdout_ = output, .stderr_ = output };
        /* a monitor that has just ended must be an error, and not our end by SIGPIPE */
        if (fd_send(fd, NULL, 0, &hello, sizeof(hello), err) < 0)
                return err_add(err, "attach");
        return TAKE_FD(fd);
}

int container_attach(struct engine *e, const char *name, bool want_stdin, int *ret_client, struct err *err)
{
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_load(e, name, &c, err) < 0)
                return -1;
        if (c.status.state == STATE_PAUSED)
                return err_set(err, ERR_CONFLICT, "You cannot attach to a paused container, unpause it first");
        if (c.status.state != STATE_RUNNING)
                return err_set(err, ERR_CONFLICT, "You cannot attach to a stopped container, start it first");
        int fd = session_open(e, c.id, want_stdin, true, err);
        if (fd < 0)
                return -1;
        *ret_client = fd;
        container_tell(e, &c, "attach", NULL);
        return 0;
}

int session_promise(struct engine *e, const char *id)
{
        struct err ignored = ERR_INIT;
        uint8_t promise[ATTACH_HEADER];
        _cleanup_close_ int fd = session_open(e, id, false, false, &ignored);
        attach_header(promise, ATTACH_CLEAN_MINE, 0);
        return fd >= 0 && fd_send(fd, NULL, 0, promise, sizeof(promise), &ignored) == 0 ? TAKE_FD(fd) : -1;
}

bool session_port(struct engine *e, const char *id, const struct attach_port *p)
{
        struct err ignored = ERR_INIT;
        uint8_t frame[ATTACH_HEADER + sizeof(*p)], answer[ATTACH_PAYLOAD_MAX];
        struct timeval patience = { .tv_sec = 5 };
        enum attach_frame type = ATTACH_READY;
        uint32_t len = 0;
        _cleanup_close_ int fd = session_open(e, id, false, false, &ignored);
        attach_header(frame, ATTACH_PORT, sizeof(*p));
        memcpy(frame + ATTACH_HEADER, p, sizeof(*p));
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 || fd_send(fd, NULL, 0, frame, sizeof(frame), &ignored) < 0)
                return false;
        while (type != ATTACH_PORT)
                if (fd_read_full(fd, answer, ATTACH_HEADER) != ATTACH_HEADER || attach_parse(answer, &type, &len, &ignored) < 0 ||
                    fd_read_full(fd, answer, len) != (ssize_t)len)
                        return false;
        return len == sizeof(*p) && memcmp(answer, p, sizeof(*p)) == 0;
}

void session_cleaned(int fd)
{
        struct err ignored = ERR_INIT;
        uint8_t done[ATTACH_HEADER];
        attach_header(done, ATTACH_CLEANED, 0);
        fd_send(fd, NULL, 0, done, sizeof(done), &ignored);
}

int session_exit_read(int fd, int32_t *ret_status, struct err *err)
{
        uint8_t header[ATTACH_HEADER], payload[ATTACH_PAYLOAD_MAX];
        enum attach_frame type;
        uint32_t len;
        while (fd_read_full(fd, header, sizeof(header)) == (ssize_t)sizeof(header)) {
                if (attach_parse(header, &type, &len, err) < 0)
                        return -1;
                if (fd_read_full(fd, payload, len) != (ssize_t)len)
                        return 0;
                if (type == ATTACH_EXIT && len == 4) {
                        *ret_status = (int32_t)((uint32_t)payload[0] << 24 | (uint32_t)payload[1] << 16 | (uint32_t)payload[2] << 8 | payload[3]);
                        return 1;
                }
        }
        return 0;
}
