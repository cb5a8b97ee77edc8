#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/utf8.h"

static log_sink_fn current_sink;
static enum log_level current_least = LOG_LEVEL_WARNING;

void log_set_sink(log_sink_fn sink, enum log_level least)
{
        current_sink = sink;
        current_least = least;
}

static void emit(enum log_level level, const char *fmt, va_list ap)
{
        if (!current_sink || level < current_least)
                return;
        int saved = errno;
        char line[1024];
        vsnprintf(line, sizeof(line), fmt, ap);
        utf8_clean(line, strlen(line));
        current_sink(level, line);
        errno = saved;
}

#define DEFINE_LOG(name, level)                                                                                        \
        void name(const char *fmt, ...)                                                                                \
        {                                                                                                              \
                va_list ap;                                                                                            \
                va_start(ap, fmt);                                                                                     \
                emit(level, fmt, ap);                                                                                  \
                va_end(ap);                                                                                            \
        }

DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_warning, LOG_LEVEL_WARNING)
