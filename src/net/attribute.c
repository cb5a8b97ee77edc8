#include "net/attribute-internal.h"

#include <string.h>

static char *tail_of(struct nlmsghdr *m)
{
        return (char *)m + NLMSG_ALIGN(m->nlmsg_len);
}

struct nlmsghdr *message_begin(void *at)
{
        struct nlmsghdr *m = at;
        *m = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN };
        return m;
}

void *message_put(struct nlmsghdr *m, size_t size)
{
        char *at = tail_of(m);
        memset(at, 0, NLMSG_ALIGN(size));
        m->nlmsg_len = (uint32_t)(at - (char *)m) + (uint32_t)NLMSG_ALIGN(size);
        return at;
}

void *message_body(const struct nlmsghdr *m)
{
        return (char *)(uintptr_t)m + NLMSG_HDRLEN;
}

bool message_ok(const struct nlmsghdr *m, int len)
{
        return len >= (int)NLMSG_HDRLEN && m->nlmsg_len >= NLMSG_HDRLEN && m->nlmsg_len <= (uint32_t)len;
}

const struct nlmsghdr *message_next(const struct nlmsghdr *m, int *len)
{
        uint32_t size = NLMSG_ALIGN(m->nlmsg_len);
        *len -= (int)size;
        return (const void *)((const char *)m + size);
}

const void *message_end(const struct nlmsghdr *m)
{
        return (const char *)m + m->nlmsg_len;
}

void attr_put(struct nlmsghdr *m, uint16_t type, size_t size, const void *data)
{
        struct nlattr *a = (void *)tail_of(m);
        char *payload = (char *)a + NLA_HDRLEN;
        size_t padded = NLA_ALIGN(size);
        a->nla_type = type;
        a->nla_len = (uint16_t)(NLA_HDRLEN + size);
        memcpy(payload, data, size);
        memset(payload + size, 0, padded - size);
        m->nlmsg_len = (uint32_t)(payload + padded - (char *)m);
}

void attr_put_u8(struct nlmsghdr *m, uint16_t type, uint8_t value)
{
        attr_put(m, type, sizeof(value), &value);
}

void attr_put_u16(struct nlmsghdr *m, uint16_t type, uint16_t value)
{
        attr_put(m, type, sizeof(value), &value);
}

void attr_put_u32(struct nlmsghdr *m, uint16_t type, uint32_t value)
{
        attr_put(m, type, sizeof(value), &value);
}

void attr_put_str(struct nlmsghdr *m, uint16_t type, const char *value)
{
        attr_put(m, type, strlen(value) + 1, value);
}

struct nlattr *attr_nest_begin(struct nlmsghdr *m, uint16_t type)
{
        struct nlattr *nest = (void *)tail_of(m);
        attr_put(m, type | NLA_F_NESTED, 0, "");
        return nest;
}

void attr_nest_end(struct nlmsghdr *m, struct nlattr *nest)
{
        nest->nla_len = (uint16_t)(tail_of(m) - (char *)nest);
}

uint16_t attr_type(const struct nlattr *a)
{
        return a->nla_type & NLA_TYPE_MASK;
}

size_t attr_len(const struct nlattr *a)
{
        return a->nla_len - (size_t)NLA_HDRLEN;
}

void *attr_data(const struct nlattr *a)
{
        return (char *)(uintptr_t)a + NLA_HDRLEN;
}

bool attr_is_string(const struct nlattr *a)
{
        size_t len = attr_len(a);
        return len > 0 && ((const char *)attr_data(a))[len - 1] == 0;
}

const char *attr_str(const struct nlattr *a)
{
        return attr_data(a);
}

uint8_t attr_u8(const struct nlattr *a)
{
        return *(const uint8_t *)attr_data(a);
}

uint16_t attr_u16(const struct nlattr *a)
{
        uint16_t value;
        memcpy(&value, attr_data(a), sizeof(value));
        return value;
}

uint32_t attr_u32(const struct nlattr *a)
{
        uint32_t value;
        memcpy(&value, attr_data(a), sizeof(value));
        return value;
}

const struct nlattr *attr_at(const void *at, const void *end)
{
        const struct nlattr *a = at;
        ptrdiff_t left = (const char *)end - (const char *)at;
        bool whole = left >= (ptrdiff_t)NLA_HDRLEN && a->nla_len >= NLA_HDRLEN && a->nla_len <= left;
        return whole ? a : NULL;
}

const struct nlattr *attr_after(const struct nlattr *a, const void *end)
{
        return attr_at((const char *)a + NLA_ALIGN(a->nla_len), end);
}
