/* A further process in a running container. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/foreign-internal.h"
#include "engine/spec-internal.h"
#include "runtime/container.h"

void exec_request_done(struct exec_request *x)
{
        free(x->user);
        free(x->working_dir);
        free(x->detach_keys);
        strv_free(x->env);
        strv_free(x->args);
        *x = (struct exec_request){ 0 };
}

static int not_running(const struct container *c, struct err *err)
{
        return err_set(err, ERR_CONFLICT, "Container %s is not running", c->id);
}

static bool has_ended(const struct container *c) { return c->status.pid > 0 && !proc_alive(c->status.pid, c->status.start_ticks); }

/* One that is ending has neither root nor namespaces any more, for a moment before it is a zombie. */
static bool is_ending(const struct container *c, const struct err *why) { return why->sys == ESRCH || has_ended(c); }

/* Has the command changed its root to a folder of the container? Only what it began with is a mount. */
static bool root_is_narrowed(int root)
{
        struct statx sx;
        return statx(root, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx) == 0 && (sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) &&
               !(sx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static int running_root_open(const struct container *c, struct err *err)
{
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/root", (int)c->status.pid);
        _cleanup_close_ int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0 && errno != ENOENT)
                return err_sys(err, "root of container %.12s", c->id);
        if (root >= 0 && root_is_narrowed(root)) {
                close(TAKE_FD(root));
                root = runtime_root_copy(c->status.pid, true, err);
                if (root < 0)
                        return has_ended(c) ? not_running(c, err) : -1;
        }
        /* asked after the open: the pid may have become another's before it */
        return root < 0 || has_ended(c) ? not_running(c, err) : TAKE_FD(root);
}

int container_root_ensure(struct engine *e, const struct container *c, struct err *err)
{
        struct storage *st;
        _cleanup_container_ struct container now = { 0 };
        container_config_init(&now.config);
        if (engine_storage(e, &st, err) < 0 || engine_layers(e, c->chain, err) < 0)
                return -1;
        if (root_exists(st->snapshots, c->id))
                return 0;
        _cleanup_close_ int lock = container_lock(e, c->id, err);
        if (lock < 0)
                return -1;
        int loaded = container_load_locked(e, c->id, &now, err);
        bool made = loaded == 0 && (root_exists(st->snapshots, c->id) || root_create(st->snapshots, c->id, c->chain, err) == 0);
        struct err ignored = ERR_INIT;
        if (loaded < 0 || !(container_is_running(&now) || monitor_alive(lock)))
                run_dir_remove(e, c->id, &ignored);
        return made ? 0 : -1;
}

int container_root_open(struct engine *e, const struct container *c, bool writable, struct err *err)
{
        struct storage *st;
        if (container_is_running(c) && c->status.pid > 0 && !has_ended(c))
                return running_root_open(c, err);
        return engine_storage(e, &st, err) < 0 || container_root_ensure(e, c, err) < 0 ? -1 : root_open(st->snapshots, c->id, writable, err);
}

int container_root_open_bare(struct engine *e, const struct container *c, struct err *err)
{
        if (!container_is_running(c) || c->status.pid <= 0 || has_ended(c))
                return container_root_open(e, c, false, err);
        struct err refused = ERR_INIT;
        int root = runtime_root_copy(c->status.pid, false, &refused);
        if (root >= 0 && !has_ended(c))
                return root;
        mem_closep(&root);
        return container_root_open(e, c, false, err);
}

/* The container's environment, then ours; HOME of the user when neither says one. */
static void environment(const struct container *c, const struct exec_request *x, const char *home, struct oci_process *p)
{
        STRV_FOREACH (assignment, x->env)
                strv_env_set(&p->env, *assignment);
        if (!strv_env_get(c->config.env, "HOME") && !strv_env_get(x->env, "HOME")) {
                _cleanup_free_ char *text = xasprintf("HOME=%s", home);
                strv_env_set(&p->env, text);
        }
}

/* The spec as at the container's start, with another process in it: same capabilities, same filter. */
static int process_make(struct engine *e, struct container *c, const struct exec_request *x, int root, struct oci_spec *spec, struct err *err)
{
        _cleanup_free_ char *home = NULL;
        struct oci_process *p = &spec->process;
        bool privileged = c->config.privileged, tty = c->config.tty;
        c->config.privileged = privileged || x->privileged;
        c->config.tty = x->tty;
        int made = spec_add_security(e, c, spec, err) < 0 ? -1 : spec_add_process(e, c, root, spec, err);
        c->config.privileged = privileged;
        c->config.tty = tty;
        if (made < 0)
                return -1;
        strv_free(p->args);
        p->args = strv_dup(x->args);
        p->terminal = x->tty;
        p->console_height = x->rows;
        p->console_width = x->columns;
        free(p->additional_gids);
        p->additional_gids = NULL;
        p->additional_gid_count = 0;
        p->uid = p->gid = 0;
        if (process_user(root, x->user ? x->user : c->config.user, x->user ? NULL : c->config.group_add, p, &home, err) < 0)
                return -1;
        if (!str_empty(x->working_dir))
                str_replace(&p->cwd, x->working_dir);
        environment(c, x, home, p);
        return 0;
}

/* A wrong user or folder is the command's fault, not that of finding the container: 126, as docker has it. */
static int cannot_run(struct err *err)
{
        if (err->kind != ERR_NO_COMMAND && (err->kind == ERR_INVALID || err->sys == ENOENT || err->sys == ENOTDIR))
                err->kind = ERR_CANNOT_RUN;
        return -1;
}

int exec_here(struct engine *e, struct container *c, const struct exec_request *x, const int stdio[3], struct exec_session *ret, struct err *err)
{
        _cleanup_oci_spec_ struct oci_spec spec;
        oci_spec_init(&spec);
        _cleanup_free_ char *cgroup = container_cgroup_path(c), *cache = path_join(engine_root(e), "seccomp");
        _cleanup_close_ int root = container_root_open(e, c, false, err);
        if (root < 0)
                return -1;
        if (process_make(e, c, x, root, &spec, err) < 0)
                return cannot_run(err);
        struct runtime_exec request = { .pid = c->status.pid, .start_time = c->status.start_ticks, .process = &spec.process,
                                        .seccomp = spec.seccomp, .seccomp_cache = cache, .cgroups_path = cgroup,
                                        .stdio = { stdio[0], stdio[1], stdio[2] } };
        struct runtime_exec_result result;
        if (runtime_is_foreign(c->config.runtime) ? foreign_exec(e, c, &spec.process, stdio, &result, err) < 0
                                                  : runtime_exec(&request, &result, err) < 0)
                return cannot_run(err);
        *ret = (struct exec_session){ .pid = result.pid, .pidfd = result.pidfd, .console_fd = result.console_fd };
        return 0;
}

/* Docker's action has the command in it. */
static void exec_tell(struct engine *e, const struct container *c, const char *what, const struct exec_request *x, const char *id)
{
        _cleanup_free_ char *command = strv_join(x->args, " "), *action = xasprintf("%s: %.4096s", what, command);
        container_tell_one(e, c, action, "execID", id);
}

int container_exec(struct engine *e, const char *name, const struct exec_request *x, const int stdio[3], struct exec_session *ret,
                   struct err *err)
{
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_load(e, name, &c, err) < 0)
                return -1;
        if (c.status.state == STATE_PAUSED)
                return err_set(err, ERR_CONFLICT, "Container %s is paused, unpause the container before exec", c.id);
        if (c.status.state != STATE_RUNNING)
                return not_running(&c, err);
        if (!x->args || str_empty(x->args[0]))
                return err_set(err, ERR_INVALID, "No exec command specified");
        char id[65];
        random_hex(id, 64);
        if (!x->quiet)
                exec_tell(e, &c, "exec_create", x, id);
        if ((x->detach ? exec_detached(e, &c, x, id, err) : exec_here(e, &c, x, stdio, ret, err)) < 0)
                return is_ending(&c, err) ? not_running(&c, err) : -1;
        if (!x->quiet)
                exec_tell(e, &c, "exec_start", x, id);
        if (!x->detach)
                memcpy(ret->id, id, sizeof(id));
        return 0;
}

void container_exec_ended(struct engine *e, const char *name, const char *exec_id, int32_t status)
{
        struct err gone = ERR_INIT;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (container_load(e, name, &c, &gone) < 0)
                return;
        _cleanup_free_ char *id = xasprintf("execID=%s", exec_id), *code = xasprintf("exitCode=%d", status);
        container_tell(e, &c, "exec_die", (char *[]){ id, code, NULL });
}
