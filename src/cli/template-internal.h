/* The parts of the template engine: text -> tokens (template_lex.c) -> tree (template_parse.c) -> output (template_exec.c), with values
 * (template_value.c, template_show.c) and functions (template_functions.c, template_compare.c, template_printf.c) beside.
 *
 * Semantics are those of Go's text/template (pkg.go.dev/text/template) over what docker gives it: typed structs with maps of strings
 * inside. JSON does not tell the two apart, so a few member names do (template_value.c): only a map may lack a key.
 * Everything a template or a run of it allocates is one arena's. */
#ifndef TARE_CLI_TEMPLATE_INTERNAL_H
#define TARE_CLI_TEMPLATE_INTERNAL_H

#include <stdint.h>
#include "base/buf.h"
#include "base/json.h"
#include "cli/output.h"

/* --- memory (template_arena.c) --- */
struct arena {
        struct arena_block *blocks;
};
void *arena_alloc(struct arena *a, size_t size); /* zeroed */
char *arena_copy(struct arena *a, const char *s, size_t len);
/* The arena drops the reference at its end. */
json_t *arena_keep(struct arena *a, json_t *j);
void arena_done(struct arena *a);
#define _cleanup_arena_ _cleanup_(arena_done)

/* --- tokens --- */
enum token_kind {
        TOKEN_EOF,
        TOKEN_TEXT,
        TOKEN_LEFT,
        TOKEN_RIGHT,
        TOKEN_SPACE,
        TOKEN_FIELD,
        TOKEN_VARIABLE,
        TOKEN_WORD,
        TOKEN_NUMBER,
        TOKEN_CHAR,
        TOKEN_STRING,
        TOKEN_DOT,
        TOKEN_PIPE,
        TOKEN_LPAREN,
        TOKEN_RPAREN,
        TOKEN_COMMA,
        TOKEN_ASSIGN,
        TOKEN_DECLARE
};
struct token {
        enum token_kind kind;
        size_t pos, len;
};
/* *ret_tokens is the arena's, ended by TOKEN_EOF. */
int template_lex(const char *text, struct arena *a, struct token **ret_tokens, struct err *err);
/* ERR_INVALID "template parsing error: template: :LINE: message". */
int template_parse_error(const char *text, size_t pos, struct err *err, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* --- values --- */
enum value_kind { VALUE_NONE, VALUE_NIL, VALUE_BOOL, VALUE_INT, VALUE_FLOAT, VALUE_STRING, VALUE_LIST, VALUE_OBJECT };
struct value {
        enum value_kind kind;
        bool map; /* OBJECT, NIL: a Go map, whose keys come and go */
        bool pointer; /* NIL: a Go pointer */
        bool b;
        int64_t i;
        double f;
        const char *s; /* STRING: len bytes */
        size_t len;
        const json_t *json; /* LIST, OBJECT */
};
/* name: the member it was found under, or NULL. */
struct value value_of_json(const json_t *j, const char *name);
struct value value_of_string(const char *s, size_t len);
struct value value_of_int(int64_t i);
struct value value_of_bool(bool b);
bool value_truth(const struct value *v);
size_t value_length(const struct value *v); /* of a string, list, object; 0 */
/* Member `name` of an object; the message alone on failure. */
int value_field(const struct value *v, const char *name, struct value *ret, struct err *err);
int value_index(const struct value *v, const struct value *key, struct value *ret, struct err *err);
const char *value_type(const struct value *v); /* Go's name, for messages */
/* Keys in Go's order of printing and ranging; heap array of pointers into the object, NULL-terminated. */
const char **object_keys_sorted(const json_t *o);

/* UTF-8 of a rune; returns its bytes, at most 4. */
size_t rune_put(uint32_t rune, char *out);

/* --- shown (template_show.c) --- */
int value_show(const struct value *v, struct buf *out, struct err *err); /* as %v */
int value_show_json(const struct value *v, struct buf *out, struct err *err);
int float_show(double f, struct buf *out, struct err *err);
int string_show_quoted(const char *s, size_t len, struct buf *out, struct err *err); /* strconv.Quote */

/* --- functions --- */
struct call {
        struct arena *arena;
        const struct value *args;
        size_t count;
};
struct template_function {
        const char *name;
        size_t min_args, max_args; /* max 0: any number */
        int (*fn)(const struct call *c, struct value *ret, struct err *err); /* the message alone on failure */
};
const struct template_function *template_function_find(const char *name, size_t len);
int function_eq(const struct call *c, struct value *ret, struct err *err);
int function_ne(const struct call *c, struct value *ret, struct err *err);
int function_lt(const struct call *c, struct value *ret, struct err *err);
int function_le(const struct call *c, struct value *ret, struct err *err);
int function_gt(const struct call *c, struct value *ret, struct err *err);
int function_ge(const struct call *c, struct value *ret, struct err *err);
int function_printf(const struct call *c, struct value *ret, struct err *err);
/* The content of a buffer as a string of the arena. */
struct value value_take_buf(struct arena *a, struct buf *b);

/* --- tree --- */
struct pipe;
enum operand_kind { OPERAND_DOT, OPERAND_VALUE, OPERAND_FIELD, OPERAND_VARIABLE, OPERAND_FUNCTION, OPERAND_PIPE };
struct span {
        size_t pos, start, end;
}; /* pos: what errors point at; start..end: the source shown */
struct operand {
        struct operand *next;
        enum operand_kind kind;
        struct span span;
        struct value value; /* OPERAND_VALUE: a constant */
        const char *name; /* OPERAND_VARIABLE: "$x" */
        const struct template_function *function;
        const struct pipe *pipe;
        const char **fields; /* the chain after it, NULL-terminated; NULL: none */
};
struct command_node {
        struct command_node *next;
        struct operand *args;
        size_t arg_count;
        struct span span;
};
struct pipe {
        const char *variables[2];
        size_t variable_count;
        bool assign;
        struct command_node *commands;
        struct span span;
};
enum node_kind { NODE_TEXT, NODE_ACTION, NODE_IF, NODE_RANGE, NODE_WITH, NODE_BREAK, NODE_CONTINUE, NODE_TEMPLATE };
struct node {
        struct node *next;
        enum node_kind kind;
        const char *text; /* NODE_TEXT */
        size_t len;
        const char *name; /* NODE_TEMPLATE: the template called */
        struct pipe *pipe;
        struct node *list, *otherwise;
        struct span span;
};
struct definition {
        struct definition *next;
        const char *name;
        struct node *list;
};
struct template
{
        struct arena arena;
        const char *text;
        struct node *list;
        struct definition *definitions;
};

#endif
