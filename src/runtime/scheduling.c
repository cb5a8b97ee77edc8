/* config.md "Scheduler", "ioPriority" and "execCPUAffinity" of a process: what the kernel's scheduler is told. */
#include <errno.h>
#include <linux/ioprio.h>
#include <sched.h>
#include "base/json.h"
#include "base/str.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"

/* The number that a table gives a name. */
struct word {
        const char *name;
        uint64_t value;
};

static int word_value(const char *text, const struct word *words, size_t count, uint64_t *ret)
{
        for (size_t i = 0; i < count; i++)
                if (str_eq(text, words[i].name)) {
                        *ret = words[i].value;
                        return 0;
                }
        return -1;
}

static int get_word(const json_t *o, const struct jpath *path, const char *key, const struct word *words, size_t count,
                    uint64_t *ret, struct err *err)
{
        _cleanup_free_ char *text = NULL;
        if (json_get_string(o, path, key, true, &text, err) < 0)
                return -1;
        return word_value(text, words, count, ret) < 0 ? json_err(path, key, err, "\"%.100s\" is unknown", text) : 0;
}

/* ---- ioPriority ---- */

static int parse_io(const json_t *o, int *ret, struct err *err)
{
        static const struct word classes[] = { { "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT },
                                               { "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
                                               { "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE } };
        const struct jpath spec = JPATH("spec"), root = jpath_key(&spec, "process"), path = jpath_key(&root, "ioPriority");
        uint64_t class = 0;
        int64_t level = 0;
        if (get_word(o, &path, "class", classes, ELEMENTS(classes), &class, err) < 0 ||
            json_get_i64(o, &path, "priority", false, &level, err) < 0)
                return -1;
        if (level < 0 || level > 7)
                return json_err(&path, "priority", err, "%lld is not within 0 to 7", (long long)level);
        *ret = IOPRIO_PRIO_VALUE((int)class, (int)level);
        return 0;
}

/* ---- scheduler: sched_setattr(2) ---- */

struct attributes {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
};

static int parse_flags(const json_t *o, const struct jpath *path, uint64_t *ret, struct err *err)
{
        static const struct word flags[] = {
                { "SCHED_FLAG_RESET_ON_FORK", 1 },   { "SCHED_FLAG_RECLAIM", 2 },
                { "SCHED_FLAG_DL_OVERRUN", 4 },      { "SCHED_FLAG_KEEP_POLICY", 8 },
                { "SCHED_FLAG_KEEP_PARAMS", 16 },    { "SCHED_FLAG_UTIL_CLAMP_MIN", 32 },
                { "SCHED_FLAG_UTIL_CLAMP_MAX", 64 },
        };
        _cleanup_strv_ char **words = NULL;
        uint64_t flag = 0;
        if (json_get_strv(o, path, "flags", false, &words, err) < 0)
                return -1;
        STRV_FOREACH (word, words) {
                if (word_value(*word, flags, ELEMENTS(flags), &flag) < 0)
                        return json_err(path, "flags", err, "\"%.100s\" is unknown", *word);
                *ret |= flag;
        }
        return 0;
}

static int parse_scheduler(const json_t *o, struct attributes *ret, struct err *err)
{
        static const struct word policies[] = { { "SCHED_OTHER", 0 },   { "SCHED_FIFO", 1 }, { "SCHED_RR", 2 },
                                                { "SCHED_BATCH", 3 },   { "SCHED_ISO", 4 },  { "SCHED_IDLE", 5 },
                                                { "SCHED_DEADLINE", 6 } };
        const struct jpath spec = JPATH("spec"), root = jpath_key(&spec, "process"), path = jpath_key(&root, "scheduler");
        struct attributes a = { .size = sizeof(a) };
        uint64_t policy = 0;
        int64_t nice = 0, priority = 0;
        if (get_word(o, &path, "policy", policies, ELEMENTS(policies), &policy, err) < 0 ||
            parse_flags(o, &path, &a.flags, err) < 0 || json_get_i64(o, &path, "nice", false, &nice, err) < 0 ||
            json_get_i64(o, &path, "priority", false, &priority, err) < 0 ||
            json_get_u64(o, &path, "runtime", false, &a.runtime, err) < 0 ||
            json_get_u64(o, &path, "deadline", false, &a.deadline, err) < 0 ||
            json_get_u64(o, &path, "period", false, &a.period, err) < 0)
                return -1;
        if (nice < -20 || nice > 19)
                return json_err(&path, "nice", err, "%lld is not within -20 to 19", (long long)nice);
        if (priority < 0 || priority > 99)
                return json_err(&path, "priority", err, "%lld is not within 0 to 99", (long long)priority);
        a.policy = (uint32_t)policy;
        a.nice = (int32_t)nice;
        a.priority = (uint32_t)priority;
        *ret = a;
        return 0;
}

/* ---- execCPUAffinity: "0-3,7" ---- */

static int parse_affinity(const json_t *o, const char *key, cpu_set_t *ret, bool *ret_there, struct err *err)
{
        const struct jpath spec = JPATH("spec"), root = jpath_key(&spec, "process"), path = jpath_key(&root, "execCPUAffinity");
        _cleanup_free_ char *text = NULL;
        if (json_get_string(o, &path, key, false, &text, err) < 0)
                return -1;
        CPU_ZERO(ret);
        *ret_there = !str_empty(text);
        _cleanup_strv_ char **ranges = *ret_there ? strv_split(text, ",", false) : NULL;
        STRV_FOREACH (range, ranges) {
                unsigned first, last;
                char excess;
                int n = sscanf(*range, "%u-%u%c", &first, &last, &excess);
                if (n == 1)
                        last = first;
                if ((n != 1 && n != 2) || (n == 1 && !str_only(*range, "0123456789 ")) || first > last ||
                    last >= CPU_SETSIZE)
                        return json_err(&path, key, err, "\"%.100s\" is no list of processors", text);
                for (unsigned cpu = first; cpu <= last; cpu++)
                        CPU_SET(cpu, ret);
        }
        return 0;
}

int affinity_apply(const struct oci_process *p, const char *phase, struct err *err)
{
        cpu_set_t set;
        bool there = false;
        if (!p->exec_cpu_affinity)
                return 0;
        if (parse_affinity(p->exec_cpu_affinity, phase, &set, &there, err) < 0)
                return -1;
        return there && sched_setaffinity(0, sizeof(set), &set) < 0
                       ? err_sys(err, "process.execCPUAffinity.%s", phase)
                       : 0;
}

int scheduling_check(const struct oci_process *p, struct err *err)
{
        struct attributes a;
        cpu_set_t set;
        bool there;
        int io;
        if (p->scheduler && parse_scheduler(p->scheduler, &a, err) < 0)
                return -1;
        if (p->io_priority && parse_io(p->io_priority, &io, err) < 0)
                return -1;
        return p->exec_cpu_affinity && (parse_affinity(p->exec_cpu_affinity, "initial", &set, &there, err) < 0 ||
                                        parse_affinity(p->exec_cpu_affinity, "final", &set, &there, err) < 0)
                       ? -1
                       : 0;
}

int scheduling_apply(const struct oci_process *p, struct err *err)
{
        struct attributes a;
        int io;
        if (p->scheduler && parse_scheduler(p->scheduler, &a, err) < 0)
                return -1;
        if (p->scheduler && syscall(SYS_sched_setattr, 0, &a, 0) < 0)
                return err_sys(err, "process.scheduler");
        if (p->io_priority && parse_io(p->io_priority, &io, err) < 0)
                return -1;
        if (p->io_priority && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, io) < 0)
                return err_sys(err, "process.ioPriority");
        return 0;
}
