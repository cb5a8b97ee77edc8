#include "cli/tabulate-internal.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define CELL_PADDING 3

struct cell {
        const char *text;
        size_t len, width;
};
struct line {
        struct cell *cells;
        size_t count;
}; /* the last cell is not ended by a tab and widens no column */
struct grid {
        struct line *lines;
        size_t count;
        struct cell *cells;
};

static size_t width_of(const char *s, size_t len)
{
        size_t width = 0;
        for (size_t i = 0; i < len; i++)
                width += ((unsigned char)s[i] & 0xc0) != 0x80;
        return width;
}

static size_t count_bytes(const char *s, size_t len, char byte)
{
        size_t count = 0;
        for (size_t i = 0; i < len; i++)
                count += s[i] == byte;
        return count;
}

static void grid_done(struct grid *g)
{
        free(g->lines);
        free(g->cells);
}

static void grid_fill(struct grid *g, const char *text, size_t len)
{
        size_t newlines = count_bytes(text, len, '\n'), tabs = count_bytes(text, len, '\t');
        g->lines = xcalloc(newlines + 1, sizeof(*g->lines));
        g->cells = xcalloc(newlines + tabs + 1, sizeof(*g->cells));
        struct cell *next = g->cells;
        for (const char *s = text, *end = text + len; s < end;) {
                struct line *line = &g->lines[g->count++];
                line->cells = next;
                for (bool more = true; more;) {
                        size_t cell = 0;
                        while (s + cell < end && s[cell] != '\t' && s[cell] != '\n')
                                cell++;
                        *next++ = (struct cell){ s, cell, width_of(s, cell) };
                        line->count++;
                        more = s + cell < end && s[cell] == '\t';
                        s += cell + (s + cell < end);
                }
        }
}

/* The width of `column` in the block of lines around `at`. Only the first line of a block computes it. */
static size_t column_width(const struct grid *g, size_t least, size_t first, size_t column, size_t *ret_end)
{
        size_t width = least, i = first;
        for (; i < g->count && column + 1 < g->lines[i].count; i++)
                if (g->lines[i].cells[column].width + CELL_PADDING > width)
                        width = g->lines[i].cells[column].width + CELL_PADDING;
        *ret_end = i;
        return width;
}

static int put_line(const struct line *line, const size_t *widths, struct buf *out, struct err *err)
{
        for (size_t i = 0; i < line->count; i++) {
                const struct cell *c = &line->cells[i];
                size_t fill = i + 1 < line->count ? widths[i] - c->width : 0;
                if (buf_add(out, c->text, c->len, err) < 0)
                        return -1;
                for (; fill > 0; fill--)
                        if (buf_addc(out, ' ', err) < 0)
                                return -1;
        }
        return buf_addc(out, '\n', err);
}

int tabulate(const char *text, size_t len, size_t least, struct buf *out, struct err *err)
{
        _cleanup_(grid_done) struct grid g = { 0 };
        size_t most = 0;
        grid_fill(&g, text, len);
        for (size_t i = 0; i < g.count; i++)
                most = g.lines[i].count > most ? g.lines[i].count : most;
        _cleanup_free_ size_t *widths = xcalloc(most + 1, sizeof(size_t)), *ends = xcalloc(most + 1, sizeof(size_t));
        for (size_t i = 0; i < g.count; i++) {
                for (size_t column = 0; column + 1 < g.lines[i].count; column++)
                        if (ends[column] <= i)
                                widths[column] = column_width(&g, least, i, column, &ends[column]);
                if (put_line(&g.lines[i], widths, out, err) < 0)
                        return -1;
        }
        return 0;
}
