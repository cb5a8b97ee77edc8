/* The parser's state, and pipelines. */
#ifndef TARE_CLI_TEMPLATE_PARSE_INTERNAL_H
#define TARE_CLI_TEMPLATE_PARSE_INTERNAL_H

#include "cli/template-internal.h"

#define TEMPLATE_DEPTH 100
#define TEMPLATE_VARIABLES 200

struct parser {
        struct template *t;
        const char *text;
        struct token *tokens;
        size_t next;
        size_t depth; /* control structures and parentheses open */
        size_t loops;
        const char *variables[TEMPLATE_VARIABLES];
        size_t variable_count;
};

const struct token *parser_next(struct parser *p);
const struct token *parser_next_visible(struct parser *p); /* not a blank */
const struct token *parser_peek_visible(struct parser *p); /* the blanks before it are taken */
int parser_unexpected(struct parser *p, const struct token *t, const char *context, struct err *err);
/* One level deeper; ERR_INVALID past TEMPLATE_DEPTH. */
int parser_enter(struct parser *p, const struct token *at, struct err *err);
/* A number, string or character. */
int parse_constant(struct parser *p, const struct token *t, struct value *ret, struct err *err);
/* To `end` (TOKEN_RIGHT or TOKEN_RPAREN), which is taken. */
int parse_pipeline(struct parser *p, const char *context, enum token_kind end, struct pipe **ret, struct err *err);

#endif
