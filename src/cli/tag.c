#include "cli/command.h"
#include "image/images.h"

static int tag_run(struct cli *cli, void *options, char **args, struct err *err)
{
        _cleanup_reference_ struct reference name = { 0 };
        struct engine *e;
        if (reference_parse(args[1], &name, err) < 0)
                return err_add(err, "Error parsing reference: \"%s\" is not a valid repository/tag", args[1]);
        if (name.digest)
                return err_set(err, ERR_INVALID, "refusing to create a tag with a digest reference");
        return cli_engine(cli, &e, err) < 0 ? -1 : image_tag(engine_db(e), args[0], &name, err);
}

const struct command command_tag = {
        .min_args = 2,
        .max_args = 2,
        .args = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
        .description = "Gives an image one more name. A name that another image had moves.",
        .examples = "tare tag web:latest localhost:5000/web:1.2 -- the name to push it under\n",
        .run = tag_run,
};
