#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "monitor/monitor-internal.h"

#define ROUNDS 32 /* frames of one session before others have their turn */

static int greet(struct monitor *m, struct session *s)
{
        struct attach_hello hello;
        memcpy(&hello, s->head, sizeof(hello));
        if (hello.magic != ATTACH_MAGIC)
                return -1;
        s->greeted = true;
        s->wants_in = hello.stdin_;
        s->wants_out = hello.stdout_;
        s->wants_err = hello.stderr_;
        session_send(m, s, ATTACH_READY, NULL, 0);
        if (m->phase == ENDED)
                session_exit(m, s);
        return 0;
}

static uint32_t payload_u32(const struct session *s)
{
        uint32_t be;
        memcpy(&be, s->payload, sizeof(be));
        return be32toh(be);
}

static void on_resize(struct monitor *m, struct session *s)
{
        uint32_t both = payload_u32(s);
        struct winsize size = { .ws_row = (unsigned short)(both >> 16), .ws_col = (unsigned short)both };
        if (m->o.console_fd >= 0)
                ioctl(m->o.console_fd, TIOCSWINSZ, &size);
}

static void on_stdin_eof(struct monitor *m, struct session *s)
{
        if (s->wants_in && m->o.stdin_once)
                input_end(m);
}

/* Init is our child and not waited for yet, so that its number is its own. */
static void on_signal(struct monitor *m, struct session *s)
{
        uint32_t signo = payload_u32(s);
        if (m->phase == RUNNING && signo > 0 && signo < NSIG)
                kill(m->o.pid, (int)signo);
}

static void on_port(struct monitor *m, struct session *s)
{
        struct attach_port port;
        memcpy(&port, s->payload, sizeof(port));
        if (!ports_change(m, &port))
                port.hold = 2;
        session_send(m, s, ATTACH_PORT, &port, sizeof(port));
}

static void on_clean_mine(struct monitor *m, struct session *s)
{
        s->clean_mine = !m->handed_over;
}

static void on_cleaned(struct monitor *m, struct session *s)
{
        if (s->clean_mine && m->phase == ENDED)
                m->cleaned = true;
}

static const struct {
        enum attach_frame type;
        void (*act)(struct monitor *m, struct session *s);
} actions[] = {
        { ATTACH_RESIZE, on_resize },         { ATTACH_STDIN_EOF, on_stdin_eof }, { ATTACH_SIGNAL, on_signal },
        { ATTACH_CLEAN_MINE, on_clean_mine }, { ATTACH_CLEANED, on_cleaned }, { ATTACH_PORT, on_port },
};

static int frame_done(struct monitor *m, struct session *s)
{
        s->head_len = s->payload_len = 0;
        for (size_t i = 0; i < ELEMENTS(actions); i++) {
                if (actions[i].type != s->type)
                        continue;
                actions[i].act(m, s);
                return 0;
        }
        return s->type == ATTACH_STDIN ? 0 : -1; /* a frame that only we may send */
}

/* How a read went: all of it, or try again later, or the session is to end. */
enum progress { PROGRESS, LATER, OVER };

static enum progress take(struct session *s, uint8_t *data, uint32_t *have, uint32_t wanted)
{
        ssize_t n;
        while ((n = read(s->watch.fd, data + *have, wanted - *have)) < 0 && errno == EINTR)
                ;
        if (n <= 0)
                return n < 0 && errno == EAGAIN ? LATER : OVER;
        *have += (uint32_t)n;
        return *have == wanted ? PROGRESS : LATER;
}

static enum progress take_head(struct monitor *m, struct session *s)
{
        struct err ignored = ERR_INIT;
        _Static_assert(sizeof(struct attach_hello) == ATTACH_HEADER, "one buffer serves both");
        enum progress p = take(s, s->head, &s->head_len, ATTACH_HEADER);
        if (p != PROGRESS)
                return p;
        if (!s->greeted) {
                s->head_len = 0;
                return greet(m, s) < 0 ? OVER : PROGRESS;
        }
        if (attach_parse(s->head, &s->type, &s->left, &ignored) < 0)
                return OVER;
        if (s->left == 0 && frame_done(m, s) < 0)
                return OVER;
        return s->type == ATTACH_STDIN || s->left <= sizeof(s->payload) ? PROGRESS : OVER;
}

static enum progress take_payload(struct monitor *m, struct session *s)
{
        if (s->type != ATTACH_STDIN) {
                enum progress p = take(s, s->payload, &s->payload_len, s->left);
                return p != PROGRESS ? p : frame_done(m, s) < 0 ? OVER : PROGRESS;
        }
        ssize_t n = input_take(m, s->watch.fd, s->left, s->wants_in);
        if (n < 0 && errno == EBUSY) {
                s->waits_input = true;
                return LATER;
        }
        if (n <= 0)
                return n < 0 && errno == EAGAIN ? LATER : OVER;
        s->left -= (uint32_t)n;
        if (s->left == 0)
                return frame_done(m, s) < 0 ? OVER : PROGRESS;
        return PROGRESS;
}

void session_read(struct monitor *m, struct session *s)
{
        enum progress p = PROGRESS;
        for (int i = 0; i < ROUNDS && p == PROGRESS && s->watch.fd >= 0; i++)
                p = s->head_len < ATTACH_HEADER ? take_head(m, s) : take_payload(m, s);
        if (p == OVER && s->watch.fd >= 0)
                session_close(m, s);
}
