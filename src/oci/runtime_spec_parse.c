#include "oci/runtime-spec-internal.h"

#include "base/str.h"

/* One parser a field type. The member is there and not null; `at` is where it goes. */
struct parse_args {
        const struct field *f;
        char *base;
        const json_t *o;
        const struct jpath *path;
};
typedef int (*field_parse_fn)(const struct parse_args *a, void *at, struct err *err);

static int word_check(const struct parse_args *a, const char *value, struct err *err)
{
        const char *const *word = a->f->words;

        for (; word && *word; word++)
                if (strcmp(*word, value) == 0)
                        return 0;
        return word ? json_err(a->path, a->f->key, err, "\"%.100s\" is unknown", value) : 0;
}

/* An empty string is an absent one, as for every implementation in Go. */
static int string_parse(const struct parse_args *a, void *at, struct err *err)
{
        _cleanup_free_ char *value = NULL;
        char **slot = at;

        if (json_get_string(a->o, a->path, a->f->key, true, &value, err) < 0)
                return -1;
        if (*value == '\0')
                return a->f->flags & REQUIRED ? json_err(a->path, a->f->key, err, "is empty") : 0;
        if ((a->f->flags & ABSOLUTE) && *value != '/')
                return json_err(a->path, a->f->key, err, "\"%.100s\" is no absolute path", value);
        if (word_check(a, value, err) < 0)
                return -1;
        *slot = TAKE_PTR(value);
        return 0;
}

static int strv_parse(const struct parse_args *a, void *at, struct err *err)
{
        return json_get_strv(a->o, a->path, a->f->key, true, at, err);
}

static int map_parse(const struct parse_args *a, void *at, struct err *err)
{
        return json_get_map(a->o, a->path, a->f->key, true, at, err);
}

static int bool_parse(const struct parse_args *a, void *at, struct err *err)
{
        return json_get_bool(a->o, a->path, a->f->key, true, at, err);
}

static int range_parse(const struct parse_args *a, int64_t least, int64_t most, int64_t *ret, struct err *err)
{
        int64_t value = 0;

        if (json_get_i64(a->o, a->path, a->f->key, true, &value, err) < 0)
                return -1;
        if (value < least || value > most)
                return json_err(a->path, a->f->key, err, "%lld is out of range", (long long)value);
        *ret = value;
        return 0;
}

static int u16_parse(const struct parse_args *a, void *at, struct err *err)
{
        uint16_t *slot = at;
        int64_t value = 0;

        if (range_parse(a, 0, UINT16_MAX, &value, err) < 0)
                return -1;
        *slot = (uint16_t)value;
        return 0;
}

static int u32_parse(const struct parse_args *a, void *at, struct err *err)
{
        return json_get_u32(a->o, a->path, a->f->key, true, at, err);
}

static int u64_parse(const struct parse_args *a, void *at, struct err *err)
{
        return spec_u64_get(a->o, a->path, a->f->key, at, err);
}

static int i32_parse(const struct parse_args *a, void *at, struct err *err)
{
        int32_t *slot = at;
        int64_t value = 0;

        if (range_parse(a, INT32_MIN, INT32_MAX, &value, err) < 0)
                return -1;
        *slot = (int32_t)value;
        return 0;
}

static int i64_parse(const struct parse_args *a, void *at, struct err *err)
{
        return range_parse(a, a->f->flags & POSITIVE ? 1 : INT64_MIN, INT64_MAX, at, err);
}

static int letter_parse(const struct parse_args *a, void *at, struct err *err)
{
        _cleanup_free_ char *value = NULL;
        char *slot = at;

        if (json_get_string(a->o, a->path, a->f->key, true, &value, err) < 0)
                return -1;
        if (*value == '\0' && a->f->words[1])
                return 0;
        if (strlen(value) != 1 || !strchr(a->f->words[0], *value))
                return json_err(a->path, a->f->key, err, "expected one letter of \"%s\"", a->f->words[0]);
        *slot = *value;
        return 0;
}

static int letters_parse(const struct parse_args *a, void *at, struct err *err)
{
        _cleanup_free_ char *value = NULL;

        if (json_get_string(a->o, a->path, a->f->key, true, &value, err) < 0)
                return -1;
        if (!str_only(value, a->f->words[0]) || strlen(value) > 3)
                return json_err(a->path, a->f->key, err, "expected letters of \"%s\"", a->f->words[0]);
        memcpy(at, value, strlen(value) + 1);
        return 0;
}

static int kept_parse(const struct parse_args *a, void *at, struct err *err)
{
        json_t *member = NULL, **slot = at;

        if (json_get_object(a->o, a->path, a->f->key, true, &member, err) < 0)
                return -1;
        *slot = json_deep_copy(member);
        return 0;
}

static int object_parse(const struct parse_args *a, void *at, struct err *err)
{
        struct jpath here = jpath_key(a->path, a->f->key);
        json_t *member = NULL;

        if (json_get_object(a->o, a->path, a->f->key, true, &member, err) < 0)
                return -1;
        return table_parse(a->f->table, at, member, &here, err);
}

static int pointer_parse(const struct parse_args *a, void *at, struct err *err)
{
        void **slot = at;

        *slot = xcalloc(1, a->f->table->size);
        table_init(a->f->table, *slot);
        return object_parse(a, *slot, err);
}

static int list_open(const struct parse_args *a, json_t **ret_list, struct err *err)
{
        if (json_get_array(a->o, a->path, a->f->key, true, ret_list, err) < 0)
                return -1;
        if (json_array_size(*ret_list) > SPEC_LIST_MAX)
                return json_err(a->path, a->f->key, err, "%zu entries, at most %d are allowed",
                                json_array_size(*ret_list), SPEC_LIST_MAX);
        return 0;
}

/* The count grows with the elements begun, so that table_done() can end a list that failed half-way. */
static int list_parse(const struct parse_args *a, void *at, struct err *err)
{
        struct jpath list_path = jpath_key(a->path, a->f->key);
        size_t *count = (size_t *)(a->base + a->f->aux), size = a->f->table->size;
        char **slot = at;
        json_t *list = NULL;

        if (list_open(a, &list, err) < 0)
                return -1;
        if (json_array_size(list) == 0)
                return 0;
        *slot = xcalloc(json_array_size(list), size);
        for (size_t i = 0; i < json_array_size(list); i++) {
                struct jpath here = jpath_index(&list_path, i);
                const json_t *element = json_array_get(list, i);

                if (!json_is_object(element))
                        return json_err(&here, NULL, err, "expected an object");
                table_init(a->f->table, *slot + i * size);
                *count = i + 1;
                if (table_parse(a->f->table, *slot + i * size, element, &here, err) < 0)
                        return -1;
        }
        return 0;
}

static int u32_list_parse(const struct parse_args *a, void *at, struct err *err)
{
        struct jpath list_path = jpath_key(a->path, a->f->key);
        uint32_t **slot = at;
        json_t *list = NULL;

        if (list_open(a, &list, err) < 0)
                return -1;
        if (json_array_size(list) == 0)
                return 0;
        *slot = xcalloc(json_array_size(list), sizeof(**slot));
        *(size_t *)(a->base + a->f->aux) = json_array_size(list);
        for (size_t i = 0; i < json_array_size(list); i++) {
                struct jpath here = jpath_index(&list_path, i);
                const json_t *element = json_array_get(list, i);

                if (!json_is_integer(element) || json_integer_value(element) < 0 ||
                    json_integer_value(element) > UINT32_MAX)
                        return json_err(&here, NULL, err, "expected an integer of 32 bits");
                (*slot)[i] = (uint32_t)json_integer_value(element);
        }
        return 0;
}

static int custom_parse(const struct parse_args *a, void *at, struct err *err)
{
        return a->f->custom->parse(a->base, a->o, a->path, a->f->key, err);
}

static const field_parse_fn parsers[] = {
        [FIELD_STRING] = string_parse, [FIELD_STRV] = strv_parse,       [FIELD_MAP] = map_parse,
        [FIELD_BOOL] = bool_parse,     [FIELD_U16] = u16_parse,         [FIELD_U32] = u32_parse,
        [FIELD_U64] = u64_parse,       [FIELD_I32] = i32_parse,         [FIELD_I64] = i64_parse,
        [FIELD_ANY_I64] = i64_parse,   [FIELD_LETTER] = letter_parse,   [FIELD_LETTERS] = letters_parse,
        [FIELD_JSON] = kept_parse,     [FIELD_OBJECT] = object_parse,   [FIELD_POINTER] = pointer_parse,
        [FIELD_LIST] = list_parse,     [FIELD_U32_LIST] = u32_list_parse, [FIELD_CUSTOM] = custom_parse,
};

static bool aux_is_flag(const struct field *f)
{
        return f->aux != NO_AUX && f->type != FIELD_LIST && f->type != FIELD_U32_LIST;
}

int table_parse(const struct field_table *table, void *base, const json_t *o, const struct jpath *path, struct err *err)
{
        for (size_t i = 0; i < table->count; i++) {
                const struct field *f = &table->rows[i];
                const struct parse_args args = { f, base, o, path };
                const json_t *member = json_object_get(o, f->key);

                if (!member || json_is_null(member)) {
                        if (f->flags & REQUIRED)
                                return json_err(path, f->key, err, "is missing");
                        continue;
                }
                if (parsers[f->type](&args, (char *)base + f->offset, err) < 0)
                        return -1;
                if (aux_is_flag(f))
                        *(bool *)((char *)base + f->aux) = true;
        }
        return 0;
}

/* base is whole or as table_init() left it. */
static int document_parse(const struct field_table *table, const char *text, size_t len, const char *what, void *base,
                          struct err *err)
{
        _cleanup_free_ char *marked = NULL;
        _cleanup_json_ json_t *o = NULL;
        struct jpath root = JPATH(what);
        size_t marked_len = 0;

        if (len > SPEC_DOCUMENT_MAX)
                return err_set(err, ERR_TOO_LARGE, "%s: %zu bytes, at most %zu are allowed", what, len,
                               SPEC_DOCUMENT_MAX);
        marked = spec_numbers_mark(text, len, &marked_len);
        o = marked ? json_parse(marked, marked_len, marked_len, what, err) : json_parse(text, len, len, what, err);
        if (!o)
                return -1;
        if (!json_is_object(o))
                return json_err(&root, NULL, err, "expected an object");
        table_init(table, base);
        if (table_parse(table, base, o, &root, err) == 0)
                return 0;
        table_done(table, base);
        return -1;
}

static bool version_known(const char *version)
{
        return str_starts(version, "1.") && version[2] >= '0' && version[2] <= '9';
}

int oci_spec_parse(const char *text, size_t len, struct oci_spec *ret, struct err *err)
{
        _cleanup_oci_spec_ struct oci_spec spec;
        struct jpath root = JPATH("config.json");

        oci_spec_init(&spec);
        if (document_parse(&oci_spec_table, text, len, root.key, &spec, err) < 0)
                return -1;
        if (!version_known(spec.oci_version))
                return json_err(&root, "ociVersion", err, "\"%.100s\" is not supported, expected 1.x",
                                spec.oci_version);
        *ret = spec;
        oci_spec_init(&spec);
        return 0;
}

int oci_process_parse(const char *text, size_t len, struct oci_process *ret, struct err *err)
{
        struct oci_process process = { 0 };

        if (document_parse(&oci_process_table, text, len, "process", &process, err) < 0)
                return -1;
        *ret = process;
        return 0;
}

int oci_resources_parse(const char *text, size_t len, struct oci_resources *ret, struct err *err)
{
        struct oci_resources resources = { 0 };

        if (document_parse(&oci_resources_table, text, len, "resources", &resources, err) < 0)
                return -1;
        *ret = resources;
        return 0;
}
