/* Netlink in batches: messages are put one behind the other into one buffer, sent with one sendmsg(2) and their answers
 * drained. The kernel works on rtnetlink and nf_tables requests inside sendmsg, so when it returns every answer is queued
 * already: nothing here asks for acknowledgements or waits. netlink(7), rtnetlink(7).
 *
 *     struct nl_batch b;
 *     nl_start(&b, fd);
 *     m = nl_put(&b, RTM_NEWLINK, NLM_F_CREATE, "make bridge", EEXIST);    -- errno that counts as success, or 0
 *     attr_put...(m, ...);                                             -- at most NL_MESSAGE_MAX bytes a message
 *     nl_commit(&b, NULL, NULL, err);
 */
#ifndef TARE_NET_NETLINK_INTERNAL_H
#define TARE_NET_NETLINK_INTERNAL_H

#include "net/attribute-internal.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

#define NL_BATCH_SIZE ((size_t)24 << 10)
#define NL_BATCH_COUNT 128
#define NL_MESSAGE_MAX 1024

struct nl_batch {
        int fd; /* borrowed */
        uint32_t first; /* sequence number of message 0 */
        unsigned count;
        size_t len; /* set for the last message only by nl_commit */
        struct nlmsghdr *last;
        int overflow;
        struct {
                const char *what; /* static text for the error */
                int tolerated;
        } notes[NL_BATCH_COUNT];
        char data[NL_BATCH_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* Called for every answer that is neither an error nor the end of a dump. */
typedef void (*nl_answer_fn)(const struct nlmsghdr *m, void *data);

/* A netlink socket of the calling thread's network namespace. */
int nl_open(int protocol, struct err *err);
/* The same, of the namespace `netns_fd`: goes there and back. */
int nl_open_in(int netns_fd, int protocol, struct err *err);
void nl_start(struct nl_batch *b, int fd);
struct nlmsghdr *nl_put(struct nl_batch *b, uint16_t type, uint16_t flags, const char *what, int tolerated);
/* Sends all, fails with the first message that failed. Answers go to `answer` when given. */
int nl_commit(struct nl_batch *b, nl_answer_fn answer, void *data, struct err *err);

/* Room left in the batch for another message of NL_MESSAGE_MAX. */
static inline int nl_has_room(const struct nl_batch *b)
{
        size_t used = b->last ? (size_t)((const char *)b->last - b->data) + NLMSG_ALIGN(b->last->nlmsg_len) : 0;
        return b->count + 2 < NL_BATCH_COUNT && used + 3 * (size_t)NL_MESSAGE_MAX <= NL_BATCH_SIZE;
}

#endif
