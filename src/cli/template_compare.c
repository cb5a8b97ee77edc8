#include <string.h>

#include "cli/template-internal.h"

/* eq, ne, lt, le, gt, ge: basic kinds only, and never across kinds. */

static bool is_nil(const struct value *v)
{
        return v->kind == VALUE_NIL || v->kind == VALUE_NONE;
}

static bool is_basic(const struct value *v)
{
        return v->kind >= VALUE_BOOL && v->kind <= VALUE_STRING;
}

static int strings_compare(const struct value *a, const struct value *b)
{
        size_t least = a->len < b->len ? a->len : b->len;
        int order = least ? memcmp(a->s, b->s, least) : 0;
        return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int equal(const struct value *a, const struct value *b, bool *ret, struct err *err)
{
        if (is_nil(a) || is_nil(b)) {
                *ret = is_nil(a) && is_nil(b);
                return 0;
        }
        if (!is_basic(a) || !is_basic(b))
                return err_set(err, ERR_INVALID, "non-comparable type %s", value_type(is_basic(a) ? b : a));
        if (a->kind != b->kind)
                return err_set(err, ERR_INVALID, "incompatible types for comparison");
        *ret = a->kind == VALUE_BOOL    ? a->b == b->b
               : a->kind == VALUE_INT   ? a->i == b->i
               : a->kind == VALUE_FLOAT ? a->f == b->f
                                        : strings_compare(a, b) == 0;
        return 0;
}

static int less(const struct value *a, const struct value *b, bool *ret, struct err *err)
{
        if (!is_basic(a) || !is_basic(b) || a->kind == VALUE_BOOL)
                return err_set(err, ERR_INVALID, "invalid type for comparison");
        if (a->kind != b->kind)
                return err_set(err, ERR_INVALID, "incompatible types for comparison");
        *ret = a->kind == VALUE_INT ? a->i < b->i : a->kind == VALUE_FLOAT ? a->f < b->f : strings_compare(a, b) < 0;
        return 0;
}

/* The first against any of the others. */
int function_eq(const struct call *c, struct value *ret, struct err *err)
{
        bool same = false;
        for (size_t i = 1; i < c->count && !same; i++)
                if (equal(&c->args[0], &c->args[i], &same, err) < 0)
                        return -1;
        *ret = value_of_bool(same);
        return 0;
}

int function_ne(const struct call *c, struct value *ret, struct err *err)
{
        bool same;
        if (equal(&c->args[0], &c->args[1], &same, err) < 0)
                return -1;
        *ret = value_of_bool(!same);
        return 0;
}

int function_lt(const struct call *c, struct value *ret, struct err *err)
{
        bool is_less;
        if (less(&c->args[0], &c->args[1], &is_less, err) < 0)
                return -1;
        *ret = value_of_bool(is_less);
        return 0;
}

int function_le(const struct call *c, struct value *ret, struct err *err)
{
        bool is_less, same;
        if (less(&c->args[0], &c->args[1], &is_less, err) < 0 || equal(&c->args[0], &c->args[1], &same, err) < 0)
                return -1;
        *ret = value_of_bool(is_less || same);
        return 0;
}

int function_gt(const struct call *c, struct value *ret, struct err *err)
{
        if (function_le(c, ret, err) < 0)
                return -1;
        ret->b = !ret->b;
        return 0;
}

int function_ge(const struct call *c, struct value *ret, struct err *err)
{
        if (function_lt(c, ret, err) < 0)
                return -1;
        ret->b = !ret->b;
        return 0;
}
