/* inspect, container inspect, image inspect. */
#include <stdio.h>

#include "base/str.h"
#include "cli/inspect-internal.h"
#include "engine/containers.h"
#include "image/images.h"

int document_of_container(struct engine *e, const char *name, const struct inspect_options *o, json_t **ret,
                          struct err *err)
{
        return container_inspect(e, name, o->size, ret, err);
}

int document_of_image(struct engine *e, const char *name, const struct inspect_options *o, json_t **ret,
                      struct err *err)
{
        struct storage *st;
        return engine_storage(e, &st, err) < 0 ? -1 : image_inspect(engine_db(e), st, name, ret, err);
}

/* docker's order: a name that several kinds of things have means the first. */
static const struct {
        const char *type;
        inspect_fn fn;
} kinds[] = {
        { "container", document_of_container },
        { "image", document_of_image },
        { "network", document_of_network },
        { "volume", document_of_volume },
};

static int inspect_any(struct engine *e, const char *name, const struct inspect_options *o, json_t **ret,
                       struct err *err)
{
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                if (!str_empty(o->type) && !str_eq(o->type, kinds[i].type))
                        continue;
                err_clear(err);
                if (kinds[i].fn(e, name, o, ret, err) == 0)
                        return 0;
                /* an id too short for one kind may be a name of another */
                if (!str_empty(o->type) || (err->kind != ERR_NOT_FOUND && err->kind != ERR_INVALID))
                        return -1;
        }
        return err_set(err, ERR_NOT_FOUND, "No such object: %s", name);
}

static int inspect_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct inspect_options *o = options;
        bool known = str_empty(o->type);
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                known = known || str_eq(o->type, kinds[i].type);
        if (!known)
                return err_set(err, ERR_INVALID,
                               "unknown type: \"%s\": must be one of \"container\", \"image\", \"network\", \"volume\"",
                               o->type);
        return inspect_all(cli, o, args, inspect_any, err);
}

static int container_inspect_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return inspect_all(cli, options, args, document_of_container, err);
}

static int image_inspect_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return inspect_all(cli, options, args, document_of_image, err);
}

#define FORMAT_ROW                                                                                                     \
        {                                                                                                              \
                'f', "format", OPT_STRING, offsetof(struct inspect_options, format), NULL,                             \
                        "Format output using a custom template:\n'json':             Print in JSON format\n"           \
                        "'TEMPLATE':         Print output using the given Go template"                                 \
        }
#define SIZE_ROW                                                                                                       \
        {                                                                                                              \
                's', "size", OPT_BOOL, offsetof(struct inspect_options, size), NULL,                                   \
                        "Display total file sizes if the type is container"                                            \
        }

static const struct option_row any_rows[] = {
        FORMAT_ROW,
        SIZE_ROW,
        { 0, "type", OPT_STRING, offsetof(struct inspect_options, type), NULL,
          "Only inspect objects of the given type" },
        { 0 },
};
static const struct option_row container_rows[] = { FORMAT_ROW, SIZE_ROW, { 0 } };

const struct command command_inspect = {
        .options = any_rows,
        .options_size = sizeof(struct inspect_options),
        .min_args = 1,
        .max_args = -1,
        .args = "NAME|ID [NAME|ID...]",
        .description = "Prints all that is known of containers, images, networks and volumes as JSON, or what a Go "
                       "template picks of it.",
        .examples = "tare inspect -f '{{.State.Status}}' web -- one value\n"
                    "tare inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$v.IPAddress}}{{end}}' web -- its "
                    "address\n"
                    "tare inspect -f '{{json .Config.Labels}}' web -- a part as JSON\n",
        .run = inspect_run,
};

const struct command command_container_inspect = {
        .options = container_rows,
        .options_size = sizeof(struct inspect_options),
        .min_args = 1,
        .max_args = -1,
        .args = "CONTAINER [CONTAINER...]",
        .description = "As inspect, of containers alone.",
        .run = container_inspect_run,
};

const struct command command_image_inspect = {
        .options = inspect_format_rows,
        .options_size = sizeof(struct inspect_options),
        .min_args = 1,
        .max_args = -1,
        .args = "IMAGE [IMAGE...]",
        .description = "As inspect, of images alone.",
        .run = image_inspect_run,
};
