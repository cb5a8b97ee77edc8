#include <errno.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include "base/file.h"
#include "base/json.h"
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

static int set_limits(const struct oci_process *p, struct err *err)
{
        for (size_t i = 0; i < p->rlimit_count; i++) {
                const struct oci_rlimit *l = &p->rlimits[i];
                size_t k = 0;
                while (k < ELEMENTS(limits) && !str_eq(l->type, limits[k].name))
                        k++;
                if (k == ELEMENTS(limits) || l->soft > l->hard)
                        return err_set(err, ERR_INVALID, "process.rlimits: %s",
                                       k == ELEMENTS(limits) ? "unknown type" : "soft exceeds hard");
                if (set_limit(limits[k].resource, l, err) < 0)
                        return -1;
        }
        return 0;
}

/* ---- priorities ---- */

/* The number that a table gives a name in a JSON string. */
struct word {
        const char *name;
        uint64_t value;
};
static int json_word(const json_t *j, const struct word *words, size_t count, uint64_t *ret, const char *what,
                     struct err *err)
{
        for (size_t i = 0; i < count; i++)
                if (str_eq(json_string_value(j), words[i].name)) {
                        *ret = words[i].value;
                        return 0;
                }
        return err_set(err, ERR_INVALID, "%s: unknown value \"%s\"", what,
                       json_is_string(j) ? json_string_value(j) : "");
}

static int set_io_priority(const json_t *o, struct err *err)
{
        static const struct word classes[] = { { "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT },
                                               { "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
                                               { "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE } };
        uint64_t class = 0;
        if (json_word(json_object_get(o, "class"), classes, ELEMENTS(classes), &class, "process.ioPriority.class",
                      err) < 0)
                return -1;
        json_int_t level = json_integer_value(json_object_get(o, "priority"));
        if (level < 0 || level > 7)
                return err_set(err, ERR_INVALID, "process.ioPriority.priority: 0 to 7");
        if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE((int)class, (int)level)) < 0)
                return err_sys(err, "process.ioPriority");
        return 0;
}

/* sched_setattr(2) */
struct attributes {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
};

static int set_scheduler(const json_t *o, struct err *err)
{
        static const struct word policies[] = { { "SCHED_OTHER", 0 },   { "SCHED_FIFO", 1 }, { "SCHED_RR", 2 },
                                                { "SCHED_BATCH", 3 },   { "SCHED_ISO", 4 },  { "SCHED_IDLE", 5 },
                                                { "SCHED_DEADLINE", 6 } };
        static const struct word flags[] = {
                { "SCHED_FLAG_RESET_ON_FORK", 1 },   { "SCHED_FLAG_RECLAIM", 2 },
                { "SCHED_FLAG_DL_OVERRUN", 4 },      { "SCHED_FLAG_KEEP_POLICY", 8 },
                { "SCHED_FLAG_KEEP_PARAMS", 16 },    { "SCHED_FLAG_UTIL_CLAMP_MIN", 32 },
                { "SCHED_FLAG_UTIL_CLAMP_MAX", 64 },
        };
        uint64_t policy = 0, flag = 0;
        struct attributes a = { .size = sizeof(a) };
        size_t i;
        json_t *item;
        if (json_word(json_object_get(o, "policy"), policies, ELEMENTS(policies), &policy, "process.scheduler.policy",
                      err) < 0)
                return -1;
        json_array_foreach (json_object_get(o, "flags"), i, item) {
                if (json_word(item, flags, ELEMENTS(flags), &flag, "process.scheduler.flags", err) < 0)
                        return -1;
                a.flags |= flag;
        }
        a.policy = (uint32_t)policy;
        a.nice = (int32_t)json_integer_value(json_object_get(o, "nice"));
        a.priority = (uint32_t)json_integer_value(json_object_get(o, "priority"));
        a.runtime = (uint64_t)json_integer_value(json_object_get(o, "runtime"));
        a.deadline = (uint64_t)json_integer_value(json_object_get(o, "deadline"));
        a.period = (uint64_t)json_integer_value(json_object_get(o, "period"));
        if (syscall(SYS_sched_setattr, 0, &a, 0) < 0)
                return err_sys(err, "process.scheduler");
        return 0;
}

/* "0-3,7": processors for a process of exec, from its first instruction. */
static int set_affinity(const json_t *o, struct err *err)
{
        const char *text = json_string_value(json_object_get(o, "initial"));
        cpu_set_t set;
        CPU_ZERO(&set);
        if (!text)
                return 0;
        _cleanup_strv_ char **ranges = strv_split(text, ",", false);
        STRV_FOREACH (range, ranges) {
                unsigned first, last;
                char excess;
                int n = sscanf(*range, "%u-%u%c", &first, &last, &excess);
                if (n == 1)
                        last = first;
                if ((n != 1 && n != 2) || first > last || last >= CPU_SETSIZE)
                        return err_set(err, ERR_INVALID, "process.execCPUAffinity.initial: \"%s\"", text);
                for (unsigned cpu = first; cpu <= last; cpu++)
                        CPU_SET(cpu, &set);
        }
        return sched_setaffinity(0, sizeof(set), &set) < 0 ? err_sys(err, "process.execCPUAffinity") : 0;
}

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

int process_prepare(const struct oci_process *p, const char *domain, struct err *err)
{
        if (set_limits(p, err) < 0 || (domain && set_personality(domain, err) < 0) ||
            (p->scheduler && set_scheduler(p->scheduler, err) < 0) ||
            (p->io_priority && set_io_priority(p->io_priority, err) < 0) ||
            (p->exec_cpu_affinity && set_affinity(p->exec_cpu_affinity, err) < 0))
                return -1;
        return 0;
}
