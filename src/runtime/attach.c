#include <endian.h>
#include <errno.h>
#include <sys/uio.h>
#include "base/fd.h"
#include "base/str.h"
#include "runtime/attach.h"

/* What each frame may carry; a type without a row does not exist. */
static const struct frame_rule {
        uint8_t type;
        uint32_t min, max;
} frame_rules[] = {
        { ATTACH_STDIN, 0, ATTACH_PAYLOAD_MAX },
        { ATTACH_STDOUT, 0, ATTACH_PAYLOAD_MAX },
        { ATTACH_STDERR, 0, ATTACH_PAYLOAD_MAX },
        { ATTACH_RESIZE, 4, 4 },
        { ATTACH_STDIN_EOF, 0, 0 },
        { ATTACH_EXIT, 4, 4 },
        { ATTACH_CLEAN_MINE, 0, 0 },
        { ATTACH_CLEANED, 0, 0 },
        { ATTACH_READY, 0, 0 },
        { ATTACH_SIGNAL, 4, 4 },
        { ATTACH_PORT, 8, 8 },
};

void attach_header(uint8_t ret_header[ATTACH_HEADER], enum attach_frame type, uint32_t len)
{
        uint32_t be = htobe32(len);
        ret_header[0] = (uint8_t)type;
        ret_header[1] = ret_header[2] = ret_header[3] = 0;
        memcpy(ret_header + 4, &be, sizeof(be));
}

/* What a short writev left behind; fd_write_full waits where the socket is full. */
static int send_rest(int fd, const uint8_t header[ATTACH_HEADER], const uint8_t *data, uint32_t len, size_t sent)
{
        if (sent < ATTACH_HEADER) {
                if (fd_write_full(fd, header + sent, ATTACH_HEADER - sent) < 0)
                        return -1;
                sent = ATTACH_HEADER;
        }
        sent -= ATTACH_HEADER;
        return sent < len ? fd_write_full(fd, data + sent, len - sent) : 0;
}

int attach_send(int fd, enum attach_frame type, const void *data, uint32_t len, struct err *err)
{
        uint8_t header[ATTACH_HEADER];
        if (len > ATTACH_PAYLOAD_MAX)
                return err_set(err, ERR_TOO_LARGE, "attach frame of %u bytes", len);
        attach_header(header, type, len);
        struct iovec iov[2] = { { header, sizeof(header) }, { (void *)data, len } };
        ssize_t n;
        do
                n = writev(fd, iov, len ? 2 : 1);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN)
                n = 0;
        if (n < 0 || send_rest(fd, header, data, len, (size_t)n) < 0)
                return err_sys(err, "attach: write");
        return 0;
}

int attach_parse(const uint8_t header[ATTACH_HEADER], enum attach_frame *ret_type, uint32_t *ret_len, struct err *err)
{
        uint32_t be;
        memcpy(&be, header + 4, sizeof(be));
        uint32_t len = be32toh(be);
        if (header[1] || header[2] || header[3])
                return err_set(err, ERR_INVALID, "attach: malformed frame header");
        for (size_t i = 0; i < ELEMENTS(frame_rules); i++) {
                const struct frame_rule *rule = &frame_rules[i];
                if (rule->type != header[0])
                        continue;
                if (len < rule->min || len > rule->max)
                        return err_set(err, ERR_INVALID, "attach: frame type %u of %u bytes", header[0], len);
                *ret_type = (enum attach_frame)header[0];
                *ret_len = len;
                return 0;
        }
        return err_set(err, ERR_INVALID, "attach: unknown frame type %u", header[0]);
}

static const char *const state_names[] = {
        [STATE_CREATED] = "created",   [STATE_RUNNING] = "running",
        [STATE_PAUSED] = "paused",     [STATE_RESTARTING] = "restarting",
        [STATE_REMOVING] = "removing", [STATE_EXITED] = "exited",
        [STATE_DEAD] = "dead",
};

const char *container_state_name(enum container_state s)
{
        return (size_t)s < ELEMENTS(state_names) ? state_names[s] : "unknown";
}

int container_state_parse(const char *name, enum container_state *ret, struct err *err)
{
        for (size_t i = 0; i < ELEMENTS(state_names); i++) {
                if (str_eq(name, state_names[i])) {
                        *ret = (enum container_state)i;
                        return 0;
                }
        }
        return err_set(err, ERR_INVALID, "unknown container state \"%s\"", name ? name : "");
}
