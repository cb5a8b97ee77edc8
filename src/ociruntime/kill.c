/* kill, delete, pause and resume. */
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include "base/log.h"
#include "base/proc.h"
#include "ociruntime/lifecycle-internal.h"
#include "runtime/cgroup.h"
#include "runtime/container.h"

#define END_MS 10000 /* how long the killed may take to be gone */
#define SOON_MS 500  /* after which it is looked whether something holds it */

static int not_running(struct err *err)
{
        return err_set(err, ERR_CONFLICT, "container not running");
}

int init_signal(const struct container *c, int signo, struct err *err)
{
        _cleanup_close_ int fd = c->state.pid > 0 ? proc_open(c->state.pid, c->state.start_time, err) : -1;
        if (fd < 0)
                return c->state.pid <= 0 || err->kind == ERR_NOT_FOUND ? not_running(err) : -1;
        if (proc_signal(fd, signo, err) < 0)
                return err->sys == ESRCH ? not_running(err) : -1;
        return 0;
}

static bool group_lives(struct cgroup *cg)
{
        struct err unused = ERR_INIT;
        _cleanup_free_ pid_t *pids = NULL;
        size_t count = 0;
        return cgroup_pids(cg, &pids, &count, &unused) == 0 && count > 0;
}

static int signal_group(struct container *c, struct cgroup *cg, int signo, bool all, struct err *err)
{
        enum container_status status = container_status(c);
        bool stopped = status == CONTAINER_STOPPED || status == CONTAINER_CREATING;
        /* Without a pid namespace of its own init may be gone and others not. */
        bool left = stopped && c->state.shared_pid && cg && signo == SIGKILL && group_lives(cg);
        if (left || (all && (cg || stopped)))
                return cg ? cgroup_signal(cg, signo, err) : 0;
        if (stopped)
                return not_running(err);
        if (init_signal(c, signo, err) < 0)
                return -1;
        /* Without a pid namespace of its own nothing ends the others when init ends; and the frozen do not die on v1. */
        bool thaw = status == CONTAINER_PAUSED || c->state.shared_pid;
        return signo == SIGKILL && cg && thaw ? cgroup_signal(cg, SIGKILL, err) : 0;
}

int verb_kill(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        _cleanup_container_ struct container c = CONTAINER_INIT;
        _cleanup_(cgroup_freep) struct cgroup *cg = NULL;
        int signo = SIGTERM;
        if (container_open(p->root, args[0], false, &c, err) < 0 || (args[1] && signal_parse(args[1], &signo, err) < 0) ||
            container_cgroup(&c, &cg, err) < 0)
                return -1;
        return signal_group(&c, cg, signo, o->all, err);
}

/* ---- delete ---- */

void hooks_tell(struct container *c, const struct oci_spec *spec, enum oci_hook_kind kind, const char *status)
{
        struct err err = ERR_INIT;
        _cleanup_oci_spec_ struct oci_spec saved;
        oci_spec_init(&saved);
        if (!(kind == OCI_HOOK_POSTSTART ? c->state.poststart : c->state.poststop))
                return;
        if (!spec && container_load_spec(c, &saved, &err) < 0) {
                log_warning("%s: %s", c->state.id, err.msg);
                return;
        }
        pid_t pid = kind == OCI_HOOK_POSTSTOP ? 0 : c->state.pid;
        if (runtime_hooks(spec ? spec : &saved, kind, c->state.id, c->state.bundle, pid, status, &err) < 0)
                log_warning("%s: %s", c->state.id, err.msg);
}

static int end_init(const struct container *c, struct cgroup *cg, struct err *err)
{
        _cleanup_close_ int fd = c->state.pid > 0 ? proc_open(c->state.pid, c->state.start_time, err) : -1;
        err_clear(err);
        if (fd < 0)
                return 0;
        if (proc_signal(fd, SIGKILL, err) < 0 && err->sys != ESRCH)
                return -1;
        err_clear(err);
        if (!cg || proc_wait_gone(fd, SOON_MS, err) == 0)
                return cg ? 0 : proc_wait_gone(fd, END_MS, err);
        /* Somebody may have put it into a frozen group of his own, where it cannot die (v1). Back in ours it can. */
        err_clear(err);
        (void)cgroup_join(cg, c->state.pid, err);
        err_clear(err);
        return proc_wait_gone(fd, END_MS, err);
}

/* A create that was killed may have made the group in some hierarchies only: it is completed, so that it can be found. */
static int find_cgroup(const struct container *c, struct cgroup **ret, struct err *err)
{
        static const struct oci_resources none;
        if (container_cgroup(c, ret, err) < 0)
                return -1;
        if (*ret && c->state.systemd)
                return 0;
        if (c->state.systemd)
                cgroup_forget_scope(c->state.cgroups_path);
        if (*ret || c->state.pid > 0 || str_empty(c->state.cgroups_path) || program_is_rootless(NULL))
                return 0;
        return cgroup_create(c->state.cgroups_path, &none, ret, err);
}

int container_destroy(struct container *c, struct err *err)
{
        _cleanup_(cgroup_freep) struct cgroup *cg = NULL;
        if (find_cgroup(c, &cg, err) < 0)
                return -1;
        if (cg && cgroup_frozen(cg) && cgroup_signal(cg, SIGKILL, err) < 0)
                return -1;
        if (end_init(c, cg, err) < 0 || (cg && cgroup_remove(cg, err) < 0))
                return -1;
        hooks_tell(c, NULL, OCI_HOOK_POSTSTOP, "stopped");
        return container_forget(c, err);
}

/* A folder without state.json is what a killed create or delete left: nothing else of it can be there any more. Who finds it
 * filled by then came at the same time as a create, and first. */
static int forget_remains(const char *root, const char *id, struct err *err)
{
        _cleanup_container_ struct container c = CONTAINER_INIT;
        if (!container_id_ok(id))
                return 0;
        if (container_make(root, id, &c, err) == 0)
                return container_forget(&c, err);
        if (err->kind != ERR_CONFLICT)
                return -1;
        err_clear(err);
        return 0;
}

static int delete_one(const struct program *p, const char *id, bool force, struct err *err)
{
        _cleanup_container_ struct container c = CONTAINER_INIT;
        if (container_open(p->root, id, true, &c, err) < 0) {
                if (!force || err->kind != ERR_NOT_FOUND)
                        return -1;
                err_clear(err);
                return forget_remains(p->root, id, err);
        }
        enum container_status status = container_status(&c);
        if (!force && status != CONTAINER_STOPPED && status != CONTAINER_CREATED)
                return err_set(err, ERR_CONFLICT, "cannot delete container %s that is not stopped: %s", id, container_status_name(status));
        return container_destroy(&c, err);
}

/* Goes on after a failure, and tells of the first one. */
static int delete_matching(const struct program *p, const char *pattern, bool force, struct err *err)
{
        _cleanup_strv_ char **ids = NULL;
        regex_t regex;
        int r = 0;
        if (containers_list(p->root, &ids, err) < 0)
                return -1;
        if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
                return err_set(err, ERR_INVALID, "--regex: invalid expression \"%s\"", pattern);
        STRV_FOREACH (id, ids) {
                struct err one = ERR_INIT;
                if (regexec(&regex, *id, 0, NULL, 0) == 0 && delete_one(p, *id, force, &one) < 0 && r == 0) {
                        *err = one;
                        r = -1;
                }
        }
        regfree(&regex);
        return r;
}

int verb_delete(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        return o->regex ? delete_matching(p, args[0], o->force, err) : delete_one(p, args[0], o->force, err);
}

/* ---- pause ---- */

static int set_frozen(const struct program *p, const char *id, bool frozen, struct err *err)
{
        _cleanup_container_ struct container c = CONTAINER_INIT;
        _cleanup_(cgroup_freep) struct cgroup *cg = NULL;
        if (container_open(p->root, id, true, &c, err) < 0)
                return -1;
        enum container_status status = container_status(&c);
        if (frozen && status != CONTAINER_RUNNING && status != CONTAINER_CREATED)
                return not_running(err);
        if (!frozen && status != CONTAINER_PAUSED)
                return err_set(err, ERR_CONFLICT, "container not paused");
        if (container_cgroup(&c, &cg, err) < 0)
                return -1;
        return cg ? cgroup_freeze(cg, frozen, err) : err_set(err, ERR_UNSUPPORTED, "the container has no control group to freeze");
}

int verb_pause(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        return set_frozen(p, args[0], true, err);
}

int verb_resume(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        return set_frozen(p, args[0], false, err);
}
