/* exec -d: a child of ours starts the process and becomes tare-monitor, which does nothing but wait for it and then have its end told. */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "runtime/attach.h"

static void become_holder(struct engine *e, const struct container *c, const char *id, pid_t pid, const char *monitor, const char *program)
{
        struct monitor_options o;
        _cleanup_free_ char *run_dir = run_dir_path(e, c->id);
        monitor_options_init(&o);
        o.id = (char *)(uintptr_t)c->id;
        o.exec_id = (char *)(uintptr_t)id;
        o.run_dir = run_dir;
        o.pid = pid;
        o.cleanup_program = (char *)(uintptr_t)program;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int fd = 0; null >= 0 && fd < 3; fd++)
                dup2(null, fd);
        fd_cloexec_from(3);
        char **argv = monitor_options_to_argv(&o, "tare-monitor");
        execv(monitor, argv);
}

static void child(struct engine *e, struct container *c, const struct exec_request *x, const char *id, int result)
{
        static const int nothing[3] = { -1, -1, -1 };
        struct err told = ERR_INIT;
        struct exec_session s = { .pidfd = -1, .console_fd = -1 };
        _cleanup_free_ char *monitor = NULL, *program = NULL;
        db_forget(engine_db(e));
        setsid();
        if (engine_program("tare-monitor", &monitor, &told) == 0 && engine_program("tare", &program, &told) == 0 &&
            exec_here(e, c, x, nothing, &s, &told) == 0)
                err_clear(&told);
        bool started = told.kind == ERR_NONE;
        fd_write_full(result, &told, sizeof(told));
        if (started)
                become_holder(e, c, id, s.pid, monitor, program);
        _exit(0);
}

int exec_detached(struct engine *e, struct container *c, const struct exec_request *x, const char *id, struct err *err)
{
        int result[2];
        struct err told = ERR_INIT;
        if (pipe2(result, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        _cleanup_close_ int ours = result[0];
        _cleanup_close_ int theirs = result[1];
        pid_t pid = fork();
        if (pid < 0)
                return err_sys(err, "fork");
        if (pid == 0)
                child(e, c, x, id, theirs);
        close(TAKE_FD(theirs));
        ssize_t n = fd_read_full(ours, &told, sizeof(told));
        if (n != (ssize_t)sizeof(told) || told.kind != ERR_NONE)
                waitpid(pid, NULL, 0);
        if (n != (ssize_t)sizeof(told))
                return err_set(err, ERR_SYSTEM, "the process that starts the command was killed");
        if (told.kind == ERR_NONE)
                return 0;
        *err = told;
        return -1;
}
