/* Drivers whose files are lines: json-file and k8s-file. */
#include <string.h>

#include "base/proc.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/log-internal.h"
#include "engine/log_record-internal.h"

struct line_reader {
        struct line_files files;
        struct line_packing packing;
        char *text;                    /* decoded, or with its newline; grows with the longest */
        size_t text_size;
};

static char *text_room(struct line_reader *r, size_t len)
{
        if (len > r->text_size) {
                r->text_size = len;
                r->text = xreallocarray(r->text, len, 1);
        }
        return r->text;
}

static int file_unpack(void *data, int packed, int out, struct err *err)
{
        const struct log_source *s = data;
        if (!s->unpack)
                return err_set(err, ERR_UNSUPPORTED, "a rotated file is compressed, and the program that reads it is not here");
        _cleanup_strv_ char **argv = strv_dup((char *const *)(uintptr_t)s->unpack);
        strv_push(&argv, "0");
        struct proc_spawn spawn = { .path = argv[0], .argv = argv, .stdin_fd = packed, .stdout_fd = out, .stderr_fd = 2 };
        pid_t pid;
        int status;
        if (proc_spawn(&spawn, &pid, NULL, err) < 0 || proc_wait(pid, &status, err) < 0)
                return -1;
        return status == 0 ? 0 : err_set(err, ERR_CORRUPT, "a compressed log file cannot be read");
}

static void *lines_open(const struct log_source *s, line_key_fn time, struct err *err)
{
        struct line_reader *r = xcalloc(1, sizeof(*r));
        r->packing = (struct line_packing){ .suffix = ".gz", .unpack = file_unpack, .data = (void *)(uintptr_t)s };
        if (line_files_open_packed(s->path, s->tail, s->since, time, &r->packing, &r->files, err) == 0)
                return r;
        free(r);
        return NULL;
}

static void lines_close(void *reader)
{
        struct line_reader *r = reader;
        line_files_done(&r->files);
        free(r->text);
        free(r);
}

/* --- json-file --- */

static bool json_time(const char *line, size_t len, int64_t *ret)
{
        struct log_record record;
        if (!log_record_parse(line, len, &record))
                return false;
        *ret = record.time;
        return true;
}

static void *json_open(const struct log_source *s, struct err *err) { return lines_open(s, json_time, err); }

static int json_next(void *reader, struct log_entry *ret, struct err *err)
{
        struct line_reader *r = reader;
        struct log_record record;
        const char *line;
        size_t len;
        int more;
        while ((more = line_files_line(&r->files, &line, &len, err)) == 1) {
                if (!log_record_parse(line, len, &record))
                        continue;
                char *text = record.len ? text_room(r, record.len) : NULL;
                *ret = (struct log_entry){ .is_stderr = record.is_stderr, .time = record.time, .text = text,
                                           .len = record.len ? log_text_decode(text, record.text, record.len) : 0, .attrs = record.attrs,
                                           .attrs_len = record.attrs_len };
                return 1;
        }
        return more;
}

const struct log_reader_kind log_reader_json_file = { json_open, json_next, lines_close, NULL };

/* --- k8s-file: "TIME stdout F text" --- */

static bool k8s_parse(const char *line, size_t len, struct log_entry *ret, bool *ret_whole)
{
        const char *space = memchr(line, ' ', len), *end = line + len;
        char copy[TIME_TEXT_SIZE];
        struct err ignored = ERR_INIT;
        if (!space || (size_t)(space - line) >= sizeof(copy) || end - space < 10)
                return false;
        memcpy(copy, line, (size_t)(space - line));
        copy[space - line] = '\0';
        const char *name = space + 1, *tag = name + 7;
        bool known = (memcmp(name, "stdout ", 7) == 0 || memcmp(name, "stderr ", 7) == 0) && (tag[0] == 'F' || tag[0] == 'P');
        const char *tags_end = known ? memchr(tag, ' ', (size_t)(end - tag)) : NULL;   /* more tags may follow, ':' between */
        *ret = (struct log_entry){ .is_stderr = memcmp(name, "stderr", 6) == 0 };
        if (!known || (!tags_end && end - tag != 1) || (tags_end && tags_end != tag + 1 && tag[1] != ':') || time_parse(copy, &ret->time, &ignored) < 0)
                return false;
        ret->text = tags_end ? tags_end + 1 : end;
        ret->len = (size_t)(end - ret->text);
        *ret_whole = tag[0] == 'F';
        return true;
}

static bool k8s_time(const char *line, size_t len, int64_t *ret)
{
        struct log_entry entry;
        bool whole;
        if (!k8s_parse(line, len, &entry, &whole))
                return false;
        *ret = entry.time;
        return true;
}

static void *k8s_open(const struct log_source *s, struct err *err) { return lines_open(s, k8s_time, err); }

static int k8s_next(void *reader, struct log_entry *ret, struct err *err)
{
        struct line_reader *r = reader;
        const char *line;
        size_t len;
        bool whole;
        int more;
        while ((more = line_files_line(&r->files, &line, &len, err)) == 1) {
                if (!k8s_parse(line, len, ret, &whole))
                        continue;
                if (whole) {
                        char *text = text_room(r, ret->len + 1);
                        memcpy(text, ret->text, ret->len);
                        text[ret->len++] = '\n';
                        ret->text = text;
                }
                return 1;
        }
        return more;
}

const struct log_reader_kind log_reader_k8s_file = { k8s_open, k8s_next, lines_close, NULL };
