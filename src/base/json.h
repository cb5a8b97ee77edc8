/* jansson with hostile input in mind: typed getters whose errors name the field by its JSON path.
 *
 *     struct jpath root = JPATH("config.json");
 *     struct jpath linux_ = jpath_key(&root, "linux");
 *     json_get_u64(object, &linux_, "x", false, &value, err)  ->  config.json: linux.x: expected a non-negative integer
 */
#ifndef TARE_BASE_JSON_H
#define TARE_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/mem.h"

#define _cleanup_json_ _cleanup_(json_decrefp)         /* jansson's own; NULL is fine */

struct jpath {                         /* a chain on the stack, printed only for an error */
        const struct jpath *up;
        const char *key;               /* NULL: `index` counts */
        size_t index;
};
#define JPATH(document) ((struct jpath){ .key = (document) })
static inline struct jpath jpath_key(const struct jpath *up, const char *key) { return (struct jpath){ up, key, 0 }; }
static inline struct jpath jpath_index(const struct jpath *up, size_t i) { return (struct jpath){ up, NULL, i }; }
/* ERR_INVALID "<path>: <message>"; returns -1. key may be NULL. */
int json_err(const struct jpath *path, const char *key, struct err *err, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* Parses a document of at most `max` bytes; duplicate keys refused; `what` names it in errors. */
json_t *json_parse(const char *text, size_t len, size_t max, const char *what, struct err *err);
json_t *json_read_file_at(int dir_fd, const char *path, size_t max, struct err *err);
/* Compact text on the heap. */
char *json_text(const json_t *j);
char *json_text_indented(const json_t *j);

/* Each: a missing or null field is an error when `required`, else the output is left as it was. A wrong type is always
 * an error. Strings are copied to the heap (*ret freed first). */
int json_get_string(const json_t *o, const struct jpath *p, const char *key, bool required, char **ret,
                    struct err *err);
int json_get_bool(const json_t *o, const struct jpath *p, const char *key, bool required, bool *ret, struct err *err);
int json_get_i64(const json_t *o, const struct jpath *p, const char *key, bool required, int64_t *ret, struct err *err);
int json_get_u64(const json_t *o, const struct jpath *p, const char *key, bool required, uint64_t *ret,
                 struct err *err);
int json_get_u32(const json_t *o, const struct jpath *p, const char *key, bool required, uint32_t *ret,
                 struct err *err);
int json_get_double(const json_t *o, const struct jpath *p, const char *key, bool required, double *ret,
                    struct err *err);
int json_get_strv(const json_t *o, const struct jpath *p, const char *key, bool required, char ***ret, struct err *err);
/* Object or array member, borrowed; *ret NULL when absent and not required. */
int json_get_object(const json_t *o, const struct jpath *p, const char *key, bool required, json_t **ret,
                    struct err *err);
int json_get_array(const json_t *o, const struct jpath *p, const char *key, bool required, json_t **ret,
                   struct err *err);
/* An object of strings as "key=value" entries in document order, and back. */
int json_get_map(const json_t *o, const struct jpath *p, const char *key, bool required, char ***ret, struct err *err);

/* Writers; the set_ forms leave the key out when the value is NULL/empty, as Go's omitempty. */
json_t *json_from_strv(char *const *v);
json_t *json_from_map(char *const *v);                 /* "k=v" entries */
void json_set_string(json_t *o, const char *key, const char *value);       /* omits NULL and "" */
void json_set_strv(json_t *o, const char *key, char *const *v);            /* omits empty */
void json_set_map(json_t *o, const char *key, char *const *v);             /* omits empty */

#endif
