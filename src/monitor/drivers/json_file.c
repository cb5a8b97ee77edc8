/* docker's json-file; the records are monitor/record-internal.h's. */
#include "monitor/log-internal.h"

static void json_init(struct log *l)
{
        l->file.suffix = l->options->log_packer ? ".gz" : NULL;
}

static size_t json_lines(struct log *l, const struct log_chunk *c)
{
        struct record_tail tail;
        size_t at = 0, used = 1;
        record_tail_make(&tail, c->is_stderr ? "stderr" : "stdout", l->fixed, l->fixed_len, c->time);
        while (at < c->len && used) {
                if (!logfile_open(&l->file)) {
                        l->lost += log_lines_count(c->data + at, c->len - at);
                        return c->len;
                }
                if (logfile_is_full(&l->file))
                        logfile_rotate(&l->file);
                uint8_t *out = logfile_room(&l->file, RECORD_MAX);
                l->file.used += record_write(out, c->data + at, c->len - at, c->last, &tail, &used);
                at += used;
        }
        return at;
}

static void json_flush(struct log *l)
{
        logfile_flush(&l->file);
}

static void json_close(struct log *l)
{
        logfile_close(&l->file);
}

const struct log_driver log_driver_json_file = { "json-file", json_init, json_lines, json_flush, json_close };
