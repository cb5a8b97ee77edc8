#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/command-internal.h"

#define AT_ONCE 64

typedef int (*each_fn)(struct engine *e, const char *arg, void *data, struct err *err);

int cli_each(struct cli *cli, char **args, each_fn fn, void *data, struct err *err)
{
        struct engine *e;
        int code = 0;
        if (cli_engine(cli, &e, err) < 0)
                return -1;
        STRV_FOREACH (arg, args) {
                struct err one = ERR_INIT;
                if (fn(e, *arg, data, &one) == 0)
                        continue;
                cli_print_error(&one);
                code = 1;
        }
        return code;
}

static int child(struct cli *cli, char *arg, each_fn fn, void *data)
{
        char *one[] = { arg, NULL };
        struct err err = ERR_INIT;
        int code = cli_each(cli, one, fn, data, &err);
        if (code < 0)
                cli_print_error(&err);
        if (cli->engine)
                engine_close(cli->engine);
        return code == 0 ? 0 : 1;
}

/* One of ours has ended; 0 when it went well. */
static int reap(void)
{
        int status;
        pid_t pid;
        do
                pid = wait(&status);
        while (pid < 0 && errno == EINTR);
        return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

int cli_each_at_once(struct cli *cli, char **args, each_fn fn, void *data, struct err *err)
{
        int code = 0;
        unsigned running = 0;
        /* A handle on the database does not survive a fork: where there is one already, nothing is forked. */
        if (strv_len(args) < 2 || cli->engine)
                return cli_each(cli, args, fn, data, err);
        fflush(NULL);
        STRV_FOREACH (arg, args) {
                if (running == AT_ONCE) {
                        code |= reap();
                        running--;
                }
                pid_t pid = fork();
                if (pid == 0)
                        _exit(child(cli, *arg, fn, data));
                if (pid < 0) {
                        err_sys(err, "fork");
                        code = -1;
                        break;
                }
                running++;
        }
        for (; running > 0; running--)
                if (reap() && code == 0)
                        code = 1;
        return code;
}
