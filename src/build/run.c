#include "build/run-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "build/handlers-internal.h"
#include "build/instructions-internal.h"
#include "build/parser-internal.h"
#include "runtime/container.h"

#define SCRIPT_DIR "/dev/pipes/"

static void run_done(struct step *s)
{
        struct run *r = s->own;
        strv_free(r->argv);
        strv_free(r->args_env);
        free(r->script);
        free(r->script_name);
        run_mounts_free(r);
        free(r);
}

const char *run_short_id(const struct step *s, char text[13])
{
        char digest[DIGEST_SIZE];
        digest_of(s->root_id, strlen(s->root_id), digest);
        return short_id(digest, text);
}

/* --- what is asked --- */

/* RUN <<EOF alone: the text is the script, by its own interpreter when it begins with #!. With a command before or
 * after, the shell gets the whole and reads the heredoc itself. */
static void command_heredoc(const struct step *s, struct run *r)
{
        const struct instruction *in = s->in;
        const struct heredoc *h = &in->heredocs[0];
        if (!heredoc_word(in->args[0], NULL, NULL, NULL)) {
                char *whole = xstrdup(in->args[0]);
                for (size_t i = 0; i < in->heredoc_count; i++) {
                        char *more = xasprintf("%s\n%s%s", whole, in->heredocs[i].text, in->heredocs[i].name);
                        free(whole);
                        whole = more;
                }
                r->argv = exec_shell(&s->s->config.exec);
                strv_push_take(&r->argv, whole);
        } else if (str_starts(h->text, "#!")) {
                r->script = xstrdup(h->text);
                r->script_name = xstrdup(strchr(h->name, '/') ? "script" : h->name);
                strv_push_take(&r->argv, xasprintf(SCRIPT_DIR "%s", r->script_name));
        } else {
                r->argv = exec_shell(&s->s->config.exec);
                strv_push(&r->argv, h->text);
        }
}

static int read_network(struct step *s, struct run *r, struct err *err)
{
        const char *network = instruction_flag(s->in, "network"), *security = instruction_flag(s->in, "security");
        if (security && !str_eq(security, "sandbox"))
                return err_set(err, ERR_UNSUPPORTED, "--security=%s is not supported", security);
        r->host_network = str_eq(network, "host");
        r->no_network = str_eq(network, "none");
        if (network && !r->host_network && !r->no_network && !str_eq(network, "default"))
                return err_set(err, ERR_INVALID, "invalid network mode: \"%s\"", network);
        return 0;
}

/* "|1 A=b /bin/sh -c x": docker writes the arguments that a step saw before its command. */
static char *describe(const struct run *r)
{
        _cleanup_free_ char *command = strv_join(r->argv, " ");
        if (!r->args_env)
                return TAKE_PTR(command);
        _cleanup_free_ char *args = strv_join(r->args_env, " ");
        return xasprintf("|%zu %s %s", strv_len(r->args_env), args, command);
}

static int run_prepare(struct step *s, struct err *err)
{
        struct run *r = xcalloc(1, sizeof(*r));
        s->own = r;
        if (read_network(s, r, err) < 0 || run_mounts_parse(s, r, err) < 0)
                return -1;
        if (s->in->heredoc_count)
                command_heredoc(s, r);
        else
                r->argv = exec_command(&s->s->config.exec, s->in);
        r->args_env = arg_run_environment(&s->s->args, s->s->config.exec.env);
        s->created_by = describe(r);
        strv_extend(&s->canonical, r->argv);
        strv_push(&s->canonical, "arguments");
        strv_extend(&s->canonical, r->args_env);
        strv_push(&s->canonical, r->script ? r->script : "no script");
        strv_extend(&s->canonical, s->in->flags);
        return 0;
}

static int run_digest(struct step *s, struct err *err)
{
        return run_mounts_digest(s, s->own, &s->content, err);
}

/* --- running it --- */

static int add_script(struct step *s, const struct run *r, struct oci_spec *spec, struct err *err)
{
        if (!r->script)
                return 0;
        _cleanup_free_ char *dir = workspace_scratch(&s->b->work, err);
        if (!dir)
                return -1;
        _cleanup_free_ char *path = xasprintf("%s/script", dir);
        _cleanup_free_ char *target = xasprintf(SCRIPT_DIR "%s", r->script_name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || fd_write_full(fd, r->script, strlen(r->script)) < 0 || fchmod(fd, 0755) < 0)
                return err_sys(err, "write the script");
        (void)oci_spec_add_mount(spec, target, "bind", path, "bind,ro,rprivate");
        return 0;
}

struct network {
        const struct build *b;
};

static int on_namespaces(void *data, pid_t pid, int netns_fd, struct err *err)
{
        const struct build_options *o = ((const struct network *)data)->b->o;
        return o->step_network(o->data, pid, netns_fd, err);
}

/* Its end, or the wish that the build ends; the caller then kills it. */
static int wait_for(const struct build *b, const struct runtime_container *c, int *ret_status, struct err *err)
{
        struct pollfd p[2] = { { .fd = c->pidfd, .events = POLLIN },
                               { .fd = b->o->cancel_fd ? *b->o->cancel_fd : -1, .events = POLLIN } };
        while (poll(p, 2, -1) < 0)
                if (errno != EINTR)
                        return err_sys(err, "wait for the step");
        if (!p[0].revents && build_check_cancelled(b, err) < 0)
                return -1;
        return proc_wait(c->pid, ret_status, err);
}

static int run_container(struct step *s, const struct run *r, const struct oci_spec *spec, int *ret_status,
                         struct err *err)
{
        const struct build_options *o = s->b->o;
        struct network network = { s->b };
        struct oci_mount rootfs = { 0 };
        if (root_mount(s->b->st->snapshots, s->root_id, true, &rootfs, err) < 0)
                return -1;
        const struct runtime_create create = {
                .id = s->root_id,
                .spec = spec,
                .bundle_fd = -1,
                .rootfs = &rootfs,
                .seccomp_cache = o->seccomp_cache,
                .stdio = { -1, o->quiet ? -1 : o->out_fd, o->quiet ? -1 : o->err_fd },
                .on_namespaces = r->host_network || r->no_network ? NULL : on_namespaces,
                .data = &network,
        };
        _cleanup_runtime_container_ struct runtime_container c = RUNTIME_CONTAINER_INIT;
        int result = runtime_create(&create, &c, err);
        oci_mount_done(&rootfs);
        if (result < 0)
                return -1;
        struct err ignored = ERR_INIT;
        result = runtime_start(&c, err) < 0 ? -1 : wait_for(s->b, &c, ret_status, err);
        (void)runtime_remove(&c, &ignored);
        if (result < 0)
                (void)proc_wait(c.pid, ret_status, &ignored);
        return result;
}

/* An image may name a working directory that nothing made; docker makes it. Only then the root is opened for
 * writing. */
static int make_cwd(struct step *s, int readable, const char *cwd, struct err *err)
{
        struct err ignored = ERR_INIT;
        _cleanup_close_ int there = path_open_in(readable, cwd, O_PATH | O_DIRECTORY, 0, &ignored);
        if (there >= 0)
                return 0;
        _cleanup_close_ int root = root_open(s->b->st->snapshots, s->root_id, true, err);
        _cleanup_close_ int made = root < 0 ? -1 : path_mkdirs_in(root, cwd, 0755, 0, 0, err);
        return made < 0 ? err_add(err, "working directory %s", cwd) : 0;
}

/* Each look into the root is closed before the container mounts it. */
static int look_for_stubs(struct step *s, const struct oci_spec *spec, char ***ret, struct err *err)
{
        _cleanup_close_ int root = root_open(s->b->st->snapshots, s->root_id, false, err);
        if (root < 0)
                return -1;
        *ret = run_stubs_find(root, spec);
        return 0;
}

static int remove_stubs(struct step *s, char *const *stubs, struct err *err)
{
        if (!stubs)
                return 0;
        _cleanup_close_ int root = root_open(s->b->st->snapshots, s->root_id, true, err);
        if (root < 0)
                return -1;
        run_stubs_remove(root, stubs);
        return 0;
}

static int run_prepared(struct step *s, const struct run *r, struct oci_spec *spec, int *ret_status, struct err *err)
{
        const struct build_options *o = s->b->o;
        if (o->step_prepare(o->data, s->root_id, spec, err) < 0)
                return -1;
        _cleanup_strv_ char **stubs = NULL;
        if (look_for_stubs(s, spec, &stubs, err) < 0 || run_container(s, r, spec, ret_status, err) < 0)
                return -1;
        return remove_stubs(s, stubs, err);
}

static int make_spec(struct step *s, const struct run *r, struct oci_spec *spec, struct err *err)
{
        _cleanup_close_ int root = root_open(s->b->st->snapshots, s->root_id, false, err);
        if (root < 0 || run_spec_make(s, r, root, spec, err) < 0)
                return -1;
        return make_cwd(s, root, spec->process.cwd, err);
}

static int run_in_root(struct step *s, struct run *r, int *ret_status, struct err *err)
{
        const struct build_options *o = s->b->o;
        _cleanup_oci_spec_ struct oci_spec spec;
        oci_spec_init(&spec);
        if (make_spec(s, r, &spec, err) < 0 || run_mounts_apply(s, r, &spec, err) < 0 ||
            add_script(s, r, &spec, err) < 0)
                return -1;
        int result = run_prepared(s, r, &spec, ret_status, err);
        o->step_done(o->data, s->root_id);
        return result;
}

static int run_execute(struct step *s, struct err *err)
{
        struct run *r = s->own;
        char id[13];
        int status = 0;
        build_say(s->b, " ---> Running in %s", run_short_id(s, id));
        if (run_in_root(s, r, &status, err) < 0)
                return -1;
        if (status != 0) {
                _cleanup_free_ char *command = strv_join(r->argv, " ");
                return err_set(err, ERR_INVALID, "The command '%s' returned a non-zero code: %d", command, status);
        }
        build_say(s->b, " ---> Removed intermediate container %s", id);
        return 0;
}

const struct executor executor_run = {
        .prepare = run_prepare, .digest = run_digest, .execute = run_execute, .done = run_done
};
