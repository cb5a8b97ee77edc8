/* startContainer hooks. Their programs are the image's, so they are started as its process is: by the sealed stage program
 * (an image must not come to execute our own binary, CVE-2019-5736), and with no more than the process's own rights. */
#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"

struct inside {
        struct oci_process process; /* borrows everything */
        char *only_path[2];
        int stage_fd, state_fd, ours, theirs;
};

static void inside_done(struct inside *x)
{
        int *const fds[] = { &x->stage_fd, &x->state_fd, &x->ours, &x->theirs };
        for (size_t i = 0; i < ELEMENTS(fds); i++)
                mem_closep(fds[i]);
}

static int prepare(const struct init *in, const struct oci_hook *h, const char *state, struct inside *x,
                   struct err *err)
{
        /* The process's filter holds for them too; a listener nobody waits for would only make its calls fail. */
        static const struct seccomp_filter none;
        int sv[2];
        if (str_empty(h->path) || h->path[0] != '/')
                return err_set(err, ERR_INVALID, "the path must be absolute");
        x->only_path[0] = h->path;
        x->process = in->spec->process;
        x->process.args = h->args && h->args[0] ? h->args : x->only_path;
        x->process.env = h->env ? h->env : in->spec->process.env;
        x->process.cwd = (char *)"/";
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
                return err_sys(err, "socket");
        x->ours = sv[0];
        x->theirs = sv[1];
        x->state_fd = fd_memfd("state", state, strlen(state), err);
        if (x->state_fd < 0)
                return -1;
        struct stage_request r = { .process = &x->process,
                                   .command = h->path,
                                   .filter = in->filter->notify ? &none : in->filter,
                                   .sync_fd = x->theirs,
                                   .listen_fd = -1,
                                   .label_fd = -1 };
        x->stage_fd = stage_make(&r, err);
        return x->stage_fd < 0 ? -1 : 0;
}

__attribute__((noreturn)) static void run(struct inside *x)
{
        struct err err = ERR_INIT;
        const int stdio[3] = { x->state_fd, -1, -1 };
        mem_closep(&x->ours);
        (void)process_launch(&x->process, x->process.args, stdio, 0, x->theirs, -1, -1, x->stage_fd, &err);
        (void)sync_send_error(x->theirs, &err);
        _exit(1);
}

/* What the child said before it ended, or nothing. */
static int said(int fd, struct err *err)
{
        struct sync_packet p;
        if (sync_receive(fd, &p, NULL, err) < 0)
                return -1;
        if (p.message.type == SYNC_STAGE)
                return stage_error(&p.message, err);
        if (p.message.type == SYNC_ERROR) {
                *err = p.error;
                return -1;
        }
        return 0;
}

static int wait_for(pid_t pid, int pidfd, const struct oci_hook *h, struct err *err)
{
        struct err late = ERR_INIT;
        int status = 0, timeout = h->timeout > 0 && h->timeout < INT32_MAX / 1000 ? (int)h->timeout * 1000 : -1;
        bool in_time = proc_wait_gone(pidfd, timeout, &late) == 0;
        if (!in_time)
                (void)kill(pid, SIGKILL);
        if (proc_wait(pid, &status, err) < 0)
                return -1;
        if (!in_time)
                return err_set(err, ERR_TIMEOUT, "did not end within %d s", (int)h->timeout);
        return hook_ended(status, err);
}

static int run_hook(const struct init *in, const struct oci_hook *h, const char *state, struct err *err)
{
        _cleanup_(inside_done) struct inside x = { .stage_fd = -1, .state_fd = -1, .ours = -1, .theirs = -1 };
        if (prepare(in, h, state, &x, err) < 0)
                return -1;
        int pidfd_raw = -1;
        struct clone_args args = { .flags = CLONE_PIDFD,
                                   .pidfd = (uint64_t)(uintptr_t)&pidfd_raw,
                                   .exit_signal = SIGCHLD };
        pid_t pid = kernel_clone3(&args, sizeof(args));
        if (pid < 0)
                return err_sys(err, "clone");
        if (pid == 0)
                run(&x);
        _cleanup_close_ int pidfd = pidfd_raw;
        mem_closep(&x.theirs);
        struct err ended = ERR_INIT;
        int r = wait_for(pid, pidfd, h, &ended);
        if (r < 0 && ended.kind == ERR_SYSTEM && said(x.ours, err) < 0)
                return -1;
        if (r < 0)
                *err = ended;
        return r;
}

int hooks_inside(struct init *in, struct err *err)
{
        const struct oci_hooks *hooks = &in->spec->hooks[OCI_HOOK_START_CONTAINER];
        _cleanup_free_ char *state =
                runtime_state_json(in->spec, in->request->id, in->request->bundle, getpid(), "created");
        for (size_t i = 0; i < hooks->count; i++)
                if (run_hook(in, &hooks->list[i], state, err) < 0)
                        return hook_failed(OCI_HOOK_START_CONTAINER, i, &hooks->list[i], err);
        return 0;
}
