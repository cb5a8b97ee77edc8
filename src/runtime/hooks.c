#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include "base/fd.h"
#include "base/json.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/init-internal.h"

char *runtime_state_json(const struct oci_spec *spec, const char *id, const char *bundle, pid_t pid, const char *status)
{
        _cleanup_json_ json_t *o = json_object();
        json_object_set_new(o, "ociVersion", json_string("1.2.0"));
        json_object_set_new(o, "id", json_string(id));
        json_object_set_new(o, "status", json_string(status));
        if (pid > 0)
                json_object_set_new(o, "pid", json_integer(pid));
        json_object_set_new(o, "bundle", json_string(bundle ? bundle : ""));
        json_set_map(o, "annotations", spec->annotations);
        return json_text(o);
}

int hook_failed(enum oci_hook_kind kind, size_t index, const struct oci_hook *h, struct err *err)
{
        const char *name = oci_hook_name(kind);
        err_add(err, "error running hook %s", h->path ? h->path : "");
        return err_add(err, "hooks.%s[%zu]: error running %s hook #%zu", name, index, name, index);
}

int hook_ended(int status, struct err *err)
{
        const char *name = status > 128 && status < 128 + NSIG ? sigdescr_np(status - 128) : NULL;
        if (!status)
                return 0;
        if (!name)
                return err_set(err, ERR_SYSTEM, "exited with %d", status);
        return err_set(err, ERR_SYSTEM, "exited with %d, signal: %c%s", status, tolower((unsigned char)name[0]), name + 1);
}

static int run_hook(const struct oci_hook *h, const char *state, struct err *err)
{
        char *const only_path[] = { h->path, NULL };
        if (str_empty(h->path) || h->path[0] != '/')
                return err_set(err, ERR_INVALID, "the path must be absolute");
        _cleanup_close_ int input = fd_memfd("state", state, strlen(state), err), pidfd = -1;
        if (input < 0)
                return -1;
        struct proc_spawn spawn = { .path = h->path,
                                    .argv = h->args ? h->args : only_path,
                                    .env = h->env, /* without one ours is passed on, as peers do: hooks look for their programs in PATH */
                                    .stdin_fd = input,
                                    .stdout_fd = -1,
                                    .stderr_fd = 2 };
        pid_t pid = 0;
        int status = 0;
        if (proc_spawn(&spawn, &pid, &pidfd, err) < 0)
                return -1;
        int timeout = h->timeout > 0 && h->timeout < INT32_MAX / 1000 ? (int)h->timeout * 1000 : -1;
        struct err late = ERR_INIT, unused = ERR_INIT;
        bool in_time = proc_wait_gone(pidfd, timeout, &late) == 0;
        if (!in_time)
                (void)proc_signal(pidfd, SIGKILL, &unused);
        if (proc_wait(pid, &status, err) < 0)
                return -1;
        if (!in_time)
                return err_set(err, ERR_TIMEOUT, "did not end within %d s", (int)h->timeout);
        return hook_ended(status, err);
}

int runtime_hooks(const struct oci_spec *spec, enum oci_hook_kind kind, const char *id, const char *bundle, pid_t pid,
                  const char *status, struct err *err)
{
        const struct oci_hooks *hooks = &spec->hooks[kind];
        if (!hooks->count)
                return 0;
        _cleanup_free_ char *state = runtime_state_json(spec, id, bundle, pid, status);
        /* After the start a hook that fails is only told of: the container lives, or is gone, all the same. */
        bool go_on = kind == OCI_HOOK_POSTSTART || kind == OCI_HOOK_POSTSTOP;
        int r = 0;
        for (size_t i = 0; i < hooks->count; i++) {
                struct err one = ERR_INIT;
                if (run_hook(&hooks->list[i], state, &one) == 0)
                        continue;
                if (r == 0)
                        *err = one;
                r = hook_failed(kind, i, &hooks->list[i], err);
                if (!go_on)
                        return -1;
        }
        return r;
}
