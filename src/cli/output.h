/* What commands print: tables in docker's layout, Go templates, JSON. */
#ifndef TARE_CLI_OUTPUT_H
#define TARE_CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include "base/buf.h"
#include "base/err.h"

/* A row is a JSON object of strings keyed by docker's placeholder names ("ID", "Names", "Status", ...). */
struct table_column { const char *key; const char *heading; };
/* format NULL or "table": the columns `shown` (keys, NULL-terminated), padded with spaces as docker's tabwriter does (three spaces between, minimum
 * width 10); "table TEMPLATE": headings from `known` and the template for each row; "json": one object a line; else the template for each row. */
int table_rows_format(json_t *rows, const struct table_column *known, const char *const *shown, const char *format, struct buf *out, struct err *err);
int table_print(json_t *rows, const struct table_column *known, const char *const *shown, const char *format, struct err *err);

/* Go's text/template over a JSON value, with docker's functions: json, join, lower, upper, title, split, truncate, pad, println,
 * print, printf, len, index, slice, eq ne lt le gt ge, and or not; actions: if/else if/else/end, range (else, index/key variables),
 * with, variables, pipelines, comments, {{- trimming -}}. A missing key is ERR_INVALID `template: :1:2: executing "" at <.X>: map
 * has no entry for key "X"` as docker's inspect says. ERR_INVALID "template parsing error: ..." on a bad one. */
struct template;
int template_parse(const char *text, struct template **ret, struct err *err);
void template_free(struct template *t);
static inline void template_freep(struct template **t) { if (*t) template_free(*t); }
int template_execute(const struct template *t, const json_t *value, struct buf *out, struct err *err);

/* Writes all of it to stdout; fails on a closed or full stdout. */
int out_write(const void *data, size_t len, struct err *err);
int out_line(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
