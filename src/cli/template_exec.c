#include <string.h>

#include "base/str.h"
#include "cli/template-internal.h"

#define EXEC_VARIABLES 500
#define EXEC_DEPTH 200

enum flow { FLOW_FAILED = -1, FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct exec {
        const struct template *t;
        struct arena arena;
        struct buf *out;
        struct err *err;
        struct {
                const char *name;
                struct value value;
        } variables[EXEC_VARIABLES];
        size_t variable_count;
        size_t depth;
};

static enum flow run_list(struct exec *x, const struct value *dot, const struct node *list);
static int eval_pipe(struct exec *x, const struct value *dot, const struct pipe *pipe, struct value *ret);

/* Puts Go's place before the message already in x->err: template: :1:2: executing "" at <.X>: */
static int failed(struct exec *x, const struct span *at)
{
        const char *text = x->t->text;
        int line = 1;
        size_t column = at->pos;
        for (size_t i = 0; i < at->pos; i++)
                if (text[i] == '\n') {
                        line++;
                        column = at->pos - i - 1;
                }
        return err_add(x->err, "template: :%d:%zu: executing \"\" at <%.*s>", line, column, (int)(at->end - at->start),
                       text + at->start);
}

static int push_variable(struct exec *x, const char *name, const struct value *v)
{
        if (x->variable_count == EXEC_VARIABLES)
                return err_set(x->err, ERR_TOO_LARGE, "template: more than %d variables", EXEC_VARIABLES);
        x->variables[x->variable_count].name = name;
        x->variables[x->variable_count++].value = *v;
        return 0;
}

static struct value *find_variable(struct exec *x, const char *name)
{
        for (size_t i = x->variable_count; i-- > 0;)
                if (strcmp(x->variables[i].name, name) == 0)
                        return &x->variables[i].value;
        return NULL;
}

static int eval_variable(struct exec *x, const struct operand *o, struct value *ret)
{
        struct value *found = find_variable(x, o->name);
        if (!found) {
                err_set(x->err, ERR_INVALID, "undefined variable: %s", o->name);
                return failed(x, &o->span);
        }
        *ret = *found;
        return 0;
}

static int eval_fields(struct exec *x, const struct operand *o, struct value *v)
{
        for (const char **field = o->fields; field && *field; field++)
                if (value_field(v, *field, v, x->err) < 0)
                        return failed(x, &o->span);
        return 0;
}

static int wrong_count(struct exec *x, const struct template_function *f, const struct span *at, size_t given)
{
        bool exact = f->min_args == f->max_args;
        err_set(x->err, ERR_INVALID, "wrong number of args for %s: want %s%zu got %zu", f->name,
                exact ? "" : "at least ", f->min_args, given);
        return failed(x, at);
}

static int eval_operand(struct exec *x, const struct value *dot, const struct operand *o, struct value *ret);

/* and, or: the first argument that decides ends it, and those after it are not looked at. */
static bool decides(const struct template_function *f, const struct value *v)
{
        return (strcmp(f->name, "or") == 0 && value_truth(v)) || (strcmp(f->name, "and") == 0 && !value_truth(v));
}

static int eval_function(struct exec *x, const struct value *dot, const struct template_function *f,
                         const struct operand *args, size_t arg_count, const struct value *final, const struct span *at,
                         struct value *ret)
{
        size_t given = arg_count + (final ? 1 : 0), count = 0;
        if (given < f->min_args || (f->max_args && given > f->max_args))
                return wrong_count(x, f, at, given);
        struct value *values = arena_alloc(&x->arena, (given + 1) * sizeof(*values));
        for (const struct operand *o = args; o; o = o->next) {
                if (eval_operand(x, dot, o, &values[count]) < 0)
                        return -1;
                if (decides(f, &values[count++])) {
                        *ret = values[count - 1];
                        return 0;
                }
        }
        if (final)
                values[count++] = *final;
        struct call call = { &x->arena, values, count };
        if (f->fn(&call, ret, x->err) == 0)
                return 0;
        err_add(x->err, "error calling %s", f->name);
        return failed(x, at);
}

static int eval_operand(struct exec *x, const struct value *dot, const struct operand *o, struct value *ret)
{
        struct value v = *dot;
        if (o->kind == OPERAND_VALUE)
                v = o->value;
        else if (o->kind == OPERAND_VARIABLE && eval_variable(x, o, &v) < 0)
                return -1;
        else if (o->kind == OPERAND_PIPE && eval_pipe(x, dot, o->pipe, &v) < 0)
                return -1;
        else if (o->kind == OPERAND_FUNCTION && eval_function(x, dot, o->function, NULL, 0, NULL, &o->span, &v) < 0)
                return -1;
        if (eval_fields(x, o, &v) < 0)
                return -1;
        *ret = v;
        return 0;
}

/* The one method docker's rows have that takes an argument: {{.Label "key"}}. It is a map in the row. */
static int eval_method(struct exec *x, const struct value *dot, const struct command_node *c, const struct value *final,
                       struct value *ret)
{
        const struct operand *first = c->args;
        struct value v, key;
        if (eval_operand(x, dot, first, &v) < 0 || (first->next && eval_operand(x, dot, first->next, &key) < 0))
                return -1;
        if (!first->next)
                key = *final;
        bool one = c->arg_count + (final ? 1 : 0) == 2;
        if (one && first->fields && !first->fields[1] && strcmp(first->fields[0], "Label") == 0 &&
            v.kind == VALUE_OBJECT && v.map)
                return value_index(&v, &key, ret, x->err) < 0 ? failed(x, &first->span) : 0;
        const char *name = first->fields ? first->fields[0] : "";
        for (const char **field = first->fields; field && *field; field++)
                name = *field;
        err_set(x->err, ERR_INVALID, "%s has arguments but cannot be invoked as function", name);
        return failed(x, &first->span);
}

static int eval_command(struct exec *x, const struct value *dot, const struct command_node *c,
                        const struct value *final, struct value *ret)
{
        const struct operand *first = c->args;
        if (first->kind == OPERAND_FUNCTION && !first->fields)
                return eval_function(x, dot, first->function, first->next, c->arg_count - 1, final, &c->span, ret);
        if (first->fields && (first->next || final))
                return eval_method(x, dot, c, final, ret);
        if (first->next || final) {
                err_set(x->err, ERR_INVALID, "can't give argument to non-function %.*s",
                        (int)(first->span.end - first->span.start), x->t->text + first->span.start);
                return failed(x, &first->span);
        }
        if (first->kind == OPERAND_VALUE && first->value.kind == VALUE_NIL) {
                err_set(x->err, ERR_INVALID, "nil is not a command");
                return failed(x, &first->span);
        }
        return eval_operand(x, dot, first, ret);
}

static int bind_variables(struct exec *x, const struct pipe *pipe, const struct value *v)
{
        for (size_t i = 0; i < pipe->variable_count; i++) {
                struct value *old = pipe->assign ? find_variable(x, pipe->variables[i]) : NULL;
                if (old)
                        *old = *v;
                else if (push_variable(x, pipe->variables[i], v) < 0)
                        return -1;
        }
        return 0;
}

static int eval_commands(struct exec *x, const struct value *dot, const struct pipe *pipe, struct value *ret)
{
        struct value v = { 0 };
        bool piped = false;
        for (const struct command_node *c = pipe->commands; c; c = c->next) {
                struct value before = v;
                if (eval_command(x, dot, c, piped ? &before : NULL, &v) < 0)
                        return -1;
                piped = true;
        }
        *ret = v;
        return 0;
}

static int eval_pipe(struct exec *x, const struct value *dot, const struct pipe *pipe, struct value *ret)
{
        struct value v;
        if (eval_commands(x, dot, pipe, &v) < 0 || bind_variables(x, pipe, &v) < 0)
                return -1;
        *ret = v;
        return 0;
}

static enum flow run_action(struct exec *x, const struct value *dot, const struct node *n)
{
        struct value v;
        if (eval_pipe(x, dot, n->pipe, &v) < 0)
                return FLOW_FAILED;
        if (n->pipe->variable_count > 0)
                return FLOW_ON;
        return value_show(&v, x->out, x->err) < 0 ? FLOW_FAILED : FLOW_ON;
}

static enum flow run_branch(struct exec *x, const struct value *dot, const struct node *n)
{
        struct value v;
        size_t mark = x->variable_count;
        if (eval_pipe(x, dot, n->pipe, &v) < 0)
                return FLOW_FAILED;
        bool yes = value_truth(&v);
        enum flow flow = run_list(x, yes && n->kind == NODE_WITH ? &v : dot, yes ? n->list : n->otherwise);
        x->variable_count = mark;
        return flow;
}

/* One turn: key and element in the variables, as many as there are. */
static enum flow run_turn(struct exec *x, const struct node *n, const struct value *key, const struct value *element)
{
        const struct pipe *pipe = n->pipe;
        size_t mark = x->variable_count;
        const struct value *given[2] = { pipe->variable_count == 2 ? key : element, element };
        for (size_t i = 0; i < pipe->variable_count; i++) {
                struct value *old = pipe->assign ? find_variable(x, pipe->variables[i]) : NULL;
                if (old)
                        *old = *given[i];
                else if (push_variable(x, pipe->variables[i], given[i]) < 0)
                        return FLOW_FAILED;
        }
        enum flow flow = run_list(x, element, n->list);
        x->variable_count = mark;
        return flow == FLOW_CONTINUE ? FLOW_ON : flow;
}

static enum flow range_list(struct exec *x, const struct node *n, const struct value *v)
{
        for (size_t i = 0; i < value_length(v); i++) {
                struct value key = value_of_int((int64_t)i), element = value_of_json(json_array_get(v->json, i), NULL);
                enum flow flow = run_turn(x, n, &key, &element);
                if (flow != FLOW_ON)
                        return flow;
        }
        return FLOW_ON;
}

static enum flow range_object(struct exec *x, const struct node *n, const struct value *v)
{
        _cleanup_free_ const char **keys = object_keys_sorted(v->json);
        for (const char **k = keys; *k; k++) {
                struct value key = value_of_string(*k, strlen(*k)),
                             element = value_of_json(json_object_get(v->json, *k), NULL);
                enum flow flow = run_turn(x, n, &key, &element);
                if (flow != FLOW_ON)
                        return flow;
        }
        return FLOW_ON;
}

static enum flow range_int(struct exec *x, const struct node *n, const struct value *v)
{
        for (int64_t i = 0; i < v->i; i++) {
                struct value element = value_of_int(i);
                enum flow flow = run_turn(x, n, &element, &element);
                if (flow != FLOW_ON)
                        return flow;
        }
        return FLOW_ON;
}

static enum flow range_over(struct exec *x, const struct node *n, const struct value *v)
{
        if (v->kind == VALUE_LIST)
                return range_list(x, n, v);
        if (v->kind == VALUE_OBJECT)
                return range_object(x, n, v);
        if (v->kind == VALUE_INT)
                return range_int(x, n, v);
        _cleanup_buf_ struct buf shown = { 0 };
        if (value_show(v, &shown, x->err) == 0) {
                err_set(x->err, ERR_INVALID, "range can't iterate over %s", shown.len ? shown.data : "");
                failed(x, &n->pipe->span);
        }
        return FLOW_FAILED;
}

static enum flow run_range(struct exec *x, const struct value *dot, const struct node *n)
{
        struct value v;
        size_t mark = x->variable_count;
        if (eval_commands(x, dot, n->pipe, &v) < 0)
                return FLOW_FAILED;
        bool nothing = v.kind == VALUE_NONE || v.kind == VALUE_NIL || (v.kind == VALUE_INT && v.i <= 0) ||
                       ((v.kind == VALUE_LIST || v.kind == VALUE_OBJECT) && value_length(&v) == 0);
        enum flow flow = nothing ? run_list(x, dot, n->otherwise) : range_over(x, n, &v);
        x->variable_count = mark;
        return flow == FLOW_BREAK ? FLOW_ON : flow;
}

static enum flow run_call(struct exec *x, const struct value *dot, const struct node *n)
{
        struct value v = { 0 };
        const struct definition *d = x->t->definitions;
        while (d && strcmp(d->name, n->name) != 0)
                d = d->next;
        if (!d) {
                err_set(x->err, ERR_INVALID, "template \"%s\" not defined", n->name);
                return failed(x, &n->span);
        }
        if (n->pipe && eval_pipe(x, dot, n->pipe, &v) < 0)
                return FLOW_FAILED;
        size_t mark = x->variable_count;
        if (push_variable(x, "$", &v) < 0)
                return FLOW_FAILED;
        enum flow flow = run_list(x, &v, d->list);
        x->variable_count = mark;
        return flow;
}

static enum flow run_node(struct exec *x, const struct value *dot, const struct node *n)
{
        switch (n->kind) {
        case NODE_TEXT:
                return buf_add(x->out, n->text, n->len, x->err) < 0 ? FLOW_FAILED : FLOW_ON;
        case NODE_ACTION:
                return run_action(x, dot, n);
        case NODE_IF:
        case NODE_WITH:
                return run_branch(x, dot, n);
        case NODE_RANGE:
                return run_range(x, dot, n);
        case NODE_BREAK:
                return FLOW_BREAK;
        case NODE_CONTINUE:
                return FLOW_CONTINUE;
        case NODE_TEMPLATE:
                return run_call(x, dot, n);
        }
        return FLOW_ON;
}

static enum flow run_list(struct exec *x, const struct value *dot, const struct node *list)
{
        enum flow flow = FLOW_ON;
        if (x->depth == EXEC_DEPTH) {
                err_set(x->err, ERR_TOO_LARGE, "template: exceeded maximum template depth (%d)", EXEC_DEPTH);
                return FLOW_FAILED;
        }
        x->depth++;
        for (const struct node *n = list; n && flow == FLOW_ON; n = n->next)
                flow = run_node(x, dot, n);
        x->depth--;
        return flow;
}

int template_execute(const struct template *t, const json_t *value, struct buf *out, struct err *err)
{
        struct exec *x = xcalloc(1, sizeof(*x));
        struct value root = value_of_json(value, NULL);
        x->t = t;
        x->out = out;
        x->err = err;
        size_t before = out->len;
        enum flow flow = push_variable(x, "$", &root) < 0 ? FLOW_FAILED : run_list(x, &root, t->list);
        arena_done(&x->arena);
        free(x);
        if (flow == FLOW_FAILED && out->data) {
                out->len = before;
                buf_terminate(out);
        }
        return flow == FLOW_FAILED ? -1 : 0;
}
