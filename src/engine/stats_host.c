/* What a share is a share of: the host's processors, their time and its memory. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/meter-internal.h"

/* The first line of /proc/stat: user nice system idle iowait irq softirq, in ticks, as docker adds them. */
uint64_t stats_host_ns(void)
{
        _cleanup_free_ char *line = NULL;
        struct err ignored = ERR_INIT;
        uint64_t v[7], sum = 0, ticks = (uint64_t)sysconf(_SC_CLK_TCK);
        if (file_line_at(AT_FDCWD, "/proc/stat", &line, &ignored) < 0 ||
            sscanf(line, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &v[0], &v[1], &v[2], &v[3], &v[4],
                   &v[5], &v[6]) != 7)
                return 0;
        for (size_t i = 0; i < ELEMENTS(v); i++)
                sum += v[i];
        return sum * (1000000000 / ticks);
}

unsigned stats_processors(void)
{
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        return n > 0 ? (unsigned)n : 1;
}

uint64_t stats_memory_total(void)
{
        struct sysinfo s;
        return sysinfo(&s) == 0 ? (uint64_t)s.totalram * s.mem_unit : 0;
}

double stats_cpu_percent(const struct stats_sample *before, const struct stats_sample *now)
{
        if (!before->running || !now->running || before->started != now->started || now->now.cpu_usage_ns <= before->now.cpu_usage_ns ||
            now->host_ns <= before->host_ns)
                return 0;
        return (double)(now->now.cpu_usage_ns - before->now.cpu_usage_ns) / (double)(now->host_ns - before->host_ns) * stats_processors() * 100;
}

uint64_t stats_memory(const struct cgroup_stats *s)
{
        return s->memory_usage > s->memory_inactive_file ? s->memory_usage - s->memory_inactive_file : 0;
}
