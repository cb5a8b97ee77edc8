#include "cli/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"

int out_write(const void *data, size_t len, struct err *err)
{
        if (fflush(stdout) != 0 || fd_write_full(STDOUT_FILENO, data, len) < 0)
                return err_sys(err, "write to standard output");
        return 0;
}

int out_line(struct err *err, const char *fmt, ...)
{
        _cleanup_free_ char *line = NULL;
        va_list ap;
        va_start(ap, fmt);
        int len = vasprintf(&line, fmt, ap);
        va_end(ap);
        if (len < 0)
                abort();
        line[len] = '\n'; /* over the NUL: the length is known */
        return out_write(line, (size_t)len + 1, err);
}
