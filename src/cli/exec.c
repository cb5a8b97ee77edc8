/* exec. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/str.h"
#include "cli/output.h"
#include "cli/run_options.h"
#include "cli/session.h"
#include "engine/containers.h"

static int exec_env(void *options, const char *text, struct err *err)
{
        struct exec_request *x = options;
        const char *value;
        if (!*text || *text == '=')
                return err_set(err, ERR_INVALID, "invalid environment variable: %s", text);
        if (strchr(text, '='))
                strv_env_set(&x->env, text);
        else if ((value = getenv(text)))
                strv_push_take(&x->env, xasprintf("%s=%s", text, value));
        return 0;
}

static int exec_env_file(void *options, const char *path, struct err *err)
{
        return env_file_read(path, &((struct exec_request *)options)->env, err);
}

static int exec_session(const struct exec_request *x, struct exec_session *s, struct err *err)
{
        int status = 0;
        bool detached = false;
        if (s->console_fd >= 0 && session_run_console(s->console_fd, x->open_stdin, x->detach_keys, &detached, err) < 0)
                return -1;
        if (detached)
                return 0;
        return proc_wait(s->pid, &status, err) < 0 ? -1 : status;
}

static int exec_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct exec_request *x = options;
        struct engine *e;
        struct exec_session s = { .pidfd = -1, .console_fd = -1 };
        const int stdio[3] = { x->open_stdin ? STDIN_FILENO : -1, STDOUT_FILENO, STDERR_FILENO };
        if (x->tty && x->open_stdin && !x->detach && !isatty(STDIN_FILENO))
                return err_set(err, ERR_INVALID, "the input device is not a TTY");
        strv_extend(&x->args, args + 1);
        if (x->tty)
                terminal_size(&x->rows, &x->columns);
        if (cli_engine(cli, &e, err) < 0 || container_exec(e, args[0], x, stdio, &s, err) < 0)
                return -1;
        if (x->detach)
                return 0;
        _cleanup_close_ int pidfd = s.pidfd, console = s.console_fd;
        int status = exec_session(x, &s, err);
        container_exec_ended(e, args[0], s.id, status);
        return status;
}

static void exec_done(void *options)
{
        struct exec_request *x = options;
        strv_free(x->env);
        strv_free(x->args);
}

static const struct option_row exec_rows[] = {
        { 'd', "detach", OPT_BOOL, offsetof(struct exec_request, detach), NULL, "Detached mode: run command in the background" },
        { 0, "detach-keys", OPT_STRING, offsetof(struct exec_request, detach_keys), "string", "Override the key sequence for detaching a container" },
        { 'e', "env", OPT_PARSE, 0, "list", "Set environment variables", exec_env },
        { 0, "env-file", OPT_PARSE, 0, "list", "Read in a file of environment variables", exec_env_file },
        { 'i', "interactive", OPT_BOOL, offsetof(struct exec_request, open_stdin), NULL, "Keep STDIN open even if not attached" },
        { 0, "privileged", OPT_BOOL, offsetof(struct exec_request, privileged), NULL, "Give extended privileges to the command" },
        { 't', "tty", OPT_BOOL, offsetof(struct exec_request, tty), NULL, "Allocate a pseudo-TTY" },
        { 'u', "user", OPT_STRING, offsetof(struct exec_request, user), "string", "Username or UID (format: \"<name|uid>[:<group|gid>]\")" },
        { 'w', "workdir", OPT_STRING, offsetof(struct exec_request, working_dir), "string", "Working directory inside the container" },
        {},
};
const struct command command_exec = {
        .options = exec_rows, .options_size = sizeof(struct exec_request), .done = exec_done, .min_args = 2, .max_args = -1,
        .args = "CONTAINER COMMAND [ARG...]", .stop_at_args = true, .run = exec_run, .error_code = 1,
};
