#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>

static size_t limit_of(const struct buf *b)
{
        size_t limit = b->max ? b->max : BUF_DEFAULT_MAX;
        return limit < SIZE_MAX / 2 ? limit : SIZE_MAX / 2;
}

void buf_done(struct buf *b)
{
        free(b->data);
        b->data = NULL;
        b->len = b->cap = 0;
}

int buf_reserve(struct buf *b, size_t more, struct err *err)
{
        size_t limit = limit_of(b);
        if (b->len > limit || more > limit - b->len)
                return err_set(err, ERR_TOO_LARGE, "more than %zu bytes", limit);
        size_t need = b->len + more + 1;
        if (need <= b->cap)
                return 0;
        size_t cap = b->cap < 64 ? 64 : b->cap;
        while (cap < need)
                cap *= 2;
        if (cap > limit + 1)
                cap = limit + 1;
        b->data = xreallocarray(b->data, cap, 1);
        b->cap = cap;
        b->data[b->len] = '\0';
        return 0;
}

void buf_terminate(struct buf *b)
{
        if (b->data)
                b->data[b->len] = '\0';
}

int buf_add(struct buf *b, const void *data, size_t len, struct err *err)
{
        if (buf_reserve(b, len, err) < 0)
                return -1;
        if (len)
                memcpy(b->data + b->len, data, len);
        b->len += len;
        buf_terminate(b);
        return 0;
}

int buf_adds(struct buf *b, const char *s, struct err *err)
{
        return buf_add(b, s, strlen(s), err);
}

int buf_addc(struct buf *b, char c, struct err *err)
{
        return buf_add(b, &c, 1, err);
}

int buf_addf(struct buf *b, struct err *err, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(NULL, 0, fmt, ap);
        va_end(ap);
        if (n < 0)
                return err_set(err, ERR_INVALID, "text cannot be formatted");
        if (buf_reserve(b, (size_t)n, err) < 0)
                return -1;
        va_start(ap, fmt);
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
        va_end(ap);
        b->len += (size_t)n;
        return 0;
}

void buf_reset(struct buf *b)
{
        b->len = 0;
        buf_terminate(b);
}

void buf_consume(struct buf *b, size_t count)
{
        if (count > b->len)
                count = b->len;
        if (count == 0)
                return;
        memmove(b->data, b->data + count, b->len - count);
        b->len -= count;
        buf_terminate(b);
}

char *buf_take(struct buf *b)
{
        char *text = b->data ? b->data : xstrdup("");
        b->data = NULL;
        b->len = b->cap = 0;
        return text;
}
