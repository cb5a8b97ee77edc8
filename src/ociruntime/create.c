/* create and run: a bundle becomes a container. start is in start.c. */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/timefmt.h"
#include "ociruntime/launch-internal.h"
#include "ociruntime/lifecycle-internal.h"
#include "ociruntime/notify-internal.h"
#include "ociruntime/program-internal.h"
#include "runtime/cgroup.h"
#include "runtime/container.h"

/* Whatever was not finished leaves nothing behind. */
static void launch_undo(struct launch *l)
{
        struct err unused = ERR_INIT;
        if (l->runtime.pid > 0) {
                (void)runtime_remove(&l->runtime, &unused);
                while (waitpid(l->runtime.pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        (void)container_forget(&l->container, &unused);
}

void launch_done(struct launch *l)
{
        if (l->made)
                launch_undo(l);
        runtime_container_done(&l->runtime);
        container_done(&l->container);
        oci_spec_done(&l->spec);
        buf_done(&l->config);
        mem_closep(&l->listen_fd);
        mem_closep(&l->notify_fd);
        free(l->bundle);
        free(l->pid_file);
        free(l->console_socket);
        free(l->pidfd_socket);
}

/* ---- before anything is made ---- */

/* A pipe in its place must not hold us up; one that was named is meant. */
static int read_config(const char *path, bool named, struct buf *ret, struct err *err)
{
        struct stat st;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC | (named ? 0 : O_NONBLOCK));
        if (fd < 0)
                return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "JSON specification file %s not found", path) : err_sys(err, "%s", path);
        if (!named && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
                return err_set(err, ERR_INVALID, "%s: is no regular file", path);
        return fd_read_all(fd, ret, err) < 0 ? err_add(err, "%s", path) : 0;
}

static int read_bundle(struct launch *l, struct err *err)
{
        const struct verb_options *o = l->options;
        l->pid_file = path_absolute(o->pid_file);
        l->console_socket = path_absolute(o->console_socket);
        l->pidfd_socket = path_absolute(o->pidfd_socket);
        l->bundle = path_absolute(o->bundle ? o->bundle : ".");
        if (!str_is_utf8(l->bundle, strlen(l->bundle)))
                return err_set(err, ERR_INVALID, "the path of the bundle is not UTF-8");
        _cleanup_free_ char *given = path_absolute(o->config);
        const char *config = given ? given : "config.json";
        if (chdir(l->bundle) < 0)
                return err_sys(err, "chdir %s", l->bundle);
        if (read_config(config, given != NULL, &l->config, err) < 0)
                return -1;
        return oci_spec_parse(l->config.data, l->config.len, &l->spec, err);
}

/* The group of another container, or of the host, must never become ours: ending us would end what is in it. */
static int check_cgroup(const char *path, struct err *err)
{
        _cleanup_(cgroup_freep) struct cgroup *cg = NULL;
        _cleanup_free_ pid_t *pids = NULL;
        struct err none = ERR_INIT;
        size_t count = 0;
        if (cgroup_open(path, &cg, &none) < 0) {
                if (none.kind != ERR_INVALID)
                        return 0;
                *err = none;
                return err_add(err, "linux.cgroupsPath");
        }
        if (cgroup_frozen(cg))
                return err_set(err, ERR_CONFLICT, "container's cgroup unexpectedly frozen: %s", path);
        if (cgroup_pids(cg, &pids, &count, err) < 0)
                return -1;
        return count ? err_set(err, ERR_CONFLICT, "container's cgroup is not empty: %zu process(es) found", count) : 0;
}

/* A destination that is told from the host's root, below the container's: callers have come to rely on runc's taking that. */
static void strip_root(struct launch *l)
{
        _cleanup_free_ char *joined = path_join(l->bundle, str_empty(l->spec.root_path) ? "rootfs" : l->spec.root_path);
        _cleanup_free_ char *root = path_clean(l->spec.root_path && l->spec.root_path[0] == '/' ? l->spec.root_path : joined);
        for (size_t i = 0; i < l->spec.mount_count && !str_eq(root, "/"); i++) {
                const char *rest = str_after(l->spec.mounts[i].destination, root);
                if (rest && rest[0] == '/')
                        str_replace(&l->spec.mounts[i].destination, rest);
        }
}

int launch_prepare(struct launch *l, const char *id, bool detach, struct err *err)
{
        if (!container_id_ok(id))
                return err_set(err, ERR_INVALID, "invalid container ID format");
        if (preserved_descriptors(l->options, &l->preserved, err) < 0 || read_bundle(l, err) < 0 ||
            console_check(l->spec.process.terminal, detach, l->console_socket, err) < 0)
                return -1;
        strip_root(l);
        listen_environment(&l->spec.process, &l->preserved);
        if (!l->spec.has_process)
                return err_set(err, ERR_INVALID, "config.json: process: missing");
        if (geteuid() != 0 && !l->spec.namespaces[OCI_NS_USER].wanted)
                return err_set(err, ERR_INVALID, "rootless container requires user namespaces");
        l->own_group = !str_empty(l->spec.cgroups_path);
        if (!l->own_group) {
                _cleanup_free_ char *path = xasprintf(l->program->systemd_cgroup ? ":tare:%s" : "/tare/%s", id);
                str_replace(&l->spec.cgroups_path, path);
        }
        return 0;
}

/* ---- making it ---- */

/* A checkpoint has to know which pipes its stdio was. */
static char **stdio_names(const struct oci_spec *s)
{
        char **names = NULL;
        for (int fd = 0; fd < 3; fd++) {
                char link[FD_PATH_SIZE], name[4096];
                ssize_t n = s->process.terminal ? -1 : readlink(fd_path(fd, link), name, sizeof(name) - 1);
                name[n > 0 ? n : 0] = 0;
                strv_push(&names, n > 0 && str_is_utf8(name, (size_t)n) ? name : "/dev/null");
        }
        return names;
}

static void fill_state(struct launch *l, const char *id)
{
        const struct oci_spec *s = &l->spec;
        char now[TIME_TEXT_SIZE];
        l->container.state = (struct state){
                .id = xstrdup(id),
                .bundle = xstrdup(l->bundle),
                .rootfs = path_join(l->bundle, s->root_path ? s->root_path : "rootfs"),
                .created = xstrdup(time_format(time_now(), now)),
                .oci_version = xstrdup(s->oci_version ? s->oci_version : OCIRUNTIME_SPEC_VERSION),
                .cgroups_path = xstrdup(s->cgroups_path),
                .systemd = l->program->systemd_cgroup,
                .annotations = strv_dup(s->annotations),
                .descriptors = stdio_names(s),
                .rootless = program_is_rootless(l->program),
                .shared_pid = !s->namespaces[OCI_NS_PID].wanted || s->namespaces[OCI_NS_PID].path,
                .poststart = s->hooks[OCI_HOOK_POSTSTART].count > 0,
                .poststop = s->hooks[OCI_HOOK_POSTSTOP].count > 0,
        };
}

int launch_make_folder(struct launch *l, const char *id, bool listen, struct err *err)
{
        if (container_make(l->program->root, id, &l->container, err) < 0)
                return -1;
        l->made = true;
        if (check_cgroup(l->spec.cgroups_path, err) < 0)
                return -1;
        fill_state(l, id);
        if (container_save(&l->container, &l->spec, err) < 0 ||
            container_save_spec(&l->container, l->config.data, l->config.len, err) < 0)
                return -1;
        if (!listen)
                return 0;
        _cleanup_close_ int fd = container_listen(&l->container, err);
        l->listen_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3 + l->preserved.count);
        return fd >= 0 && l->listen_fd < 0 ? err_sys(err, "socket of the start") : l->listen_fd < 0 ? -1 : 0;
}

static int make_init(struct launch *l, const char *id, struct err *err)
{
        const struct verb_options *o = l->options;
        _cleanup_free_ char *cache = seccomp_cache(l->program);
        struct runtime_create request = { .id = id,
                                          .spec = &l->spec,
                                          .bundle_fd = -1,
                                          .stdio = { 0, 1, 2 },
                                          .preserve_fds = l->preserved.count,
                                          .seccomp_cache = l->spec.seccomp ? cache : NULL,
                                          .no_pivot = o->no_pivot,
                                          .cgroup_required = l->own_group || !program_is_rootless(l->program),
                                          .no_new_keyring = o->no_new_keyring,
                                          .loopback = true,
                                          .systemd_cgroup = l->program->systemd_cgroup,
                                          .bundle = l->bundle,
                                          .plain_lines = !l->console_socket,
                                          .start_listen_fd = l->listen_fd };
        if (notify_prepare(l, err) < 0 || runtime_create(&request, &l->runtime, err) < 0)
                return -1;
        l->container.state.pid = l->runtime.pid;
        l->container.state.start_time = l->runtime.start_time;
        if (container_save(&l->container, &l->spec, err) < 0)
                return -1;
        if (l->runtime.console_fd >= 0 && l->console_socket && console_send(l->console_socket, l->runtime.console_fd, err) < 0)
                return -1;
        if (l->pidfd_socket && pidfd_send(l->pidfd_socket, l->runtime.pidfd, err) < 0)
                return -1;
        return l->pid_file ? pid_file_write(l->pid_file, l->runtime.pid, err) : 0;
}

int verb_create(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        _cleanup_(launch_done) struct launch l = LAUNCH_INIT(p, o);
        oci_spec_init(&l.spec);
        if (launch_prepare(&l, args[0], true, err) < 0 || launch_make_folder(&l, args[0], true, err) < 0 || make_init(&l, args[0], err) < 0)
                return -1;
        l.made = false;
        return 0;
}

/* ---- run ---- */

static int run_start(struct launch *l, struct err *err)
{
        if (notify_listen(&l->container, &l->notify_fd, err) < 0 || runtime_start(&l->runtime, err) < 0)
                return -1;
        hooks_tell(&l->container, &l->spec, OCI_HOOK_POSTSTART, "running");
        return 0;
}

static int run_wait(struct launch *l, struct err *err)
{
        int status = 0;
        if (foreground_wait(l->runtime.pid, l->runtime.pidfd, TAKE_FD(l->runtime.console_fd), TAKE_FD(l->notify_fd), &status, err) < 0)
                return -1;
        l->made = false; /* init is reaped */
        if (!l->options->keep && container_destroy(&l->container, err) < 0)
                return -1;
        return status;
}

int verb_run(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        _cleanup_(launch_done) struct launch l = LAUNCH_INIT(p, o);
        oci_spec_init(&l.spec);
        if (!o->no_subreaper && !o->detach && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                return err_sys(err, "become the subreaper");
        if (launch_prepare(&l, args[0], o->detach, err) < 0 || launch_make_folder(&l, args[0], false, err) < 0 || make_init(&l, args[0], err) < 0)
                return -1;
        if (!o->detach)
                foreground_begin();
        if (run_start(&l, err) < 0)
                return -1;
        container_unlock(&l.container); /* others may exec, kill or delete it */
        if (!o->detach)
                return run_wait(&l, err);
        l.made = false;
        return notify_wait(l.notify_fd, l.runtime.pid, l.runtime.start_time, err);
}
