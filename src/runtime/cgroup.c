#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"
#include "runtime/systemd.h"

#define PIDS_MAX 4194304u
#define REMOVE_MS 10000 /* how long the killed may take to be gone */

struct cgroup {
        char *path;
        const struct cgroup_driver *driver;
        int fd; /* directory on v2, opened when asked for */
        struct systemd_scope scope; /* its unit when systemd made it */
};

/* v1 wherever it has controllers; the v2 mount beside it then has the others, or none. */
static const struct cgroup_driver *driver_here(void)
{
        const struct cgroup_layout *l = cgroup_layout();
        if (l->count)
                return l->unified && (l->unified_controls || l->unified_joined) ? &cgroup_hybrid : &cgroup_v1;
        return l->unified ? &cgroup_v2 : NULL;
}

static struct cgroup *cgroup_new(const char *path, struct err *err)
{
        const struct cgroup_driver *driver = driver_here();
        if (!driver) {
                err_set(err, ERR_UNSUPPORTED, "no control groups are mounted on " CGROUP_TOP);
                return NULL;
        }
        char *clean = cgroup_path_clean(path, err);
        if (!clean)
                return NULL;
        struct cgroup *cg = xcalloc(1, sizeof(*cg));
        *cg = (struct cgroup){ .path = clean, .driver = driver, .fd = -1 };
        return cg;
}

void cgroup_free(struct cgroup *cg)
{
        if (!cg)
                return;
        mem_closep(&cg->fd);
        systemd_scope_done(&cg->scope);
        free(cg->path);
        free(cg);
}

int cgroup_create(const char *path, const struct oci_resources *resources, struct cgroup **ret, struct err *err)
{
        _cleanup_(cgroup_freep) struct cgroup *cg = cgroup_new(path, err);
        if (!cg)
                return -1;
        bool existed = cg->driver->exists(cg->path);
        if (cg->driver->create(cg->path, resources, err) < 0 ||
            cg->driver->apply(cg->path, resources, false, err) < 0) {
                struct err unused = ERR_INIT;
                if (!existed)
                        (void)cg->driver->remove(cg->path, &unused);
                return err_add(err, "cgroup %s", cg->path);
        }
        *ret = TAKE_PTR(cg);
        return 0;
}

int cgroup_open(const char *path, struct cgroup **ret, struct err *err)
{
        _cleanup_(cgroup_freep) struct cgroup *cg = cgroup_new(path, err);
        if (!cg)
                return -1;
        if (!cg->driver->exists(cg->path))
                return err_set(err, ERR_NOT_FOUND, "no cgroup %s", cg->path);
        *ret = TAKE_PTR(cg);
        return 0;
}

/* ---- through systemd ---- */

bool cgroup_only_unified(void)
{
        return cgroup_layout()->count == 0 && cgroup_layout()->unified;
}

/* A user's manager keeps its units below its own group, wherever that is. */
static int find_group(struct systemd *s, struct cgroup *cg, struct err *err)
{
        char *group = NULL;
        if (cg->driver->exists(cg->path))
                return 0;
        if (systemd_scope_group(s, &cg->scope, &group, err) < 0)
                return -1;
        if (str_empty(group)) {
                free(group);
                return err_set(err, ERR_NOT_FOUND, "systemd: %s has no group", cg->scope.unit);
        }
        free(cg->path);
        cg->path = group;
        return 0;
}

static int fill_scope(struct systemd *s, struct cgroup *cg, pid_t pid, const struct oci_resources *resources, struct err *err)
{
        if (find_group(s, cg, err) < 0 || cg->driver->create(cg->path, resources, err) < 0)
                return -1;
        /* systemd moved it in its own hierarchies only. */
        if (pid > 0 && cg->driver->join(cg->path, pid, err) < 0)
                return -1;
        return cg->driver->apply(cg->path, resources, false, err);
}

int cgroup_create_scope(const char *path, pid_t pid, const struct oci_resources *resources, char *const *annotations,
                        struct cgroup **ret, struct err *err)
{
        _cleanup_(systemd_freep) struct systemd *s = NULL;
        _cleanup_systemd_scope_ struct systemd_scope scope = { 0 };
        if (systemd_scope_parse(path, &scope, err) < 0)
                return -1;
        _cleanup_(cgroup_freep) struct cgroup *cg = cgroup_new(path, err);
        if (!cg || systemd_open(&s, err) < 0)
                return -1;
        cg->scope = scope;
        scope = (struct systemd_scope){ 0 };
        if (systemd_scope_start(s, &cg->scope, pid, resources, annotations, cgroup_only_unified(), err) < 0)
                return -1;
        if (fill_scope(s, cg, pid, resources, err) < 0) {
                struct err unused = ERR_INIT;
                (void)systemd_scope_stop(s, &cg->scope, &unused);
                return err_add(err, "cgroup %s", cg->path);
        }
        *ret = TAKE_PTR(cg);
        return 0;
}

int cgroup_open_scope(const char *path, struct cgroup **ret, struct err *err)
{
        _cleanup_systemd_scope_ struct systemd_scope scope = { 0 };
        if (systemd_scope_parse(path, &scope, err) < 0)
                return -1;
        _cleanup_(cgroup_freep) struct cgroup *cg = cgroup_new(path, err);
        if (!cg)
                return -1;
        cg->scope = scope;
        scope = (struct systemd_scope){ 0 };
        if (!cg->driver->exists(cg->path)) {
                _cleanup_(systemd_freep) struct systemd *s = NULL;
                if (systemd_open(&s, err) < 0 || find_group(s, cg, err) < 0)
                        return -1;
                if (!cg->driver->exists(cg->path))
                        return err_set(err, ERR_NOT_FOUND, "no cgroup %s", cg->path);
        }
        *ret = TAKE_PTR(cg);
        return 0;
}

/* systemd knows a share of a second where the group has quota and period, and swap where the spec counts memory with it: who
 * names one of a pair means the other as it is. */
static void complete_pairs(struct cgroup *cg, struct oci_resources *r)
{
        struct cgroup_stats stats;
        struct err unused = ERR_INIT;
        if (r->has_cpu_quota != r->has_cpu_period) {
                int64_t quota = -1;
                uint64_t period = 100000;
                cgroup_quota_now(cg->path, &quota, &period);
                if (!r->has_cpu_quota)
                        r->cpu_quota = quota;
                if (!r->has_cpu_period)
                        r->cpu_period = period;
                r->has_cpu_quota = r->has_cpu_period = true;
        }
        if (r->has_memory_swap && !r->has_memory_limit && cgroup_stats(cg, &stats, &unused) == 0 && stats.memory_limit < INT64_MAX) {
                r->has_memory_limit = true;
                r->memory_limit = (int64_t)stats.memory_limit;
        }
}

static int update_scope(struct cgroup *cg, const struct oci_resources *resources, struct err *err)
{
        _cleanup_(systemd_freep) struct systemd *s = NULL;
        struct oci_resources r = *resources;
        complete_pairs(cg, &r);
        return systemd_open(&s, err) < 0 ? -1 : systemd_scope_update(s, &cg->scope, &r, cgroup_only_unified(), err);
}

/* The group is gone already, and with it all that counted: what systemd still says of it is only told. */
static void stop_scope(const struct systemd_scope *scope)
{
        _cleanup_(systemd_freep) struct systemd *s = NULL;
        struct err err = ERR_INIT;
        if (systemd_open(&s, &err) < 0 || systemd_scope_stop(s, scope, &err) < 0)
                log_warning("%s", err.msg);
}

void cgroup_forget_scope(const char *path)
{
        _cleanup_systemd_scope_ struct systemd_scope scope = { 0 };
        struct err unused = ERR_INIT;
        if (systemd_scope_parse(path, &scope, &unused) == 0)
                stop_scope(&scope);
}

int cgroup_clone_fd(struct cgroup *cg)
{
        if (cg->driver == &cgroup_v2 && cg->fd < 0) {
                _cleanup_free_ char *full = cgroup_file(cg->driver->procs(), cg->path, "");
                cg->fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        return cg->fd;
}

int cgroup_join(struct cgroup *cg, pid_t pid, struct err *err)
{
        return cg->driver->join(cg->path, pid, err);
}

int cgroup_join_self(const char *path, struct err *err)
{
        const struct cgroup_driver *driver = driver_here();
        return driver ? driver->join_self(path, err) : 0;
}

int cgroup_update(struct cgroup *cg, const struct oci_resources *resources, struct err *err)
{
        if (cg->scope.unit && update_scope(cg, resources, err) < 0)
                return -1;
        return cg->driver->apply(cg->path, resources, true, err) < 0 ? err_add(err, "cgroup %s", cg->path) : 0;
}

int cgroup_freeze(struct cgroup *cg, bool frozen, struct err *err)
{
        return cg->driver->freeze(cg->path, frozen, err);
}
bool cgroup_frozen(struct cgroup *cg)
{
        return cg->driver->frozen(cg->path);
}
uint64_t cgroup_oom_kills(struct cgroup *cg)
{
        return cg->driver->oom_kills(cg->path);
}

int cgroup_stats(struct cgroup *cg, struct cgroup_stats *ret, struct err *err)
{
        if (!cg->driver->exists(cg->path))
                return err_set(err, ERR_NOT_FOUND, "no cgroup %s", cg->path);
        _cleanup_(cgroup_reader_freep) struct cgroup_reader *reader = NULL;
        return cgroup_reader_open("/", &reader, err) < 0 ? -1 : cgroup_reader_stats(reader, cg->path + 1, CGROUP_ALL, ret, err);
}

int cgroup_usage(struct cgroup *cg, json_t **ret, struct err *err)
{
        if (!cg->driver->exists(cg->path))
                return err_set(err, ERR_NOT_FOUND, "no cgroup %s", cg->path);
        json_t *usage = json_object();
        cg->driver->usage(cg->path, usage);
        *ret = usage;
        return 0;
}

const char *cgroup_path(const struct cgroup *cg)
{
        return cg->path;
}

void cgroup_paths(struct cgroup *cg, char ***ret)
{
        const struct cgroup_layout *l = cgroup_layout();
        for (size_t i = 0; i < l->count; i++) {
                _cleanup_strv_ char **names = strv_split(l->list[i].name, ",", false);
                STRV_FOREACH (name, names) {
                        const char *prefix = str_eq(*name, "systemd") ? "name=" : "";
                        strv_push_take(ret, xasprintf("%s%s=%s%s", prefix, *name, l->list[i].path, cg->path));
                }
        }
        if (l->unified && cgroup_has(l->unified, cg->path, ""))
                strv_push_take(ret, xasprintf("=%s%s", l->unified, cg->path));
}

/* ---- processes ---- */

struct pid_list {
        pid_t *list;
        size_t count;
};

static void pid_list_done(struct pid_list *p)
{
        free(p->list);
}

static int collect_pids(const char *top, const char *path, void *data, struct err *err)
{
        struct pid_list *pids = data;
        _cleanup_free_ char *full = cgroup_file(top, path, "cgroup.procs");
        _cleanup_fclose_ FILE *file = fopen(full, "re");
        int pid;
        if (!file)
                return errno == ENOENT ? 0 : err_sys(err, "%s", full);
        /* A threaded v2 group has its processes listed at its domain: reading it fails and adds none. */
        while (fscanf(file, "%d", &pid) == 1 && pids->count < PIDS_MAX) {
                if (pid <= 0)
                        continue; /* of a pid namespace we cannot see */
                if ((pids->count & (pids->count - 1)) == 0)
                        pids->list = xreallocarray(pids->list, pids->count ? pids->count * 2 : 1, sizeof(pid_t));
                pids->list[pids->count++] = pid;
        }
        return 0;
}

int cgroup_pids(struct cgroup *cg, pid_t **ret, size_t *ret_count, struct err *err)
{
        _cleanup_(pid_list_done) struct pid_list pids = { 0 };
        if (cgroup_walk(cg->driver->procs(), cg->path, collect_pids, &pids, err) < 0)
                return -1;
        *ret = TAKE_PTR(pids.list);
        *ret_count = pids.count;
        return 0;
}

static int signal_all(struct cgroup *cg, int signo, size_t *ret_count, struct err *err)
{
        _cleanup_(pid_list_done) struct pid_list pids = { 0 };
        if (cgroup_walk(cg->driver->procs(), cg->path, collect_pids, &pids, err) < 0)
                return -1;
        for (size_t i = 0; i < pids.count; i++)
                (void)kill(pids.list[i], signo);
        *ret_count = pids.count;
        return 0;
}

/* While all are frozen none can fork away from the signal; a group that cannot be frozen is gone through until nobody new
 * is found. */
int cgroup_signal(struct cgroup *cg, int signo, struct err *err)
{
        struct err unused = ERR_INIT;
        size_t count = 0, before = SIZE_MAX;
        if (signo == SIGKILL && cg->driver == &cgroup_v2 && cgroup_has(cg->driver->procs(), cg->path, "cgroup.kill"))
                return cgroup_write(cg->driver->procs(), cg->path, "cgroup.kill", "1", err);
        bool was_frozen = cg->driver->frozen(cg->path);
        bool held = was_frozen || cg->driver->freeze(cg->path, true, &unused) == 0;
        for (int round = 0; round < (held ? 1 : 32) && count != before; round++) {
                before = count;
                if (signal_all(cg, signo, &count, err) < 0)
                        break;
        }
        /* On v1 the frozen do not even die of SIGKILL. */
        if (held && (!was_frozen || signo == SIGKILL))
                (void)cg->driver->freeze(cg->path, false, &unused);
        return err->kind == ERR_NONE ? 0 : -1;
}

static void sleep_ms(long ms)
{
        struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
        nanosleep(&t, NULL);
}

int cgroup_remove(struct cgroup *cg, struct err *err)
{
        long waited = 0;
        mem_closep(&cg->fd);
        for (long pause = 1; cg->driver->remove(cg->path, err) < 0; pause = pause < 50 ? pause * 2 : pause) {
                if (err->sys != EBUSY || waited > REMOVE_MS)
                        return -1;
                err_clear(err);
                /* Removing the first hierarchy may have gone well: the walk copes with what is gone. */
                if (cgroup_signal(cg, SIGKILL, err) < 0)
                        err_clear(err);
                sleep_ms(pause);
                waited += pause;
        }
        err_clear(err);
        if (cg->scope.unit)
                stop_scope(&cg->scope);
        return 0;
}
