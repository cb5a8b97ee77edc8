#include "oci/runtime-spec-internal.h"

#include "base/str.h"

/* One writer a field type; NULL: nothing to write. `all`: write zero and empty values too. */
typedef json_t *(*field_format_fn)(const struct field *f, const char *base, const void *at, bool all);

static json_t *string_format(const struct field *f, const char *base, const void *at, bool all)
{
        _cleanup_json_ json_t *holder = json_object();

        /* By way of an object, for json_set_string() mends what is no UTF-8. */
        json_set_string(holder, f->key, *(char *const *)at);
        return json_incref(json_object_get(holder, f->key));
}

static json_t *strv_format(const struct field *f, const char *base, const void *at, bool all)
{
        char *const *value = *(char **const *)at;

        return all || strv_len(value) > 0 ? json_from_strv(value) : NULL;
}

static json_t *map_format(const struct field *f, const char *base, const void *at, bool all)
{
        char *const *value = *(char **const *)at;

        return strv_len(value) > 0 ? json_from_map(value) : NULL;
}

static json_t *bool_format(const struct field *f, const char *base, const void *at, bool all)
{
        bool value = *(const bool *)at;

        return all || value ? json_boolean(value) : NULL;
}

static json_t *integer_format(int64_t value, bool all) { return all || value ? json_integer(value) : NULL; }

static json_t *u16_format(const struct field *f, const char *base, const void *at, bool all)
{
        return integer_format(*(const uint16_t *)at, all);
}

static json_t *u32_format(const struct field *f, const char *base, const void *at, bool all)
{
        return integer_format(*(const uint32_t *)at, all);
}

static json_t *u64_format(const struct field *f, const char *base, const void *at, bool all)
{
        uint64_t value = *(const uint64_t *)at;

        return all || value ? spec_u64_new(value) : NULL;
}

static json_t *i32_format(const struct field *f, const char *base, const void *at, bool all)
{
        return integer_format(*(const int32_t *)at, all);
}

static json_t *i64_format(const struct field *f, const char *base, const void *at, bool all)
{
        return integer_format(*(const int64_t *)at, all);
}

static json_t *any_i64_format(const struct field *f, const char *base, const void *at, bool all)
{
        int64_t value = *(const int64_t *)at;

        return value == -1 ? NULL : json_integer(value);
}

static json_t *letter_format(const struct field *f, const char *base, const void *at, bool all)
{
        const char *value = at;

        return *value ? json_stringn(value, 1) : NULL;
}

static json_t *letters_format(const struct field *f, const char *base, const void *at, bool all)
{
        return json_stringn(at, strnlen(at, 3));
}

static json_t *kept_format(const struct field *f, const char *base, const void *at, bool all)
{
        const json_t *value = *(json_t *const *)at;

        return value ? json_deep_copy(value) : NULL;
}

static json_t *object_format(const struct field *f, const char *base, const void *at, bool all)
{
        json_t *o = spec_table_format(f->table, at);

        if (all || json_object_size(o) > 0)
                return o;
        json_decref(o);
        return NULL;
}

static json_t *pointer_format(const struct field *f, const char *base, const void *at, bool all)
{
        const void *value = *(void *const *)at;

        return value ? spec_table_format(f->table, value) : NULL;
}

static json_t *list_format(const struct field *f, const char *base, const void *at, bool all)
{
        size_t count = *(const size_t *)(base + f->aux);
        const char *elements = *(char *const *)at;
        json_t *list;

        if (count == 0)
                return NULL;
        list = json_array();
        for (size_t i = 0; i < count; i++)
                json_array_append_new(list, spec_table_format(f->table, elements + i * f->table->size));
        return list;
}

static json_t *u32_list_format(const struct field *f, const char *base, const void *at, bool all)
{
        size_t count = *(const size_t *)(base + f->aux);
        const uint32_t *numbers = *(uint32_t *const *)at;
        json_t *list;

        if (count == 0)
                return NULL;
        list = json_array();
        for (size_t i = 0; i < count; i++)
                json_array_append_new(list, json_integer(numbers[i]));
        return list;
}

static json_t *custom_format(const struct field *f, const char *base, const void *at, bool all)
{
        return f->custom->format(base);
}

static const field_format_fn formatters[] = {
        [FIELD_STRING] = string_format,   [FIELD_STRV] = strv_format,         [FIELD_MAP] = map_format,
        [FIELD_BOOL] = bool_format,       [FIELD_U16] = u16_format,           [FIELD_U32] = u32_format,
        [FIELD_U64] = u64_format,         [FIELD_I32] = i32_format,           [FIELD_I64] = i64_format,
        [FIELD_ANY_I64] = any_i64_format, [FIELD_LETTER] = letter_format,     [FIELD_LETTERS] = letters_format,
        [FIELD_JSON] = kept_format,       [FIELD_OBJECT] = object_format,     [FIELD_POINTER] = pointer_format,
        [FIELD_LIST] = list_format,       [FIELD_U32_LIST] = u32_list_format, [FIELD_CUSTOM] = custom_format,
};

static json_t *row_format(const struct field *f, const char *base)
{
        bool list = f->type == FIELD_LIST || f->type == FIELD_U32_LIST, has = f->aux != NO_AUX && !list;

        if (has && !*(const bool *)(base + f->aux))
                return NULL;
        return formatters[f->type](f, base, base + f->offset, has || (f->flags & (REQUIRED | ALWAYS)));
}

json_t *spec_table_format(const struct field_table *table, const void *base)
{
        json_t *o = json_object();

        for (size_t i = 0; i < table->count; i++) {
                json_t *value = row_format(&table->rows[i], base);

                if (value)
                        json_object_set_new(o, table->rows[i].key, value);
        }
        return o;
}

static char *document_format(const struct field_table *table, const void *base)
{
        _cleanup_json_ json_t *o = spec_table_format(table, base);
        char *text = json_text(o);

        spec_numbers_unmark(text);
        return text;
}

char *oci_spec_format(const struct oci_spec *spec) { return document_format(&oci_spec_table, spec); }

char *oci_process_format(const struct oci_process *p) { return document_format(&oci_process_table, p); }
