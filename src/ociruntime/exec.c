#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include "base/file.h"
#include "base/proc.h"
#include "ociruntime/lifecycle-internal.h"
#include "runtime/cgroup.h"
#include "runtime/container.h"

struct exec {
        const struct verb_options *options;
        struct container container;
        struct oci_spec spec;
        struct oci_process file;               /* of --process */
        struct oci_process *process;
        char *cgroup, **sub_cgroups;
        struct preserved preserved;
};

static void exec_done(struct exec *x)
{
        container_done(&x->container);
        oci_spec_done(&x->spec);
        oci_process_done(&x->file);
        free(x->cgroup);
        strv_free(x->sub_cgroups);
}

/* ---- the process ---- */

static int set_user(struct oci_process *p, const char *text, struct err *err)
{
        _cleanup_strv_ char **parts = strv_split(text, ":", true);
        uint32_t uid, gid = 0;
        if (strv_len(parts) > 2 || parse_u32(parts[0], &uid, err) < 0 || (parts[1] && parse_u32(parts[1], &gid, err) < 0))
                return err_set(err, ERR_INVALID, "--user: \"%s\" is not <uid>[:<gid>]", text);
        p->uid = uid;
        if (parts[1])
                p->gid = gid;
        return 0;
}

static int add_groups(struct oci_process *p, char *const *texts, struct err *err)
{
        STRV_FOREACH (text, texts) {
                uint32_t gid;
                if (parse_u32(*text, &gid, err) < 0)
                        return err_add(err, "--additional-gids");
                p->additional_gids = xreallocarray(p->additional_gids, p->additional_gid_count + 1, sizeof(gid));
                p->additional_gids[p->additional_gid_count++] = gid;
        }
        return 0;
}

static void add_caps(struct oci_process *p, char *const *caps)
{
        p->has_caps = p->has_caps || caps;
        strv_extend(&p->caps.bounding, caps);
        strv_extend(&p->caps.effective, caps);
        strv_extend(&p->caps.permitted, caps);
        STRV_FOREACH (cap, caps) /* what may not be inherited cannot be ambient */
                if (strv_has(p->caps.inheritable, *cap))
                        strv_push(&p->caps.ambient, *cap);
}

/* The container's own process with what the options say. */
static int process_from_options(struct exec *x, char *const *args, struct err *err)
{
        const struct verb_options *o = x->options;
        struct oci_process *p = x->process = &x->spec.process;
        if (!args[0])
                return err_set(err, ERR_INVALID, "process args cannot be empty");
        strv_free(p->args);
        p->args = strv_dup(args);
        p->terminal = o->tty;
        if (o->cwd)
                str_replace(&p->cwd, o->cwd);
        if (o->apparmor)
                str_replace(&p->apparmor_profile, o->apparmor);
        if (o->process_label)
                str_replace(&p->selinux_label, o->process_label);
        add_caps(p, o->caps);
        STRV_FOREACH (entry, o->env)
                strv_env_set(&p->env, *entry);
        p->no_new_privileges = p->no_new_privileges || o->no_new_privs;
        return (o->user && set_user(p, o->user, err) < 0) || add_groups(p, o->additional_gids, err) < 0 ? -1 : 0;
}

static int process_from_file(struct exec *x, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(OCIRUNTIME_CONFIG_MAX);
        x->process = &x->file;
        if (file_text(AT_FDCWD, x->options->process, &b, err) < 0 || oci_process_parse(b.data, b.len, &x->file, err) < 0)
                return err_add(err, "%s", x->options->process);
        return 0;
}

/* ---- where ---- */

static int add_sub_cgroup(char ***list, const char *controller, const char *path, struct err *err)
{
        _cleanup_free_ char *prefix = xasprintf("%s=", controller);
        STRV_FOREACH (entry, *list)
                if (str_starts(*entry, prefix))
                        return err_set(err, ERR_INVALID, "invalid --cgroup argument(s): controller %s specified multiple times", controller);
        strv_push_take(list, xasprintf("%s%s", prefix, path));
        return 0;
}

/* "path", once and alone, or "controller,controller:path". */
int sub_cgroups_parse(char *const *texts, char ***ret, struct err *err)
{
        _cleanup_strv_ char **list = NULL;
        STRV_FOREACH (text, texts) {
                const char *colon = strchr(*text, ':');
                if (colon && strchr(colon + 1, ':'))
                        return err_set(err, ERR_INVALID, "invalid --cgroup argument: %s", *text);
                if (!colon && strv_len(texts) > 1)
                        return err_set(err, ERR_INVALID, "invalid --cgroup argument: %s (missing <controller>: prefix)", *text);
                if (!colon) {
                        strv_push_take(&list, xasprintf("=%s", *text));
                        continue;
                }
                _cleanup_free_ char *before = xstrndup(*text, (size_t)(colon - *text));
                _cleanup_strv_ char **controllers = strv_split(before, ",", true);
                STRV_FOREACH (controller, controllers) {
                        if (!**controller)
                                return err_set(err, ERR_INVALID, "invalid --cgroup argument: %s (empty <controller> prefix)", *text);
                        if (add_sub_cgroup(&list, *controller, colon + 1, err) < 0)
                                return -1;
                }
        }
        *ret = TAKE_PTR(list);
        return 0;
}

static int choose_cgroup(struct exec *x, struct err *err)
{
        _cleanup_(cgroup_freep) struct cgroup *own = NULL;
        if (container_cgroup(&x->container, &own, err) < 0)
                return -1;
        x->cgroup = own ? xstrdup(cgroup_path(own)) : NULL;
        return sub_cgroups_parse(x->options->cgroups, &x->sub_cgroups, err);
}

static int check_status(struct exec *x, struct err *err)
{
        switch (container_status(&x->container)) {
        case CONTAINER_STOPPED:
        case CONTAINER_CREATING:
                return err_set(err, ERR_CONFLICT, "cannot exec in a stopped container");
        case CONTAINER_PAUSED:
                return x->options->ignore_paused
                               ? 0
                               : err_set(err, ERR_CONFLICT, "cannot exec in a paused container (use --ignore-paused to override)");
        default:
                return 0;
        }
}

static int prepare(struct exec *x, const struct program *p, char **args, struct err *err)
{
        if (container_open(p->root, args[0], false, &x->container, err) < 0 || check_status(x, err) < 0 ||
            container_load_spec(&x->container, &x->spec, err) < 0)
                return -1;
        int r = x->options->process ? process_from_file(x, err) : process_from_options(x, args + 1, err);
        if (r < 0 || choose_cgroup(x, err) < 0 ||
            console_check(x->process->terminal, x->options->detach, x->options->console_socket, err) < 0)
                return -1;
        listen_environment(x->process, &x->preserved);
        return 0;
}

/* ---- running ---- */

static int tell(const struct exec *x, const struct runtime_exec_result *r, struct err *err)
{
        const struct verb_options *o = x->options;
        if (r->console_fd >= 0 && o->console_socket && console_send(o->console_socket, r->console_fd, err) < 0)
                return -1;
        if (o->pidfd_socket && pidfd_send(o->pidfd_socket, r->pidfd, err) < 0)
                return -1;
        return o->pid_file ? pid_file_write(o->pid_file, r->pid, err) : 0;
}

static int run(struct exec *x, const struct program *p, struct runtime_exec_result *ret, struct err *err)
{
        const struct state *s = &x->container.state;
        _cleanup_free_ char *cache = seccomp_cache(p);
        _cleanup_free_ char *state = x->spec.seccomp ? runtime_state_json(&x->spec, s->id, s->bundle, s->pid, "running") : NULL;
        struct runtime_exec request = { .pid = s->pid,
                                        .start_time = s->start_time,
                                        .process = x->process,
                                        .personality = x->spec.personality_domain,
                                        .seccomp = x->spec.seccomp,
                                        .seccomp_cache = x->spec.seccomp ? cache : NULL,
                                        .cgroups_path = x->cgroup,
                                        .sub_cgroups = x->sub_cgroups,
                                        .state = state,
                                        .stdio = { 0, 1, 2 },
                                        .preserve_fds = x->preserved.count,
                                        .ignore_paused = x->options->ignore_paused,
                                        .plain_lines = !x->options->console_socket };
        if (!x->options->detach)
                foreground_begin();
        if (runtime_exec(&request, ret, err) < 0)
                return -1;
        if (tell(x, ret, err) == 0)
                return 0;
        (void)kill(ret->pid, SIGKILL); /* our child, not reaped: nobody else has its number */
        while (waitpid(ret->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return -1;
}

int verb_exec(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        _cleanup_(exec_done) struct exec x = { .options = o, .container = CONTAINER_INIT };
        struct runtime_exec_result r = { .pidfd = -1, .console_fd = -1 };
        int status = 0;
        oci_spec_init(&x.spec);
        if (preserved_descriptors(o, &x.preserved, err) < 0 || prepare(&x, p, args, err) < 0 || run(&x, p, &r, err) < 0)
                return -1;
        return o->detach ? 0 : foreground_wait(r.pid, r.pidfd, r.console_fd, -1, &status, err) < 0 ? -1 : status;
}
