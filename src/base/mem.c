#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static void *checked(void *p)
{
        if (!p)
                abort();
        return p;
}

/* Nothing is asked for as one byte, so that NULL always means failure. */
void *xmalloc(size_t size)
{
        return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
        return checked(count && size ? calloc(count, size) : calloc(1, 1));
}

void *xreallocarray(void *p, size_t count, size_t size)
{
        return checked(count && size ? reallocarray(p, count, size) : realloc(p, 1));
}

char *xstrdup(const char *s)
{
        return checked(strdup(s));
}

char *xstrndup(const char *s, size_t max)
{
        return checked(strndup(s, max));
}

void *xmemdup(const void *p, size_t size)
{
        void *copy = xmalloc(size);
        if (size)
                memcpy(copy, p, size);
        return copy;
}

char *xasprintf(const char *fmt, ...)
{
        char *text = NULL;
        va_list ap;
        va_start(ap, fmt);
        int n = vasprintf(&text, fmt, ap);
        va_end(ap);
        return checked(n < 0 ? NULL : text);
}

void mem_closep(int *fd)
{
        if (*fd < 0)
                return;
        int saved = errno;
        close(*fd);
        *fd = -1;
        errno = saved;
}
