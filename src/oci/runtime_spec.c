#include "oci/runtime_spec.h"
#include "oci/runtime-spec-internal.h"

#include "base/str.h"

/* --- lifetime, by the tables --- */

static void defaults_set(const struct field *f, char *base)
{
        if (f->type == FIELD_ANY_I64)
                *(int64_t *)(base + f->offset) = -1;
        else if (f->type == FIELD_LETTER && f->words[1])
                *(base + f->offset) = f->words[1][0];
        else if (f->type == FIELD_LETTERS && f->words[1])
                memcpy(base + f->offset, f->words[1], strlen(f->words[1]) + 1);
        else if (f->type == FIELD_OBJECT)
                for (size_t i = 0; i < f->table->count; i++)
                        defaults_set(&f->table->rows[i], base + f->offset);
}

void table_init(const struct field_table *table, void *base)
{
        memset(base, 0, table->size);
        for (size_t i = 0; i < table->count; i++)
                defaults_set(&table->rows[i], base);
}

static void rows_free(const struct field_table *table, char *base);

static void list_free(const struct field *f, char *base)
{
        char *elements = *(char **)(base + f->offset);
        size_t count = *(size_t *)(base + f->aux);

        for (size_t i = 0; i < count; i++)
                rows_free(f->table, elements + i * f->table->size);
        free(elements);
}

static void pointer_free(const struct field *f, char *base)
{
        char *value = *(char **)(base + f->offset);

        if (value)
                rows_free(f->table, value);
        free(value);
}

static void row_free(const struct field *f, char *base)
{
        switch (f->type) {
        case FIELD_STRING:
        case FIELD_U32_LIST:
                free(*(void **)(base + f->offset));
                break;
        case FIELD_STRV:
        case FIELD_MAP:
                strv_free(*(char ***)(base + f->offset));
                break;
        case FIELD_JSON:
                json_decref(*(json_t **)(base + f->offset));
                break;
        case FIELD_OBJECT:
                rows_free(f->table, base + f->offset);
                break;
        case FIELD_POINTER:
                pointer_free(f, base);
                break;
        case FIELD_LIST:
                list_free(f, base);
                break;
        case FIELD_CUSTOM:
                f->custom->done(base);
                break;
        default:
                break;
        }
}

static void rows_free(const struct field_table *table, char *base)
{
        for (size_t i = 0; i < table->count; i++)
                row_free(&table->rows[i], base);
}

void table_done(const struct field_table *table, void *base)
{
        rows_free(table, base);
        table_init(table, base);
}

void oci_spec_init(struct oci_spec *spec) { table_init(&oci_spec_table, spec); }
void oci_spec_done(struct oci_spec *spec) { table_done(&oci_spec_table, spec); }
void oci_process_done(struct oci_process *p) { table_done(&oci_process_table, p); }
void oci_resources_done(struct oci_resources *r) { table_done(&oci_resources_table, r); }
void oci_mount_done(struct oci_mount *m) { table_done(&oci_mount_table, m); }

/* --- builders --- */

/* Room for one more element of a list; returns it zeroed. The address of earlier elements may change. */
static void *list_grow(void *list_pointer, size_t *count, size_t size)
{
        char **list = list_pointer;

        *list = xreallocarray(*list, *count + 1, size);
        return memset(*list + size * (*count)++, 0, size);
}

static struct oci_id_map *id_maps_copy(const struct oci_id_map *maps, size_t count)
{
        return count > 0 ? xmemdup(maps, count * sizeof(*maps)) : NULL;
}

void oci_mount_copy(const struct oci_mount *from, struct oci_mount *ret)
{
        struct oci_mount m = { .uid_map_count = from->uid_map_count, .gid_map_count = from->gid_map_count };

        str_replace(&m.destination, from->destination);
        str_replace(&m.type, from->type);
        str_replace(&m.source, from->source);
        m.options = strv_dup(from->options);
        m.uid_maps = id_maps_copy(from->uid_maps, from->uid_map_count);
        m.gid_maps = id_maps_copy(from->gid_maps, from->gid_map_count);
        *ret = m;
}

struct oci_mount *oci_spec_add_mount(struct oci_spec *spec, const char *destination, const char *type,
                                     const char *source, const char *options)
{
        struct oci_mount *m = list_grow(&spec->mounts, &spec->mount_count, sizeof(*m));

        str_replace(&m->destination, destination);
        str_replace(&m->type, type);
        str_replace(&m->source, source);
        if (options)
                m->options = strv_split(options, ",", false);
        return m;
}

/* A limit must not be there twice: the later one replaces. */
void oci_spec_add_rlimit(struct oci_process *p, const char *type, uint64_t soft, uint64_t hard)
{
        for (size_t i = 0; i < p->rlimit_count; i++)
                if (str_eq(p->rlimits[i].type, type)) {
                        p->rlimits[i].soft = soft;
                        p->rlimits[i].hard = hard;
                        return;
                }
        struct oci_rlimit *limit = list_grow(&p->rlimits, &p->rlimit_count, sizeof(*limit));

        *limit = (struct oci_rlimit){ .type = xstrdup(type), .soft = soft, .hard = hard };
}

void oci_spec_add_device_rule(struct oci_resources *r, bool allow, char type, int64_t major, int64_t minor,
                              const char *access)
{
        struct oci_device_rule *rule = list_grow(&r->devices, &r->device_count, sizeof(*rule));

        *rule = (struct oci_device_rule){ .allow = allow, .type = type, .major = major, .minor = minor };
        memcpy(rule->access, access, strnlen(access, sizeof(rule->access) - 1));
}

struct oci_device *oci_spec_add_device(struct oci_spec *spec, const char *path, char type, int64_t major, int64_t minor,
                                       uint32_t mode)
{
        struct oci_device *device = list_grow(&spec->devices, &spec->device_count, sizeof(*device));

        *device = (struct oci_device){ .path = xstrdup(path), .type = type, .major = major, .minor = minor,
                                       .has_mode = true, .mode = mode };
        return device;
}
