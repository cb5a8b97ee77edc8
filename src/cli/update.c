#include "engine/update.h"

#include <stdio.h>

#include "base/str.h"
#include "cli/output.h"
#include "cli/run_options.h"

static int update_one(struct engine *e, const char *name, void *data, struct err *err)
{
        const struct update_words *o = data;
        _cleanup_strv_ char **later = NULL;
        struct container_update u = { .config = &o->run.config, .publish_rm = o->publish_rm, .mount_rm = o->mount_rm, .label_rm = o->label_rm,
                                      .env_rm = o->env_rm };
        if (container_update(e, name, &u, &later, err) < 0)
                return -1;
        STRV_FOREACH (what, later)
                fprintf(stderr, "%s: from the next start on: %s\n", name, *what);
        return out_line(err, "%s", name);
}

static bool anything(const struct update_words *o)
{
        const struct container_config *c = &o->run.config;
        return o->publish_rm || o->mount_rm || o->label_rm || o->env_rm || c->extra_hosts || c->blkio_weight || c->cpu_period || c->cpu_quota ||
               c->cpu_shares || c->nano_cpus || c->cpuset_cpus || c->cpuset_mems || c->env || c->labels || c->memory || c->memory_reservation ||
               c->memory_swap || c->mount_count || c->pids_limit || c->ports || c->restart_policy;
}

static int update_run(struct cli *cli, void *options, char **args, struct err *err)
{
        if (!anything(options))
                return err_set(err, ERR_INVALID, "You must provide one or more flags when using this command.");
        return cli_each(cli, args, update_one, options, err);
}

const struct command command_update = {
        .options = update_option_rows,
        .options_size = sizeof(struct update_words),
        .init = run_options_init,
        .done = run_options_done,
        .min_args = 1,
        .max_args = -1,
        .args = "CONTAINER [CONTAINER...]",
        .description =
                "Changes containers in place, running or not, and keeps the change. Limits, labels, the restart policy, ports, mounts and hosts of a "
                "running container change at once; its environment, as no process can be given another, from its next start on. What could not be "
                "done now is said on standard error and is done at the next start too. A limit or port that is refused leaves the container as it "
                "was.\n\n"
                "A mount is put into the container's own mount namespace, where the host does not see it, and over what is there; its place is made "
                "if it is missing. --mount-rm takes away what --mount-add, --mount or --volume has put at that place; who has a file open there keeps "
                "it. A volume that was mounted keeps its content.\n\n"
                "Published ports lead new connections to the container from then on, and after --publish-rm none; those that are open stay. One that "
                "was taken away can be published by another container, or bound by a program of the host, at once.",
        .examples = "tare update --memory 512m --cpus 1.5 web -- limits of a running container\n"
                    "tare update --publish-add 8080:80 --label-add tier=front web -- a port and a label\n"
                    "tare update --mount-add type=bind,src=/srv/data,dst=/data,ro web -- show it a folder\n"
                    "tare update --restart unless-stopped web db -- of several\n",
        .run = update_run,
};
