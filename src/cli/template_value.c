#include <string.h>

#include "base/str.h"
#include "cli/template-internal.h"

/* Members of docker's documents that are Go maps; every other object is a struct. */
static const char *const map_names[] = {
        "Annotations", "Containers", "Data",    "DriverOpts",   "ExposedPorts", "Labels",  "Networks", "Options",
        "Opts",        "Ports",      "Volumes", "PortBindings", "StorageOpt",   "Sysctls", "Tmpfs",    "Label",
};

/* Members that are Go pointers: null and absent show as <nil>. */
static const char *const pointer_names[] = {
        "Health",    "Healthcheck", "IPAMConfig", "Init",        "MemorySwappiness", "OomKillDisable",
        "PidsLimit", "SizeRw",      "SizeRootFs", "StopTimeout", "UsageData",
};

/* Members that docker leaves out when they are empty, yet a template may name; `beside` tells whose they are. */
static const struct optional {
        const char *name, *beside;
        enum value_kind kind;
        bool map;
} optional_members[] = {
        { "Health", "Running", VALUE_NIL, false },
        { "Healthcheck", "Env", VALUE_NIL, false },
        { "ExposedPorts", "Env", VALUE_NIL, true },
        { "Volumes", "Env", VALUE_NIL, true },
        { "Labels", "Env", VALUE_NIL, true },
        { "StopSignal", "Env", VALUE_STRING, false },
        { "MacAddress", "Env", VALUE_STRING, false },
        { "StopTimeout", "Env", VALUE_NIL, false },
        { "Shell", "Env", VALUE_NIL, false },
        { "OnBuild", "Env", VALUE_NIL, false },
        { "Cmd", "Env", VALUE_NIL, false },
        { "Entrypoint", "Env", VALUE_NIL, false },
        { "User", "Env", VALUE_STRING, false },
        { "WorkingDir", "Env", VALUE_STRING, false },
        { "Name", "Destination", VALUE_STRING, false },
        { "Driver", "Destination", VALUE_STRING, false },
        { "Source", "Destination", VALUE_STRING, false },
        { "SizeRw", "RestartCount", VALUE_NIL, false },
        { "SizeRootFs", "RestartCount", VALUE_NIL, false },
        { "Init", "NetworkMode", VALUE_NIL, false },
        { "Annotations", "NetworkMode", VALUE_NIL, true },
        { "Sysctls", "NetworkMode", VALUE_NIL, true },
        { "Tmpfs", "NetworkMode", VALUE_NIL, true },
        { "StorageOpt", "NetworkMode", VALUE_NIL, true },
        { "Mounts", "NetworkMode", VALUE_NIL, false },
        { "Author", "RootFS", VALUE_STRING, false },
        { "Comment", "RootFS", VALUE_STRING, false },
        { "Parent", "RootFS", VALUE_STRING, false },
        { "Variant", "RootFS", VALUE_STRING, false },
        { "DockerVersion", "RootFS", VALUE_STRING, false },
};

static bool name_in(const char *const *names, size_t count, const char *name)
{
        for (size_t i = 0; name && i < count; i++)
                if (strcmp(names[i], name) == 0)
                        return true;
        return false;
}

/* LogConfig.Config is a map, the container's Config a struct. */
static bool is_map(const json_t *j, const char *name)
{
        if (str_eq(name, "Config"))
                return json_is_object(j) && !json_object_get(j, "Env") && !json_object_get(j, "Cmd");
        return name_in(map_names, ELEMENTS(map_names), name);
}

struct value value_of_string(const char *s, size_t len)
{
        return (struct value){ .kind = VALUE_STRING, .s = s, .len = len };
}

struct value value_of_int(int64_t i)
{
        return (struct value){ .kind = VALUE_INT, .i = i };
}

struct value value_of_bool(bool b)
{
        return (struct value){ .kind = VALUE_BOOL, .b = b };
}

struct value value_of_json(const json_t *j, const char *name)
{
        switch (json_typeof(j)) {
        case JSON_STRING:
                return value_of_string(json_string_value(j), json_string_length(j));
        case JSON_INTEGER:
                return value_of_int(json_integer_value(j));
        case JSON_REAL:
                return (struct value){ .kind = VALUE_FLOAT, .f = json_real_value(j) };
        case JSON_TRUE:
        case JSON_FALSE:
                return value_of_bool(json_is_true(j));
        case JSON_ARRAY:
                return (struct value){ .kind = VALUE_LIST, .json = j };
        case JSON_OBJECT:
                return (struct value){ .kind = VALUE_OBJECT, .json = j, .map = is_map(j, name) };
        case JSON_NULL:
                break;
        }
        return (struct value){ .kind = VALUE_NIL,
                               .map = is_map(j, name),
                               .pointer = name_in(pointer_names, ELEMENTS(pointer_names), name) };
}

size_t value_length(const struct value *v)
{
        switch (v->kind) {
        case VALUE_STRING:
                return v->len;
        case VALUE_LIST:
                return json_array_size(v->json);
        case VALUE_OBJECT:
                return json_object_size(v->json);
        default:
                return 0;
        }
}

bool value_truth(const struct value *v)
{
        switch (v->kind) {
        case VALUE_BOOL:
                return v->b;
        case VALUE_INT:
                return v->i != 0;
        case VALUE_FLOAT:
                return v->f != 0;
        case VALUE_OBJECT:
                return !v->map || value_length(v) > 0;
        default:
                return value_length(v) > 0;
        }
}

const char *value_type(const struct value *v)
{
        static const char *const names[] = { "<nil>",   "<nil>",  "bool",           "int",
                                             "float64", "string", "[]interface {}", "map[string]interface {}" };
        return names[v->kind];
}

static const struct optional *optional_find(const json_t *o, const char *name)
{
        for (size_t i = 0; i < ELEMENTS(optional_members); i++)
                if (strcmp(optional_members[i].name, name) == 0 && json_object_get(o, optional_members[i].beside))
                        return &optional_members[i];
        return NULL;
}

int value_field(const struct value *v, const char *name, struct value *ret, struct err *err)
{
        if (v->kind == VALUE_NIL && v->pointer && v->s) /* docker tries again on the bare document, which lacks it */
                return err_set(err, ERR_INVALID, "map has no entry for key \"%s\"", v->s);
        if (v->kind == VALUE_NIL && v->pointer)
                return err_set(err, ERR_INVALID, "nil pointer evaluating interface {}.%s", name);
        if (v->kind == VALUE_NONE || v->kind == VALUE_NIL)
                return err_set(err, ERR_INVALID, "nil data; no entry for key \"%s\"", name);
        if (v->kind != VALUE_OBJECT)
                return err_set(err, ERR_INVALID, "can't evaluate field %s in type %s", name, value_type(v));
        const json_t *member = json_object_get(v->json, name);
        if (member) {
                *ret = value_of_json(member, name);
                return 0;
        }
        const struct optional *o = v->map ? NULL : optional_find(v->json, name);
        if (!v->map && !o)
                return err_set(err, ERR_INVALID, "map has no entry for key \"%s\"", name);
        *ret = (struct value){ 0 };
        if (o)
                *ret = (struct value){ .kind = o->kind,
                                       .map = o->map,
                                       .s = o->kind == VALUE_NIL ? name : "",
                                       .pointer = name_in(pointer_names, ELEMENTS(pointer_names), name) };
        return 0;
}

/* What a Go map of this kind gives for a key it lacks: judged by a neighbour, strings where there is none. */
static struct value map_zero(const json_t *o)
{
        void *it = json_object_iter((json_t *)(uintptr_t)o);
        const json_t *first = it ? json_object_iter_value(it) : NULL;
        if (json_is_object(first))
                return (struct value){ .kind = VALUE_NIL, .pointer = true };
        if (json_is_array(first) || json_is_null(first))
                return (struct value){ .kind = VALUE_NIL };
        return value_of_string("", 0);
}

static int index_object(const struct value *v, const struct value *key, struct value *ret, struct err *err)
{
        if (key->kind != VALUE_STRING)
                return err_set(err, ERR_INVALID, "value has type %s; should be string", value_type(key));
        const json_t *member = json_object_getn(v->json, key->s, key->len);
        *ret = member ? value_of_json(member, NULL) : map_zero(v->json);
        return 0;
}

int value_index(const struct value *v, const struct value *key, struct value *ret, struct err *err)
{
        if (v->kind == VALUE_OBJECT)
                return index_object(v, key, ret, err);
        if (v->kind == VALUE_NIL && v->map && key->kind == VALUE_STRING) {
                *ret = value_of_string("", 0);
                return 0;
        }
        if (v->kind == VALUE_NONE || v->kind == VALUE_NIL)
                return err_set(err, ERR_INVALID, "index of %s", v->pointer ? "nil pointer" : "untyped nil");
        if (v->kind != VALUE_LIST && v->kind != VALUE_STRING)
                return err_set(err, ERR_INVALID, "can't index item of type %s", value_type(v));
        if (key->kind != VALUE_INT)
                return err_set(err, ERR_INVALID, "cannot index slice/array with type %s", value_type(key));
        if (key->i < 0 || (uint64_t)key->i >= value_length(v))
                return err_set(err, ERR_INVALID, "index out of range: %lld", (long long)key->i);
        *ret = v->kind == VALUE_STRING ? value_of_int((unsigned char)v->s[key->i])
                                       : value_of_json(json_array_get(v->json, (size_t)key->i), NULL);
        return 0;
}

static int compare_keys(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **object_keys_sorted(const json_t *o)
{
        const char **keys = xcalloc(json_object_size(o) + 1, sizeof(char *));
        size_t count = 0;
        const char *key;
        json_t *member;
        json_object_foreach ((json_t *)(uintptr_t)o, key, member)
                keys[count++] = key;
        qsort(keys, count, sizeof(char *), compare_keys);
        return keys;
}
