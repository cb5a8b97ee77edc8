/* Samples of a run's memory, and its network's counters. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/timefmt.h"
#include "monitor/monitor-internal.h"

#define FIRST 250000000 /* ns after the start; then twice as long each time, so that what runs for seconds is seen */
#define LONGEST 60000000000 /* and what runs for days costs nothing */
#define STAT_MAX 8192

/* As in oom.c: usage, and the files' share of it that the kernel takes back first. */
static const struct { const char *usage, *stat, *key; } places[] = {
        { "/sys/fs/cgroup/memory%s%s/memory.usage_in_bytes", "/sys/fs/cgroup/memory%s%s/memory.stat", "\ntotal_inactive_file " },
        { "/sys/fs/cgroup%s%s/memory.current", "/sys/fs/cgroup%s%s/memory.stat", "\ninactive_file " },
        { "/sys/fs/cgroup/unified%s%s/memory.current", "/sys/fs/cgroup/unified%s%s/memory.stat", "\ninactive_file " },
};

static bool text_read(const char *format, const char *group, char *text, size_t size)
{
        char path[PATH_MAX];
        int length = snprintf(path, sizeof(path), format, group[0] == '/' ? "" : "/tare/", group);
        _cleanup_close_ int fd = length < (int)sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
        ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
        text[n > 0 ? n : 0] = '\0';
        return n > 0;
}

static bool memory_now(const struct monitor *m, uint64_t *ret)
{
        char text[STAT_MAX];
        const char *group = m->o.cgroup_path;
        for (size_t i = 0; group && *group && i < ELEMENTS(places); i++) {
                if (!text_read(places[i].usage, group, text, 64))
                        continue;
                uint64_t usage = strtoull(text, NULL, 10), idle = 0;
                const char *at = text_read(places[i].stat, group, text, sizeof(text)) ? strstr(text, places[i].key) : NULL;
                if (at)
                        idle = strtoull(at + strlen(places[i].key), NULL, 10);
                *ret = usage > idle ? usage - idle : 0;
                return true;
        }
        return false;
}

static void network_now(const struct monitor *m, struct meter_file *sums)
{
        char text[STAT_MAX];
        ssize_t n = m->o.net_fd < 0 ? 0 : pread(m->o.net_fd, text, sizeof(text) - 1, 0);
        if (n <= 0)
                return;
        text[n] = '\0';
        meter_net_parse(text, &sums->received, &sums->sent);
}

static void write_down(const struct monitor *m)
{
        _cleanup_close_ int fd = openat(m->run_dir, "meter", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0)
                meter_file_write(fd, &m->meter.sums);
}

void meter_begin(struct monitor *m)
{
        int64_t now = time_monotonic();
        m->meter.sums.started_ms = m->meter.sums.at_ms = (uint64_t)now / 1000000;
        m->meter.pause = FIRST;
        m->meter.next = now + FIRST;
}

int64_t meter_due(struct monitor *m, int64_t now)
{
        uint64_t bytes;
        if (m->phase != RUNNING)
                return INT64_MAX;
        if (now < m->meter.next)
                return m->meter.next;
        network_now(m, &m->meter.sums);
        if (memory_now(m, &bytes))
                meter_file_add(&m->meter.sums, (uint64_t)now / 1000000, bytes);
        write_down(m);
        m->meter.pause = m->meter.pause * 2 < LONGEST ? m->meter.pause * 2 : LONGEST;
        m->meter.next = now + m->meter.pause;
        return m->meter.next;
}

/* What the dead used is not there to be seen any more: the last sample holds to the end. */
void meter_end(struct monitor *m)
{
        struct meter_file *sums = &m->meter.sums;
        uint64_t now = (uint64_t)time_monotonic() / 1000000;
        network_now(m, sums);
        mem_closep(&m->o.net_fd);
        m->o.net_fd = -1;
        if (sums->samples && now > sums->at_ms)
                sums->byte_ms += sums->bytes * (now - sums->at_ms);
        sums->at_ms = now;
        sums->ended = 1;
        write_down(m);
}
