/* inspect, of anything. */
#ifndef TARE_CLI_INSPECT_INTERNAL_H
#define TARE_CLI_INSPECT_INTERNAL_H

#include "base/json.h"
#include "cli/command.h"

struct inspect_options {
        char *format, *type;
        bool size;
};
extern const struct option_row inspect_format_rows[]; /* --format alone */

/* One kind of thing: its document, or ERR_NOT_FOUND. */
typedef int (*inspect_fn)(struct engine *e, const char *name, const struct inspect_options *o, json_t **ret,
                          struct err *err);
int document_of_container(struct engine *e, const char *name, const struct inspect_options *o, json_t **ret,
                          struct err *err);
int document_of_image(struct engine *e, const char *name, const struct inspect_options *o, json_t **ret,
                      struct err *err);
int document_of_network(struct engine *e, const char *name, const struct inspect_options *o, json_t **ret,
                        struct err *err);
int document_of_volume(struct engine *e, const char *name, const struct inspect_options *o, json_t **ret,
                       struct err *err);

/* Looks at every name and prints what was found in docker's way: an indented list, or the format once a document; then what was not found.
 * Exit code 0 or 1. */
int inspect_all(struct cli *cli, const struct inspect_options *o, char **names, inspect_fn fn, struct err *err);

#endif
