#include "ociruntime/lifecycle-internal.h"
#include "ociruntime/notify-internal.h"
#include "runtime/container.h"

static int check_created(struct container *c, struct err *err)
{
        switch (container_status(c)) {
        case CONTAINER_CREATED:
                return 0;
        case CONTAINER_STOPPED:
        case CONTAINER_CREATING:
                return err_set(err, ERR_CONFLICT, "cannot start a container that has stopped");
        default:
                return err_set(err, ERR_CONFLICT, "cannot start an already running container");
        }
}

int verb_start(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        _cleanup_container_ struct container c = CONTAINER_INIT;
        _cleanup_runtime_container_ struct runtime_container r = RUNTIME_CONTAINER_INIT;
        if (container_open(p->root, args[0], true, &c, err) < 0 || check_created(&c, err) < 0)
                return -1;
        _cleanup_close_ int notify_fd = -1;
        if (notify_listen(&c, &notify_fd, err) < 0)
                return -1;
        r.start_fd = container_connect(&c, err);
        if (r.start_fd < 0 || runtime_start(&r, err) < 0)
                return -1;
        hooks_tell(&c, NULL, OCI_HOOK_POSTSTART, "running");
        container_unlock(&c); /* others may exec, kill or delete it */
        return notify_wait(notify_fd, c.state.pid, c.state.start_time, err);
}

char *seccomp_cache(const struct program *p)
{
        return xasprintf("%s/@seccomp", p->root); /* no container can have this name */
}
