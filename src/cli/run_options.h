/* Options that `run` and `create` share: rows that point into a container_config. */
#ifndef TARE_CLI_RUN_OPTIONS_H
#define TARE_CLI_RUN_OPTIONS_H

#include "cli/command.h"
#include "engine/container_config.h"
#include "engine/containers.h"

struct run_options {
        struct container_config config;
        char *name, *pull, *cidfile, *health_cmd, *detach_keys;
        char **attach;                 /* -a stdin stdout stderr */
        bool no_healthcheck, detach, no_sig_proxy, quiet;
        bool sig_proxy;                /* --sig-proxy=false */
};
void run_options_init(void *options);
void run_options_done(void *options);
extern const struct option_row run_option_rows[], create_option_rows[];

/* Options of `update`: rows that point into this. */
struct update_words {
        struct run_options run;        /* first: the parsers of its options take it for one */
        char **publish_rm, **mount_rm, **label_rm, **env_rm;
};
extern const struct option_row update_option_rows[];

/* What the options mean together: arguments, attach streams, health command; then creates nothing yet. args: IMAGE [COMMAND...] */
int run_options_finish(struct run_options *o, char **args, struct err *err);
/* Sees that the image is here, pulling as --pull says. */
int run_image_ensure(struct cli *cli, const struct run_options *o, struct err *err);
/* A file of NAME=value lines, as --env-file has it, into the list. */
int env_file_read(const char *path, char ***env, struct err *err);
/* --cidfile must not exist yet; written once the id is known. */
int run_cidfile_check(const struct run_options *o, struct err *err);
int run_cidfile_write(const struct run_options *o, const char *id, struct err *err);

#endif
