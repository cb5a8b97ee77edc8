#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/command.h"

#define IOPRIO_LOWEST (2 << 13 | 7) /* best effort, the last of its levels; ioprio_set(2) */
#define IOPRIO_PROCESS 1

struct settle_options {
        bool background;
};

/* What nobody waits for stands back, and keeps no folder busy but the store. */
static void stand_back(void)
{
        (void)!chdir("/");
        setpriority(PRIO_PROCESS, 0, 19);
        syscall(SYS_ioprio_set, IOPRIO_PROCESS, 0, IOPRIO_LOWEST);
}

static int system_settle_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct settle_options *o = options;
        if (o->background)
                stand_back();
        return engine_settle(&cli->engine_options, !o->background, err);
}

static const struct option_row rows[] = {
        { 0, "background", OPT_BOOL, offsetof(struct settle_options, background), NULL, "At low priority, and not when another is at it", .hidden = true },
        { 0 },
};

const struct command command_system_settle = {
        .options = rows,
        .options_size = sizeof(struct settle_options),
        .description = "What pull, load, import, commit and build unpack can be unpacked once more, so they do not wait for the disk; a power cut in "
                       "the first seconds costs the time to do so. This command waits until everything is on disk. The commands named start it "
                       "in the background; that it is killed does no harm.",
        .run = system_settle_run,
};
