#include "build/parser-internal.h"

#include <ctype.h>
#include "base/buf.h"
#include "base/str.h"

#define HEREDOCS_MAX 64

void heredocs_free(struct heredoc *list, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                free(list[i].name);
                free(list[i].text);
        }
        free(list);
}

/* One word as heredoc delimiter: quotes around it mean that its text is not expanded. */
static char *delimiter_parse(const char *rest, bool *ret_expand)
{
        struct expand_options o = { .escape = '\\', .keep_unset = true };
        struct err ignored = ERR_INIT;
        _cleanup_strv_ char **bare = NULL;
        _cleanup_strv_ char **raw = NULL;
        if (expand_words(rest, &o, &bare, &ignored) < 0 || strv_len(bare) != 1 || !**bare)
                return NULL;
        o.keep_quotes = o.keep_escapes = true;
        if (expand_words(rest, &o, &raw, &ignored) < 0 || strv_len(raw) != 1 || strchr(*bare, '\n'))
                return NULL;
        *ret_expand = str_eq(*bare, *raw);
        return xstrdup(*bare);
}

/* [fd]<<[-]WORD */
bool heredoc_word(const char *word, char **ret_name, bool *ret_expand, bool *ret_strip)
{
        while (isdigit((unsigned char)*word))
                word++;
        if (word[0] != '<' || word[1] != '<')
                return false;
        word += 2;
        bool strip = *word == '-';
        word += strip;
        if (!*word || strchr(word, '<'))
                return false;
        bool expand = false;
        char *name = delimiter_parse(word, &expand);
        if (!name)
                return false;
        if (ret_expand)
                *ret_expand = expand;
        if (ret_strip)
                *ret_strip = strip;
        if (ret_name)
                *ret_name = TAKE_PTR(name);
        free(name);
        return true;
}

int heredocs_find(const char *line, struct heredoc **ret, bool **ret_strip, size_t *ret_count, struct err *err)
{
        const struct expand_options o = {
                .escape = '\\', .keep_quotes = true, .keep_escapes = true, .keep_unset = true
        };
        struct err ignored = ERR_INIT;
        _cleanup_strv_ char **words = NULL;
        if (!strstr(line, "<<") || expand_words(line, &o, &words, &ignored) < 0)
                return 0; /* what is no shell words announces no heredoc; the instruction itself judges it */
        struct heredoc *list = NULL;
        _cleanup_free_ bool *strip = NULL;
        size_t count = 0;
        STRV_FOREACH (w, words) {
                struct heredoc h = { 0 };
                bool tabs = false;
                if (!heredoc_word(*w, &h.name, &h.expand, &tabs))
                        continue;
                list = xreallocarray(list, count + 1, sizeof(*list));
                strip = xreallocarray(strip, count + 1, sizeof(*strip));
                strip[count] = tabs;
                list[count++] = h;
                if (count > HEREDOCS_MAX) {
                        heredocs_free(list, count);
                        return err_set(err, ERR_INVALID, "more than %d heredocs in one instruction", HEREDOCS_MAX);
                }
        }
        *ret = list;
        *ret_strip = TAKE_PTR(strip);
        *ret_count = count;
        return 0;
}

static int heredoc_read(struct line_reader *r, struct heredoc *h, bool strip, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(DOCKERFILE_MAX * 2);
        size_t name_len = strlen(h->name);
        for (;;) {
                size_t start = r->pos;
                struct slice s;
                if (!line_next(r, &s))
                        return err_set(err, ERR_INVALID, "unterminated heredoc %s", h->name);
                size_t tabs = 0;
                while (strip && tabs < s.len && s.s[tabs] == '\t')
                        tabs++;
                if (s.len - tabs == name_len && memcmp(s.s + tabs, h->name, name_len) == 0)
                        break;
                /* With its line end as it stands in the file. */
                if (buf_add(&b, r->text + start + tabs, r->pos - start - tabs, err) < 0)
                        return -1;
        }
        h->text = buf_take(&b);
        return 0;
}

int heredocs_read(struct line_reader *r, struct heredoc *list, const bool *strip, size_t count, struct err *err)
{
        for (size_t i = 0; i < count; i++)
                if (heredoc_read(r, &list[i], strip[i], err) < 0)
                        return -1;
        return 0;
}
