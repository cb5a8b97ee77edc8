#include "build/parser-internal.h"

#include "base/buf.h"
#include "base/str.h"

struct slice slice_trim_left(struct slice s)
{
        while (s.len && is_blank(*s.s)) {
                s.s++;
                s.len--;
        }
        return s;
}

bool line_next(struct line_reader *r, struct slice *ret)
{
        if (r->pos >= r->len)
                return false;
        const char *start = r->text + r->pos;
        const char *end = memchr(start, '\n', r->len - r->pos);
        size_t len = end ? (size_t)(end - start) : r->len - r->pos;
        r->pos += len + (end ? 1 : 0);
        r->line++;
        while (len && start[len - 1] == '\r')
                len--;
        *ret = (struct slice){ start, len };
        return true;
}

/* An escape character at the end, blanks after it allowed, that is not itself escaped: cut off, and the line goes
 * on. */
static bool slice_cut_continuation(struct slice *s, char escape)
{
        size_t n = s->len;
        while (n && (s->s[n - 1] == ' ' || s->s[n - 1] == '\t'))
                n--;
        if (!n || s->s[n - 1] != escape || (n > 1 && s->s[n - 2] == escape))
                return false;
        s->len = n - 1;
        return true;
}

static bool slice_is_comment(struct slice s)
{
        s = slice_trim_left(s);
        return !s.len || *s.s == '#';
}

static void append(struct buf *b, struct slice s)
{
        struct err ignored = ERR_INIT;
        /* The text as a whole is within DOCKERFILE_MAX, so a part of it always fits. */
        (void)buf_add(b, s.s, s.len, &ignored);
}

/* Comment lines and blank lines inside a continued instruction vanish and do not end it. */
static char *join(struct line_reader *r, struct slice s)
{
        _cleanup_buf_ struct buf b = BUF_INIT(DOCKERFILE_MAX);
        bool more = slice_cut_continuation(&s, r->escape);
        append(&b, s);
        while (more && line_next(r, &s)) {
                if (slice_is_comment(s))
                        continue;
                more = slice_cut_continuation(&s, r->escape);
                append(&b, s);
        }
        _cleanup_free_ char *text = buf_take(&b);
        return xstrdup(str_trim(text));
}

char *line_next_logical(struct line_reader *r, unsigned *ret_line)
{
        struct slice s;
        while (line_next(r, &s)) {
                if (slice_is_comment(s))
                        continue;
                unsigned first = r->line;
                char *text = join(r, slice_trim_left(s));
                if (*text) {
                        *ret_line = first;
                        return text;
                }
                free(text);
        }
        return NULL;
}
