#include <stdio.h>

#include "cli/command.h"
#include "cli/output.h"
#include "engine/containers.h"
#include "image/images.h"

struct rmi_options {
        bool force, no_prune;
};

static void rmi_told(void *data, const char *line)
{
        struct err ignored = ERR_INIT;
        out_line(&ignored, "%s", line);
}

static int rmi_one(struct engine *e, const char *name, void *data, struct err *err)
{
        const struct rmi_options *o = data;
        const struct image_remove how = { o->force, o->no_prune, container_uses_image, rmi_told, e };
        struct storage *st;
        if (engine_storage(e, &st, err) < 0)
                return -1;
        if (image_remove(engine_db(e), st, name, &how, err) == 0)
                return 0;
        if (!o->force || err->kind != ERR_NOT_FOUND)
                return -1;
        fprintf(stderr, "tare: %s\n", err->msg);
        return 0;
}

static int rmi_run(struct cli *cli, void *options, char **args, struct err *err)
{
        return cli_each(cli, args, rmi_one, options, err);
}

static const struct option_row rows[] = {
        { 'f', "force", OPT_BOOL, offsetof(struct rmi_options, force), NULL, "Force removal of the image" },
        { 0, "no-prune", OPT_BOOL, offsetof(struct rmi_options, no_prune), NULL, "Do not delete untagged parents" },
        { 0 },
};

const struct command command_rmi = {
        .options = rows,
        .options_size = sizeof(struct rmi_options),
        .min_args = 1,
        .max_args = -1,
        .args = "IMAGE [IMAGE...]",
        .description = "Removes names of images. With its last name, or when named by its id, an image is deleted "
                       "unless a container uses it.",
        .examples = "tare rmi web:old -- forget a name\ntare rmi $(tare images -q -f dangling=true) -- delete what has "
                    "no name\n",
        .run = rmi_run,
};
