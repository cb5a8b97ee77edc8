/* A further process in a container that another runtime made. */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/foreign-internal.h"

/* Names of one call, as several may be at it. */
struct call { char *process, *pid_file, *console, *console_name; int dir, listening; };

static void call_done(struct call *x)
{
        if (x->process)
                unlink(x->process);
        if (x->pid_file)
                unlink(x->pid_file);
        if (x->console)
                unlinkat(x->dir, x->console_name, 0);
        mem_closep(&x->listening);
        mem_closep(&x->dir);
        free(x->process);
        free(x->pid_file);
        free(x->console);
        free(x->console_name);
}

static int call_init(const struct foreign *f, const struct oci_process *p, struct call *x, struct err *err)
{
        int me = (int)getpid();
        x->dir = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (x->dir < 0)
                return err_sys(err, "%s", f->dir);
        x->process = xasprintf("%s/exec.%d.json", f->dir, me);
        x->pid_file = xasprintf("%s/exec.%d.pid", f->dir, me);
        x->console_name = xasprintf("exec.%d.sock", me);
        _cleanup_free_ char *text = oci_process_format(p);
        if (file_write_at(AT_FDCWD, x->process, text, strlen(text), 0600, false, err) < 0)
                return -1;
        return p->terminal && (x->listening = foreign_console_listen(x->dir, x->console_name, &x->console, err)) < 0 ? -1 : 0;
}

static int call_run(const struct foreign *f, const struct call *x, const int stdio[3], struct err *err)
{
        static const int nothing[3] = { -1, -1, -1 };
        _cleanup_strv_ char **words = NULL;
        const char *const fixed[] = { "--detach", "--process", x->process, "--pid-file", x->pid_file };
        for (size_t i = 0; i < ELEMENTS(fixed); i++)
                strv_push(&words, fixed[i]);
        if (x->console) {
                strv_push(&words, "--console-socket");
                strv_push(&words, x->console);
        }
        return foreign_run(f, "exec", words, x->console ? nothing : stdio, NULL, err);
}

int foreign_exec(struct engine *e, const struct container *c, const struct oci_process *process, const int stdio[3],
                 struct runtime_exec_result *ret, struct err *err)
{
        _cleanup_foreign_ struct foreign f = { 0 };
        _cleanup_(call_done) struct call x = { .dir = -1, .listening = -1 };
        struct runtime_exec_result r = { .pidfd = -1, .console_fd = -1 };
        if (foreign_open(e, c, &f, err) < 0 || call_init(&f, process, &x, err) < 0)
                return -1;
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return err_sys(err, "become the subreaper");
        if (call_run(&f, &x, stdio, err) < 0 || foreign_pid_read(x.pid_file, &r.pid, &r.pidfd, err) < 0)
                return -1;
        if (process->terminal && (r.console_fd = foreign_console_take(x.listening, err)) < 0) {
                mem_closep(&r.pidfd);
                return -1;
        }
        *ret = r;
        return 0;
}
