#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "cli/command-internal.h"
#include "cli/output.h"
#include "engine/engine.h"

const struct option_row global_rows[] = {
        { 0, "config", OPT_STRING, offsetof(struct global_options, config), "directory",
          "Location of client configuration files (registry credentials)" },
        { 'D', "debug", OPT_BOOL, offsetof(struct global_options, debug), NULL, "Print debugging messages" },
        { 'l', "log-level", OPT_STRING, offsetof(struct global_options, log_level), NULL,
          "Least level of messages printed (\"debug\", \"info\", \"warn\", \"error\")" },
        { 0, "root", OPT_STRING, offsetof(struct global_options, root), "directory",
          "Data root (default $TARE_ROOT, else /var/lib/tare)" },
        { 0, "run", OPT_STRING, offsetof(struct global_options, run), "directory",
          "Run-time root (default $TARE_RUN, else /run/tare)" },
        { 0, "storage-driver", OPT_STRING, offsetof(struct global_options, storage_driver), "name",
          "Storage driver of a new data root (\"overlay\", \"erofs\", \"vfs\")" },
        { 'v', "version", OPT_BOOL, offsetof(struct global_options, version), NULL,
          "Print version information and quit" },
        { 0 },
};

/* Everything one run of a program holds, so that main's ends are all alike. */
struct session {
        struct cli cli;
        struct global_options globals;
        char **args; /* positionals after the globals: the command and what belongs to it */
        int argc;
};

static void session_done(struct session *s)
{
        if (s->cli.engine)
                engine_close(s->cli.engine);
        options_free(global_rows, &s->globals);
        free(s->args);
}

static void print_log(enum log_level level, const char *line)
{
        static const char *const words[] = { "debug: ", "", "WARNING: " };
        fprintf(stderr, "%s%s\n", words[level], line);
}

void cli_print_error(const struct err *err)
{
        fflush(stdout);
        fprintf(stderr, "tare: %s\n", err->msg);
}

static int template_lend(const char *text, const json_t *value, char **ret, struct err *err)
{
        _cleanup_(template_freep) struct template *t = NULL;
        _cleanup_buf_ struct buf out = BUF_INIT(65536);
        if (template_parse(text, &t, err) < 0 || template_execute(t, value, &out, err) < 0)
                return -1;
        *ret = buf_take(&out);
        return 0;
}

int cli_engine(struct cli *cli, struct engine **ret, struct err *err)
{
        if (!cli->engine && engine_open(&cli->engine_options, &cli->engine, err) < 0)
                return -1;
        engine_lend_template(cli->engine, template_lend);
        *ret = cli->engine;
        return 0;
}

/* The exit code of a command that failed: the two kinds that speak of the container's own command keep their codes where the command
 * passes the container's on. */
static int error_exit(const struct command *c, const struct err *err)
{
        if (c->error_code && err->kind == ERR_CANNOT_RUN)
                return 126;
        if (c->error_code && err->kind == ERR_NO_COMMAND)
                return 127;
        return c->error_code ? c->error_code : 1;
}

/* Buffered output that cannot be written is a failure, whatever the command returned. */
static int finish_output(int code)
{
        if (fflush(stdout) == 0 && !ferror(stdout))
                return code;
        fprintf(stderr, "tare: write to standard output: %s\n", strerror(errno));
        return code ? code : 1;
}

static int usage_error(const struct command_entry *e, const struct err *err, int code)
{
        cli_print_error(err);
        fprintf(stderr, "See 'tare %s --help'.\n", e->name);
        return code;
}

static int run_with(struct session *s, const struct command_entry *e, char **words, int count, void *options)
{
        _cleanup_free_ char **args = NULL;
        struct err err = ERR_INIT;
        bool help = false;
        if (options_parse(e->command, count, words, options, &args, &help, &err) < 0)
                return usage_error(e, &err, CLI_USAGE_EXIT);
        if (help) {
                command_print_help(e);
                return finish_output(0);
        }
        if (args_check(e, args, &err) < 0)
                return usage_error(e, &err, 1);
        s->cli.entry = e;
        int code = e->command->run(&s->cli, options, args, &err);
        if (code < 0) {
                cli_print_error(&err);
                code = error_exit(e->command, &err);
        }
        return finish_output(code);
}

static int command_run_words(struct session *s, const struct command_entry *e, char **words, int count)
{
        const struct command *c = e->command;
        _cleanup_free_ void *options = xcalloc(1, c->options_size ? c->options_size : 1);
        if (c->init)
                c->init(options);
        int code = run_with(s, e, words, count, options);
        options_free(c->options, options);
        if (c->done)
                c->done(options);
        return code;
}

/* Hands the same words to the program that has the command. */
static int exec_program(const struct session *s, const char *program, char **argv)
{
        _cleanup_free_ char *path = NULL;
        struct err err = ERR_INIT;
        if (str_eq(program, s->cli.program))
                err_set(&err, ERR_UNSUPPORTED, "this build of %s lacks the command", program);
        else if (engine_program(program, &path, &err) == 0) {
                execv(path, argv);
                err_sys(&err, "%s", path);
        }
        cli_print_error(&err);
        return 1;
}

static int group_or_unknown(const struct session *s)
{
        const char *first = s->args[0];
        if (!command_is_group(first)) {
                fprintf(stderr, "tare: '%s' is not a tare command. See 'tare --help'.\n", first);
                return 1;
        }
        const char *second = s->args[1];
        if (!second || str_eq(second, "--help") || str_eq(second, "-h")) {
                group_print_help(first, stdout);
                return finish_output(0);
        }
        fprintf(stderr, "tare: '%s %s' is not a tare command. See 'tare %s --help'.\n", first, second, first);
        return 1;
}

static int dispatch(struct session *s, char **argv)
{
        int words;
        const struct command_entry *e = command_find(s->argc, s->args, &words);
        if (!e && str_eq(s->args[0], "__complete")) {
                struct err err = ERR_INIT;
                return complete_words(&s->cli, s->argc - 1, s->args + 1, &err) < 0 ? 1 : finish_output(0);
        }
        if (!e)
                return group_or_unknown(s);
        if (!e->command)
                return exec_program(s, e->program, argv);
        return command_run_words(s, e, s->args + words, s->argc - words);
}

static int apply_globals(struct session *s, struct err *err)
{
        const struct global_options *g = &s->globals;
        s->cli.engine_options = (struct engine_options){ g->root, g->run, g->storage_driver };
        bool debug = g->debug || str_eq(g->log_level, "debug");
        bool info = str_empty(g->log_level) || str_eq(g->log_level, "info");
        log_set_sink(str_eq(g->log_level, "error") || str_eq(g->log_level, "fatal") ? NULL : print_log,
                     debug  ? LOG_LEVEL_DEBUG
                     : info ? LOG_LEVEL_INFO
                            : LOG_LEVEL_WARNING);
        if (g->config && setenv("DOCKER_CONFIG", g->config, 1) < 0)
                return err_sys(err, "DOCKER_CONFIG");
        return 0;
}

int cli_main(int argc, char **argv, const char *program)
{
        _cleanup_(session_done) struct session s = { .cli.program = program };
        struct err err = ERR_INIT;
        bool help = false;
        if (argc < 1)
                return CLI_USAGE_EXIT;
        if (options_parse_rows(global_rows, true, argc - 1, argv + 1, &s.globals, &s.args, &help, &err) < 0 ||
            apply_globals(&s, &err) < 0) {
                cli_print_error(&err);
                fprintf(stderr, "See 'tare --help'.\n");
                return CLI_USAGE_EXIT;
        }
        if (s.globals.version) {
                printf("tare version %s\n", TARE_VERSION);
                return finish_output(0);
        }
        s.argc = s.args ? (int)strv_len(s.args) : 0;
        if (help || s.argc == 0) {
                commands_print_help();
                return finish_output(0);
        }
        return dispatch(&s, argv);
}
