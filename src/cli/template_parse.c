#include <string.h>

#include "base/str.h"
#include "cli/template-parse-internal.h"

/* Control structures. Their pipelines are template_pipe.c's. */

/* What ended a list. */
struct list_end {
        enum { END_EOF, END_END, END_ELSE } how;
        size_t pos;
};

static int parse_list(struct parser *p, struct node **ret, struct list_end *ret_end, struct err *err);

static bool token_is(const struct parser *p, const struct token *t, const char *word)
{
        return t->kind == TOKEN_WORD && t->len == strlen(word) && memcmp(p->text + t->pos, word, t->len) == 0;
}

static struct node *node_new(struct parser *p, enum node_kind kind, const struct token *at)
{
        struct node *n = arena_alloc(&p->t->arena, sizeof(*n));
        n->kind = kind;
        n->span = (struct span){ at->pos, at->pos, at->pos + at->len };
        return n;
}

static int expect_right(struct parser *p, const char *context, struct err *err)
{
        const struct token *t = parser_next_visible(p);
        return t->kind == TOKEN_RIGHT ? 0 : parser_unexpected(p, t, context, err);
}

/* The part after {{else}}: to {{end}}; or, of "else if", one more structure that shares our {{end}}. */
static int parse_else(struct parser *p, enum node_kind kind, const char *name, struct node **ret, struct err *err);

static int parse_control(struct parser *p, enum node_kind kind, const char *name, const struct token *at,
                         struct node **ret, struct err *err)
{
        struct node *n = node_new(p, kind, at);
        size_t vars = p->variable_count;
        struct list_end end;
        if (parser_enter(p, at, err) < 0 || parse_pipeline(p, name, TOKEN_RIGHT, &n->pipe, err) < 0)
                return -1;
        p->loops += kind == NODE_RANGE;
        int r = parse_list(p, &n->list, &end, err);
        p->loops -= kind == NODE_RANGE;
        if (r < 0)
                return -1;
        if (end.how == END_EOF)
                return template_parse_error(p->text, end.pos, err, "unexpected EOF");
        if (end.how == END_ELSE && parse_else(p, kind, name, &n->otherwise, err) < 0)
                return -1;
        p->variable_count = vars;
        p->depth--;
        *ret = n;
        return 0;
}

static int parse_else(struct parser *p, enum node_kind kind, const char *name, struct node **ret, struct err *err)
{
        const struct token *t = parser_peek_visible(p);
        if (kind != NODE_RANGE && token_is(p, t, name)) {
                parser_next_visible(p);
                return parse_control(p, kind, name, t, ret, err);
        }
        if (expect_right(p, "else", err) < 0)
                return -1;
        struct list_end end;
        if (parse_list(p, ret, &end, err) < 0)
                return -1;
        if (end.how == END_EOF)
                return template_parse_error(p->text, end.pos, err, "unexpected EOF");
        if (end.how == END_ELSE)
                return template_parse_error(p->text, end.pos, err, "expected end; found {{else}}");
        return 0;
}

static int parse_jump(struct parser *p, enum node_kind kind, const char *name, const struct token *at,
                      struct node **ret, struct err *err)
{
        if (p->loops == 0)
                return template_parse_error(p->text, at->pos, err, "{{%s}} outside {{range}}", name);
        *ret = node_new(p, kind, at);
        return expect_right(p, name, err);
}

static int parse_template_name(struct parser *p, const char *context, const char **ret, struct err *err)
{
        const struct token *t = parser_next_visible(p);
        if (t->kind != TOKEN_STRING)
                return parser_unexpected(p, t, context, err);
        struct value name;
        if (parse_constant(p, t, &name, err) < 0)
                return -1;
        *ret = name.s;
        return 0;
}

static int parse_call(struct parser *p, const char *name, const struct token *at, struct node **ret, struct err *err)
{
        struct node *n = node_new(p, NODE_TEMPLATE, at);
        n->span.pos = parser_peek_visible(p)->pos;
        while (n->span.start > 0 && p->text[n->span.start] != '{')
                n->span.start--;
        n->span.start -= n->span.start > 0;
        if (parse_template_name(p, name, &n->name, err) < 0)
                return -1;
        if (parser_peek_visible(p)->kind == TOKEN_RIGHT)
                parser_next_visible(p);
        else if (parse_pipeline(p, name, TOKEN_RIGHT, &n->pipe, err) < 0)
                return -1;
        n->span.end = p->tokens[p->next - 1].pos + 2;
        *ret = n;
        return 0;
}

/* A definition has no variables and loops of its surroundings. */
static int parse_body(struct parser *p, const char *name, struct err *err)
{
        struct definition *d = arena_alloc(&p->t->arena, sizeof(*d));
        size_t vars = p->variable_count, loops = p->loops;
        struct list_end end;
        p->variable_count = 1;
        p->loops = 0;
        if (parse_list(p, &d->list, &end, err) < 0)
                return -1;
        if (end.how != END_END)
                return template_parse_error(p->text, end.pos, err,
                                            end.how == END_EOF ? "unexpected EOF"
                                                               : "unexpected {{else}} in define clause");
        p->variable_count = vars;
        p->loops = loops;
        d->name = name;
        d->next = p->t->definitions;
        p->t->definitions = d;
        return 0;
}

static int parse_define(struct parser *p, const char *word, const struct token *at, struct node **ret, struct err *err)
{
        const char *name;
        if (p->depth > 0)
                return template_parse_error(p->text, at->pos, err, "unexpected {{define}}");
        if (parse_template_name(p, "define clause", &name, err) < 0 || expect_right(p, "define clause", err) < 0 ||
            parser_enter(p, at, err) < 0 || parse_body(p, name, err) < 0)
                return -1;
        p->depth--;
        *ret = NULL;
        return 0;
}

static int parse_block(struct parser *p, const char *word, const struct token *at, struct node **ret, struct err *err)
{
        struct node *n = node_new(p, NODE_TEMPLATE, at);
        if (parse_template_name(p, "block clause", &n->name, err) < 0 ||
            parse_pipeline(p, "block clause", TOKEN_RIGHT, &n->pipe, err) < 0 || parser_enter(p, at, err) < 0 ||
            parse_body(p, n->name, err) < 0)
                return -1;
        p->depth--;
        *ret = n;
        return 0;
}

static int parse_if(struct parser *p, const char *word, const struct token *at, struct node **ret, struct err *err)
{
        return parse_control(p, NODE_IF, word, at, ret, err);
}

static int parse_range(struct parser *p, const char *word, const struct token *at, struct node **ret, struct err *err)
{
        return parse_control(p, NODE_RANGE, word, at, ret, err);
}

static int parse_with(struct parser *p, const char *word, const struct token *at, struct node **ret, struct err *err)
{
        return parse_control(p, NODE_WITH, word, at, ret, err);
}

static int parse_break(struct parser *p, const char *word, const struct token *at, struct node **ret, struct err *err)
{
        return parse_jump(p, NODE_BREAK, word, at, ret, err);
}

static int parse_continue(struct parser *p, const char *word, const struct token *at, struct node **ret,
                          struct err *err)
{
        return parse_jump(p, NODE_CONTINUE, word, at, ret, err);
}

static const struct {
        const char *word;
        int (*parse)(struct parser *p, const char *word, const struct token *at, struct node **ret, struct err *err);
} keywords[] = {
        { "if", parse_if },         { "range", parse_range }, { "with", parse_with },
        { "template", parse_call }, { "break", parse_break }, { "continue", parse_continue },
        { "define", parse_define }, { "block", parse_block },
};

static int parse_action(struct parser *p, struct node **ret, struct err *err)
{
        const struct token *t = parser_peek_visible(p);
        for (size_t i = 0; i < ELEMENTS(keywords); i++)
                if (token_is(p, t, keywords[i].word)) {
                        parser_next_visible(p);
                        return keywords[i].parse(p, keywords[i].word, t, ret, err);
                }
        struct node *n = node_new(p, NODE_ACTION, t);
        if (parse_pipeline(p, "command", TOKEN_RIGHT, &n->pipe, err) < 0)
                return -1;
        *ret = n;
        return 0;
}

/* {{end}} and {{else: true when the action was one, *ret_end says which. */
static int parse_end(struct parser *p, struct list_end *ret_end, struct err *err)
{
        const struct token *t = parser_peek_visible(p);
        bool end = token_is(p, t, "end");
        if (!end && !token_is(p, t, "else"))
                return 0;
        parser_next_visible(p);
        if (p->depth == 0)
                return template_parse_error(p->text, t->pos, err, "unexpected {{%s}}", end ? "end" : "else");
        *ret_end = (struct list_end){ end ? END_END : END_ELSE, t->pos };
        return end && expect_right(p, "end", err) < 0 ? -1 : 1;
}

static int parse_list(struct parser *p, struct node **ret, struct list_end *ret_end, struct err *err)
{
        struct node **last = ret;
        for (;;) {
                const struct token *t = parser_next(p);
                struct node *n = NULL;
                if (t->kind == TOKEN_EOF) {
                        *ret_end = (struct list_end){ END_EOF, t->pos };
                        return 0;
                }
                if (t->kind == TOKEN_TEXT) {
                        n = node_new(p, NODE_TEXT, t);
                        n->text = p->text + t->pos;
                        n->len = t->len;
                } else {
                        int end = parse_end(p, ret_end, err);
                        if (end != 0)
                                return end < 0 ? -1 : 0;
                        if (parse_action(p, &n, err) < 0)
                                return -1;
                }
                if (n) {
                        *last = n;
                        last = &n->next;
                }
        }
}

int template_parse(const char *text, struct template **ret, struct err *err)
{
        struct template *t = xcalloc(1, sizeof(*t));
        t->text = arena_copy(&t->arena, text, strlen(text));
        struct parser p = { .t = t, .text = t->text, .variables = { "$" }, .variable_count = 1 };
        struct list_end end;
        if (template_lex(t->text, &t->arena, &p.tokens, err) < 0 || parse_list(&p, &t->list, &end, err) < 0) {
                template_free(t);
                return -1;
        }
        *ret = t;
        return 0;
}

void template_free(struct template *t)
{
        arena_done(&t->arena);
        free(t);
}
