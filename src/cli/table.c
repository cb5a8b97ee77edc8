#include <string.h>

#include "base/str.h"
#include "cli/output.h"
#include "cli/tabulate-internal.h"

/* docker's formatter: "table ..." with headings, "json", or a template a row; "\t" and "\n" written out are meant. */

enum table_mode { MODE_TABLE, MODE_JSON, MODE_ROWS };

static char *unescape(const char *s)
{
        char *text = xstrdup(s), *out = text;
        for (const char *in = s; *in;) {
                bool tab = in[0] == '\\' && in[1] == 't', newline = in[0] == '\\' && in[1] == 'n';
                *out++ = tab ? '\t' : newline ? '\n' : *in;
                in += tab || newline ? 2 : 1;
        }
        *out = '\0';
        return text;
}

static char *template_of_columns(const char *const *shown)
{
        char *text = xstrdup("");
        for (const char *const *key = shown; *key; key++) {
                char *more = xasprintf("%s%s{{.%s}}", text, key == shown ? "" : "\t", *key);
                free(text);
                text = more;
        }
        return text;
}

/* The template's text for a format; *ret_mode says how rows come out. */
static char *format_template(const char *format, const char *const *shown, enum table_mode *ret_mode)
{
        const char *rest = str_after(format ? format : "table", "table");
        if (rest) {
                *ret_mode = MODE_TABLE;
                _cleanup_free_ char *text = unescape(rest);
                return *str_trim(text) ? xstrdup(str_trim(text)) : template_of_columns(shown);
        }
        *ret_mode = str_eq(format, "json") ? MODE_JSON : MODE_ROWS;
        if (*ret_mode == MODE_JSON)
                return xstrdup("{{json .}}");
        _cleanup_free_ char *text = unescape(format);
        return xstrdup(text);
}

/* A row as templates see it: keys sorted, so that {{json .}} has docker's order. */
static json_t *row_sorted(const json_t *row)
{
        char *text = json_dumps(row, JSON_SORT_KEYS | JSON_COMPACT);
        json_t *sorted = text ? json_loads(text, 0, NULL) : NULL;
        free(text);
        return sorted;
}

static json_t *headings(const struct table_column *known)
{
        json_t *o = json_object();
        for (const struct table_column *c = known; c->key; c++)
                json_object_set_new(o, c->key, json_string(c->heading));
        json_object_set_new(o, "Label", json_object());
        return o;
}

/* Of headings, functions show only the text: a failure leaves the row empty, as docker's. */
static int add_headings(const struct template *t, const struct table_column *known, struct buf *out, struct err *err)
{
        json_t *o = headings(known);
        struct err ignored = ERR_INIT;
        template_execute(t, o, out, &ignored);
        json_decref(o);
        return buf_addc(out, '\n', err);
}

static int add_rows(const struct template *t, const json_t *rows, struct buf *out, struct err *err)
{
        size_t i;
        json_t *row;
        json_array_foreach (rows, i, row) {
                json_t *sorted = row_sorted(row);
                int r = sorted ? template_execute(t, sorted, out, err) : err_set(err, ERR_CORRUPT, "a row is no JSON");
                json_decref(sorted);
                if (r < 0)
                        return err_add(err, "template parsing error");
                if (buf_addc(out, '\n', err) < 0)
                        return -1;
        }
        return 0;
}

int table_rows_format(json_t *rows, const struct table_column *known, const char *const *shown, const char *format, struct buf *ret, struct err *err)
{
        enum table_mode mode;
        _cleanup_free_ char *text = format_template(str_empty(format) ? "table" : format, shown, &mode);
        _cleanup_(template_freep) struct template *t = NULL;
        _cleanup_buf_ struct buf out = { 0 };
        if (template_parse(text, &t, err) < 0)
                return -1;
        if (mode == MODE_TABLE && add_headings(t, known, &out, err) < 0)
                return -1;
        if (add_rows(t, rows, &out, err) < 0)
                return -1;
        if (mode == MODE_TABLE)
                return tabulate(out.data, out.len, TABULATE_LEAST, ret, err);
        return out.len ? buf_add(ret, out.data, out.len, err) : 0;
}

int table_print(json_t *rows, const struct table_column *known, const char *const *shown, const char *format,
                struct err *err)
{
        _cleanup_buf_ struct buf out = { 0 };
        if (table_rows_format(rows, known, shown, format, &out, err) < 0)
                return -1;
        return out_write(out.len ? out.data : "", out.len, err);
}
