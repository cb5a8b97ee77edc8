#include "net/netlink-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include "base/mem.h"

int nl_open(int protocol, struct err *err)
{
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
        if (fd < 0)
                return err_sys(err, "open netlink socket");
        int on = 1;
        setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
        setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
        return TAKE_FD(fd);
}

int nl_open_in(int netns_fd, int protocol, struct err *err)
{
        _cleanup_close_ int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (home < 0)
                return err_sys(err, "open own network namespace");
        if (setns(netns_fd, CLONE_NEWNET) < 0)
                return err_sys(err, "enter network namespace");
        int fd = nl_open(protocol, err);
        /* Going on in the container's namespace would do the host's work in the wrong place. */
        if (setns(home, CLONE_NEWNET) < 0)
                abort();
        return fd;
}

void nl_start(struct nl_batch *b, int fd)
{
        static uint32_t sequence;
        b->fd = fd;
        b->first = sequence += NL_BATCH_COUNT;
        b->count = 0;
        b->last = NULL;
        b->overflow = 0;
}

static size_t batch_used(const struct nl_batch *b)
{
        return b->last ? (size_t)((const char *)b->last - b->data) + NLMSG_ALIGN(b->last->nlmsg_len) : 0;
}

struct nlmsghdr *nl_put(struct nl_batch *b, uint16_t type, uint16_t flags, const char *what, int tolerated)
{
        size_t used = batch_used(b);
        /* The caller fills what it gets without checks, so an overfull batch gets its last slot again and fails at the end. */
        if (b->count == NL_BATCH_COUNT || used + NL_MESSAGE_MAX > NL_BATCH_SIZE) {
                b->overflow = 1;
                b->count = 0;
                used = 0;
        }
        b->notes[b->count].what = what;
        b->notes[b->count].tolerated = tolerated;
        b->last = message_begin(b->data + used);
        b->last->nlmsg_type = type;
        b->last->nlmsg_flags = NLM_F_REQUEST | flags;
        b->last->nlmsg_seq = b->first + b->count++;
        return b->last;
}

/* The kernel's own words about the refusal, when it sent any. */
static const char *error_words(const struct nlmsghdr *m)
{
        if (!(m->nlmsg_flags & NLM_F_ACK_TLVS))
                return NULL;
        const struct nlmsgerr *e = message_body(m);
        size_t offset = sizeof(*e);
        if (!(m->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len >= NLMSG_HDRLEN)
                offset += NLMSG_ALIGN(e->msg.nlmsg_len - NLMSG_HDRLEN);
        const struct nlattr *a;
        attr_each (a, m, offset)
                if (attr_type(a) == NLMSGERR_ATTR_MSG && attr_is_string(a))
                        return attr_str(a);
        return NULL;
}

static int answer_error(const struct nl_batch *b, const struct nlmsghdr *m, struct err *err)
{
        const struct nlmsgerr *e = message_body(m);
        uint32_t index = m->nlmsg_seq - b->first;
        if (!message_has(m, sizeof(*e)) || index >= b->count || e->error == 0)
                return 0;
        if (b->notes[index].tolerated && -e->error == b->notes[index].tolerated)
                return 0;
        const char *words = error_words(m);
        if (words)
                return err_sysnum(err, -e->error, "%s: %s", b->notes[index].what, words);
        return err_sysnum(err, -e->error, "%s", b->notes[index].what);
}

static int answers_read(const struct nl_batch *b, const char *data, int len, nl_answer_fn answer, void *arg,
                        struct err *err)
{
        int result = 0;
        for (const struct nlmsghdr *m = (const void *)data; message_ok(m, len); m = message_next(m, &len)) {
                if (m->nlmsg_type == NLMSG_ERROR) {
                        /* Only the first failure is told: in an nf_tables batch the others follow from it. */
                        if (result == 0 && err->kind == ERR_NONE)
                                result = answer_error(b, m, err);
                } else if (m->nlmsg_type >= NLMSG_MIN_TYPE && answer) {
                        answer(m, arg);
                }
        }
        return result;
}

static int answers_drain(const struct nl_batch *b, nl_answer_fn answer, void *arg, struct err *err)
{
        struct err first = ERR_INIT;
        int result = 0;
        for (;;) {
                char data[32 << 10] __attribute__((aligned(NLMSG_ALIGNTO)));
                ssize_t len = recv(b->fd, data, sizeof(data), MSG_DONTWAIT);
                if (len < 0 && errno == EINTR)
                        continue;
                if (len < 0 && errno == EAGAIN)
                        break;
                if (len <= 0)
                        return err_sys(err, "read netlink answer");
                if (answers_read(b, data, (int)len, answer, arg, &first) < 0)
                        result = -1;
        }
        if (result < 0)
                *err = first;
        return result;
}

int nl_commit(struct nl_batch *b, nl_answer_fn answer, void *data, struct err *err)
{
        if (b->overflow)
                return err_set(err, ERR_TOO_LARGE, "netlink batch is too large");
        size_t len = batch_used(b);
        if (len == 0)
                return 0;
        struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        ssize_t sent;
        do
                sent = sendto(b->fd, b->data, len, 0, (void *)&kernel, sizeof(kernel));
        while (sent < 0 && errno == EINTR);
        if (sent < 0)
                return err_sys(err, "send netlink request");
        return answers_drain(b, answer, data, err);
}
