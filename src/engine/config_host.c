/* What can only be judged by looking at this host: processors, what its kernel limits. Nothing is read that was not asked for. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/foreign-internal.h"
#include "runtime/cgroup.h"

/* docker's rule: what this process may run on, not what the machine has */
static int check_cpus(const struct container_config *c, struct err *err)
{
        cpu_set_t mine;
        if (!c->nano_cpus)
                return 0;
        int count = sched_getaffinity(0, sizeof(mine), &mine) == 0 ? CPU_COUNT(&mine) : (int)sysconf(_SC_NPROCESSORS_ONLN);
        if (c->nano_cpus >= 10000000 && c->nano_cpus <= (int64_t)count * 1000000000)
                return 0;
        return err_set(err, ERR_INVALID, "Range of CPUs is from 0.01 to %d.00, as there are only %d CPUs available", count, count);
}

/* "0-3,5" as the kernel writes such lists; the next range of *text, false at its end, or with *ret_first > *ret_last where it is none. */
static bool next_range(const char **text, uint32_t *ret_first, uint32_t *ret_last)
{
        if (!**text)
                return false;
        _cleanup_free_ char *one = xstrndup(*text, strcspn(*text, ","));
        char *dash = strchr(one, '-');
        struct err ignored = ERR_INIT;
        *text += strlen(one) + ((*text)[strlen(one)] == ',');
        if (dash)
                *dash++ = '\0';
        *ret_first = 1;
        *ret_last = 0;
        uint32_t first, last;
        if (parse_u32(one, &first, &ignored) == 0 && parse_u32(dash ? dash : one, &last, &ignored) == 0) {
                *ret_first = first;
                *ret_last = last;
        }
        return true;
}

static bool list_has(const char *list, uint32_t number)
{
        uint32_t first, last;
        while (next_range(&list, &first, &last))
                if (number >= first && number <= last)
                        return true;
        return false;
}

static int check_list(const char *what, const char *kind, const char *list, const char *file, struct err *err)
{
        _cleanup_buf_ struct buf online = BUF_INIT(4096);
        const char *rest = list;
        uint32_t first, last;
        if (str_empty(list) || file_read_at(AT_FDCWD, file, &online, err) < 0)
                return str_empty(list) ? 0 : -1;
        online.data[strcspn(online.data, "\n")] = '\0';
        while (next_range(&rest, &first, &last)) {
                if (first > last || last >= 65536)
                        return err_set(err, ERR_INVALID, "Invalid value %s for %s: invalid format: %s", list, what, list);
                for (uint32_t i = first; i <= last; i++)
                        if (!list_has(online.data, i))
                                return err_set(err, ERR_INVALID, "Requested %s are not available - requested %s, available: %s", kind, list, online.data);
        }
        return 0;
}

/* A limit that this kernel does not know is told of and dropped. */
static void drop_unknown(struct container_config *c)
{
        if (c->blkio_weight && !cgroup_supports("blkio", "blkio.weight", "io.weight")) {
                log_warning("Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.");
                c->blkio_weight = 0;
        }
        if (c->memory_swappiness >= 0 && !cgroup_supports("memory", "memory.swappiness", NULL)) {
                log_warning("Your kernel does not support memory swappiness capabilities, or the cgroup is not mounted. Memory swappiness discarded.");
                c->memory_swappiness = -1;
        }
        if (c->oom_kill_disable && !cgroup_supports("memory", "memory.oom_control", NULL)) {
                log_warning("Your kernel does not support OomKillDisable. OomKillDisable discarded.");
                c->oom_kill_disable = false;
        }
        if (c->oom_kill_disable && !c->memory)
                log_warning("OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of "
                            "resources.");
}

/* What a container would rather not start without. */
static int refuse_unknown(const struct container_config *c, struct err *err)
{
        if ((c->cpu_rt_runtime || c->cpu_rt_period) && !cgroup_supports("cpu", "cpu.rt_runtime_us", NULL))
                return err_set(err, ERR_UNSUPPORTED, "Your kernel does not support CPU real-time scheduler (--cpu-rt-runtime, --cpu-rt-period)");
        if (c->net_cls_classid && !cgroup_supports("net_cls", "net_cls.classid", NULL))
                return err_set(err, ERR_UNSUPPORTED, "--net-cls-classid: this host has no cgroup v1 net_cls; cgroup v2 has no such thing");
        return 0;
}

/* A path is kept as an absolute one: the next start may come from elsewhere. */
static int check_runtime(struct container_config *c, struct err *err)
{
        _cleanup_free_ char *program = NULL, *here = NULL;
        if (!runtime_is_foreign(c->runtime))
                return 0;
        if (strchr(c->runtime, '/') && c->runtime[0] != '/') {
                if (!(here = get_current_dir_name()))
                        return err_sys(err, "working directory");
                char *absolute = path_join(here, c->runtime);
                free(c->runtime);
                c->runtime = absolute;
        }
        return foreign_program(c->runtime, &program, err);
}

int container_config_check_host(struct container_config *c, struct err *err)
{
        if (check_cpus(c, err) < 0 ||
            check_list("cpuset cpus", "CPUs", c->cpuset_cpus, "/sys/devices/system/cpu/online", err) < 0 ||
            check_list("cpuset mems", "memory nodes", c->cpuset_mems, "/sys/devices/system/node/online", err) < 0)
                return -1;
        if (refuse_unknown(c, err) < 0)
                return -1;
        drop_unknown(c);
        return check_runtime(c, err);
}
