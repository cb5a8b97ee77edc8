/* build, builder prune. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "build/build.h"
#include "cli/command.h"
#include "cli/output.h"
#include "engine/build_host.h"
#include "oci/platform.h"
#include "storage/tree.h"

struct build_flags {
        char **tags, **build_args, **labels, **add_hosts;
        char *file, *target, *platform, *network, *iidfile, *progress;
        int64_t memory, shm_size;
        bool no_cache, pull, quiet, ignored;
};

struct build_host_cli {
        struct build_host host;        /* first: the step hooks see only this */
        struct cli *cli;
        const struct build_flags *flags;
        int kept;                      /* --quiet: what a failure will show */
};

static int image_pull_hook(void *data, const char *name, const struct platform *platform, struct err *err)
{
        _cleanup_free_ char *program = NULL;
        _cleanup_strv_ char **argv = NULL;
        pid_t pid;
        int pidfd, status;
        if (engine_program("tare-transfer", &program, err) < 0)
                return -1;
        strv_push(&argv, "tare");
        strv_push(&argv, "pull");
        strv_push(&argv, "--quiet");
        if (platform) {
                _cleanup_free_ char *whole = platform_format(platform);
                strv_push_take(&argv, xasprintf("--platform=%s", whole));
        }
        strv_push(&argv, name);
        struct proc_spawn spawn = { .path = program, .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = 2 };
        if (proc_spawn(&spawn, &pid, &pidfd, err) < 0)
                return -1;
        close(pidfd);
        if (proc_wait(pid, &status, err) < 0)
                return -1;
        return status == 0 ? 0 : err_set(err, ERR_NOT_FOUND, "unable to pull %s", name);
}

static void progress_line(void *data, const char *line)
{
        const struct build_host_cli *b = data;
        if (b->flags->quiet) {
                dprintf(b->kept, "%s\n", line);
                return;
        }
        printf("%s\n", line);
        fflush(stdout);
}

/* "-": a tar of a context, or a Dockerfile, on standard input. */
struct context { char *folder, *text; bool temporary; };

static void context_done(struct context *c)
{
        struct err ignored = ERR_INIT;
        if (c->temporary)
                tree_remove_at(AT_FDCWD, c->folder, &ignored);
        free(c->folder);
        free(c->text);
}

static int context_unpack(int fd, struct context *ret, struct err *err)
{
        const char *tmp = getenv("TMPDIR");
        ret->folder = xasprintf("%s/tare-context.XXXXXX", str_empty(tmp) ? "/var/tmp" : tmp);
        if (!mkdtemp(ret->folder))
                return err_sys(err, "%s", ret->folder);
        ret->temporary = true;
        _cleanup_close_ int root = open(ret->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return err_sys(err, "%s", ret->folder);
        struct tree_read read = { .root_fd = root, .path = "/", .uid = geteuid(), .gid = getegid(), .compression = COMPRESSION_UNKNOWN,
                                  .no_devices = true };
        return tree_from_tar(&read, fd, err) < 0 ? err_add(err, "build context") : 0;
}

static int context_stdin(const struct build_flags *f, struct context *ret, struct err *err)
{
        _cleanup_buf_ struct buf all = BUF_INIT((size_t)1 << 30);
        if (fd_read_all(STDIN_FILENO, &all, err) < 0)
                return -1;
        _cleanup_close_ int copy = fd_memfd("context", all.data ? all.data : "", all.len, err);
        if (copy < 0)
                return -1;
        if (tree_is_archive(copy))
                return context_unpack(copy, ret, err);
        ret->text = buf_take(&all);
        return 0;
}

static int context_open(const struct build_flags *f, const char *where, struct context *ret, struct err *err)
{
        struct stat st;
        if (str_eq(where, "-"))
                return context_stdin(f, ret, err);
        if (strstr(where, "://") || str_starts(where, "git@"))
                return err_set(err, ERR_UNSUPPORTED, "a build context from a URL is not supported: %s", where);
        if (stat(where, &st) < 0)
                return err_set(err, ERR_NOT_FOUND, "unable to prepare context: path \"%s\" not found", where);
        if (!S_ISDIR(st.st_mode))
                return err_set(err, ERR_INVALID, "unable to prepare context: context must be a directory: %s", where);
        ret->folder = xstrdup(where);
        if (!str_eq(f->file, "-"))
                return 0;
        _cleanup_buf_ struct buf text = BUF_INIT((size_t)1 << 20);
        if (fd_read_all(STDIN_FILENO, &text, err) < 0)
                return -1;
        ret->text = buf_take(&text);
        return 0;
}

/* ^C ends the build and what it runs. */
static int cancel_open(struct err *err)
{
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        int fd = signalfd(-1, &set, SFD_CLOEXEC);
        return fd < 0 ? err_sys(err, "signalfd") : fd;
}

static int64_t source_date_epoch(const struct build_flags *f)
{
        const char *text = strv_env_get(f->build_args, "SOURCE_DATE_EPOCH");
        int64_t value = -1;
        struct err ignored = ERR_INIT;
        if (!text)
                text = getenv("SOURCE_DATE_EPOCH");
        return text && parse_i64(text, &value, &ignored) == 0 && value >= 0 ? value : -1;
}

/* "--build-arg NAME" takes the value from our environment. */
static char **build_args(char *const *given)
{
        char **args = NULL;
        STRV_FOREACH (arg, given) {
                if (strchr(*arg, '='))
                        strv_push(&args, *arg);
                else if (getenv(*arg))
                        strv_push_take(&args, xasprintf("%s=%s", *arg, getenv(*arg)));
        }
        return args;
}

static int build_do(struct build_host_cli *b, const struct context *context, char **ret_id, struct err *err)
{
        const struct build_flags *f = b->flags;
        struct engine *e = b->host.engine;
        struct storage *st;
        _cleanup_platform_ struct platform platform = { 0 };
        _cleanup_strv_ char **args = build_args(f->build_args);
        _cleanup_free_ char *cache = path_join(engine_root(e), "seccomp");
        _cleanup_close_ int cancel = cancel_open(err);
        if (cancel < 0 || (f->platform && platform_parse(f->platform, &platform, err) < 0) || engine_storage(e, &st, err) < 0 ||
            path_mkdirs(cache, 0700, err) < 0)
                return -1;
        struct build_options o = {
                .context = context->folder, .dockerfile = str_eq(f->file, "-") ? NULL : f->file, .dockerfile_text = context->text,
                .build_args = args, .labels = f->labels, .tags = f->tags, .target = f->target, .platform = f->platform ? &platform : NULL,
                .no_cache = f->no_cache, .pull = f->pull, .source_date_epoch = source_date_epoch(f),
                .pull_image = image_pull_hook, .step_prepare = build_host_prepare, .step_network = build_host_network,
                .step_done = build_host_done, .data = b, .seccomp_cache = cache, .progress = progress_line, .out_fd = f->quiet ? b->kept : STDOUT_FILENO,
                .err_fd = f->quiet ? b->kept : STDERR_FILENO, .cancel_fd = &cancel,
        };
        return build_run(engine_db(e), st, &o, ret_id, err);
}

/* As docker: quiet is only who succeeds. */
static int build_quietly(struct build_host_cli *b, const struct context *context, char **ret_id, struct err *err)
{
        char bytes[4096];
        if (!b->flags->quiet)
                return build_do(b, context, ret_id, err);
        _cleanup_close_ int kept = memfd_create("tare-build", MFD_CLOEXEC);
        if (kept < 0)
                return err_sys(err, "memfd_create");
        b->kept = kept;
        int result = build_do(b, context, ret_id, err);
        if (result < 0 && lseek(kept, 0, SEEK_SET) == 0)
                for (ssize_t n; (n = read(kept, bytes, sizeof(bytes))) > 0;)
                        if (fd_write_full(STDERR_FILENO, bytes, (size_t)n) < 0)
                                break;
        return result;
}

static int build_run_command(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct build_flags *f = options;
        struct build_host_cli b = { .host = { .network = f->network, .add_hosts = f->add_hosts, .memory = f->memory, .shm_size = f->shm_size },
                                    .cli = cli, .flags = f };
        _cleanup_(context_done) struct context context = { 0 };
        _cleanup_free_ char *id = NULL;
        if (f->network && !str_eq(f->network, "default") && !str_eq(f->network, "host") && !str_eq(f->network, "none") &&
            !str_eq(f->network, "bridge"))
                return err_set(err, ERR_INVALID, "--network: a build runs on default, host or none, not on \"%s\"", f->network);
        if (context_open(f, args[0], &context, err) < 0 || cli_engine(cli, &b.host.engine, err) < 0 || build_quietly(&b, &context, &id, err) < 0)
                return -1;
        if (f->iidfile && file_write_at(AT_FDCWD, f->iidfile, id, strlen(id), 0644, false, err) < 0)
                return -1;
        return f->quiet ? out_line(err, "%s", id) : 0;
}

#define O(member) offsetof(struct build_flags, member)
static const struct option_row build_rows[] = {
        { 0, "add-host", OPT_STRV, O(add_hosts), "list", "Add a custom host-to-IP mapping (host:ip)" },
        { 0, "build-arg", OPT_STRV, O(build_args), "list", "Set build-time variables" },
        { 'f', "file", OPT_STRING, O(file), "string", "Name of the Dockerfile (default: PATH/Dockerfile)" },
        { 0, "force-rm", OPT_BOOL, O(ignored), NULL, "Always remove intermediate containers (always done)", .hidden = true },
        { 0, "iidfile", OPT_STRING, O(iidfile), "string", "Write the image ID to the file" },
        { 0, "label", OPT_STRV, O(labels), "list", "Set metadata for an image" },
        { 'm', "memory", OPT_SIZE, O(memory), "bytes", "Memory limit of RUN steps" },
        { 0, "network", OPT_STRING, O(network), "string", "Set the networking mode for the RUN instructions during build (default|host|none)" },
        { 0, "no-cache", OPT_BOOL, O(no_cache), NULL, "Do not use cache when building the image" },
        { 0, "platform", OPT_STRING, O(platform), "string", "Set platform if server is multi-platform capable" },
        { 0, "progress", OPT_STRING, O(progress), "string", "Accepted and ignored: output is plain", .hidden = true },
        { 0, "pull", OPT_BOOL, O(pull), NULL, "Always attempt to pull a newer version of the image" },
        { 'q', "quiet", OPT_BOOL, O(quiet), NULL, "Suppress the build output and print image ID on success" },
        { 0, "rm", OPT_BOOL, O(ignored), NULL, "Remove intermediate containers after a successful build (always done)", .hidden = true },
        { 't', "tag", OPT_STRV, O(tags), "list", "Name and optionally a tag in the \"name:tag\" format" },
        { 0, "target", OPT_STRING, O(target), "string", "Set the target build stage to build" },
        {},
};
const struct command command_build = {
        .options = build_rows, .options_size = sizeof(struct build_flags), .min_args = 1, .max_args = 1, .args = "PATH | -", .run = build_run_command,
        .description = "Builds an image from a Dockerfile and the folder PATH. With - a tar of the folder, or a Dockerfile alone, is read from "
                       "standard input. Contexts and ADD from URLs and git repositories are not supported yet.",
};

struct prune_flags { bool all, force; };

static int prune_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct prune_flags *f = options;
        struct engine *e;
        unsigned count = 0;
        if (cli_engine(cli, &e, err) < 0 || build_prune(engine_db(e), f->all, &count, err) < 0)
                return -1;
        return out_line(err, "Removed %u cached steps", count);
}

static const struct option_row prune_rows[] = {
        { 'a', "all", OPT_BOOL, offsetof(struct prune_flags, all), NULL, "Forget every cached step, not just those whose images are gone" },
        { 'f', "force", OPT_BOOL, offsetof(struct prune_flags, force), NULL, "Do not prompt for confirmation (never done)" },
        {},
};
const struct command command_builder_prune = {
        .options = prune_rows, .options_size = sizeof(struct prune_flags), .max_args = 0, .args = "", .run = prune_run,
};
