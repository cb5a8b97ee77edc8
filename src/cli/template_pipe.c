#include <string.h>

#include "base/str.h"
#include "cli/template-parse-internal.h"

const struct token *parser_next(struct parser *p)
{
        const struct token *t = &p->tokens[p->next];
        p->next += t->kind != TOKEN_EOF;
        return t;
}

const struct token *parser_peek_visible(struct parser *p)
{
        while (p->tokens[p->next].kind == TOKEN_SPACE)
                p->next++;
        return &p->tokens[p->next];
}

const struct token *parser_next_visible(struct parser *p)
{
        parser_peek_visible(p);
        return parser_next(p);
}

int parser_unexpected(struct parser *p, const struct token *t, const char *context, struct err *err)
{
        if (t->kind == TOKEN_EOF)
                return template_parse_error(p->text, t->pos, err, "unexpected EOF");
        if (t->kind == TOKEN_RPAREN)
                return template_parse_error(p->text, t->pos, err, "unexpected right paren");
        return template_parse_error(p->text, t->pos, err, "unexpected \"%.*s\" in %s", (int)t->len, p->text + t->pos,
                                    context);
}

int parser_enter(struct parser *p, const struct token *at, struct err *err)
{
        if (++p->depth > TEMPLATE_DEPTH)
                return template_parse_error(p->text, at->pos, err, "more than %d levels", TEMPLATE_DEPTH);
        return 0;
}

static int declare(struct parser *p, const struct token *t, struct pipe *pipe, struct err *err)
{
        const char *name = arena_copy(&p->t->arena, p->text + t->pos, t->len);
        pipe->variables[pipe->variable_count++] = name;
        if (pipe->assign)
                return 0;
        if (p->variable_count == TEMPLATE_VARIABLES)
                return template_parse_error(p->text, t->pos, err, "more than %d variables", TEMPLATE_VARIABLES);
        p->variables[p->variable_count++] = name;
        return 0;
}

static bool variable_known(const struct parser *p, const char *name, size_t len)
{
        for (size_t i = 0; i < p->variable_count; i++)
                if (strlen(p->variables[i]) == len && memcmp(p->variables[i], name, len) == 0)
                        return true;
        return false;
}

static int variable_used(struct parser *p, const struct token *t, struct err *err)
{
        if (variable_known(p, p->text + t->pos, t->len))
                return 0;
        return template_parse_error(p->text, t->pos, err, "undefined variable \"%.*s\"", (int)t->len, p->text + t->pos);
}

/* "$x :=", "$x =", and in range "$k, $v :="; nothing when the variable begins an expression. */
static int parse_declaration(struct parser *p, const char *context, struct pipe *pipe, struct err *err)
{
        const struct token *found[2] = { 0 };
        size_t start = p->next, count = 0;
        for (;;) {
                const struct token *t = parser_next_visible(p);
                if (t->kind != TOKEN_VARIABLE || count == ELEMENTS(found))
                        break;
                found[count++] = t;
                const struct token *mark = parser_next_visible(p);
                if (mark->kind == TOKEN_COMMA && str_eq(context, "range"))
                        continue;
                if (mark->kind != TOKEN_ASSIGN && mark->kind != TOKEN_DECLARE)
                        break;
                pipe->assign = mark->kind == TOKEN_ASSIGN;
                for (size_t i = 0; i < count; i++)
                        if ((pipe->assign && variable_used(p, found[i], err) < 0) ||
                            declare(p, found[i], pipe, err) < 0)
                                return -1;
                return 0;
        }
        p->next = start;
        return 0;
}

static int parse_word(struct parser *p, const struct token *t, struct operand *o, struct err *err)
{
        const char *word = p->text + t->pos;
        o->kind = OPERAND_VALUE;
        if (t->len == 3 && memcmp(word, "nil", 3) == 0) {
                o->value = (struct value){ .kind = VALUE_NIL, .pointer = true };
                return 0;
        }
        bool yes = t->len == 4 && memcmp(word, "true", 4) == 0;
        if (yes || (t->len == 5 && memcmp(word, "false", 5) == 0)) {
                o->value = value_of_bool(yes);
                return 0;
        }
        o->kind = OPERAND_FUNCTION;
        o->function = template_function_find(word, t->len);
        if (!o->function)
                return template_parse_error(p->text, t->pos, err, "function \"%.*s\" not defined", (int)t->len, word);
        return 0;
}

static const char **fields_add(struct parser *p, const char **fields, size_t count, const struct token *t)
{
        const char **more = arena_alloc(&p->t->arena, (count + 2) * sizeof(char *));
        if (count > 0)
                memcpy(more, fields, count * sizeof(char *));
        more[count] = arena_copy(&p->t->arena, p->text + t->pos + 1, t->len - 1);
        return more;
}

/* ".A.B" directly behind an operand. Errors point at the second link, as Go's do. */
static int parse_chain(struct parser *p, struct operand *o, size_t count, struct err *err)
{
        bool first = true;
        while (p->tokens[p->next].kind == TOKEN_FIELD) {
                const struct token *t = parser_next(p);
                if (o->kind == OPERAND_VALUE)
                        return template_parse_error(p->text, t->pos, err, "unexpected . after term \"%.*s\"",
                                                    (int)(o->span.end - o->span.start), p->text + o->span.start);
                if (first && (o->kind == OPERAND_FIELD || o->kind == OPERAND_VARIABLE))
                        o->span.pos = t->pos;
                first = false;
                o->fields = fields_add(p, o->fields, count++, t);
                o->span.end = t->pos + t->len;
        }
        return 0;
}

static int parse_parenthesis(struct parser *p, const struct token *at, struct operand *o, struct err *err)
{
        struct pipe *pipe;
        if (parser_enter(p, at, err) < 0 || parse_pipeline(p, "parenthesized pipeline", TOKEN_RPAREN, &pipe, err) < 0)
                return -1;
        p->depth--;
        o->kind = OPERAND_PIPE;
        o->pipe = pipe;
        o->span.end = p->tokens[p->next - 1].pos + 1;
        return 0;
}

/* *ret NULL when the next token begins no operand. */
static int parse_operand(struct parser *p, struct operand **ret, struct err *err)
{
        const struct token *t = parser_next_visible(p);
        struct operand *o = arena_alloc(&p->t->arena, sizeof(*o));
        o->span = (struct span){ t->pos, t->pos, t->pos + t->len };
        int r = 0;
        *ret = o;
        switch (t->kind) {
        case TOKEN_DOT:
                o->kind = OPERAND_DOT;
                break;
        case TOKEN_FIELD:
                o->kind = OPERAND_FIELD;
                o->fields = fields_add(p, NULL, 0, t);
                return parse_chain(p, o, 1, err);
        case TOKEN_VARIABLE:
                o->kind = OPERAND_VARIABLE;
                o->name = arena_copy(&p->t->arena, p->text + t->pos, t->len);
                r = variable_used(p, t, err);
                break;
        case TOKEN_WORD:
                r = parse_word(p, t, o, err);
                break;
        case TOKEN_NUMBER:
        case TOKEN_STRING:
        case TOKEN_CHAR:
                o->kind = OPERAND_VALUE;
                r = parse_constant(p, t, &o->value, err);
                break;
        case TOKEN_LPAREN:
                r = parse_parenthesis(p, t, o, err);
                break;
        default:
                p->next -= t->kind != TOKEN_EOF;
                *ret = NULL;
                return 0;
        }
        return r < 0 ? -1 : parse_chain(p, o, 0, err);
}

static int parse_command(struct parser *p, const char *context, struct command_node **ret, struct err *err)
{
        struct command_node *c = arena_alloc(&p->t->arena, sizeof(*c));
        struct operand **last = &c->args;
        size_t start = parser_peek_visible(p)->pos;
        c->span = (struct span){ start, start, start };
        for (;;) {
                if (parse_operand(p, last, err) < 0)
                        return -1;
                if (!*last)
                        break;
                c->span.end = (*last)->span.end;
                c->arg_count++;
                last = &(*last)->next;
                const struct token *t = &p->tokens[p->next];
                if (t->kind == TOKEN_SPACE)
                        continue;
                if (t->kind == TOKEN_RIGHT || t->kind == TOKEN_RPAREN || t->kind == TOKEN_PIPE)
                        break;
                return parser_unexpected(p, t, "operand", err);
        }
        if (c->arg_count == 0) {
                const struct token *t = parser_peek_visible(p);
                return t->kind == TOKEN_RIGHT || t->kind == TOKEN_RPAREN
                               ? template_parse_error(p->text, t->pos, err, "missing value for %s", context)
                               : parser_unexpected(p, t, context, err);
        }
        *ret = c;
        return 0;
}

/* Behind a '|' something must take the value. */
static int check_stage(struct parser *p, const struct command_node *c, unsigned stage, struct err *err)
{
        enum operand_kind kind = c->args->kind;
        if (stage == 1 || (kind != OPERAND_DOT && kind != OPERAND_VALUE) || c->args->fields)
                return 0;
        return template_parse_error(p->text, c->span.pos, err, "non executable command in pipeline stage %u", stage);
}

int parse_pipeline(struct parser *p, const char *context, enum token_kind end, struct pipe **ret, struct err *err)
{
        struct pipe *pipe = arena_alloc(&p->t->arena, sizeof(*pipe));
        struct command_node **last = &pipe->commands;
        const struct token *t = parser_peek_visible(p);
        pipe->span = (struct span){ t->pos, t->pos, t->pos };
        if (parse_declaration(p, context, pipe, err) < 0)
                return -1;
        for (unsigned stage = 1;; stage++) {
                if (parse_command(p, context, last, err) < 0 || check_stage(p, *last, stage, err) < 0)
                        return -1;
                pipe->span.end = (*last)->span.end;
                last = &(*last)->next;
                t = parser_next_visible(p);
                if (t->kind == end)
                        break;
                if (t->kind == TOKEN_RIGHT && end == TOKEN_RPAREN)
                        return template_parse_error(p->text, t->pos, err, "unclosed left paren");
                if (t->kind != TOKEN_PIPE)
                        return parser_unexpected(p, t, context, err);
        }
        *ret = pipe;
        return 0;
}
