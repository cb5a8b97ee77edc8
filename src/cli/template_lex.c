#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "cli/template-internal.h"

#define TEMPLATE_MAX ((size_t)1 << 20)

struct lexer {
        const char *text;
        size_t pos, len;
        struct token *tokens;
        size_t count, cap;
        struct err *err;
};

int template_parse_error(const char *text, size_t pos, struct err *err, const char *fmt, ...)
{
        int line = 1;
        for (size_t i = 0; i < pos; i++)
                line += text[i] == '\n';
        char message[400];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(message, sizeof(message), fmt, ap);
        va_end(ap);
        return err_set(err, ERR_INVALID, "template parsing error: template: :%d: %s", line, message);
}

static void emit(struct lexer *l, enum token_kind kind, size_t pos, size_t end)
{
        if (l->count == l->cap) {
                l->cap = l->cap ? 2 * l->cap : 64;
                l->tokens = xreallocarray(l->tokens, l->cap, sizeof(*l->tokens));
        }
        l->tokens[l->count++] = (struct token){ kind, pos, end - pos };
}

static bool is_word(char c)
{
        return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static size_t word_end(const struct lexer *l, size_t pos)
{
        while (pos < l->len && is_word(l->text[pos]))
                pos++;
        return pos;
}

/* "{{-" and "-}}" want a blank on their inner side, so that {{-3}} is a number. */
static bool trims_left(const struct lexer *l, size_t pos)
{
        return pos + 1 < l->len && l->text[pos] == '-' && isspace((unsigned char)l->text[pos + 1]);
}

static bool at_trim_right(const struct lexer *l)
{
        return l->pos > 0 && isspace((unsigned char)l->text[l->pos - 1]) && strncmp(l->text + l->pos, "-}}", 3) == 0;
}

static void trim_text(const struct lexer *l, size_t *pos, size_t *end, bool left, bool right)
{
        while (left && *pos < *end && isspace((unsigned char)l->text[*pos]))
                (*pos)++;
        while (right && *end > *pos && isspace((unsigned char)l->text[*end - 1]))
                (*end)--;
}

static int lex_comment(struct lexer *l, size_t start, bool *ret_trim)
{
        const char *end = strstr(l->text + l->pos, "*/");
        if (!end)
                return template_parse_error(l->text, start, l->err, "unclosed comment");
        l->pos = (size_t)(end - l->text) + 2;
        *ret_trim = isspace((unsigned char)l->text[l->pos]) && strncmp(l->text + l->pos + 1, "-}}", 3) == 0;
        l->pos += *ret_trim ? 2 : 0;
        if (strncmp(l->text + l->pos, "}}", 2) != 0)
                return template_parse_error(l->text, start, l->err, "comment ends before closing delimiter");
        l->pos += 2;
        return 0;
}

static int lex_quoted(struct lexer *l)
{
        size_t start = l->pos;
        char quote = l->text[l->pos++];
        for (; l->pos < l->len && l->text[l->pos] != quote; l->pos++) {
                bool escape = l->text[l->pos] == '\\' && quote != '`';
                l->pos += escape ? 1 : 0;
                if (quote != '`' && (l->pos >= l->len || l->text[l->pos] == '\n'))
                        break;
        }
        if (l->pos >= l->len || l->text[l->pos] != quote) {
                const char *what = quote == '`'    ? "raw quoted string"
                                   : quote == '\'' ? "character constant"
                                                   : "quoted string";
                return template_parse_error(l->text, start, l->err, "unterminated %s", what);
        }
        emit(l, quote == '\'' ? TOKEN_CHAR : TOKEN_STRING, start, ++l->pos);
        return 0;
}

static int lex_number(struct lexer *l)
{
        size_t start = l->pos;
        l->pos += l->text[l->pos] == '+' || l->text[l->pos] == '-';
        bool hex = l->text[l->pos] == '0' && (l->text[l->pos + 1] == 'x' || l->text[l->pos + 1] == 'X');
        for (; l->pos < l->len; l->pos++) {
                char c = l->text[l->pos], before = l->text[l->pos - (l->pos > start)];
                bool exponent_sign = (c == '+' || c == '-') && !hex && (before == 'e' || before == 'E');
                if (!is_word(c) && c != '.' && !exponent_sign)
                        break;
        }
        emit(l, TOKEN_NUMBER, start, l->pos);
        return 0;
}

/* ".Name" and "$name"; a lone "." is the dot. */
static int lex_name(struct lexer *l)
{
        size_t start = l->pos, end = word_end(l, start + 1);
        bool dot = l->text[start] == '.';
        l->pos = end;
        emit(l, !dot ? TOKEN_VARIABLE : end == start + 1 ? TOKEN_DOT : TOKEN_FIELD, start, end);
        return 0;
}

static int lex_mark(struct lexer *l)
{
        static const struct {
                const char *text;
                enum token_kind kind;
        } marks[] = { { ":=", TOKEN_DECLARE }, { "=", TOKEN_ASSIGN }, { "|", TOKEN_PIPE },
                      { "(", TOKEN_LPAREN },   { ")", TOKEN_RPAREN }, { ",", TOKEN_COMMA } };
        for (size_t i = 0; i < ELEMENTS(marks); i++) {
                size_t len = strlen(marks[i].text);
                if (strncmp(l->text + l->pos, marks[i].text, len) != 0)
                        continue;
                emit(l, marks[i].kind, l->pos, l->pos + len);
                l->pos += len;
                return 0;
        }
        if (l->text[l->pos] == ':')
                return template_parse_error(l->text, l->pos, l->err, "expected :=");
        return template_parse_error(l->text, l->pos, l->err, "unexpected \"%c\" in operand", l->text[l->pos]);
}

static int lex_inside(struct lexer *l)
{
        char c = l->text[l->pos], next = l->text[l->pos + 1];
        if (isspace((unsigned char)c)) {
                size_t start = l->pos;
                while (l->pos < l->len && isspace((unsigned char)l->text[l->pos]))
                        l->pos++;
                if (at_trim_right(l))
                        return 0;
                emit(l, TOKEN_SPACE, start, l->pos);
                return 0;
        }
        if (c == '"' || c == '`' || c == '\'')
                return lex_quoted(l);
        bool sign = c == '+' || c == '-', digit = isdigit((unsigned char)c);
        bool fraction = (c == '.' || sign) && isdigit((unsigned char)next);
        if (digit || fraction || (sign && next == '.'))
                return lex_number(l);
        if (c == '.' || c == '$')
                return lex_name(l);
        if (is_word(c)) {
                size_t start = l->pos;
                l->pos = word_end(l, start);
                emit(l, TOKEN_WORD, start, l->pos);
                return 0;
        }
        return lex_mark(l);
}

/* From behind "{{" to behind "}}"; *ret_trim: the text that follows loses its leading blanks. */
static int lex_action(struct lexer *l, size_t start, bool *ret_trim)
{
        while (l->pos < l->len) {
                bool trim = at_trim_right(l);
                if (trim || strncmp(l->text + l->pos, "}}", 2) == 0) {
                        l->pos += trim ? 1 : 0;
                        emit(l, TOKEN_RIGHT, l->pos, l->pos + 2);
                        l->pos += 2;
                        *ret_trim = trim;
                        return 0;
                }
                if (lex_inside(l) < 0)
                        return -1;
        }
        return template_parse_error(l->text, start, l->err, "unclosed action");
}

static int lex_all(struct lexer *l)
{
        bool trim = false;
        while (l->pos < l->len) {
                const char *open = strstr(l->text + l->pos, "{{");
                size_t start = l->pos, end = open ? (size_t)(open - l->text) : l->len;
                size_t inner = end + 2;
                bool trim_before = open && trims_left(l, inner);
                trim_text(l, &start, &end, trim, trim_before);
                if (end > start)
                        emit(l, TOKEN_TEXT, start, end);
                if (!open) {
                        l->pos = l->len;
                        break;
                }
                size_t left = (size_t)(open - l->text);
                l->pos = inner + (trim_before ? 2 : 0);
                if (strncmp(l->text + l->pos, "/*", 2) == 0) {
                        if (lex_comment(l, left, &trim) < 0)
                                return -1;
                        continue;
                }
                emit(l, TOKEN_LEFT, left, inner);
                if (lex_action(l, left, &trim) < 0)
                        return -1;
        }
        emit(l, TOKEN_EOF, l->len, l->len);
        return 0;
}

int template_lex(const char *text, struct arena *a, struct token **ret_tokens, struct err *err)
{
        struct lexer l = { .text = text, .len = strlen(text), .err = err };
        if (l.len > TEMPLATE_MAX)
                return err_set(err, ERR_TOO_LARGE, "template parsing error: a template is at most %zu bytes",
                               TEMPLATE_MAX);
        int r = lex_all(&l);
        if (r == 0) {
                *ret_tokens = arena_alloc(a, l.count * sizeof(struct token));
                memcpy(*ret_tokens, l.tokens, l.count * sizeof(struct token));
        }
        free(l.tokens);
        return r;
}
