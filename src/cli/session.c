#include "cli/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/attach.h"

/* Input is sent without blocking and read only while nothing waits to be sent: a container that does not read its input must not
 * keep us from reading its output. */
struct session {
        const struct session_options *o;
        uint8_t keys[16];
        unsigned key_count, keys_matched;
        int signals;
        bool input_open, framed, detached, ended;
        int32_t exit;
        unsigned interrupts;
        size_t out_len, out_sent;              /* what waits to be sent */
        uint8_t out[ATTACH_HEADER * 4 + ATTACH_PAYLOAD_MAX + 64];
        size_t in_len;                         /* what was received and is no whole frame yet */
        uint8_t in[ATTACH_HEADER + ATTACH_PAYLOAD_MAX];
};

static void queue(struct session *s, enum attach_frame type, const void *data, uint32_t len)
{
        if (s->out_len + ATTACH_HEADER + len > sizeof(s->out))
                return;
        if (s->framed) {
                attach_header(s->out + s->out_len, type, len);
                s->out_len += ATTACH_HEADER;
        }
        if (len)
                memcpy(s->out + s->out_len, data, len);
        s->out_len += len;
}

static int flush(struct session *s)
{
        while (s->out_sent < s->out_len) {
                ssize_t n = write(s->o->fd, s->out + s->out_sent, s->out_len - s->out_sent);
                if (n < 0)
                        return errno == EAGAIN || errno == EINTR ? 0 : -1;
                s->out_sent += (size_t)n;
        }
        s->out_sent = s->out_len = 0;
        return 0;
}

static void queue_size(struct session *s)
{
        uint16_t rows, columns;
        terminal_size(&rows, &columns);
        if (!s->framed) {
                struct winsize size = { .ws_row = rows, .ws_col = columns };
                ioctl(s->o->fd, TIOCSWINSZ, &size);
                return;
        }
        uint8_t payload[4] = { (uint8_t)(rows >> 8), (uint8_t)rows, (uint8_t)(columns >> 8), (uint8_t)columns };
        queue(s, ATTACH_RESIZE, payload, sizeof(payload));
}

/* Bytes that may be the beginning of the detach keys are held back until they are not. */
static void queue_input(struct session *s, const uint8_t *data, size_t len)
{
        uint8_t kept[4096 + 16];
        size_t count = 0;
        if (!s->o->tty) {
                queue(s, ATTACH_STDIN, data, (uint32_t)len);
                return;
        }
        for (size_t i = 0; i < len; i++) {
                if (data[i] == s->keys[s->keys_matched]) {
                        if (++s->keys_matched == s->key_count) {
                                s->detached = s->ended = true;
                                break;
                        }
                        continue;
                }
                memcpy(kept + count, s->keys, s->keys_matched);
                count += s->keys_matched;
                s->keys_matched = data[i] == s->keys[0];
                if (!s->keys_matched)
                        kept[count++] = data[i];
        }
        if (count)
                queue(s, ATTACH_STDIN, kept, (uint32_t)count);
}

static void input_ready(struct session *s)
{
        uint8_t data[4096];
        ssize_t n = read(STDIN_FILENO, data, sizeof(data));
        if (n > 0) {
                queue_input(s, data, (size_t)n);
        } else if (n == 0 || errno != EINTR) {
                s->input_open = false;
                if (s->framed)
                        queue(s, ATTACH_STDIN_EOF, NULL, 0);
        }
}

static int frame_take(struct session *s, enum attach_frame type, const uint8_t *payload, uint32_t len)
{
        if (type == ATTACH_EXIT && len == 4) {
                s->exit = (int32_t)((uint32_t)payload[0] << 24 | (uint32_t)payload[1] << 16 | (uint32_t)payload[2] << 8 | payload[3]);
                s->ended = true;
        } else if (type == ATTACH_STDOUT && !s->o->no_stdout) {
                fd_write_full(STDOUT_FILENO, payload, len);
        } else if (type == ATTACH_STDERR && !s->o->no_stderr) {
                fd_write_full(STDERR_FILENO, payload, len);
        }
        return 0;
}

static int frames_take(struct session *s, struct err *err)
{
        size_t at = 0;
        while (s->in_len - at >= ATTACH_HEADER && !s->ended) {
                enum attach_frame type;
                uint32_t len;
                if (attach_parse(s->in + at, &type, &len, err) < 0)
                        return -1;
                if (s->in_len - at < ATTACH_HEADER + len)
                        break;
                frame_take(s, type, s->in + at + ATTACH_HEADER, len);
                at += ATTACH_HEADER + len;
        }
        memmove(s->in, s->in + at, s->in_len - at);
        s->in_len -= at;
        return 0;
}

static int output_ready(struct session *s, struct err *err)
{
        ssize_t n = read(s->o->fd, s->in + s->in_len, sizeof(s->in) - s->in_len);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (!s->framed) {
                if (n <= 0)
                        s->ended = true;       /* a pty master says EIO when the last slave is closed */
                else
                        fd_write_full(STDOUT_FILENO, s->in, (size_t)n);
                return 0;
        }
        if (n <= 0)
                return err_set(err, ERR_UNAVAILABLE, "the container's monitor has gone");
        s->in_len += (size_t)n;
        return frames_take(s, err);
}

static int signal_ready(struct session *s, struct err *err)
{
        struct signalfd_siginfo info;
        if (read(s->signals, &info, sizeof(info)) != sizeof(info))
                return 0;
        if (info.ssi_signo == SIGWINCH) {
                queue_size(s);
                return 0;
        }
        if ((info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM) && ++s->interrupts >= 3)
                return err_set(err, ERR_UNAVAILABLE, "got 3 SIGTERM/SIGINTs, forcefully exiting");
        s->o->signal(s->o->data, (int)info.ssi_signo);
        return 0;
}

/* With a terminal its keys do what signals would; without proxying a signal ends us as any program. */
static int signals_open(struct session *s, sigset_t *old, struct err *err)
{
        static const int proxied[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT };
        sigset_t set;
        sigemptyset(&set);
        if (s->o->tty)
                sigaddset(&set, SIGWINCH);
        for (size_t i = 0; s->o->signal && !s->o->tty && i < ELEMENTS(proxied); i++)
                sigaddset(&set, proxied[i]);
        sigprocmask(SIG_BLOCK, &set, old);
        s->signals = signalfd(-1, &set, SFD_CLOEXEC);
        return s->signals < 0 ? err_sys(err, "signalfd") : 0;
}

static int session_loop(struct session *s, struct err *err)
{
        while (!s->ended) {
                struct pollfd fds[] = {
                        { .fd = s->o->fd, .events = (short)(POLLIN | (s->out_len ? POLLOUT : 0)) },
                        { .fd = s->signals, .events = POLLIN },
                        { .fd = s->input_open && !s->out_len ? STDIN_FILENO : -1, .events = POLLIN },
                };
                if (poll(fds, ELEMENTS(fds), -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return err_sys(err, "poll");
                }
                if (fds[1].revents && signal_ready(s, err) < 0)
                        return -1;
                if (fds[2].revents)
                        input_ready(s);
                if (s->out_len && flush(s) < 0)
                        s->out_len = s->out_sent = 0;
                if (fds[0].revents & (POLLIN | POLLHUP | POLLERR) && output_ready(s, err) < 0)
                        return -1;
        }
        return 0;
}

static int session_do(struct session *s, struct err *err)
{
        sigset_t old;
        bool raw = s->o->tty && s->o->want_stdin && isatty(STDIN_FILENO);
        if (detach_keys_parse(s->o->detach_keys, s->keys, &s->key_count, err) < 0 || signals_open(s, &old, err) < 0)
                return -1;
        _cleanup_close_ int signals = s->signals;
        signal(SIGPIPE, SIG_IGN);
        if (raw && terminal_raw(err) < 0)
                return -1;
        s->input_open = s->o->want_stdin;
        if (!s->o->want_stdin && s->framed)
                queue(s, ATTACH_STDIN_EOF, NULL, 0);
        if (s->o->tty)
                queue_size(s);
        fd_set_nonblock(s->o->fd, true);
        int result = session_loop(s, err);
        terminal_restore();
        fd_set_nonblock(s->o->fd, false);
        sigprocmask(SIG_SETMASK, &old, NULL);
        return result;
}

int session_run(const struct session_options *o, int32_t *ret_exit, bool *ret_detached, struct err *err)
{
        static struct session s;       /* a process has one; its buffers are not worth clearing */
        s.o = o;
        s.framed = true;
        if (session_do(&s, err) < 0)
                return -1;
        *ret_exit = s.exit;
        *ret_detached = s.detached;
        return 0;
}

int session_run_console(int console_fd, bool want_stdin, const char *detach_keys, bool *ret_detached, struct err *err)
{
        struct session_options o = { .fd = console_fd, .tty = true, .want_stdin = want_stdin, .detach_keys = detach_keys };
        static struct session s;
        s.o = &o;
        if (session_do(&s, err) < 0)
                return -1;
        *ret_detached = s.detached;
        return 0;
}
