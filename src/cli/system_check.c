#include "cli/command.h"
#include "cli/output.h"
#include "engine/system.h"

struct check_options {
        bool dry_run, quiet;
};

static void check_told(void *data, const char *line)
{
        const struct check_options *o = data;
        struct err ignored = ERR_INIT; /* the repair goes on, whether its words can be written or not */
        if (!o->quiet)
                out_line(&ignored, "%s", line);
}

static int system_check_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct check_options *o = options;
        unsigned found = 0;
        struct engine *e;
        if (cli_engine(cli, &e, err) < 0 || system_check(e, !o->dry_run, check_told, o, &found, err) < 0)
                return -1;
        if (!o->quiet && out_line(err,
                                  found == 0   ? "Everything is in order"
                                  : o->dry_run ? "%u to repair"
                                               : "%u repaired",
                                  found) < 0)
                return -1;
        return o->dry_run && found > 0 ? 1 : 0;
}

static const struct option_row rows[] = {
        { 'n', "dry-run", OPT_BOOL, offsetof(struct check_options, dry_run), NULL,
          "Only tell what would be repaired; exit 1 when there is something" },
        { 'q', "quiet", OPT_BOOL, offsetof(struct check_options, quiet), NULL, "Print nothing" },
        { 0 },
};

const struct command command_system_check = {
        .options = rows,
        .options_size = sizeof(struct check_options),
        .description = "Compares the database with what is on disk, in the kernel and among the processes, and repairs "
                       "what does not agree: what a "
                       "killed process or a power cut left half-way. Waits until every layer is on disk, as system settle does. Running "
                       "containers are not disturbed.",
        .examples = "tare system check -n -- is there anything to repair?\n",
        .run = system_check_run,
};
