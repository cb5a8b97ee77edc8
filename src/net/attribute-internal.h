/* The bytes of netlink messages: headers, and attributes nested to any depth. netlink(7), linux/netlink.h.
 *
 * Writing: the message must have room for what is put; nl_put() of netlink-internal.h promises NL_MESSAGE_MAX bytes.
 * Reading: attr_each() and attr_each_in() go no further than the message or the attribute they are given; a caller looks at
 * attr_len() before it takes a value that is not a string, at attr_is_string() before it takes one. */
#ifndef TARE_NET_ATTRIBUTE_INTERNAL_H
#define TARE_NET_ATTRIBUTE_INTERNAL_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An empty message at `at`, all of its header zero but the length. */
struct nlmsghdr *message_begin(void *at);
/* The fixed structure that comes before the attributes, zeroed. */
void *message_put(struct nlmsghdr *m, size_t size);
void *message_body(const struct nlmsghdr *m);
/* Is there a whole message in the `len` bytes at `m`? */
bool message_ok(const struct nlmsghdr *m, int len);
const struct nlmsghdr *message_next(const struct nlmsghdr *m, int *len);
static inline bool message_has(const struct nlmsghdr *m, size_t size)
{
        return m->nlmsg_len >= NLMSG_HDRLEN + size;
}

void attr_put(struct nlmsghdr *m, uint16_t type, size_t size, const void *data);
void attr_put_u8(struct nlmsghdr *m, uint16_t type, uint8_t value);
void attr_put_u16(struct nlmsghdr *m, uint16_t type, uint16_t value);
void attr_put_u32(struct nlmsghdr *m, uint16_t type, uint32_t value);
/* With the final zero. */
void attr_put_str(struct nlmsghdr *m, uint16_t type, const char *value);
struct nlattr *attr_nest_begin(struct nlmsghdr *m, uint16_t type);
void attr_nest_end(struct nlmsghdr *m, struct nlattr *nest);

uint16_t attr_type(const struct nlattr *a);
size_t attr_len(const struct nlattr *a);
void *attr_data(const struct nlattr *a);
bool attr_is_string(const struct nlattr *a);
const char *attr_str(const struct nlattr *a);
uint8_t attr_u8(const struct nlattr *a);
uint16_t attr_u16(const struct nlattr *a);
uint32_t attr_u32(const struct nlattr *a);

/* For the macros: the attribute at `at`, or NULL when there is no whole one before `end`. */
const struct nlattr *attr_at(const void *at, const void *end);
const struct nlattr *attr_after(const struct nlattr *a, const void *end);
const void *message_end(const struct nlmsghdr *m);

/* `skip`: size of the structure before the attributes. */
#define attr_each(a, m, skip)                                                                                          \
        for ((a) = attr_at((const char *)message_body(m) + NLMSG_ALIGN(skip), message_end(m)); (a);                    \
             (a) = attr_after(a, message_end(m)))
#define attr_each_in(a, nest)                                                                                          \
        for ((a) = attr_at(attr_data(nest), (const char *)attr_data(nest) + attr_len(nest)); (a);                      \
             (a) = attr_after(a, (const char *)attr_data(nest) + attr_len(nest)))

#endif
