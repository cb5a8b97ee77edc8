/* The pieces of dockerfile_parse(), in the order in which a text passes through them: directives, logical lines,
 * heredocs, then words and flags by the style of the instruction (instructions.c). */
#ifndef TARE_BUILD_PARSER_INTERNAL_H
#define TARE_BUILD_PARSER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "build/dockerfile.h"

#define DOCKERFILE_MAX ((size_t)1 << 20)

struct slice {
        const char *s;
        size_t len;
};

/* A position in the text. Lines end at LF or CR LF. */
struct line_reader {
        const char *text;
        size_t len, pos;
        unsigned line; /* number of the line read last, from 1 */
        char escape;
};

static inline bool is_blank(char c)
{
        return c == ' ' || (c >= '\t' && c <= '\r');
}
struct slice slice_trim_left(struct slice s);

/* --- lines.c --- */
/* The next physical line without its end; false at the end of the text. */
bool line_next(struct line_reader *r, struct slice *ret);
/* The next instruction's text: comments and blank lines skipped, continuations joined, trimmed; NULL at the end of
 * the text. */
char *line_next_logical(struct line_reader *r, unsigned *ret_line);

/* --- directive.c --- */
/* Reads the "# key=value" lines at the top into d and leaves the reader at the first line that is none. */
int directives_read(struct line_reader *r, struct dockerfile *d, struct err *err);

/* --- words.c --- */
/* Splits at blanks; quotes and escapes are obeyed and kept. */
char **words_split_quoted(const char *text, char escape);
/* Splits at blanks alone. */
char **words_split_plain(const char *text);
/* Takes the leading "--flag" words off; returns where the rest begins. */
const char *words_take_flags(const char *text, char ***flags);
/* The text quoted so that expansion gives it back as it is. Heap. */
char *words_protect(const char *text);
/* 1: a JSON array of strings, in *ret; 0: something else; -1: an array with other things in it. */
int words_from_json(const char *text, char ***ret, struct err *err);

/* --- heredoc.c --- */
/* The heredocs a line announces, without text yet; *ret_count 0 when none. */
int heredocs_find(const char *line, struct heredoc **ret, bool **ret_strip, size_t *ret_count, struct err *err);
/* Reads their texts from the lines that follow. */
int heredocs_read(struct line_reader *r, struct heredoc *list, const bool *strip, size_t count, struct err *err);
/* True when this one word announces a heredoc; *ret_name on the heap (may be NULL). */
bool heredoc_word(const char *word, char **ret_name, bool *ret_expand, bool *ret_strip);
void heredocs_free(struct heredoc *list, size_t count);

/* --- expand.c --- */
struct expand_options {
        char escape;
        char *const *env;
        bool keep_quotes, keep_escapes, keep_unset;
};
int expand_text(const char *text, const struct expand_options *o, char **ret, struct err *err);
int expand_words(const char *text, const struct expand_options *o, char ***ret, struct err *err);

/* --- substitute.c: ${x#pattern} ${x%pattern} ${x/pattern/text} --- */
char *substitute_trim(const char *value, const char *pattern, bool suffix, bool longest, struct err *err);
char *substitute_replace(const char *value, const char *pattern, const char *with, bool all, struct err *err);

/* --- instruction.c --- */
/* One logical line as an instruction (without heredoc texts). */
int instruction_parse(const char *text, unsigned line, char escape, struct instruction *ret, struct err *err);
void instruction_done(struct instruction *in);

#endif
