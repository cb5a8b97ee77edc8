#include "monitor/log-internal.h"

#include <string.h>
#include "base/mem.h"
#include "base/str.h"

static const struct log_driver *const drivers[] = { &log_driver_json_file, &log_driver_local, &log_driver_k8s_file, &log_driver_journald,
                                                    &log_driver_syslog };

void log_init(struct log *l, const struct monitor_options *o, char *fixed, size_t fixed_len)
{
        *l = (struct log){ .options = o, .fixed = fixed, .fixed_len = fixed_len, .fd = -1 };
        for (size_t i = 0; i < ELEMENTS(drivers); i++)
                if (str_eq(o->log_driver, drivers[i]->name))
                        l->driver = drivers[i];
        logfile_init(&l->file, o->log_path, o->log_max_size, o->log_max_files);
        l->file.packer = o->log_packer;
        l->file.data = l;
        if (!l->driver)
                return;
        if (l->driver->init)
                l->driver->init(l);
        if (o->log_ring)
                l->ring = log_ring_new(l, o->log_ring);
}

bool log_wanted(const struct log *l)
{
        return l->driver;
}

size_t log_lines(struct log *l, const struct log_chunk *c)
{
        if (!l->driver)
                return c->len;
        return l->ring ? log_ring_add(l->ring, c) : l->driver->lines(l, c);
}

void log_flush(struct log *l)
{
        if (l->driver && !l->ring)
                l->driver->flush(l);
}

void log_close(struct log *l)
{
        if (l->ring)
                log_ring_close(l->ring);
        l->ring = NULL;
        if (!l->driver)
                return;
        l->driver->flush(l);
        l->driver->close(l);
}

void log_rest(struct log *l)
{
        if (!l->ring) /* else its thread sees to it */
                logfile_rest(&l->file);
}

void log_reopen(struct log *l)
{
        if (l->ring)
                log_ring_reopen(l->ring);
        else if (l->driver && l->file.path)
                logfile_close(&l->file);
}

void log_piece_next(const struct log_chunk *c, size_t at, struct log_piece *ret)
{
        const uint8_t *text = c->data + at;
        size_t left = c->len - at, look = left < RECORD_LINE_MAX ? left : RECORD_LINE_MAX;
        const uint8_t *newline = look ? memchr(text, '\n', look) : NULL;
        *ret = (struct log_piece){ .text = text };
        if (newline) {
                ret->len = (size_t)(newline - text);
                ret->used = ret->len + 1;
        } else if (left >= RECORD_LINE_MAX) {
                ret->len = ret->used = record_split(text);
                ret->open = true;
        } else if (c->last && left) {
                ret->len = ret->used = left;
                ret->open = true;
        }
}

size_t log_lines_count(const uint8_t *data, size_t len)
{
        size_t count = 0;
        for (const uint8_t *end = data + len, *newline; data < end; data = newline + 1, count++)
                if (!(newline = memchr(data, '\n', (size_t)(end - data))))
                        return count + 1;
        return count;
}
