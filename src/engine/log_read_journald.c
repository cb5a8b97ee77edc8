/* journald's half of reading: what journalctl prints as JSON, one entry a line. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/log-internal.h"

#define LINE_MAX_BYTES ((size_t)4 << 20)
#define BLOCK 65536

struct journal_reader {
        pid_t pid;
        int fd;                        /* -1 at its end */
        struct buf lines;
        size_t at;
        struct buf text;
        char *attrs;
};

static const char *const known[] = { "MESSAGE", "MESSAGE_ID", "PRIORITY", "CODE_FILE", "CODE_LINE", "CODE_FUNC", "ERRNO", "SYSLOG_FACILITY",
                                     "SYSLOG_IDENTIFIER", "SYSLOG_PID", "SYSLOG_TIMESTAMP", "SYSLOG_RAW", "CONTAINER_NAME", "CONTAINER_ID",
                                     "CONTAINER_ID_FULL", "CONTAINER_TAG", "IMAGE_NAME", "CONTAINER_PARTIAL_MESSAGE",
                                     "CONTAINER_PARTIAL_ORDINAL", "CONTAINER_PARTIAL_LAST", NULL };

static char **command_of(const struct log_source *s)
{
        char **argv = NULL;
        static const char *const always[] = { "journalctl", "--output=json", "--all", "--no-pager", "--quiet", NULL };
        strv_extend(&argv, (char *const *)(uintptr_t)always);
        if (s->since > 0)
                strv_push_take(&argv, xasprintf("--since=@%" PRId64, s->since / 1000000000));
        if (s->tail >= 0)
                strv_push_take(&argv, xasprintf("--lines=%" PRId64, s->tail));
        else
                strv_push(&argv, s->follow ? "--no-tail" : "--lines=all");
        if (s->follow)
                strv_push(&argv, "--follow");
        strv_push_take(&argv, xasprintf("CONTAINER_ID_FULL=%s", s->id));
        return argv;
}

static void journal_close(void *reader)
{
        struct journal_reader *r = reader;
        struct err ignored = ERR_INIT;
        int status;
        mem_closep(&r->fd);
        if (r->pid > 0) {
                kill(r->pid, SIGKILL);
                proc_wait(r->pid, &status, &ignored);
        }
        buf_done(&r->lines);
        buf_done(&r->text);
        free(r->attrs);
        free(r);
}

static void *journal_open(const struct log_source *s, struct err *err)
{
        int pipe[2];
        if (pipe2(pipe, O_CLOEXEC) < 0) {
                err_sys(err, "pipe");
                return NULL;
        }
        struct journal_reader *r = xcalloc(1, sizeof(*r));
        *r = (struct journal_reader){ .fd = pipe[0], .lines = BUF_INIT(LINE_MAX_BYTES), .text = BUF_INIT(LINE_MAX_BYTES) };
        _cleanup_close_ int theirs = pipe[1];
        _cleanup_strv_ char **argv = command_of(s);
        struct proc_spawn spawn = { .path = "journalctl", .argv = argv, .stdin_fd = -1, .stdout_fd = theirs, .stderr_fd = 2, .death_signal = SIGKILL };
        if (proc_spawn(&spawn, &r->pid, NULL, err) < 0) {
                err_add(err, "the journal is read by journalctl");
                journal_close(r);
                return NULL;
        }
        if (s->follow)
                fd_set_nonblock(r->fd, true);
        return r;
}

/* A text, or an array of bytes where it is none. */
static int message_take(struct journal_reader *r, const json_t *message, struct err *err)
{
        size_t i;
        json_t *byte;
        buf_reset(&r->text);
        if (json_is_string(message))
                return buf_add(&r->text, json_string_value(message), json_string_length(message), err);
        json_array_foreach(message, i, byte)
                if (buf_addc(&r->text, (char)json_integer_value(byte), err) < 0)
                        return -1;
        return 0;
}

static void attrs_take(struct journal_reader *r, json_t *entry)
{
        _cleanup_json_ json_t *attrs = json_object();
        const char *key;
        json_t *value;
        free(r->attrs);
        r->attrs = NULL;
        json_object_foreach(entry, key, value)
                if (key[0] != '_' && json_is_string(value) && !strv_has((char *const *)(uintptr_t)known, key))
                        json_object_set(attrs, key, value);
        if (json_object_size(attrs))
                r->attrs = json_text(attrs);
}

static bool is_true(const json_t *entry, const char *key) { return str_eq(json_string_value(json_object_get(entry, key)), "true"); }

static bool time_take(const json_t *entry, int64_t *ret)
{
        struct err ignored = ERR_INIT;
        const char *ours = json_string_value(json_object_get(entry, "SYSLOG_TIMESTAMP")),
                   *journal = json_string_value(json_object_get(entry, "__REALTIME_TIMESTAMP"));
        if (ours && time_parse(ours, ret, &ignored) == 0)
                return true;
        if (!journal || parse_i64(journal, ret, &ignored) < 0 || *ret > INT64_MAX / 1000)
                return false;
        *ret *= 1000;
        return true;
}

/* 0: no entry of ours. */
static int entry_take(struct journal_reader *r, const char *line, size_t len, struct log_entry *ret, struct err *err)
{
        _cleanup_json_ json_t *entry = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
        struct log_entry e = { .is_stderr = str_eq(json_string_value(json_object_get(entry, "PRIORITY")), "3") };
        if (!entry || !time_take(entry, &e.time))
                return 0;
        if (message_take(r, json_object_get(entry, "MESSAGE"), err) < 0)
                return -1;
        if (!is_true(entry, "CONTAINER_PARTIAL_MESSAGE") || is_true(entry, "CONTAINER_PARTIAL_LAST"))
                if (buf_addc(&r->text, '\n', err) < 0)
                        return -1;
        attrs_take(r, entry);
        e.text = r->text.data ? r->text.data : "";
        e.len = r->text.len;
        e.attrs = r->attrs;
        e.attrs_len = r->attrs ? strlen(r->attrs) : 0;
        *ret = e;
        return 1;
}

/* 0: no more now, or ever. */
static int lines_read(struct journal_reader *r, struct err *err)
{
        if (r->fd < 0)
                return 0;
        buf_consume(&r->lines, r->at);
        r->at = 0;
        if (buf_reserve(&r->lines, BLOCK, err) < 0)
                return -1;
        ssize_t n = read(r->fd, r->lines.data + r->lines.len, BLOCK);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : err_sys(err, "journalctl");
        if (n == 0) {
                mem_closep(&r->fd);
                r->fd = -1;
                return 0;
        }
        r->lines.len += (size_t)n;
        buf_terminate(&r->lines);
        return 1;
}

static int journal_next(void *reader, struct log_entry *ret, struct err *err)
{
        struct journal_reader *r = reader;
        for (;;) {
                const char *line = r->lines.len > r->at ? r->lines.data + r->at : NULL;
                const char *newline = line ? memchr(line, '\n', r->lines.len - r->at) : NULL;
                if (!newline) {
                        int more = lines_read(r, err);
                        if (more <= 0)
                                return more;
                        continue;
                }
                r->at += (size_t)(newline - line) + 1;
                int taken = entry_take(r, line, (size_t)(newline - line), ret, err);
                if (taken)
                        return taken;
        }
}

static int journal_fd(void *reader) { return ((struct journal_reader *)reader)->fd; }

const struct log_reader_kind log_reader_journald = { journal_open, journal_next, journal_close, journal_fd };
