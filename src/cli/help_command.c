#include <errno.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/command-internal.h"

static int help_run(struct cli *cli, void *options, char **args, struct err *err)
{
        int words, count = (int)strv_len(args);
        if (count == 0) {
                commands_print_help();
                return 0;
        }
        const struct command_entry *e = command_find(count, args, &words);
        if (e && e->command) {
                command_print_help(e);
                return 0;
        }
        if (!e && count == 1 && command_is_group(args[0])) {
                group_print_help(args[0], stdout);
                return 0;
        }
        if (!e)
                return err_set(err, ERR_INVALID, "'%s' is not a tare command. See 'tare --help'.", args[0]);
        _cleanup_free_ char *path = NULL;
        if (engine_program(e->program, &path, err) < 0)
                return -1;
        _cleanup_strv_ char **argv = strv_split(e->name, " ", false);
        strv_push(&argv, "--help");
        char *run[] = { (char[]){ "tare" }, argv[0], argv[1], argv[1] ? argv[2] : NULL, NULL };
        execv(path, run);
        return err_sys(err, "%s", path);
}

const struct command command_help = {
        .max_args = 2,
        .args = "[COMMAND]",
        .description = "Prints the help of a command, or the list of all.",
        .run = help_run,
};
