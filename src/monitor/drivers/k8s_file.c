/* The log format of the Container Runtime Interface (kubernetes, "CRI container log format"): "TIME stdout F text" lines, P for all but
 * the last part of a line. */
#include <stdio.h>
#include <string.h>

#include "base/timefmt.h"
#include "monitor/log-internal.h"

static size_t k8s_lines(struct log *l, const struct log_chunk *c)
{
        char time[TIME_TEXT_SIZE], head[TIME_TEXT_SIZE + 16];
        struct log_piece p;
        size_t at = 0;
        size_t head_len = (size_t)snprintf(head, sizeof(head), "%s %s F ", time_format(c->time, time), c->is_stderr ? "stderr" : "stdout");
        for (log_piece_next(c, at, &p); p.used; at += p.used, log_piece_next(c, at, &p)) {
                if (!logfile_open(&l->file)) {
                        l->lost += log_lines_count(c->data + at, c->len - at);
                        return c->len;
                }
                if (logfile_is_full(&l->file))
                        logfile_rotate(&l->file);
                uint8_t *out = logfile_room(&l->file, head_len + p.len + 1);
                memcpy(out, head, head_len);
                if (p.open)
                        out[head_len - 2] = 'P';
                memcpy(out + head_len, p.text, p.len);
                out[head_len + p.len] = '\n';
                l->file.used += head_len + p.len + 1;
        }
        return at;
}

static void k8s_flush(struct log *l)
{
        logfile_flush(&l->file);
}

static void k8s_close(struct log *l)
{
        logfile_close(&l->file);
}

const struct log_driver log_driver_k8s_file = { "k8s-file", NULL, k8s_lines, k8s_flush, k8s_close };
