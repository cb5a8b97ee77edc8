/* The pages of runtime/log_page.h. */
#include <string.h>
#include <unistd.h>

#include "monitor/log-internal.h"
#include "runtime/log_page.h"

/* Goes on in the last page, behind its last whole record. */
static uint64_t local_recover(struct logfile *f, int fd, uint64_t size)
{
        struct log *l = f->data;
        struct log_page_record r = { 0 };
        uint64_t from = (size - 1) / LOG_PAGE * LOG_PAGE;
        uint8_t *page = logfile_buffer();
        ssize_t n = pread(fd, page, (size_t)(size - from), (off_t)from);
        size_t at = 0;
        if (n != (ssize_t)(size - from))
                return size;
        while (log_page_next(page, (size_t)n, &at, &r) == 1)
                ;
        if (n == (ssize_t)LOG_PAGE && at > 0)
                return size; /* a reader may have left it */
        if (at < LOG_PAGE_HEAD)
                at = 0;
        l->page_time = l->page_time_written = r.time;
        return from + at == size || ftruncate(fd, (off_t)(from + at)) == 0 ? from + at : size;
}

static void local_init(struct log *l)
{
        l->file.recover = local_recover;
        l->file.suffix = l->options->log_packer ? ".zst" : NULL;
}

static size_t page_at(const struct log *l)
{
        return (size_t)((l->file.size + l->file.used) % LOG_PAGE);
}

static void page_begin(struct log *l, int64_t time)
{
        uint8_t *out = logfile_room(&l->file, LOG_PAGE_HEAD + LOG_RECORD_HEAD_MAX + l->fixed_len), *to = out;
        to += log_page_begin(to, time);
        if (l->fixed_len) {
                to += log_record_begin(to, LOG_ATTRS, 0, l->fixed_len);
                memcpy(to, l->fixed, l->fixed_len);
                to += l->fixed_len;
        }
        l->file.used += (size_t)(to - out);
        l->page_time = time;
}

static void page_end(struct log *l)
{
        size_t rest = LOG_PAGE - page_at(l);
        memset(logfile_room(&l->file, rest), 0, rest);
        l->file.used += rest;
}

static void local_put(struct log *l, const struct log_chunk *c, const struct log_piece *p)
{
        const size_t need = LOG_RECORD_HEAD_MAX + p->len;
        if (logfile_is_full(&l->file))
                logfile_rotate(&l->file);
        if (page_at(l) && page_at(l) + need > LOG_PAGE)
                page_end(l);
        if (page_at(l) == 0)
                page_begin(l, c->time);
        uint8_t *out = logfile_room(&l->file, need), *to = out;
        to += log_record_begin(to, (c->is_stderr ? LOG_STDERR : 0u) | (p->open ? LOG_OPEN : 0u), c->time - l->page_time, p->len);
        memcpy(to, p->text, p->len);
        l->page_time = c->time;
        l->file.used += (size_t)(to - out) + p->len;
        l->file.records++;
}

static void local_flush(struct log *l)
{
        if (!logfile_flush(&l->file))
                l->page_time = l->page_time_written;
        l->page_time_written = l->page_time;
}

static size_t local_lines(struct log *l, const struct log_chunk *c)
{
        struct log_piece p;
        size_t at = 0;
        for (log_piece_next(c, at, &p); p.used; at += p.used, log_piece_next(c, at, &p)) {
                if (!logfile_open(&l->file)) {
                        l->lost += log_lines_count(c->data + at, c->len - at);
                        return c->len;
                }
                if (l->file.used + 2 * LOG_PAGE > LOGFILE_BUFFER) /* the end of a page, a new head and the record fit */
                        local_flush(l);
                local_put(l, c, &p);
        }
        return at;
}

static void local_close(struct log *l)
{
        logfile_close(&l->file);
}

const struct log_driver log_driver_local = { "local", local_init, local_lines, local_flush, local_close };
