/* Errors as runc logs them: its callers read the JSON lines of --log to tell their users why something failed. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <time.h>
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/utf8.h"
#include "ociruntime/program-internal.h"

static struct {
        int fd;
        bool json;
} log_state = { .fd = 2 };

bool log_is_stderr(void)
{
        return log_state.fd == 2;
}

/* logrus' text format quotes as Go's %q does. */
static char *line_text(const char *level, const char *message, const char *when)
{
        _cleanup_json_ json_t *quoted = json_string(message);
        char *text = json_dumps(quoted, JSON_ENCODE_ANY);
        char *line = xasprintf("time=\"%s\" level=%s msg=%s\n", when, level, text ? text : "\"\"");
        free(text);
        return line;
}

static char *line_json(const char *level, const char *message, const char *when)
{
        _cleanup_json_ json_t *o = json_object();
        json_object_set_new(o, "level", json_string(level));
        json_object_set_new(o, "msg", json_string(message));
        json_object_set_new(o, "time", json_string(when));
        _cleanup_free_ char *text = json_text(o);
        return xasprintf("%s\n", text);
}

static void log_line(const char *level, const char *message)
{
        char when[32];
        time_t now = time(NULL);
        struct tm tm;
        gmtime_r(&now, &tm);
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
        /* Names in it may hold any bytes, and readers of either format know UTF-8 only. */
        _cleanup_free_ char *clean = xstrdup(message);
        if (!str_is_utf8(clean, strlen(clean)))
                utf8_clean(clean, strlen(clean));
        _cleanup_free_ char *line = log_state.json ? line_json(level, clean, when) : line_text(level, clean, when);
        (void)fd_write_full(log_state.fd, line, strlen(line)); /* whom could we tell */
}

static void sink(enum log_level level, const char *line)
{
        static const char *const names[] = { "debug", "info", "warning" };
        log_line(names[level], line);
}

int log_open(const char *path, const char *format, bool debug, struct err *err)
{
        if (format && !str_eq(format, "text") && !str_eq(format, "json") && !str_empty(format))
                return err_set(err, ERR_INVALID, "invalid log-format: %s", format);
        log_state.json = str_eq(format, "json");
        log_set_sink(sink, debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
        if (str_empty(path) || str_eq(path, "/dev/stderr"))
                return 0;
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
        if (fd < 0)
                return err_sys(err, "open %s", path);
        /* Out of the way of the descriptors the container is to be given. */
        log_state.fd = fcntl(fd, F_DUPFD_CLOEXEC, 500);
        if (log_state.fd < 0)
                log_state.fd = fd;
        else
                close(fd);
        return 0;
}

void log_error(const char *message)
{
        log_line("error", message);
}
