/* Strings, vectors of strings, and the numbers, sizes and times that users write. Nothing here knows a container. */
#ifndef TARE_BASE_STR_H
#define TARE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/err.h"
#include "base/mem.h"

static inline bool str_eq(const char *a, const char *b) { return a && b && strcmp(a, b) == 0; }
static inline bool str_empty(const char *s) { return !s || !*s; }
/* The rest of s after prefix, or NULL. */
const char *str_after(const char *s, const char *prefix);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Cuts blanks off both ends in place; returns its argument's first kept byte. */
char *str_trim(char *s);
/* ASCII lower case in place. */
void str_lower(char *s);
/* True when s is made only of bytes in `set` (and is not empty). */
bool str_only(const char *s, const char *set);
/* Replaces *dst (freed) by a copy of src (NULL allowed). */
void str_replace(char **dst, const char *src);
/* True when s is valid UTF-8 without NUL. */
bool str_is_utf8(const char *s, size_t len);

/* --- vectors: NULL-terminated arrays of heap strings, all owned by the vector; NULL is the empty vector --- */
void strv_free(char **v);
DEFINE_CLEANUP(char **, strv_free)
#define _cleanup_strv_ _cleanup_(strv_freep)
size_t strv_len(char *const *v);
void strv_push(char ***v, const char *s);              /* copies s */
void strv_push_take(char ***v, char *s);               /* owns s */
void strv_extend(char ***v, char *const *more);        /* copies all of more */
char **strv_dup(char *const *v);
bool strv_has(char *const *v, const char *s);
void strv_sort(char **v);
char *strv_join(char *const *v, const char *separator);
/* Splits at every byte of `separators`; empty fields are kept when keep_empty. */
char **strv_split(const char *s, const char *separators, bool keep_empty);
/* Environments: sets NAME=VALUE, replacing an entry of that name. `assignment` is copied. */
void strv_env_set(char ***v, const char *assignment);
const char *strv_env_get(char *const *v, const char *name);   /* value inside v, or NULL */
#define STRV_FOREACH(s, v) for (char *const *s = (v); s && *s; s++)

/* --- numbers: whole string must match; errors are ERR_INVALID and name the text --- */
int parse_u64(const char *s, uint64_t *ret, struct err *err);
int parse_i64(const char *s, int64_t *ret, struct err *err);
int parse_u32(const char *s, uint32_t *ret, struct err *err);
int parse_bool(const char *s, bool *ret, struct err *err);        /* 1 t true yes on, 0 f false no off */
int parse_double(const char *s, double *ret, struct err *err);
/* "64m", "1.5GiB", "512": bytes, binary units as docker's -m. -1 is refused here. */
int parse_size(const char *s, uint64_t *ret_bytes, struct err *err);
/* Go durations "1m30s", "500ms": nanoseconds. A bare number is seconds. */
int parse_duration(const char *s, int64_t *ret_ns, struct err *err);

/* --- shown to people; results on the heap --- */
char *format_size(uint64_t bytes);                     /* decimal units, docker's: "4.26MB" */
char *format_size_binary(uint64_t bytes);              /* "64MiB" */
char *format_age(int64_t seconds);                     /* "5 minutes", "2 weeks", docker's words */

#endif
