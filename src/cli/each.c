/* One function on each of a command's arguments: one after the other, or side by side. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command-internal.h"
#include "cli/output.h"

#define AT_ONCE 64              /* unless the caller says otherwise */
#define OUTPUT_MAX 65536       /* a pipe holds it, so that nobody waits for us to read */

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

/* --- side by side: a process an argument, whose output is kept until those before it have had theirs printed --- */

struct task {
        pid_t pid;                     /* 0: not begun, or over */
        int output;
        char *text;                    /* of one that is over */
        bool over;
};

struct crowd {
        struct task *tasks;
        size_t count, printed;
        unsigned running;
        int code;
};

static void crowd_done(struct crowd *c)
{
        for (size_t i = 0; i < c->count; i++) {
                if (c->tasks[i].output >= 0)
                        close(c->tasks[i].output);
                free(c->tasks[i].text);
        }
        free(c->tasks);
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
        return fflush(NULL) == 0 && code == 0 ? 0 : 1;
}

static int task_begin(struct task *t, struct cli *cli, char *arg, each_fn fn, void *data, struct err *err)
{
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        _cleanup_close_ int ours = ends[0];
        _cleanup_close_ int theirs = ends[1];
        pid_t pid = fork();
        if (pid < 0)
                return err_sys(err, "fork");
        if (pid == 0)
                _exit(dup2(theirs, STDOUT_FILENO) < 0 ? 1 : child(cli, arg, fn, data));
        *t = (struct task){ .pid = pid, .output = TAKE_FD(ours) };
        return 0;
}

/* Its process is gone, so all that it wrote is there; and what it started may hold the pipe's other end for longer. */
static void task_end(struct task *t)
{
        char text[OUTPUT_MAX];
        fd_set_nonblock(t->output, true);
        ssize_t n = read(t->output, text, sizeof(text));
        t->text = xstrndup(text, n > 0 ? (size_t)n : 0);
        close(TAKE_FD(t->output));
        t->pid = 0;
        t->over = true;
}

static void crowd_print(struct crowd *c, struct err *err)
{
        for (; c->printed < c->count && c->tasks[c->printed].over; c->printed++) {
                const char *text = c->tasks[c->printed].text;
                if (c->code >= 0 && out_write(text, strlen(text), err) < 0)
                        c->code = -1;
        }
}

/* Waits for one of ours; then prints what is complete from the front on. */
static void crowd_reap(struct crowd *c, struct err *err)
{
        int status;
        pid_t pid;
        do
                pid = wait(&status);
        while (pid < 0 && errno == EINTR);
        c->running--;
        for (size_t i = c->printed; pid > 0 && i < c->count; i++) {
                if (c->tasks[i].pid != pid)
                        continue;
                task_end(&c->tasks[i]);
                if (c->code == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
                        c->code = 1;
                break;
        }
        crowd_print(c, err);
}

int cli_each_few(struct cli *cli, unsigned few, char **args, each_fn fn, void *data, struct err *err)
{
        size_t count = strv_len(args);
        /* A handle on the database does not survive a fork: where there is one already, nothing is forked. */
        if (count < 2 || cli->engine)
                return cli_each(cli, args, fn, data, err);
        _cleanup_(crowd_done) struct crowd c = { .tasks = xcalloc(count, sizeof(struct task)), .count = count };
        for (size_t i = 0; i < count; i++)
                c.tasks[i].output = -1;
        fflush(NULL);
        for (size_t i = 0; i < count && c.code >= 0; i++) {
                if (c.running == few)
                        crowd_reap(&c, err);
                if (c.code < 0 || task_begin(&c.tasks[i], cli, args[i], fn, data, err) < 0)
                        c.code = -1;
                else
                        c.running++;
        }
        while (c.running > 0)
                crowd_reap(&c, err);
        return c.code;
}

int cli_each_at_once(struct cli *cli, char **args, each_fn fn, void *data, struct err *err)
{
        return cli_each_few(cli, AT_ONCE, args, fn, data, err);
}
