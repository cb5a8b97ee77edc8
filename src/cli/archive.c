/* import, save, load, export, commit, diff: images and containers as files. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "build/build.h"
#include "cli/command.h"
#include "cli/output.h"
#include "engine/containers.h"
#include "image/archive.h"
#include "storage/tree.h"

static int stores_open(struct cli *cli, struct engine **ret_engine, struct storage **ret_storage, struct err *err)
{
        return cli_engine(cli, ret_engine, err) < 0 ? -1 : engine_storage(*ret_engine, ret_storage, err);
}

/* What --change says, upon what is there. */
static int changes_apply(char *const *changes, struct image_exec *exec, struct err *err)
{
        STRV_FOREACH (change, changes)
                if (build_apply_change(*change, exec, err) < 0)
                        return err_add(err, "--change");
        return 0;
}

static int input_open(const char *path, struct err *err)
{
        if (str_empty(path) || str_eq(path, "-")) {
                if (isatty(STDIN_FILENO))
                        return err_set(err, ERR_INVALID, "requested load from stdin, but stdin is empty (a terminal)");
                return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        }
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? err_sys(err, "%s", path) : fd;
}

/* A file appears whole or not at all: written beside its place, then renamed. */
struct output { int fd; char *path, *temporary; };

static int output_open(const char *path, struct output *ret, struct err *err)
{
        if (str_empty(path) || str_eq(path, "-")) {
                if (isatty(STDOUT_FILENO))
                        return err_set(err, ERR_INVALID, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
                ret->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
                return ret->fd < 0 ? err_sys(err, "standard output") : 0;
        }
        ret->path = xstrdup(path);
        ret->temporary = xasprintf("%s.tare-XXXXXX", path);
        ret->fd = mkostemp(ret->temporary, O_CLOEXEC);
        if (ret->fd < 0) {
                free(TAKE_PTR(ret->temporary));
                return err_sys(err, "%s", path);
        }
        return 0;
}

static int output_finish(struct output *o, struct err *err)
{
        if (!o->path)
                return 0;
        if (fchmod(o->fd, 0600) < 0 || fsync(o->fd) < 0 || rename(o->temporary, o->path) < 0)
                return err_sys(err, "%s", o->path);
        free(TAKE_PTR(o->temporary));
        return 0;
}

static void output_done(struct output *o)
{
        if (o->temporary)
                unlink(o->temporary);
        mem_closep(&o->fd);
        free(o->path);
        free(o->temporary);
}

static void told_line(void *data, const char *line)
{
        const bool *quiet = data;
        if (!quiet || !*quiet)
                printf("%s\n", line);
}

/* --- import --- */

struct import_options { char **changes; char *message, *platform; };

static int import_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct import_options *o = options;
        struct engine *e;
        struct storage *st;
        _cleanup_reference_ struct reference name = { 0 };
        _cleanup_platform_ struct platform platform = { 0 };
        _cleanup_(image_exec_done) struct image_exec exec;
        _cleanup_image_ struct image image = { 0 };
        image_exec_init(&exec);
        if (strstr(args[0], "://"))
                return err_set(err, ERR_UNSUPPORTED, "import from a URL is not supported: fetch it and import the file or -");
        if ((args[1] && reference_parse(args[1], &name, err) < 0) || (o->platform && platform_parse(o->platform, &platform, err) < 0) ||
            changes_apply(o->changes, &exec, err) < 0)
                return -1;
        _cleanup_close_ int in = input_open(args[0], err);
        if (in < 0 || stores_open(cli, &e, &st, err) < 0)
                return -1;
        struct image_import import = { .name = args[1] ? &name : NULL, .message = o->message, .exec = &exec,
                                       .platform = o->platform ? &platform : NULL };
        if (image_import(engine_db(e), st, in, &import, &image, err) < 0)
                return -1;
        return out_line(err, "%s", image.id);
}

static const struct option_row import_rows[] = {
        { 'c', "change", OPT_STRV, offsetof(struct import_options, changes), "list", "Apply Dockerfile instruction to the created image" },
        { 'm', "message", OPT_STRING, offsetof(struct import_options, message), "string", "Set commit message for imported image" },
        { 0, "platform", OPT_STRING, offsetof(struct import_options, platform), "string", "Set platform of the image" },
        {},
};
const struct command command_import = {
        .options = import_rows, .options_size = sizeof(struct import_options), .min_args = 1, .max_args = 2, .args = "FILE|- [REPOSITORY[:TAG]]",
        .run = import_run,
};

/* --- restore: run by the engine, which tells what it reads of our standard output --- */

static int restore_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct engine *e;
        struct storage *st;
        struct err why = ERR_INIT;
        if (stores_open(cli, &e, &st, &why) < 0 || image_layers_restore(engine_db(e), st, args[0], &why) < 0)
                return out_line(err, "%s", why.msg) < 0 ? -1 : 1;
        return 0;
}

const struct command command_image_restore = {
        .min_args = 1, .max_args = 1, .args = "CHAIN-ID",
        .description = "Called when a layer of an image is missing, as after a power cut soon after a pull: unpacks it, and those below it, once more.",
        .run = restore_run,
};

/* --- save, load --- */

struct save_options { char *output, *format; };

static int save_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct save_options *o = options;
        struct engine *e;
        struct storage *st;
        _cleanup_(output_done) struct output out = { .fd = -1 };
        if (o->format && !str_eq(o->format, "docker-archive") && !str_eq(o->format, "oci-archive"))
                return err_set(err, ERR_INVALID, "--format is docker-archive or oci-archive, not %s", o->format);
        enum archive_format format = str_eq(o->format, "oci-archive") ? ARCHIVE_OCI : ARCHIVE_DOCKER;
        if (stores_open(cli, &e, &st, err) < 0 || output_open(o->output, &out, err) < 0 ||
            image_save(engine_db(e), st, args, format, out.fd, err) < 0)
                return -1;
        return output_finish(&out, err);
}

static const struct option_row save_rows[] = {
        { 0, "format", OPT_STRING, offsetof(struct save_options, format), "string", "docker-archive (also readable as OCI layout) or oci-archive" },
        { 'o', "output", OPT_STRING, offsetof(struct save_options, output), "string", "Write to a file, instead of STDOUT" },
        {},
};
const struct command command_save = {
        .options = save_rows, .options_size = sizeof(struct save_options), .min_args = 1, .max_args = -1, .args = "IMAGE [IMAGE...]", .run = save_run,
};

struct load_options { char *input; bool quiet; };

static int load_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct load_options *o = options;
        struct engine *e;
        struct storage *st;
        struct layer_limits limits = { 0 };
        _cleanup_close_ int in = input_open(o->input, err);
        if (in < 0 || stores_open(cli, &e, &st, err) < 0)
                return -1;
        return image_load(engine_db(e), st, in, &limits, told_line, &o->quiet, err);
}

static const struct option_row load_rows[] = {
        { 'i', "input", OPT_STRING, offsetof(struct load_options, input), "string", "Read from tar archive file, instead of STDIN" },
        { 'q', "quiet", OPT_BOOL, offsetof(struct load_options, quiet), NULL, "Suppress the load output" },
        {},
};
const struct command command_load = {
        .options = load_rows, .options_size = sizeof(struct load_options), .max_args = 0, .args = "", .run = load_run,
};

/* --- export --- */

struct export_options { char *output; };

static int export_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct export_options *o = options;
        struct engine *e;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        _cleanup_(output_done) struct output out = { .fd = -1 };
        if (cli_engine(cli, &e, err) < 0 || container_load(e, args[0], &c, err) < 0)
                return -1;
        _cleanup_close_ int root = container_root_open_bare(e, &c, err);
        if (root < 0 || output_open(o->output, &out, err) < 0)
                return -1;
        struct tree_write write = { .root_fd = root, .path = "/", .name = "", .one_file_system = true };
        if (tree_to_tar(&write, out.fd, err) < 0 || output_finish(&out, err) < 0)
                return -1;
        container_tell(e, &c, "export", NULL);
        return 0;
}

static const struct option_row export_rows[] = {
        { 'o', "output", OPT_STRING, offsetof(struct export_options, output), "string", "Write to a file, instead of STDOUT" },
        {},
};
const struct command command_export = {
        .options = export_rows, .options_size = sizeof(struct export_options), .min_args = 1, .max_args = 1, .args = "CONTAINER", .run = export_run,
};

/* --- commit --- */

struct commit_options { char **changes; char *author, *message; bool pause; };

static void commit_init(void *options) { ((struct commit_options *)options)->pause = true; }

/* What the container runs with becomes the image's configuration. */
static void exec_of(const struct container_config *c, struct image_exec *x)
{
        x->user = xstrdup(c->user ? c->user : "");
        x->env = strv_dup(c->env);
        x->entrypoint = strv_dup(c->entrypoint);
        x->cmd = strv_dup(c->cmd);
        x->working_dir = xstrdup(c->working_dir ? c->working_dir : "");
        x->exposed_ports = strv_dup(c->exposed_ports);
        x->labels = strv_dup(c->labels);
        x->stop_signal = c->stop_signal ? xstrdup(c->stop_signal) : NULL;
        healthcheck_copy(&c->healthcheck, &x->healthcheck);
        for (size_t i = 0; i < c->mount_count; i++)
                if (c->mounts[i].kind == MOUNT_VOLUME)
                        strv_push(&x->volumes, c->mounts[i].target);
        strv_sort(x->volumes);
}

static int commit_do(struct engine *e, struct storage *st, const struct container *c, const struct commit_options *o,
                     const struct reference *name, struct image *ret, struct err *err)
{
        _cleanup_image_ struct image base = { 0 };
        _cleanup_(image_exec_done) struct image_exec exec;
        _cleanup_free_ char *command = xstrdup(c->command ? c->command : "");
        image_exec_init(&exec);
        exec_of(&c->config, &exec);
        if (image_find_brief(engine_db(e), c->image_id, &base, err) < 0 || engine_layers(e, c->chain, err) < 0 || changes_apply(o->changes, &exec, err) < 0)
                return -1;
        if (container_root_ensure(e, c, err) < 0)
                return -1;
        struct image_commit commit = { .root_id = c->id, .base = &base, .exec = &exec, .author = o->author, .message = o->message,
                                       .created_by = command, .name = name };
        return image_commit(engine_db(e), st, &commit, ret, err);
}

static int commit_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct commit_options *o = options;
        struct engine *e;
        struct storage *st;
        _cleanup_reference_ struct reference name = { 0 };
        _cleanup_image_ struct image image = { 0 };
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if ((args[1] && reference_parse(args[1], &name, err) < 0) || stores_open(cli, &e, &st, err) < 0 ||
            container_load(e, args[0], &c, err) < 0)
                return -1;
        bool paused = o->pause && c.status.state == STATE_RUNNING;
        if (paused && container_pause(e, c.id, true, err) < 0)
                return -1;
        int result = commit_do(e, st, &c, o, args[1] ? &name : NULL, &image, err);
        struct err late = ERR_INIT;
        if (paused && container_pause(e, c.id, false, &late) < 0 && result == 0)
                return err_set(err, late.kind, "%s", late.msg);
        if (result < 0)
                return -1;
        _cleanup_free_ char *id = xasprintf("imageID=%s", image.id);
        container_tell(e, &c, "commit", (char *[]){ id, NULL });
        return out_line(err, "%s", image.id);
}

static const struct option_row commit_rows[] = {
        { 'a', "author", OPT_STRING, offsetof(struct commit_options, author), "string", "Author (e.g., \"Jane Doe <jane@example.org>\")" },
        { 'c', "change", OPT_STRV, offsetof(struct commit_options, changes), "list", "Apply Dockerfile instruction to the created image" },
        { 'm', "message", OPT_STRING, offsetof(struct commit_options, message), "string", "Commit message" },
        { 'p', "pause", OPT_BOOL, offsetof(struct commit_options, pause), NULL, "Pause container during commit (default true)" },
        {},
};
const struct command command_commit = {
        .options = commit_rows, .options_size = sizeof(struct commit_options), .init = commit_init, .min_args = 1, .max_args = 2,
        .args = "CONTAINER [REPOSITORY[:TAG]]", .run = commit_run,
};

/* --- diff --- */

static int diff_line(void *data, char kind, const char *path, struct err *err)
{
        return out_line(err, "%c %s", kind, path);
}

static int diff_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct engine *e;
        return cli_engine(cli, &e, err) < 0 ? -1 : container_changes(e, args[0], diff_line, NULL, err);
}

const struct command command_diff = { .min_args = 1, .max_args = 1, .args = "CONTAINER", .run = diff_run };
