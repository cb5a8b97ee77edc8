#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include "base/proc.h"
#include "ociruntime/checkpoint-internal.h"
#include "ociruntime/launch-internal.h"
#include "ociruntime/lifecycle-internal.h"

#define MOUNTPOINT "root" /* in the container's folder: nothing is mounted on it but in criu's own namespace */

/* Before it runs: who is killed after this leaves a container that others know. */
static int keep_pid(void *data, pid_t pid, struct err *err)
{
        struct launch *l = data;
        l->container.state.pid = pid;
        if (proc_start_time(pid, &l->container.state.start_time, err) < 0)
                return -1;
        return container_save(&l->container, &l->spec, err);
}

static int restore_init(struct launch *l, const char *id, const struct checkpoint_options *options, struct err *err)
{
        const struct verb_options *o = l->options;
        _cleanup_free_ char *mountpoint = xasprintf("%s/%s/" MOUNTPOINT, l->program->root, id);
        struct runtime_restore request = { .options = *options,
                                           .id = id,
                                           .spec = &l->spec,
                                           .bundle = l->bundle,
                                           .rootfs = l->container.state.rootfs,
                                           .mountpoint = mountpoint,
                                           .systemd_cgroup = l->program->systemd_cgroup,
                                           .lsm_profile = o->lsm_profile,
                                           .lsm_mount_context = o->lsm_mount_context,
                                           .stdio = { 0, 1, 2 },
                                           .on_restored = keep_pid,
                                           .data = l };
        if (mkdirat(l->container.dir_fd, MOUNTPOINT, 0755) < 0)
                return err_sys(err, "make %s", mountpoint);
        if (runtime_restore(&request, &l->runtime, err) < 0)
                return -1;
        if (unlinkat(l->container.dir_fd, MOUNTPOINT, AT_REMOVEDIR) < 0)
                return err_sys(err, "remove %s", mountpoint);
        if (l->runtime.console_fd >= 0 && l->console_socket && console_send(l->console_socket, l->runtime.console_fd, err) < 0)
                return -1;
        return l->pid_file ? pid_file_write(l->pid_file, l->runtime.pid, err) : 0;
}

static int wait_end(struct launch *l, struct err *err)
{
        int status = 0;
        container_unlock(&l->container); /* others may exec, kill or delete it */
        if (foreground_wait(l->runtime.pid, l->runtime.pidfd, TAKE_FD(l->runtime.console_fd), -1, &status, err) < 0)
                return -1;
        l->made = false; /* init is reaped */
        return container_destroy(&l->container, err) < 0 ? -1 : status;
}

static int restore(struct launch *l, const char *id, struct err *err)
{
        _cleanup_(checkpoint_paths_done) struct checkpoint_paths paths = { 0 };
        struct checkpoint_options options;
        if (checkpoint_read_options(l->program, l->options, &paths, &options, err) < 0 ||
            launch_prepare(l, id, l->options->detach, err) < 0)
                return -1;
        checkpoint_choose_config(l->spec.annotations, &paths, &options);
        return launch_make_folder(l, id, false, err) < 0 ? -1 : restore_init(l, id, &options, err);
}

int verb_restore(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        _cleanup_(launch_done) struct launch l = LAUNCH_INIT(p, o);
        oci_spec_init(&l.spec);
        if (!o->no_subreaper && !o->detach && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                return err_sys(err, "become the subreaper");
        if (restore(&l, args[0], err) < 0)
                return -1;
        if (o->detach) {
                l.made = false;
                return 0;
        }
        foreground_begin();
        return wait_end(&l, err);
}
