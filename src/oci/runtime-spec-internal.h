/* The runtime configuration as tables: one row a member, from which parsing, writing, copying and freeing all follow.
 *
 * A table describes one JSON object. Its rows name a member, its type and where it lies in the C struct. Objects that the
 * struct keeps flat (root, user, memory, ...) have a table of their own over the same struct; lists have a table over
 * their element. Rows stand in the order of the spec's examples, which is the order of writing. */
#ifndef TARE_OCI_RUNTIME_SPEC_INTERNAL_H
#define TARE_OCI_RUNTIME_SPEC_INTERNAL_H

#include <stddef.h>
#include "oci/runtime_spec.h"

#define SPEC_DOCUMENT_MAX ((size_t)4 << 20)   /* bytes of a config.json */
#define SPEC_LIST_MAX 65536                   /* elements of one list */

enum field_type {
        FIELD_STRING,     /* char * */
        FIELD_STRV,       /* char ** */
        FIELD_MAP,        /* char ** of "k=v" */
        FIELD_BOOL,
        FIELD_U16, FIELD_U32, FIELD_U64,
        FIELD_I32, FIELD_I64,
        FIELD_ANY_I64,    /* int64_t, absent: -1 */
        FIELD_LETTER,     /* char, written as a string of one letter out of `words[0]` */
        FIELD_LETTERS,    /* char[4], letters out of `words[0]`; absent: `words[1]` */
        FIELD_JSON,       /* json_t *, an object kept as it came */
        FIELD_OBJECT,     /* an object over the same struct, moved by `offset` */
        FIELD_POINTER,    /* pointer to a struct of its own on the heap */
        FIELD_LIST,       /* pointer to elements, size_t count at `aux` */
        FIELD_U32_LIST,   /* pointer to uint32_t, size_t count at `aux` */
        FIELD_CUSTOM,     /* by functions */
};

enum {
        REQUIRED = 1,     /* an error when absent */
        ALWAYS = 2,       /* written also when zero or empty */
        ABSOLUTE = 4,     /* a path that must begin with '/' */
        POSITIVE = 8,
};

struct field_table;
struct field_custom;

struct field {
        const char *key;
        enum field_type type;
        unsigned flags;
        size_t offset;
        size_t aux;                        /* offset of the has_ flag (NO_AUX: none), or of the count of a list */
        const struct field_table *table;   /* OBJECT, POINTER, LIST */
        const char *const *words;          /* STRING: the only values allowed, NULL-terminated; LETTER(S): see there */
        const struct field_custom *custom;
};

struct field_table {
        const struct field *rows;
        size_t count;
        size_t size;                       /* of the struct, for POINTER and LIST */
};

/* What a table cannot say. base: the struct of the table the row stands in. */
struct field_custom {
        int (*parse)(void *base, const json_t *o, const struct jpath *path, const char *key, struct err *err);
        json_t *(*format)(const void *base);       /* NULL: nothing to write */
        void (*done)(void *base);
};

#define NO_AUX ((size_t)-1)

extern const struct field_table oci_spec_table, oci_process_table, oci_resources_table, oci_mount_table, oci_rdma_table;
extern const struct field_custom oci_namespaces_custom, oci_rdma_custom;

/* base is initialised by table_init() and, on failure too, ended by table_done(). */
void table_init(const struct field_table *table, void *base);
void table_done(const struct field_table *table, void *base);
int table_parse(const struct field_table *table, void *base, const json_t *o, const struct jpath *path, struct err *err);
json_t *spec_table_format(const struct field_table *table, const void *base);

/* jansson's integers end at INT64_MAX where the spec has uint64 (RLIM_INFINITY is UINT64_MAX): such numbers travel
 * through it as marked strings. */
char *spec_numbers_mark(const char *text, size_t len, size_t *ret_len);   /* heap; NULL when there is nothing to mark */
void spec_numbers_unmark(char *text);                  /* in place, over written JSON */
/* json_get_u64 of a required member, marked or not. */
int spec_u64_get(const json_t *o, const struct jpath *path, const char *key, uint64_t *ret, struct err *err);
json_t *spec_u64_new(uint64_t value);

#endif
