#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include "base/file.h"
#include "base/str.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"

/* ---- limits ---- */

static const struct {
        const char *name;
        int resource;
} limits[] = {
        { "RLIMIT_AS", RLIMIT_AS },
        { "RLIMIT_CORE", RLIMIT_CORE },
        { "RLIMIT_CPU", RLIMIT_CPU },
        { "RLIMIT_DATA", RLIMIT_DATA },
        { "RLIMIT_FSIZE", RLIMIT_FSIZE },
        { "RLIMIT_LOCKS", RLIMIT_LOCKS },
        { "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
        { "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
        { "RLIMIT_NICE", RLIMIT_NICE },
        { "RLIMIT_NOFILE", RLIMIT_NOFILE },
        { "RLIMIT_NPROC", RLIMIT_NPROC },
        { "RLIMIT_RSS", RLIMIT_RSS },
        { "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
        { "RLIMIT_RTTIME", RLIMIT_RTTIME },
        { "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
        { "RLIMIT_STACK", RLIMIT_STACK },
};

/* A limit above what we may give is given as far as we may: a start never fails for it. */
static int set_limit(int resource, const struct oci_rlimit *l, struct err *err)
{
        struct rlimit wanted = { l->soft, l->hard }, have;
        if (setrlimit(resource, &wanted) == 0)
                return 0;
        if (errno != EPERM)
                return err_sys(err, "%s", l->type);
        if (getrlimit(resource, &have) < 0)
                return err_sys(err, "%s", l->type);
        if (wanted.rlim_max > have.rlim_max)
                wanted.rlim_max = have.rlim_max;
        if (wanted.rlim_cur > wanted.rlim_max)
                wanted.rlim_cur = wanted.rlim_max;
        return setrlimit(resource, &wanted) < 0 && errno != EPERM ? err_sys(err, "%s", l->type) : 0;
}

/* The row of a limit's name; ELEMENTS(limits) when unknown. */
static size_t limit_row(const char *type)
{
        size_t k = 0;
        while (k < ELEMENTS(limits) && !str_eq(type, limits[k].name))
                k++;
        return k;
}

static int check_limits(const struct oci_process *p, struct err *err)
{
        uint32_t seen = 0;
        for (size_t i = 0; i < p->rlimit_count; i++) {
                const struct oci_rlimit *l = &p->rlimits[i];
                size_t k = limit_row(l->type);
                if (k == ELEMENTS(limits) || (seen >> k & 1) || l->soft > l->hard)
                        return err_set(err, ERR_INVALID, "process.rlimits[%zu]: %s %s", i, l->type ? l->type : "",
                                       k == ELEMENTS(limits) ? "is unknown"
                                       : seen >> k & 1       ? "is there twice"
                                                             : "has a soft limit above the hard one");
                seen |= 1u << k;
        }
        return 0;
}

static int set_limits(const struct oci_process *p, struct err *err)
{
        for (size_t i = 0; i < p->rlimit_count; i++)
                if (set_limit(limits[limit_row(p->rlimits[i].type)].resource, &p->rlimits[i], err) < 0)
                        return -1;
        return 0;
}

/* The kernel takes the last id of all for "leave it as it is", which would be root. */
static int check_user(const struct oci_process *p, struct err *err)
{
        if (p->uid == UINT32_MAX || p->gid == UINT32_MAX)
                return err_set(err, ERR_INVALID, "process.user.%s: 4294967295 is nobody's id", p->uid == UINT32_MAX ? "uid" : "gid");
        for (size_t i = 0; i < p->additional_gid_count; i++)
                if (p->additional_gids[i] == UINT32_MAX)
                        return err_set(err, ERR_INVALID, "process.user.additionalGids[%zu]: 4294967295 is nobody's id", i);
        if (p->has_umask && p->umask > 0777)
                return err_set(err, ERR_INVALID, "process.user.umask: %u is beyond 511", p->umask);
        if (p->has_oom_score_adj && (p->oom_score_adj < -1000 || p->oom_score_adj > 1000))
                return err_set(err, ERR_INVALID, "process.oomScoreAdj: %d is not within -1000 to 1000", p->oom_score_adj);
        return 0;
}

int process_check(const struct oci_process *p, struct err *err)
{
        if (!p->args || !p->args[0])
                return err_set(err, ERR_INVALID, "process.args: empty");
        if (str_empty(p->cwd) || p->cwd[0] != '/')
                return err_set(err, ERR_INVALID, "process.cwd: must be absolute");
        if (p->additional_gid_count > 4096)
                return err_set(err, ERR_TOO_LARGE, "process.user.additionalGids: more than 4096");
        if (check_user(p, err) < 0 || check_limits(p, err) < 0 || scheduling_check(p, err) < 0)
                return -1;
        return label_check(p, err);
}

/* ---- the rest ---- */

static int set_personality(const char *domain, struct err *err)
{
        unsigned long value = str_eq(domain, "LINUX32") ? PER_LINUX32 : PER_LINUX;
        if (!str_eq(domain, "LINUX32") && !str_eq(domain, "LINUX"))
                return err_set(err, ERR_INVALID, "linux.personality.domain: \"%s\"", domain);
        return personality(value) < 0 ? err_sys(err, "linux.personality") : 0;
}

int process_set_oom_score(const struct oci_process *p, pid_t pid, struct err *err)
{
        char path[64], value[16];
        if (!p->has_oom_score_adj)
                return 0;
        snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
        snprintf(value, sizeof(value), "%d", p->oom_score_adj);
        if (file_poke_at(AT_FDCWD, path, value, err) == 0)
                return 0;
        if (err->sys != EACCES && err->sys != EPERM)
                return -1;
        err_clear(err);
        return 0;
}

char **process_environment(const struct oci_process *p)
{
        struct err unused = ERR_INIT;
        char **env = strv_dup(p->env), user[16];
        uint32_t uid, gid;
        _cleanup_free_ uint32_t *gids = NULL;
        _cleanup_free_ char *home = NULL;
        size_t count;
        if (strv_env_get(env, "HOME"))
                return env;
        snprintf(user, sizeof(user), "%" PRIu32, p->uid);
        _cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0 || runtime_user_resolve(root, user, &uid, &gid, &gids, &count, &home, &unused) < 0)
                home = xstrdup("/");
        strv_push_take(&env, xasprintf("HOME=%s", home));
        return env;
}

int process_prepare(const struct oci_process *p, const char *domain, struct err *err)
{
        if (set_limits(p, err) < 0 || (domain && set_personality(domain, err) < 0))
                return -1;
        return scheduling_apply(p, err);
}
