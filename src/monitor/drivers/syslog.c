/* RFC 3164 and RFC 5424 over local sockets, UDP and TCP. The layouts are those that docker sends, as servers are set up for them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "monitor/log-internal.h"

#define RETRY 5000000000 /* ns */
#define HEAD_MAX 1024
enum { SEVERITY_ERROR = 3, SEVERITY_INFO = 6 };

static const char *const usual[] = { "unixgram:/dev/log", "unix:/dev/log", "unixgram:/var/run/syslog", "unix:/var/run/syslog",
                                     "unixgram:/var/run/log", "unix:/var/run/log" };

static bool syslog_connect(struct log *l)
{
        if (l->fd >= 0)
                return true;
        int64_t now = time_monotonic();
        if (now < l->retry)
                return false;
        if (!str_empty(l->options->log_address))
                l->fd = logsocket_open(l->options->log_address);
        else
                for (size_t i = 0; i < ELEMENTS(usual) && l->fd < 0; i++)
                        l->fd = logsocket_open(usual[i]);
        l->retry = l->fd < 0 ? now + RETRY : 0;
        return l->fd >= 0;
}

static void stamp(char *out, size_t size, const char *format, int64_t time, bool local)
{
        time_t seconds = (time_t)(time / 1000000000);
        struct tm tm;
        if (local)
                localtime_r(&seconds, &tm);
        else
                gmtime_r(&seconds, &tm);
        strftime(out, size, format, &tm);
}

/* What stands before the text of every message of one read. */
static size_t head_make(const struct log *l, const struct log_chunk *c, char head[HEAD_MAX])
{
        const char *format = l->options->log_format, *tag = l->fixed ? l->fixed : "";
        unsigned priority = l->options->log_facility * 8 + (c->is_stderr ? SEVERITY_ERROR : SEVERITY_INFO);
        char host[256] = "", time[64], micro[16] = "";
        int pid = (int)getpid(), n;
        gethostname(host, sizeof(host) - 1);
        bool is_5424 = str_starts(format ? format : "", "rfc5424");
        stamp(time, sizeof(time), is_5424 ? "%Y-%m-%dT%H:%M:%S" : "%b %e %H:%M:%S", c->time, !is_5424);
        if (str_eq(format, "rfc5424micro"))
                snprintf(micro, sizeof(micro), ".%06d", (int)(c->time / 1000 % 1000000));
        if (is_5424)
                n = snprintf(head, HEAD_MAX, "<%u>1 %s%sZ %s %.256s %d %.256s - ", priority, time, micro, host, tag, pid, tag);
        else if (str_eq(format, "rfc3164"))
                n = snprintf(head, HEAD_MAX, "<%u>%s %s %.256s[%d]: ", priority, time, host, tag, pid);
        else
                n = snprintf(head, HEAD_MAX, "<%u>%s %.256s[%d]: ", priority, time, tag, pid);
        return n < HEAD_MAX ? (size_t)n : HEAD_MAX - 1;
}

static void syslog_drop(struct log *l)
{
        mem_closep(&l->fd);
        l->fd = -1;
}

/* A server that was restarted takes it the second time. */
static void syslog_put(struct log *l, const struct iovec *parts, int count)
{
        for (int attempt = 0; attempt < 2; attempt++) {
                if (!syslog_connect(l))
                        break;
                if (logsocket_send(l->fd, parts, count) == 0)
                        return;
                bool full = errno == EAGAIN;
                syslog_drop(l);
                if (full) { /* it takes nothing: not asked again for a while */
                        l->retry = time_monotonic() + RETRY;
                        break;
                }
        }
        l->lost++;
}

static size_t syslog_lines(struct log *l, const struct log_chunk *c)
{
        char head[HEAD_MAX], newline = '\n';
        struct log_piece p;
        size_t at = 0, head_len = head_make(l, c, head);
        for (log_piece_next(c, at, &p); p.used; at += p.used, log_piece_next(c, at, &p)) {
                const struct iovec parts[] = { { head, head_len }, { (void *)(uintptr_t)p.text, p.len }, { &newline, 1 } };
                syslog_put(l, parts, ELEMENTS(parts));
        }
        return at;
}

static void syslog_flush(struct log *l)
{
}

const struct log_driver log_driver_syslog = { "syslog", NULL, syslog_lines, syslog_flush, syslog_drop };
