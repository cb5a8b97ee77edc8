#include <stdio.h>

#include "base/str.h"
#include "cli/inspect-internal.h"
#include "cli/output.h"

static int print_templates(const char *format, const json_t *documents, struct err *err)
{
        _cleanup_(template_freep) struct template *t = NULL;
        _cleanup_buf_ struct buf out = { 0 };
        size_t i;
        json_t *document;
        int r = template_parse(format, &t, err);
        if (r == 0 && json_array_size(documents) == 0)
                r = buf_addc(&out, '\n', err);
        json_array_foreach (documents, i, document) {
                if (r == 0 && (r = template_execute(t, document, &out, err)) < 0)
                        err_add(err, "template parsing error");
                if (r == 0)
                        r = buf_addc(&out, '\n', err);
        }
        struct err written = ERR_INIT;
        if (out_write(out.len ? out.data : "", out.len, &written) < 0 && r == 0) {
                *err = written;
                r = -1;
        }
        return r;
}

static int print_documents(const char *format, const json_t *documents, struct err *err)
{
        bool compact = str_eq(format, "json");
        if (!str_empty(format) && !compact)
                return print_templates(format, documents, err);
        _cleanup_free_ char *text = json_dumps(documents, compact ? JSON_COMPACT : JSON_INDENT(4));
        if (!text)
                return err_set(err, ERR_CORRUPT, "the document cannot be written as JSON");
        return out_line(err, "%s", text);
}

int inspect_all(struct cli *cli, const struct inspect_options *o, char **names, inspect_fn fn, struct err *err)
{
        _cleanup_json_ json_t *documents = json_array();
        _cleanup_strv_ char **failures = NULL;
        struct engine *e;
        if (cli_engine(cli, &e, err) < 0)
                return -1;
        STRV_FOREACH (name, names) {
                struct err one = ERR_INIT;
                json_t *document = NULL;
                if (fn(e, *name, o, &document, &one) < 0)
                        strv_push(&failures, one.msg);
                else
                        json_array_append_new(documents, document);
        }
        if (print_documents(o->format, documents, err) < 0)
                return -1;
        STRV_FOREACH (failure, failures)
                fprintf(stderr, "tare: %s\n", *failure);
        return failures ? 1 : 0;
}

const struct option_row inspect_format_rows[] = {
        { 'f', "format", OPT_STRING, offsetof(struct inspect_options, format), NULL,
          "Format output using a custom template:\n'json':             Print in JSON format\n"
          "'TEMPLATE':         Print output using the given Go template" },
        { 0 },
};
