#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/utf8.h"

static enum err_kind kind_of_errno(int errnum)
{
        switch (errnum) {
        case ENOENT:
                return ERR_NOT_FOUND;
        case EACCES:
        case EPERM:
                return ERR_DENIED;
        case EEXIST:
        case EBUSY:
                return ERR_CONFLICT;
        default:
                return ERR_SYSTEM;
        }
}

/* Formats aside and copies then, because an argument may well point into err->msg. */
static void message_format(struct err *err, const char *fmt, va_list ap, const char *tail)
{
        char text[sizeof(err->msg)];
        int n = vsnprintf(text, sizeof(text), fmt, ap);
        size_t len = n < 0 ? 0 : (size_t)n;
        if (len >= sizeof(text))
                len = sizeof(text) - 1;
        size_t more = strlen(tail);
        if (more > sizeof(text) - 1 - len)
                more = sizeof(text) - 1 - len;
        memmove(text + len, tail, more);
        len += more;
        utf8_clean(text, len);
        memcpy(err->msg, text, len);
        err->msg[len] = '\0';
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        message_format(err, fmt, ap, "");
        va_end(ap);
        err->kind = kind;
        err->sys = 0;
        return -1;
}

int err_sysnum(struct err *err, int errnum, const char *fmt, ...)
{
        char tail[80];
        const char *words = strerrordesc_np(errnum);
        if (words)
                snprintf(tail, sizeof(tail), ": %s", words);
        else
                snprintf(tail, sizeof(tail), ": error %d", errnum);
        va_list ap;
        va_start(ap, fmt);
        message_format(err, fmt, ap, tail);
        va_end(ap);
        err->kind = kind_of_errno(errnum);
        err->sys = errnum;
        return -1;
}

int err_add(struct err *err, const char *fmt, ...)
{
        char tail[sizeof(err->msg) + 2];
        snprintf(tail, sizeof(tail), ": %s", err->msg);
        va_list ap;
        va_start(ap, fmt);
        message_format(err, fmt, ap, tail);
        va_end(ap);
        return -1;
}

void err_clear(struct err *err)
{
        err->kind = ERR_NONE;
        err->sys = 0;
        err->msg[0] = '\0';
}
